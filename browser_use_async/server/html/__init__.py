"""Reading documents: HTML by selectolax and trafilatura, and plain text, JSON and CSV."""

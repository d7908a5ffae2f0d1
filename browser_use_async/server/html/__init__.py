"""Pages as trees, what a person reads of them, and documents: HTML, plain text, JSON and CSV."""

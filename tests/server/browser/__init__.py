"""Tasks in a real Chromium."""

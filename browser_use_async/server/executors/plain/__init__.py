"""Tasks in step lines on a machine without a browser."""

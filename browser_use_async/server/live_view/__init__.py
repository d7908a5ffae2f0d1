"""The live view: a WebSocket that streams a task to its page, and input back to the browser."""

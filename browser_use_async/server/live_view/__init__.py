"""The live view: a WebSocket that streams a task to its page, and input back to the browser."""

from browser_use_async.server.live_view.routes import add_live_routes

__all__ = ["add_live_routes"]

"""The other end of live pages: what they show as it happens, and what a person does there."""

from browser_use_async.server.live_view.routes import add_live_routes

__all__ = ["add_live_routes"]

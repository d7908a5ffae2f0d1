"""The HTML pages of the server."""

from browser_use_async.server.pages.home import calls_page, home_page, icon
from browser_use_async.server.pages.live import ended_page, live_page, live_state

__all__ = ["calls_page", "ended_page", "home_page", "icon", "live_page", "live_state"]

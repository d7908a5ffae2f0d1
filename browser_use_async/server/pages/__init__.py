"""The HTML pages of the server."""

from browser_use_async.server.pages.home import SECTIONS, application_page, icon
from browser_use_async.server.pages.live import ended_page, live_page, live_state, missing_page

__all__ = [
    "SECTIONS",
    "application_page",
    "ended_page",
    "icon",
    "live_page",
    "live_state",
    "missing_page",
]

"""The HTML pages of the server."""

from browser_use_async.server.pages.home import SECTIONS, application_page, icon
from browser_use_async.server.pages.live import ended_page, live_page, live_state, missing_page
from browser_use_async.server.pages.scripts import SCRIPT_PATH, script

__all__ = [
    "SCRIPT_PATH",
    "SECTIONS",
    "application_page",
    "ended_page",
    "icon",
    "live_page",
    "live_state",
    "missing_page",
    "script",
]

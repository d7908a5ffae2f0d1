"""The thin layer: one file per API section, one method per HTTP call, no state of its own."""

from typing import TYPE_CHECKING

from browser_use_async.api.requests import build_request
from browser_use_async.api.tasks import TaskEndpoints
from browser_use_async.lazy import load_on_first_use

if TYPE_CHECKING:
    from browser_use_async.api.account import AccountEndpoints
    from browser_use_async.api.browser_profiles import BrowserProfileEndpoints
    from browser_use_async.api.files import FileEndpoints
    from browser_use_async.api.scheduled_tasks import ScheduledTaskEndpoints
    from browser_use_async.api.search import SearchEndpoints

__all__ = [
    "AccountEndpoints",
    "BrowserProfileEndpoints",
    "FileEndpoints",
    "ScheduledTaskEndpoints",
    "SearchEndpoints",
    "TaskEndpoints",
    "build_request",
]

_HOMES = {
    "AccountEndpoints": "account",
    "BrowserProfileEndpoints": "browser_profiles",
    "FileEndpoints": "files",
    "ScheduledTaskEndpoints": "scheduled_tasks",
    "SearchEndpoints": "search",
}
"""Where the names come from that are loaded when they are first used."""

if not TYPE_CHECKING:
    __getattr__, __dir__ = load_on_first_use(__name__, _HOMES)

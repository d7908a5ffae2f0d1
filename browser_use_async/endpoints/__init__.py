"""The thin layer: one file per API section, one method per HTTP call, no state of its own."""

from browser_use_async.endpoints.account import AccountEndpoints
from browser_use_async.endpoints.browser_profiles import BrowserProfileEndpoints
from browser_use_async.endpoints.building import build_request
from browser_use_async.endpoints.files import FileEndpoints
from browser_use_async.endpoints.scheduled_tasks import ScheduledTaskEndpoints
from browser_use_async.endpoints.search import SearchEndpoints
from browser_use_async.endpoints.tasks import TaskEndpoints

__all__ = [
    "AccountEndpoints",
    "BrowserProfileEndpoints",
    "FileEndpoints",
    "ScheduledTaskEndpoints",
    "SearchEndpoints",
    "TaskEndpoints",
    "build_request",
]

"""Every call of Cloud API v1 as one row of data; the SDK and the bundled server both read it.

One file per API section. All but the calls that every session needs are loaded, with their models,
when they are first used.
"""

from typing import TYPE_CHECKING

from browser_use_async.api.endpoint_table import (
    API_PREFIX,
    GET_TASK,
    GET_TASK_STATUS,
    LIST_TASKS,
    PAUSE_TASK,
    RESUME_TASK,
    RUN_TASK,
    STOP_TASK,
    Effect,
    Endpoint,
)
from browser_use_async.lazy import load_on_first_use

if TYPE_CHECKING:
    from browser_use_async.api.endpoint_table import (
        CHECK_BALANCE,
        CREATE_BROWSER_PROFILE,
        CREATE_SCHEDULED_TASK,
        CREATE_UPLOAD_URL,
        DELETE_BROWSER_PROFILE,
        DELETE_SCHEDULED_TASK,
        ENDPOINTS,
        GET_BROWSER_PROFILE,
        GET_SCHEDULED_TASK,
        GET_TASK_MEDIA,
        GET_TASK_OUTPUT_FILE,
        GET_TASK_SCREENSHOTS,
        LIST_BROWSER_PROFILES,
        LIST_SCHEDULED_TASKS,
        ME,
        PING,
        SEARCH_URL,
        SIMPLE_SEARCH,
        UPDATE_BROWSER_PROFILE,
        UPDATE_SCHEDULED_TASK,
    )

__all__ = [
    "API_PREFIX",
    "CHECK_BALANCE",
    "CREATE_BROWSER_PROFILE",
    "CREATE_SCHEDULED_TASK",
    "CREATE_UPLOAD_URL",
    "DELETE_BROWSER_PROFILE",
    "DELETE_SCHEDULED_TASK",
    "ENDPOINTS",
    "GET_BROWSER_PROFILE",
    "GET_SCHEDULED_TASK",
    "GET_TASK",
    "GET_TASK_MEDIA",
    "GET_TASK_OUTPUT_FILE",
    "GET_TASK_SCREENSHOTS",
    "GET_TASK_STATUS",
    "LIST_BROWSER_PROFILES",
    "LIST_SCHEDULED_TASKS",
    "LIST_TASKS",
    "ME",
    "PAUSE_TASK",
    "PING",
    "RESUME_TASK",
    "RUN_TASK",
    "SEARCH_URL",
    "SIMPLE_SEARCH",
    "STOP_TASK",
    "UPDATE_BROWSER_PROFILE",
    "UPDATE_SCHEDULED_TASK",
    "Effect",
    "Endpoint",
]

_HOMES = {
    "CHECK_BALANCE": "account",
    "CREATE_BROWSER_PROFILE": "browser_profiles",
    "CREATE_SCHEDULED_TASK": "scheduled_tasks",
    "CREATE_UPLOAD_URL": "files",
    "DELETE_BROWSER_PROFILE": "browser_profiles",
    "DELETE_SCHEDULED_TASK": "scheduled_tasks",
    "ENDPOINTS": "every_row",
    "GET_BROWSER_PROFILE": "browser_profiles",
    "GET_SCHEDULED_TASK": "scheduled_tasks",
    "GET_TASK_MEDIA": "task_files",
    "GET_TASK_OUTPUT_FILE": "task_files",
    "GET_TASK_SCREENSHOTS": "task_files",
    "LIST_BROWSER_PROFILES": "browser_profiles",
    "LIST_SCHEDULED_TASKS": "scheduled_tasks",
    "ME": "account",
    "PING": "health",
    "SEARCH_URL": "search",
    "SIMPLE_SEARCH": "search",
    "UPDATE_BROWSER_PROFILE": "browser_profiles",
    "UPDATE_SCHEDULED_TASK": "scheduled_tasks",
}
"""Where the names come from that are loaded when they are first used."""

if not TYPE_CHECKING:
    __getattr__, __dir__ = load_on_first_use(__name__, _HOMES)

"""The whole table."""

from browser_use_async.contract.endpoint import Endpoint
from browser_use_async.contract.table.account import CHECK_BALANCE, ME
from browser_use_async.contract.table.browser_profiles import (
    CREATE_BROWSER_PROFILE,
    DELETE_BROWSER_PROFILE,
    GET_BROWSER_PROFILE,
    LIST_BROWSER_PROFILES,
    UPDATE_BROWSER_PROFILE,
)
from browser_use_async.contract.table.files import CREATE_UPLOAD_URL
from browser_use_async.contract.table.health import PING
from browser_use_async.contract.table.scheduled_tasks import (
    CREATE_SCHEDULED_TASK,
    DELETE_SCHEDULED_TASK,
    GET_SCHEDULED_TASK,
    LIST_SCHEDULED_TASKS,
    UPDATE_SCHEDULED_TASK,
)
from browser_use_async.contract.table.search import SEARCH_URL, SIMPLE_SEARCH
from browser_use_async.contract.table.task_files import (
    GET_TASK_MEDIA,
    GET_TASK_OUTPUT_FILE,
    GET_TASK_SCREENSHOTS,
)
from browser_use_async.contract.table.tasks import (
    GET_TASK,
    GET_TASK_STATUS,
    LIST_TASKS,
    PAUSE_TASK,
    RESUME_TASK,
    RUN_TASK,
    STOP_TASK,
)

__all__ = ["ENDPOINTS"]

ENDPOINTS: tuple[Endpoint, ...] = (
    RUN_TASK,
    STOP_TASK,
    PAUSE_TASK,
    RESUME_TASK,
    GET_TASK,
    GET_TASK_STATUS,
    LIST_TASKS,
    GET_TASK_MEDIA,
    GET_TASK_SCREENSHOTS,
    GET_TASK_OUTPUT_FILE,
    LIST_SCHEDULED_TASKS,
    CREATE_SCHEDULED_TASK,
    GET_SCHEDULED_TASK,
    UPDATE_SCHEDULED_TASK,
    DELETE_SCHEDULED_TASK,
    LIST_BROWSER_PROFILES,
    CREATE_BROWSER_PROFILE,
    GET_BROWSER_PROFILE,
    UPDATE_BROWSER_PROFILE,
    DELETE_BROWSER_PROFILE,
    CREATE_UPLOAD_URL,
    SIMPLE_SEARCH,
    SEARCH_URL,
    CHECK_BALANCE,
    ME,
    PING,
)

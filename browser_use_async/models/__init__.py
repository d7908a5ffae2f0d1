"""What travels: attrs requests and responses, one file per API section.

All but what every session needs is loaded when it is first used.
"""

from typing import TYPE_CHECKING

from browser_use_async.events import (
    RetryScheduled,
    SessionEvent,
    SlotAwaited,
    SubmissionAdopted,
    UnknownStatusSeen,
)
from browser_use_async.lazy import load_on_first_use
from browser_use_async.types.base import UNSET, FieldKind, FieldRule, Unset, rule_of
from browser_use_async.types.enums import (
    LlmModel,
    OpenEnum,
    ProxyCountry,
    ScheduleType,
    TaskStatus,
)
from browser_use_async.types.secrets import SecretMapping
from browser_use_async.types.task_settings import RunTaskFields, RunTaskRequest, TaskSettings
from browser_use_async.types.tasks import (
    BrowserData,
    Created,
    PageQuery,
    Task,
    TaskId,
    TaskPage,
    TaskStep,
    TaskSummary,
)

if TYPE_CHECKING:
    from browser_use_async.types.account import Balance
    from browser_use_async.types.browser_profiles import (
        BrowserProfile,
        BrowserProfileFields,
        BrowserProfilePage,
        CreateBrowserProfileRequest,
        NamedBrowserProfileFields,
        ProfileId,
        UpdateBrowserProfileRequest,
    )
    from browser_use_async.types.files import (
        OutputFile,
        TaskFile,
        TaskMedia,
        TaskScreenshots,
        UploadRequest,
        UploadUrl,
    )
    from browser_use_async.types.scheduled_tasks import (
        CreateScheduledTaskFields,
        CreateScheduledTaskRequest,
        ScheduledTask,
        ScheduledTaskPage,
        UpdateScheduledTaskFields,
        UpdateScheduledTaskRequest,
    )
    from browser_use_async.types.search import (
        SearchResult,
        SearchResults,
        SearchUrlRequest,
        SimpleSearchRequest,
    )
    from browser_use_async.types.tasks import ParsedTask

__all__ = [
    "UNSET",
    "Balance",
    "BrowserData",
    "BrowserProfile",
    "BrowserProfileFields",
    "BrowserProfilePage",
    "CreateBrowserProfileRequest",
    "CreateScheduledTaskFields",
    "CreateScheduledTaskRequest",
    "Created",
    "FieldKind",
    "FieldRule",
    "LlmModel",
    "NamedBrowserProfileFields",
    "OpenEnum",
    "OutputFile",
    "PageQuery",
    "ParsedTask",
    "ProfileId",
    "ProxyCountry",
    "RetryScheduled",
    "RunTaskFields",
    "RunTaskRequest",
    "ScheduleType",
    "ScheduledTask",
    "ScheduledTaskPage",
    "SearchResult",
    "SearchResults",
    "SearchUrlRequest",
    "SecretMapping",
    "SessionEvent",
    "SimpleSearchRequest",
    "SlotAwaited",
    "SubmissionAdopted",
    "Task",
    "TaskFile",
    "TaskId",
    "TaskMedia",
    "TaskPage",
    "TaskScreenshots",
    "TaskSettings",
    "TaskStatus",
    "TaskStep",
    "TaskSummary",
    "UnknownStatusSeen",
    "Unset",
    "UpdateBrowserProfileRequest",
    "UpdateScheduledTaskFields",
    "UpdateScheduledTaskRequest",
    "UploadRequest",
    "UploadUrl",
    "rule_of",
]

_HOMES = {
    "Balance": "account",
    "BrowserProfile": "browser_profiles",
    "BrowserProfileFields": "browser_profiles",
    "BrowserProfilePage": "browser_profiles",
    "CreateBrowserProfileRequest": "browser_profiles",
    "CreateScheduledTaskFields": "scheduled_tasks",
    "CreateScheduledTaskRequest": "scheduled_tasks",
    "NamedBrowserProfileFields": "browser_profiles",
    "OutputFile": "task_files",
    "ParsedTask": "parsed_task",
    "ProfileId": "browser_profiles",
    "ScheduledTask": "scheduled_tasks",
    "ScheduledTaskPage": "scheduled_tasks",
    "SearchResult": "search",
    "SearchResults": "search",
    "SearchUrlRequest": "search",
    "SimpleSearchRequest": "search",
    "TaskFile": "task_files",
    "TaskMedia": "task_files",
    "TaskScreenshots": "task_files",
    "UpdateBrowserProfileRequest": "browser_profiles",
    "UpdateScheduledTaskFields": "scheduled_tasks",
    "UpdateScheduledTaskRequest": "scheduled_tasks",
    "UploadRequest": "files",
    "UploadUrl": "files",
}
"""Where the names come from that are loaded when they are first used."""

if not TYPE_CHECKING:
    __getattr__, __dir__ = load_on_first_use(__name__, _HOMES)

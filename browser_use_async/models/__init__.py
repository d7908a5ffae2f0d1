"""What travels: attrs requests and responses, one file per API section."""

from browser_use_async.models.account import Balance
from browser_use_async.models.browser_profiles import (
    BrowserProfile,
    BrowserProfileFields,
    BrowserProfilePage,
    CreateBrowserProfileRequest,
    NamedBrowserProfileFields,
    ProfileId,
    UpdateBrowserProfileRequest,
)
from browser_use_async.models.events import (
    RetryScheduled,
    SessionEvent,
    SlotAwaited,
    SubmissionAdopted,
    UnknownStatusSeen,
)
from browser_use_async.models.fields import UNSET, FieldKind, FieldRule, Unset, rule_of
from browser_use_async.models.files import UploadRequest, UploadUrl
from browser_use_async.models.open_enum import (
    LlmModel,
    OpenEnum,
    ProxyCountry,
    ScheduleType,
    TaskStatus,
)
from browser_use_async.models.parameters import PageQuery, TaskFile, TaskId
from browser_use_async.models.scheduled_tasks import (
    CreateScheduledTaskFields,
    CreateScheduledTaskRequest,
    ScheduledTask,
    ScheduledTaskPage,
    UpdateScheduledTaskFields,
    UpdateScheduledTaskRequest,
)
from browser_use_async.models.search import (
    SearchResult,
    SearchResults,
    SearchUrlRequest,
    SimpleSearchRequest,
)
from browser_use_async.models.secret_text import SecretMapping
from browser_use_async.models.task_settings import RunTaskFields, RunTaskRequest, TaskSettings
from browser_use_async.models.tasks import (
    BrowserData,
    Created,
    OutputFile,
    ParsedTask,
    Task,
    TaskMedia,
    TaskPage,
    TaskScreenshots,
    TaskStep,
    TaskSummary,
)

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

"""Requests and responses as attrs classes, one file per API section."""

# Classes that not every session needs are loaded on first use.

from typing import TYPE_CHECKING

from browser_use_async.lazy import homes, load_on_first_use
from browser_use_async.types.base import UNSET, FieldKind, FieldRule, Place, Unset, rules_of
from browser_use_async.types.enums import LlmModel, OpenEnum, ProxyCountry, ScheduleType, TaskStatus
from browser_use_async.types.secrets import SecretMapping
from browser_use_async.types.tasks import (
    BrowserData,
    Created,
    PageQuery,
    RunTaskFields,
    RunTaskRequest,
    Task,
    TaskId,
    TaskPage,
    TaskSettings,
    TaskStep,
    TaskSummary,
)

if TYPE_CHECKING:
    from browser_use_async.types.browser_profiles import (
        BrowserProfile,
        BrowserProfileFields,
        BrowserProfilePage,
        CreateBrowserProfileFields,
        CreateBrowserProfileRequest,
        NamedBrowserProfileFields,
        ProfileId,
        UpdateBrowserProfileRequest,
    )
    from browser_use_async.types.scheduled_tasks import (
        CreateScheduledTaskFields,
        CreateScheduledTaskRequest,
        ScheduledTask,
        ScheduledTaskPage,
        UpdateScheduledTaskFields,
        UpdateScheduledTaskRequest,
    )
    from browser_use_async.types.services import (
        Balance,
        OutputFile,
        Screenshot,
        SearchResult,
        SearchResults,
        SearchUrlRequest,
        SimpleSearchRequest,
        TaskFile,
        TaskMedia,
        TaskScreenshots,
        UploadRequest,
        UploadUrl,
    )
    from browser_use_async.types.tasks import ParsedTask

__all__ = [
    "UNSET",
    "Balance",
    "BrowserData",
    "BrowserProfile",
    "BrowserProfileFields",
    "BrowserProfilePage",
    "CreateBrowserProfileFields",
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
    "Place",
    "ProfileId",
    "ProxyCountry",
    "RunTaskFields",
    "RunTaskRequest",
    "ScheduleType",
    "ScheduledTask",
    "ScheduledTaskPage",
    "Screenshot",
    "SearchResult",
    "SearchResults",
    "SearchUrlRequest",
    "SecretMapping",
    "SimpleSearchRequest",
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
    "Unset",
    "UpdateBrowserProfileRequest",
    "UpdateScheduledTaskFields",
    "UpdateScheduledTaskRequest",
    "UploadRequest",
    "UploadUrl",
    "rules_of",
]

_HOMES = homes(
    {
        "browser_profiles": "BrowserProfile BrowserProfileFields BrowserProfilePage "
        "CreateBrowserProfileFields CreateBrowserProfileRequest "
        "NamedBrowserProfileFields ProfileId "
        "UpdateBrowserProfileRequest",
        "scheduled_tasks": "CreateScheduledTaskFields CreateScheduledTaskRequest ScheduledTask "
        "ScheduledTaskPage UpdateScheduledTaskFields UpdateScheduledTaskRequest",
        "services": "Balance OutputFile Screenshot SearchResult SearchResults SearchUrlRequest "
        "SimpleSearchRequest TaskFile TaskMedia TaskScreenshots UploadRequest UploadUrl",
        "tasks": "ParsedTask",
    }
)
"""The modules of names that are loaded on first use."""

if not TYPE_CHECKING:
    __getattr__, __dir__ = load_on_first_use(__name__, _HOMES)

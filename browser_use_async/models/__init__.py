"""What travels: attrs requests and responses, one file per API section."""

from browser_use_async.models.account import Balance
from browser_use_async.models.events import (
    RetryScheduled,
    SessionEvent,
    SubmissionAdopted,
    UnknownStatusSeen,
)
from browser_use_async.models.fields import UNSET, FieldKind, FieldRule, Unset, rule_of
from browser_use_async.models.open_enum import LlmModel, OpenEnum, ProxyCountry, TaskStatus
from browser_use_async.models.parameters import PageQuery, TaskFile, TaskId
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
    "Created",
    "FieldKind",
    "FieldRule",
    "LlmModel",
    "OpenEnum",
    "OutputFile",
    "PageQuery",
    "ParsedTask",
    "ProxyCountry",
    "RetryScheduled",
    "RunTaskFields",
    "RunTaskRequest",
    "SecretMapping",
    "SessionEvent",
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
    "rule_of",
]

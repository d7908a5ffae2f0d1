"""Asyncio-first SDK for the Browser Use Cloud API v1, with task-lifecycle helpers."""

from browser_use_async import errors
from browser_use_async.models import (
    UNSET,
    Balance,
    BrowserData,
    Created,
    LlmModel,
    OutputFile,
    ParsedTask,
    ProxyCountry,
    RetryScheduled,
    RunTaskFields,
    RunTaskRequest,
    SessionEvent,
    SubmissionAdopted,
    Task,
    TaskMedia,
    TaskPage,
    TaskScreenshots,
    TaskStatus,
    TaskStep,
    TaskSummary,
    UnknownStatusSeen,
)
from browser_use_async.session import BrowserUseSession
from browser_use_async.submission.handle import TaskHandle
from browser_use_async.transport.retry import RetryPolicy
from browser_use_async.transport.user_agent import package_version as _package_version
from browser_use_async.waiting.policy import PollPolicy

__all__ = [
    "UNSET",
    "Balance",
    "BrowserData",
    "BrowserUseSession",
    "Created",
    "LlmModel",
    "OutputFile",
    "ParsedTask",
    "PollPolicy",
    "ProxyCountry",
    "RetryPolicy",
    "RetryScheduled",
    "RunTaskFields",
    "RunTaskRequest",
    "SessionEvent",
    "SubmissionAdopted",
    "Task",
    "TaskHandle",
    "TaskMedia",
    "TaskPage",
    "TaskScreenshots",
    "TaskStatus",
    "TaskStep",
    "TaskSummary",
    "UnknownStatusSeen",
    "errors",
]

__version__ = _package_version()

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


def __getattr__(name: str) -> str:
    """Give `__version__` to whoever asks; reading it at import would cost everybody."""
    if name == "__version__":
        from browser_use_async.transport.user_agent import package_version  # noqa: PLC0415

        return package_version()
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

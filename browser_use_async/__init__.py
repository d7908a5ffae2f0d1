"""Asyncio-first SDK for the Browser Use Cloud API v1, with task-lifecycle helpers.

Names are loaded when they are first used, so that a program that imports this package and may
never call it, such as a command line or a test runner, starts without paying for it.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from browser_use_async import errors, prices, webhooks
    from browser_use_async.batch.batch import Batch
    from browser_use_async.batch.item import BatchItem
    from browser_use_async.batch.progress import BatchProgress
    from browser_use_async.batch.result import BatchResult
    from browser_use_async.models import (
        UNSET,
        Balance,
        BrowserData,
        BrowserProfile,
        BrowserProfilePage,
        CreateBrowserProfileRequest,
        Created,
        CreateScheduledTaskRequest,
        LlmModel,
        OutputFile,
        ParsedTask,
        ProxyCountry,
        RetryScheduled,
        RunTaskFields,
        RunTaskRequest,
        ScheduledTask,
        ScheduledTaskPage,
        ScheduleType,
        SearchResult,
        SessionEvent,
        SlotAwaited,
        SubmissionAdopted,
        Task,
        TaskMedia,
        TaskPage,
        TaskScreenshots,
        TaskStatus,
        TaskStep,
        TaskSummary,
        UnknownStatusSeen,
        UpdateBrowserProfileRequest,
        UpdateScheduledTaskRequest,
        UploadUrl,
    )
    from browser_use_async.session import BrowserUseSession
    from browser_use_async.submission.handle import TaskHandle
    from browser_use_async.transport.limits import CallLimits
    from browser_use_async.transport.retry import RetryPolicy
    from browser_use_async.waiting.policy import PollPolicy

__all__ = [
    "UNSET",
    "Balance",
    "Batch",
    "BatchItem",
    "BatchProgress",
    "BatchResult",
    "BrowserData",
    "BrowserProfile",
    "BrowserProfilePage",
    "BrowserUseSession",
    "CallLimits",
    "CreateBrowserProfileRequest",
    "CreateScheduledTaskRequest",
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
    "ScheduleType",
    "ScheduledTask",
    "ScheduledTaskPage",
    "SearchResult",
    "SessionEvent",
    "SlotAwaited",
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
    "UpdateBrowserProfileRequest",
    "UpdateScheduledTaskRequest",
    "UploadUrl",
    "errors",
    "prices",
    "webhooks",
]

_HOMES = {
    "Batch": "batch.batch",
    "BatchItem": "batch.item",
    "BatchProgress": "batch.progress",
    "BatchResult": "batch.result",
    "BrowserUseSession": "session",
    "CallLimits": "transport.limits",
    "PollPolicy": "waiting.policy",
    "RetryPolicy": "transport.retry",
    "TaskHandle": "submission.handle",
}
"""Where names come from that are no models."""

_MODULES = frozenset({"errors", "prices", "webhooks"})


def __getattr__(name: str) -> Any:
    """Load a public name when it is first used."""
    if name == "__version__":
        return import_module("browser_use_async.transport.user_agent").package_version()
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    if name in _MODULES:
        return import_module(f"browser_use_async.{name}")
    home = import_module(f"browser_use_async.{_HOMES.get(name, 'models')}")
    value = globals()[name] = getattr(home, name)
    return value


def __dir__() -> list[str]:
    """All public names, whether they are loaded or not."""
    return [*__all__, "__version__"]

"""Asyncio-first SDK for the Browser Use Cloud API v1, with task-lifecycle helpers.

Names are loaded on first use, so that a program that imports this package and perhaps never calls
it, such as a command line or a test runner, starts fast.
"""

from typing import TYPE_CHECKING

from browser_use_async.lazy import homes, load_on_first_use

if TYPE_CHECKING:
    from browser_use_async import errors, prices, webhooks
    from browser_use_async.batch.batch import Batch
    from browser_use_async.batch.inputs import BatchItem
    from browser_use_async.batch.progress import BatchProgress
    from browser_use_async.batch.result import BatchResult
    from browser_use_async.events import (
        EndActionAttempted,
        KeyIgnored,
        RetryScheduled,
        ServiceRecovered,
        ServiceUnreachable,
        SessionEvent,
        SlotAwaited,
        SubmissionAdopted,
        UnknownStatusSeen,
    )
    from browser_use_async.lifecycle.handle import TaskHandle
    from browser_use_async.lifecycle.interventions import Intervention
    from browser_use_async.money.budgets import Budget
    from browser_use_async.polling.policy import PollPolicy
    from browser_use_async.session import BrowserUseSession
    from browser_use_async.transport.config import CallLimits
    from browser_use_async.transport.retry import RetryPolicy
    from browser_use_async.types import (
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
        RunTaskFields,
        RunTaskRequest,
        ScheduledTask,
        ScheduledTaskPage,
        ScheduleType,
        SearchResult,
        Task,
        TaskMedia,
        TaskPage,
        TaskScreenshots,
        TaskStatus,
        TaskStep,
        TaskSummary,
        UpdateBrowserProfileRequest,
        UpdateScheduledTaskRequest,
        UploadUrl,
    )
    from browser_use_async.version import __version__ as __version__

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
    "Budget",
    "CallLimits",
    "CreateBrowserProfileRequest",
    "CreateScheduledTaskRequest",
    "Created",
    "EndActionAttempted",
    "Intervention",
    "KeyIgnored",
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
    "ServiceRecovered",
    "ServiceUnreachable",
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
    **dict.fromkeys(__all__, "types"),  # unless another one is named below
    **homes(
        {
            "batch.batch": "Batch",
            "batch.inputs": "BatchItem",
            "batch.progress": "BatchProgress",
            "batch.result": "BatchResult",
            "errors": "errors",
            "events": "EndActionAttempted KeyIgnored RetryScheduled ServiceRecovered "
            "ServiceUnreachable SessionEvent SlotAwaited SubmissionAdopted UnknownStatusSeen",
            "lifecycle.handle": "TaskHandle",
            "lifecycle.interventions": "Intervention",
            "money.budgets": "Budget",
            "polling.policy": "PollPolicy",
            "prices": "prices",
            "session": "BrowserUseSession",
            "transport.config": "CallLimits",
            "transport.retry": "RetryPolicy",
            "version": "__version__",
            "webhooks": "webhooks",
        }
    ),
}
"""The modules of the names."""

if not TYPE_CHECKING:
    __getattr__, __dir__ = load_on_first_use(__name__, _HOMES)

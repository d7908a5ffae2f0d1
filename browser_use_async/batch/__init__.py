"""Many tasks at once: each created once, within a budget, and resumable after a crash."""

from browser_use_async.batch.batch import Batch
from browser_use_async.batch.forecast import Forecast
from browser_use_async.batch.inputs import BatchItem
from browser_use_async.batch.ledger.reader import LedgerView, read_ledger
from browser_use_async.batch.ledger.records import ItemState
from browser_use_async.batch.ledger.row import FormerTask, LedgerRow
from browser_use_async.batch.progress import BatchProgress, StopReason
from browser_use_async.batch.queue import (
    Worked,
    enqueue,
    results,
    retry,
    status,
    work,
)
from browser_use_async.batch.queue.results import QueueStatus
from browser_use_async.batch.result import BatchResult

__all__ = [
    "Batch",
    "BatchItem",
    "BatchProgress",
    "BatchResult",
    "Forecast",
    "FormerTask",
    "ItemState",
    "LedgerRow",
    "LedgerView",
    "QueueStatus",
    "StopReason",
    "Worked",
    "enqueue",
    "read_ledger",
    "results",
    "retry",
    "status",
    "work",
]

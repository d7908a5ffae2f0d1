"""Many tasks at once: each created once, within a budget, and resumable after a crash."""

from browser_use_async.batch.batch import Batch
from browser_use_async.batch.inputs import BatchItem
from browser_use_async.batch.ledger.reader import LedgerRow, LedgerView, read_ledger
from browser_use_async.batch.ledger.records import FormerTask, ItemState, Orphan
from browser_use_async.batch.progress import BatchProgress, StopReason
from browser_use_async.batch.results import BatchResult

__all__ = [
    "Batch",
    "BatchItem",
    "BatchProgress",
    "BatchResult",
    "FormerTask",
    "ItemState",
    "LedgerRow",
    "LedgerView",
    "Orphan",
    "StopReason",
    "read_ledger",
]

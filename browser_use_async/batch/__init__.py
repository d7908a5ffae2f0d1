"""Many tasks: each of them once, within a budget, and also after the power went out."""

from browser_use_async.batch.batch import Batch
from browser_use_async.batch.item import BatchItem
from browser_use_async.batch.ledger.reading import LedgerRow, LedgerView, Orphan, read_ledger
from browser_use_async.batch.progress import BatchProgress
from browser_use_async.batch.result import BatchResult
from browser_use_async.batch.states import ItemState, StopReason

__all__ = [
    "Batch",
    "BatchItem",
    "BatchProgress",
    "BatchResult",
    "ItemState",
    "LedgerRow",
    "LedgerView",
    "Orphan",
    "StopReason",
    "read_ledger",
]

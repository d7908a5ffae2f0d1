"""The writes for an item: jobs that a ledger may execute for many items at once."""

from typing import Any

import attrs

from browser_use_async.batch.ledger.records import Intent
from browser_use_async.batch.ledger.row import Claim
from browser_use_async.batch.ledger.store import LedgerStore
from browser_use_async.batch.results import BatchResult


@attrs.frozen
class SendBegins:
    """Run-task is about to be sent."""

    claim: Claim
    intent: Intent

    def __call__(self, store: LedgerStore) -> None:
        """Write it to a store."""
        store.begin_send(self.claim, self.intent)


@attrs.frozen
class TaskFound:
    """A new task exists; returns whether it belongs to no other item."""

    claim: Claim
    task_id: str

    def __call__(self, store: LedgerStore) -> bool:
        """Write it to a store."""
        return store.claim_task(self.claim, self.task_id)


@attrs.frozen
class ItemEnds:
    """The item has ended."""

    claim: Claim
    result: BatchResult[Any]

    def __call__(self, store: LedgerStore) -> None:
        """Write it to a store."""
        store.record_outcome(self.claim, self.result)


Write = SendBegins | TaskFound | ItemEnds

"""What a batch asks of its ledger: a file of this process, or tables in PostgreSQL."""

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Protocol, TypeVar

from browser_use_async.api.submission_token import SubmissionToken
from browser_use_async.batch.ledger.records import (
    DuplicateSuspect,
    ItemOutcome,
    ItemRecord,
    LedgerTotals,
    Orphan,
)

ResultT = TypeVar("ResultT")


class LedgerStore(Protocol):
    """The statements of a batch, within a transaction of the ledger."""

    def begin_run(
        self,
        now: float,
        budget_cents: Decimal | None,
        labels: Mapping[str, str],
        *,
        retry_failed: bool = False,
    ) -> LedgerTotals:
        """Record that a run begins, and return the totals of the earlier ones."""
        ...

    def end_round(self, now: float) -> None:
        """Record that all failed items of the input were tried again."""
        ...

    def claim(
        self,
        key: str,
        digest: bytes,
        now: float,
        *,
        revive: bool = False,
        name: str | None = None,
        task: str | None = None,
    ) -> ItemRecord:
        """Return an item's record, insert it if it is new, and mark it as reached by this run."""
        ...

    def begin_send(self, position: int, token: SubmissionToken, now: float) -> None:
        """Record that run-task is about to be sent, and what an item's failed task was."""
        ...

    def mark_not_sent(self, position: int) -> None:
        """Record that the last request provably created nothing."""
        ...

    def record_task(self, position: int, task_id: str) -> None:
        """Record the item's task."""
        ...

    def belongs_to_other(self, position: int, task_id: str) -> bool:
        """Whether a task belongs to another item."""
        ...

    def record_outcome(self, position: int, outcome: ItemOutcome) -> None:
        """Record how the item ended."""
        ...

    def duplicate_suspects(self) -> list[DuplicateSuspect]:
        """The items that may have more than one task."""
        ...

    def record_orphan(self, orphan: Orphan) -> None:
        """Record a duplicate task, or what has changed about it."""
        ...


class Ledger(Protocol):
    """An open ledger: runs jobs on its store, outside of the event loop."""

    async def execute(self, work: Callable[[LedgerStore], ResultT]) -> ResultT:
        """Run a job; it is durable when this returns."""
        ...

    async def query(self, work: Callable[[LedgerStore], ResultT]) -> ResultT:
        """Run a job that becomes durable no later than the next `execute`."""
        ...

    def post(self, work: Callable[[LedgerStore], object]) -> None:
        """Run a job before any later one, without waiting for it."""
        ...

    async def aclose(self) -> None:
        """Run the remaining jobs and close the ledger; idempotent."""
        ...

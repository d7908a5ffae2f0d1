"""Writes an item's way into the ledger, each step before the next one can happen."""

import asyncio
from collections.abc import Callable
from datetime import datetime

import attrs

from browser_use_async.api.submission_token import SubmissionToken
from browser_use_async.batch.ledger.facts import Ending
from browser_use_async.batch.ledger.store import Store
from browser_use_async.batch.ledger.writer import Writer
from browser_use_async.errors import LedgerError

__all__ = ["Record", "SendingWitness"]


@attrs.frozen
class Record:
    """One item's row."""

    writer: Writer  # writes it
    position: int  # which row
    key: str  # whose
    now: Callable[[], datetime]  # the wall clock

    def witness(self, token: SubmissionToken) -> "SendingWitness":
        """What a submission tells before it is sent."""
        return SendingWitness(self, token)

    async def submitted(self, task_id: str) -> None:
        """Write down that the task exists.

        Raises:
            LedgerError: That could not be written; the error names the task.
        """
        position = self.position
        try:
            await self.writer.do(lambda store: store.submitted(position, task_id))
        except LedgerError as error:
            problem = str(error)
        else:
            return
        raise LedgerError(
            f"task {task_id} was created for the item {self.key!r}, and that could not be written "
            f"down: {problem}. The task lives on; running the batch again with that ledger "
            "finds it by the mark that it carries",
            task_id=task_id,
        )

    async def ended(self, ending: Ending) -> None:
        """Write down how the item came to its end."""
        position = self.position
        await self.writer.do(lambda store: store.ended(position, ending))


@attrs.frozen
class SendingWitness:
    """Keeps run-task from being sent before the ledger says so."""

    record: Record  # the item's row
    token: SubmissionToken  # what the task will carry

    async def sending(self) -> None:
        """Write down that run-task is about to be sent, durably, and only then return."""
        position, token, now = self.record.position, self.token, self.record.now().timestamp()

        def intend(store: Store) -> None:
            store.intend(position, token, now)

        try:
            await self.record.writer.do(intend)
        except asyncio.CancelledError:
            self.not_created()  # it is not sent now
            raise

    async def is_anothers(self, task_id: str) -> bool:
        """Whether the ledger holds a task for another item."""
        position = self.record.position
        try:
            return await self.record.writer.ask(lambda store: store.is_anothers(position, task_id))
        except LedgerError:
            return False  # writing down the task will fail too, and say what became of it

    def not_created(self) -> None:
        """Write down that nothing was created."""
        position = self.record.position
        self.record.writer.tell(lambda store: store.withdraw(position))

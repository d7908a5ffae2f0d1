"""Writes the row of one item in a ledger, while the item runs."""

import asyncio
from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from typing import Any

import attrs

from browser_use_async import errors
from browser_use_async.api.submission_token import SubmissionToken
from browser_use_async.batch.ledger.records import UNANSWERED, Intent
from browser_use_async.batch.ledger.row import LedgerRow
from browser_use_async.batch.ledger.writer import LedgerWriter
from browser_use_async.batch.result import BatchResult
from browser_use_async.lifecycle.create import Journal
from browser_use_async.lifecycle.reconcile import mark_of
from browser_use_async.transport.service import SubmissionKeys
from browser_use_async.types import Task


@attrs.define(eq=False)
class LedgerEntry(Journal):
    """The ledger row of one item; each step is written before the next one can happen."""

    # It is the journal of the item's submission: run-task is sent after the ledger has its intent.

    writer: LedgerWriter
    row: LedgerRow  # as this run has found it
    now: Callable[[], datetime]  # the wall clock
    keys: SubmissionKeys  # whether the service keeps them
    # The token of the task, once that is known
    token: SubmissionToken | None = attrs.field(init=False)
    maximum_cents: Decimal = Decimal(0)  # what the task may cost
    has_ended: bool = False  # whether the row says how the item ended
    # Whether an earlier request, which the next one repeats, may have created the task
    is_repeat: bool = attrs.field(default=False, init=False)
    _claimed: str | None = attrs.field(default=None, init=False)  # the new task that the row has
    # Whether the row has a request whose outcome it does not have
    _is_open: bool = attrs.field(init=False)
    # Whether that request was sent to a service that keeps keys
    _is_keyed: bool = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self._is_open, self._is_keyed = self.row.state in UNANSWERED, self.row.keyed
        self.token = self.row.token

    @property
    def may_repeat(self) -> bool:
        """Whether sending the last request again cannot create a second task."""
        # The service must keep keys both times: one that was replaced meanwhile does not know it.
        return self._is_keyed and self.keys.are_kept

    def is_paid_elsewhere(self, task: Task) -> bool:
        """Whether its key has returned a task that other code has created."""
        own = "" if self.token is None else self.token.mark
        return self._is_keyed and mark_of(task) not in {"", own}

    async def before_send(self) -> None:
        """Record that run-task is about to be sent; returns once that is durable."""
        assert self.token is not None
        row = self.row
        intent = Intent(
            token=self.token,
            at=self.now().timestamp(),
            maximum_cents=self.maximum_cents,
            keyed=self.keys.are_kept,
        )
        self.is_repeat = self._is_open and self.may_repeat
        try:
            await self.writer.run(lambda store: store.begin_send(row, intent))
        except asyncio.CancelledError:
            # The row may be written, but the request will not be sent.
            self.not_created()
            raise
        self._is_open, self._is_keyed = True, intent.keyed

    def not_created(self) -> None:
        """Record that the last request created nothing."""
        if self.is_repeat:
            return  # an earlier request may have created the task, so the row stays an intent
        self._is_open = False
        self.writer.post(lambda store: store.mark_not_sent(self.row))

    # A task with a key need not be durable: after a crash the same request with the same key
    # returns it. Without keys the list would have to be searched for it.

    async def claim_task(self, task_id: str, *, joined: bool) -> bool:
        """Record that a new task exists; False if it is another item's task in the ledger."""
        row = self.row
        try:
            is_own = await self.writer.run(
                lambda store: store.claim_task(row, task_id, joined=joined),
                durable=not self._is_keyed,
            )
        except errors.LedgerError:
            return True  # `record_task` will fail too, with an error that names the task
        if is_own:
            self._claimed = task_id
        return is_own

    async def record_task(self, task_id: str) -> None:
        """Record that the task exists, unless that was done when it was created."""
        if self._claimed == task_id:
            return
        row = self.row
        try:
            await self.writer.run(
                lambda store: store.record_task(row, task_id), durable=not self._is_keyed
            )
        except errors.LedgerError as error:
            problem = str(error)
        else:
            return
        raise errors.LedgerError(
            f"task {task_id} was created for the item {self.row.key!r}, but the ledger could "
            f"not record it: {problem}. The task goes on; run the batch again with this ledger, "
            "which finds the task",
            task_id=task_id,
        )

    async def record_result(self, result: BatchResult[Any]) -> BatchResult[Any]:
        """Record how the item ended; returns the result once that is recorded."""
        await self.writer.run(lambda store: store.record_outcome(self.row, result))
        self.has_ended = True
        return result

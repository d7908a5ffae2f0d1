"""Finds duplicate tasks: of an item that was sent again because an answer was lost."""

from collections.abc import AsyncIterator, Collection
from datetime import datetime, timedelta
from decimal import Decimal

import attrs

from browser_use_async.api.submission_token import SubmissionToken, digest_of
from browser_use_async.batch.ledger.records import DuplicateSuspect, Orphan
from browser_use_async.batch.ledger.writer import Ledger
from browser_use_async.batch.state import SessionParts
from browser_use_async.errors import BrowserUseError
from browser_use_async.lifecycle.reconcile import mark_in_row, mark_of
from browser_use_async.logs import LOGGER
from browser_use_async.prices import TASK_START_CENTS
from browser_use_async.types import TaskSummary

# Between the `Date` that stamped a token and the dates of rows, which may be a time zone away.
MOST_BETWEEN_CLOCKS = timedelta(hours=26)


async def find_duplicates(
    session: SessionParts, writer: Ledger, *, stop: bool
) -> tuple[Orphan, ...]:
    """Find tasks that carry an item's mark and are not the one that counts."""
    found = await writer.query(lambda store: store.duplicate_suspects())
    suspects = {each.token.mark: each for each in found}
    # Nearly always: then the list, which may be long, is not read.
    if not suspects:
        return ()
    return tuple([each async for each in _Scan(session, writer, suspects, stop).orphans()])


def _since(tokens: Collection[SubmissionToken]) -> datetime | None:
    """The earliest date of a task with one of these tokens, or None if any date is possible."""
    if not all(token.by_service for token in tokens):
        return None  # the clock of a machine may have been wrong by any amount
    return min(token.sent_at for token in tokens) - MOST_BETWEEN_CLOCKS


@attrs.frozen
class _Scan:
    """One pass over the task list."""

    session: SessionParts
    writer: Ledger
    suspects: dict[str, DuplicateSuspect]  # by mark
    stop: bool  # whether to stop what is found

    async def orphans(self) -> AsyncIterator[Orphan]:
        tokens = [suspect.token for suspect in self.suspects.values()]
        # A row may lack its token; the digest of its text saves a request for most of these.
        texts = {token.digest for token in tokens}
        async for row in self.session.newest_tasks(_since(tokens)):
            if digest_of(row.task) not in texts:
                continue
            suspect = self.suspects.get(await self._mark(row))
            if suspect is not None and row.id != suspect.task_id:
                yield await self._record(row.id, suspect)

    async def _mark(self, row: TaskSummary) -> str:
        shown = mark_in_row(row)
        # Some servers leave metadata out of the list; the task itself has it.
        return mark_of(await self.session.tasks.get(row.id)) if shown is None else shown

    async def _record(self, task_id: str, suspect: DuplicateSuspect) -> Orphan:
        # First of all, since each step costs.
        stopped = False
        if self.stop:
            try:
                await self.session.tasks.stop(task_id)
                stopped = True
            except BrowserUseError as error:
                LOGGER.warning("could not stop task %s: %s", task_id, error)
        orphan = Orphan(
            task_id=task_id,
            key=suspect.key,
            found_at=self.session.now(),
            stopped=stopped,
            cost_cents=await self._cost(task_id, suspect),
            name=suspect.name,
        )
        await self.writer.execute(lambda store: store.record_orphan(orphan))
        LOGGER.warning(
            "the item %r has a second task %s, which %s",
            suspect.name or suspect.key,
            task_id,
            "was stopped" if stopped else "lives on; session.tasks.stop(task_id) stops it",
        )
        return orphan

    async def _cost(self, task_id: str, suspect: DuplicateSuspect) -> Decimal | None:
        """What it cost so far, at the price per step of the item's own task."""
        # Without these the price of a step cannot be told.
        if not suspect.steps:
            return None
        step_cents = (suspect.cost_cents - TASK_START_CENTS) / suspect.steps
        task = await self.session.tasks.get(task_id)
        return TASK_START_CENTS + len(task.steps) * step_cents

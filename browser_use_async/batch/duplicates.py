"""Finds duplicate tasks of items that were sent again because an answer was lost."""

import asyncio
from collections.abc import AsyncIterator, Collection
from datetime import datetime, timedelta
from decimal import Decimal

import attrs

from browser_use_async.api.submission_token import SubmissionToken, digest_of
from browser_use_async.api.tasks import TaskEndpoints
from browser_use_async.batch.ledger.records import DuplicateSuspect, Orphan
from browser_use_async.batch.runner import FATAL
from browser_use_async.batch.state import BatchState
from browser_use_async.errors import BrowserUseError
from browser_use_async.lifecycle.reconcile import mark_in_row, mark_of
from browser_use_async.logs import LOGGER
from browser_use_async.paging import PageIterator
from browser_use_async.prices import TASK_START_CENTS
from browser_use_async.types import Task, TaskPage, TaskSummary

# Between the `Date` in a token and the dates of rows, which may be in another time zone.
MOST_BETWEEN_CLOCKS = timedelta(hours=26)


async def find_duplicates(batch: BatchState, *, stop: bool) -> tuple[Orphan, ...]:
    """Find tasks with an item's mark that are not the item's task; waits during outages."""
    while True:
        try:
            orphans, kept = await _find(batch, stop=stop)
            # All tasks of lost requests are known now, and counted.
            await batch.writer.run(lambda store: store.end_doubts(kept))  # noqa: B023
        except BrowserUseError as error:
            pause = batch.backoff.pause(asyncio.get_running_loop().time())
            if pause is None or isinstance(error, FATAL):
                LOGGER.warning("duplicate tasks could not be searched for: %s", error)
                return ()
        else:
            return orphans
        await asyncio.sleep(pause)


async def _find(batch: BatchState, *, stop: bool) -> tuple[tuple[Orphan, ...], set[str]]:
    found = await batch.writer.run(lambda store: store.duplicate_suspects(), durable=False)
    suspects = {each.token.mark: each for each in found}
    # Nearly always: then the list need not be read, which may be long.
    if not suspects:
        return (), set()
    scan = _Scan(batch, suspects, stop)
    return tuple([each async for each in scan.orphans()]), scan.unsettled


def _since(tokens: Collection[SubmissionToken]) -> datetime | None:
    """The earliest date of a task with one of these tokens, or None if any date is possible."""
    if not all(token.by_service for token in tokens):
        return None  # a machine's clock may have been wrong by any amount
    return min(token.sent_at for token in tokens) - MOST_BETWEEN_CLOCKS


@attrs.frozen
class _Scan:
    """One pass over the task list."""

    batch: BatchState
    suspects: dict[str, DuplicateSuspect]  # by mark
    stop: bool  # whether to stop the tasks that are found
    # The keys of items with an orphan whose final cost is unknown
    unsettled: set[str] = attrs.field(factory=set)

    @property
    def _tasks(self) -> TaskEndpoints:
        return self.batch.lifecycle.tasks

    async def _page(self, page: int, limit: int) -> TaskPage:
        return await self._tasks.list(page=page, limit=limit)

    async def orphans(self) -> AsyncIterator[Orphan]:
        tokens = [suspect.token for suspect in self.suspects.values()]
        # A row may lack its token; the digest of the text excludes most of these without a request.
        texts = {token.digest for token in tokens}
        async for row in PageIterator(self._page, created_after=_since(tokens)):
            if digest_of(row.task) not in texts:
                continue
            suspect = self.suspects.get(await self._mark(row))
            if suspect is not None and row.id != suspect.task_id:
                yield await self._record(row.id, suspect)

    async def _mark(self, row: TaskSummary) -> str:
        shown = mark_in_row(row)
        # Some servers leave metadata out of the list; get-task has it.
        return mark_of(await self._tasks.get(row.id)) if shown is None else shown

    async def _record(self, task_id: str, suspect: DuplicateSuspect) -> Orphan:
        # Stopped first, since each step costs.
        stopped = False
        if self.stop:
            try:
                await self._tasks.stop(task_id)
                stopped = True
            except BrowserUseError as error:
                LOGGER.warning("could not stop task %s: %s", task_id, error)
        task = await self._tasks.get(task_id)
        cost = _cost(task, suspect)
        if cost is None or not task.has_ended:
            self.unsettled.add(suspect.key)
        orphan = Orphan(
            task_id=task_id,
            key=suspect.key,
            found_at=self.batch.now(),
            stopped=stopped,
            cost_cents=cost,
            name=suspect.name,
        )
        await self.batch.writer.run(lambda store: store.record_orphan(orphan))
        LOGGER.warning(
            "the item %r has a second task %s, which %s",
            suspect.name or suspect.key,
            task_id,
            "was stopped" if stopped else "lives on; session.tasks.stop(task_id) stops it",
        )
        return orphan


def _cost(task: Task, suspect: DuplicateSuspect) -> Decimal | None:
    """What an orphan cost so far, at the price per step of the item's own task."""
    # Without these the price of a step is unknown.
    if not suspect.steps:
        return None
    step_cents = (suspect.cost_cents - TASK_START_CENTS) / suspect.steps
    return TASK_START_CENTS + len(task.steps) * step_cents

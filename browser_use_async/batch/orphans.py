"""Finds tasks too many: those of an item that was sent again because an answer was lost."""

import logging
from collections.abc import AsyncIterator, Collection
from datetime import datetime, timedelta
from decimal import Decimal

import attrs

from browser_use_async.api.submission_token import TOKEN_KEY, SubmissionToken, digest_of
from browser_use_async.batch.ledger.facts import Doubt
from browser_use_async.batch.ledger.reading import Orphan
from browser_use_async.batch.ledger.store import Store
from browser_use_async.batch.ledger.writer import Writer
from browser_use_async.batch.service import Service
from browser_use_async.errors import BrowserUseError
from browser_use_async.prices import TASK_START_CENTS
from browser_use_async.types import TaskSummary

__all__ = ["sweep"]

# Between the `Date` that stamped a token and the dates of rows, which may be a time zone away.
MOST_BETWEEN_CLOCKS = timedelta(hours=26)

_LOGGER = logging.getLogger("browser_use_async")


async def sweep(service: Service, writer: Writer, *, stop: bool) -> tuple[Orphan, ...]:
    """Look for tasks that carry an item's mark and are not the one that counts.

    Without an item that was sent twice there is nothing to look for, and nothing is asked.

    Raises:
        BrowserUseError: The list could not be read to its end.
    """
    doubts = {each.token.mark: each for each in await writer.ask(Store.doubts)}
    if not doubts:
        return ()
    return tuple([each async for each in _Sweep(service, writer, doubts, stop).orphans()])


def _since(tokens: Collection[SubmissionToken]) -> datetime | None:
    """The earliest date of a task with one of these tokens, or None if any date is possible."""
    if not all(token.by_service for token in tokens):
        return None  # by the clock of a machine, which may have been wrong by any amount
    return min(token.sent_at for token in tokens) - MOST_BETWEEN_CLOCKS


@attrs.frozen
class _Sweep:
    service: Service
    writer: Writer
    doubts: dict[str, Doubt]
    stop: bool

    async def orphans(self) -> AsyncIterator[Orphan]:
        tokens = [doubt.token for doubt in self.doubts.values()]
        texts = {token.digest for token in tokens}
        async for row in self.service.newest_tasks(_since(tokens)):
            if digest_of(row.task) not in texts:
                continue
            doubt = self.doubts.get(await self._mark(row))
            if doubt is not None and row.id != doubt.task_id:
                yield await self._noted(row.id, doubt)

    async def _mark(self, row: TaskSummary) -> str:
        if TOKEN_KEY in row.extra or row.metadata:
            return str(row.extra.get(TOKEN_KEY, ""))
        return str((await self.service.tasks.get(row.id)).extra.get(TOKEN_KEY, ""))

    async def _noted(self, task_id: str, doubt: Doubt) -> Orphan:
        stopped = self.stop and await self._stopped(task_id)
        orphan = Orphan(
            task_id=task_id,
            key=doubt.key,
            found_at=self.service.now(),
            stopped=stopped,
            cost_cents=await self._cost(task_id, doubt),
        )
        await self.writer.do(lambda store: store.orphaned(orphan))
        _LOGGER.warning(
            "the item %r has a second task %s, which %s",
            doubt.key,
            task_id,
            "was stopped" if stopped else "lives on; session.tasks.stop(task_id) stops it",
        )
        return orphan

    async def _cost(self, task_id: str, doubt: Doubt) -> Decimal | None:
        """What it cost so far: a step of it costs what a step of the item's own task does."""
        if not doubt.steps:
            return None
        step_cents = (doubt.cost_cents - TASK_START_CENTS) / doubt.steps
        task = await self.service.tasks.get(task_id)
        return TASK_START_CENTS + len(task.steps) * step_cents

    async def _stopped(self, task_id: str) -> bool:
        try:
            await self.service.tasks.stop(task_id)
        except BrowserUseError as error:
            _LOGGER.warning("could not stop task %s: %s", task_id, error)
            return False
        return True

"""Looks among the newest tasks for the ones whose creation got no answer."""

import asyncio
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import attrs

from browser_use_async.contract.limits import MAX_TASK_PAGE
from browser_use_async.contract.submission_token import TOKEN_KEY, SubmissionToken, digest_of
from browser_use_async.endpoints import TaskEndpoints
from browser_use_async.errors import BrowserUseError
from browser_use_async.models import TaskSummary

__all__ = ["Reconciler"]

CLOCK_SKEW = timedelta(minutes=30)  # how far this machine's clock may be from the service's
FIRST_PAUSE, LONGEST_PAUSE = 0.5, 10.0


@attrs.define(eq=False)
class _Search:
    token: SubmissionToken
    found: "asyncio.Future[str]"


class Reconciler:
    """One for the whole session: a page that is read serves every search under way.

    Args:
        tasks: The calls to look with.
        now: The wall clock.
    """

    def __init__(self, tasks: TaskEndpoints, now: Callable[[], datetime]) -> None:
        self._tasks = tasks
        self._now = now
        self._searches: list[_Search] = []
        self._marks: dict[str, str] = {}  # task id -> its mark, or "": neither ever changes
        self._sweep: asyncio.Task[None] | None = None

    def note(self, task_id: str, mark: str | None) -> None:
        """Remember whose task this is, so that it is never looked up.

        A task that a webhook tells about ends the search for it at once.

        Args:
            task_id: The task.
            mark: The value of its reserved metadata pair, if it has one.
        """
        self._marks[task_id] = mark or ""
        for search in self._searches:
            if search.token.mark == mark and not search.found.done():
                search.found.set_result(task_id)

    async def find(self, token: SubmissionToken, seconds: float) -> str | None:
        """Look for a task until it appears or the time is up.

        Args:
            token: Its token.
            seconds: How long to look; one look is made in any case.

        Returns:
            The task's id, or None.
        """
        loop = asyncio.get_running_loop()
        ends = loop.time() + seconds
        search = _Search(token, loop.create_future())
        self._searches.append(search)
        pause = FIRST_PAUSE
        try:
            while True:
                await self._look(search)
                left = ends - loop.time()
                if search.found.done() or left <= 0:
                    break
                await asyncio.wait([search.found], timeout=min(pause, left))
                pause = min(2 * pause, LONGEST_PAUSE)
        finally:
            self._searches.remove(search)
        return search.found.result() if search.found.done() else None

    async def _look(self, search: _Search) -> None:
        """Sweep the list, or share the sweep that is under way."""
        if self._sweep is None or self._sweep.done():
            self._sweep = asyncio.get_running_loop().create_task(self._sweep_pages())
        sweep = self._sweep
        try:
            ends: list[asyncio.Future[Any]] = [search.found, sweep]
            await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
        finally:
            # Nobody else is looking: the sweep of a cancelled search must not go on alone.
            if len(self._searches) == 1 and not sweep.done():
                sweep.cancel()
                await asyncio.wait([sweep])

    async def _sweep_pages(self) -> None:
        """Read pages, newest first, until they are older than every search under way."""
        page = 1
        while self._searches:
            oldest = min(search.token.sent_at for search in self._searches) - CLOCK_SKEW
            try:
                rows = await self._tasks.list(page=page, limit=MAX_TASK_PAGE)
            except BrowserUseError:
                return  # looked up again after the pause
            for row in rows.tasks:
                await self._examine(row)
            last = rows.tasks[-1].created_at if rows.tasks else None
            done = len(rows.tasks) < MAX_TASK_PAGE or page >= rows.total_pages
            if done or (last is not None and last < oldest):
                return
            page += 1

    async def _examine(self, row: TaskSummary) -> None:
        known = self._marks.get(row.id)
        if known is None and (TOKEN_KEY in row.extra or row.metadata):
            known = str(row.extra.get(TOKEN_KEY, ""))
        if known is None and self._is_candidate(row):
            known = await self._ask(row.id)
        if known is not None:
            self.note(row.id, known)

    async def _ask(self, task_id: str) -> str | None:
        """The mark of a task whose row says nothing: rows need not carry metadata."""
        try:
            task = await self._tasks.get(task_id)
        except BrowserUseError:
            return None
        return str(task.extra.get(TOKEN_KEY, ""))

    def _is_candidate(self, row: TaskSummary) -> bool:
        digest = digest_of(row.task)
        return any(
            search.token.digest == digest
            and (row.created_at is None or row.created_at >= search.token.sent_at - CLOCK_SKEW)
            for search in self._searches
            if not search.found.done()
        )

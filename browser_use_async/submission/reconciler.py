"""Looks among the newest tasks for the ones whose creation got no answer."""

import asyncio
import copy
from datetime import timedelta
from typing import Any

from browser_use_async import errors
from browser_use_async.contract.limits import MAX_TASK_PAGE
from browser_use_async.contract.submission_token import TOKEN_KEY, SubmissionToken, digest_of
from browser_use_async.endpoints import TaskEndpoints
from browser_use_async.models import TaskPage, TaskSummary

__all__ = ["Reconciler"]

CLOCK_SKEW = timedelta(minutes=30)  # how far this machine's clock may be from the service's
FIRST_PAUSE, LONGEST_PAUSE = 0.5, 10.0
TICK = 0.001  # timers may fire a little early
REPEATED_PAGES = 10  # pages in a row without a new row, before a server that repeats itself is left
REMEMBERED = 10_000  # tasks whose marks are kept

# A look that ends in one of these may succeed later. Everything else ends the search.
_PASSING = (errors.APIConnectionError, errors.APIStatusError, errors.ResponseDecodeError)
_FINAL = (errors.AuthenticationError, errors.PermissionDeniedError)


class _Search:
    def __init__(self, token: SubmissionToken, found: "asyncio.Future[str]") -> None:
        self.token = token
        self.found = found

    def may_be(self, row: TaskSummary) -> bool:
        created = row.created_at
        return (
            not self.found.done()
            and self.token.digest == digest_of(row.task)
            and (created is None or created >= self.token.sent_at - CLOCK_SKEW)
        )


class _Sweep:
    """One reading of the list, from the top. Its result is why it is not complete, or None."""

    task: "asyncio.Task[errors.BrowserUseError | None]"

    def __init__(self) -> None:
        self.begun = False


class Reconciler:
    """One for the whole session: a page that is read serves every search under way.

    Args:
        tasks: The calls to look with.
    """

    def __init__(self, tasks: TaskEndpoints) -> None:
        self._tasks = tasks
        self._searches: list[_Search] = []
        self._marks: dict[str, str] = {}  # task id -> its mark, or "": neither ever changes
        self._sweep: _Sweep | None = None

    def note(self, task_id: str, mark: str | None) -> None:
        """Remember whose task this is, so that it is never looked up.

        A task that a webhook tells about ends the search for it at once.

        Args:
            task_id: The task.
            mark: The value of its reserved metadata pair, if it has one.
        """
        self._marks[task_id] = mark or ""
        if len(self._marks) > REMEMBERED:
            del self._marks[next(iter(self._marks))]
        for search in self._searches:
            if search.token.mark == mark and not search.found.done():
                search.found.set_result(task_id)

    async def find(self, token: SubmissionToken, seconds: float) -> str | None:
        """Look for a task until it appears or the time is up.

        Args:
            token: Its token.
            seconds: How long to look. One whole look is made after that time in any case.

        Returns:
            The task's id; or None if the last look saw every candidate and it was not there.

        Raises:
            BrowserUseError: The last look was not whole, so that nothing is known.
        """
        known = [task_id for task_id, mark in self._marks.items() if mark == token.mark]
        if known:
            return known[0]
        search = _Search(token, asyncio.get_running_loop().create_future())
        self._searches.append(search)
        try:
            return await self._find(search, seconds)
        finally:
            self._searches.remove(search)
            if not self._searches:
                await self._end_sweep()

    async def _find(self, search: _Search, seconds: float) -> str | None:
        loop = asyncio.get_running_loop()
        ends = loop.time() + seconds
        pause = FIRST_PAUSE
        while True:
            is_last = loop.time() >= ends - TICK
            problem = await self._look(search)
            if search.found.done():
                return search.found.result()
            passing = isinstance(problem, _PASSING) and not isinstance(problem, _FINAL)
            if problem is not None and (is_last or not passing):
                raise copy.copy(problem)  # several searches may get it
            if is_last:
                return None
            left = max(ends - loop.time(), 0.0)
            await asyncio.wait([search.found], timeout=min(pause, left))
            pause = min(2 * pause, LONGEST_PAUSE)

    async def _look(self, search: _Search) -> errors.BrowserUseError | None:
        """Wait for a whole sweep that began after this call; others may share it."""
        while True:
            # Rows that were read before this call were not compared with this search.
            shared = self._sweep
            fresh = shared is None or not shared.begun
            sweep = self._start_sweep() if shared is None else shared.task
            ends: list[asyncio.Future[Any]] = [search.found, sweep]
            await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
            if search.found.done():
                return None
            if fresh:
                return sweep.result()

    def _start_sweep(self) -> "asyncio.Task[errors.BrowserUseError | None]":
        self._sweep = sweep = _Sweep()
        sweep.task = asyncio.get_running_loop().create_task(self._read(sweep))

        def ended(_task: object) -> None:
            if self._sweep is sweep:
                self._sweep = None

        sweep.task.add_done_callback(ended)
        return sweep.task

    async def _end_sweep(self) -> None:
        """Nobody is looking any longer, so nothing must go on alone."""
        sweep, self._sweep = self._sweep, None
        if sweep is not None and not sweep.task.done():
            sweep.task.cancel()
            await asyncio.wait([sweep.task])

    async def _read(self, sweep: _Sweep) -> errors.BrowserUseError | None:
        sweep.begun = True
        try:
            return await self._ask_all(await self._read_pages())
        except errors.BrowserUseError as error:
            return error

    async def _read_pages(self) -> list[TaskSummary]:
        """Read pages, newest first, until they are older than every search under way.

        Returns:
            Rows that may be the task of a search, but do not say whose they are.
        """
        candidates: list[TaskSummary] = []
        seen: set[str] = set()
        page, repeated = 1, 0
        while self._is_searching() and repeated < REPEATED_PAGES:
            rows = await self._tasks.list(page=page, limit=MAX_TASK_PAGE)
            fresh = [row for row in rows.tasks if row.id not in seen]
            seen.update(row.id for row in fresh)
            repeated = 0 if fresh else repeated + 1
            candidates += [row for row in fresh if not self._examine(row)]
            if self._is_last(rows, len(seen)):
                break
            page += 1
        return candidates

    def _is_searching(self) -> bool:
        return any(not search.found.done() for search in self._searches)

    def _is_last(self, rows: TaskPage, seen: int) -> bool:
        if not rows.tasks or (len(rows.tasks) < MAX_TASK_PAGE and seen >= rows.total_count):
            return True
        oldest = min((search.token.sent_at for search in self._searches), default=None)
        last = rows.tasks[-1].created_at
        return oldest is not None and last is not None and last < oldest - CLOCK_SKEW

    def _examine(self, row: TaskSummary) -> bool:
        """Whether it is settled whose task this is, as far as anybody asks."""
        known = self._marks.get(row.id)
        if known is None and (TOKEN_KEY in row.extra or row.metadata):
            known = str(row.extra.get(TOKEN_KEY, ""))
        if known is not None:
            self.note(row.id, known)
            return True
        return not any(search.may_be(row) for search in self._searches)

    async def _ask_all(self, candidates: list[TaskSummary]) -> errors.BrowserUseError | None:
        """Ask for the marks of tasks whose rows say nothing: rows need not carry metadata."""
        problem = None
        for row in candidates:
            if not self._is_searching():
                break
            try:
                task = await self._tasks.get(row.id)
            except _PASSING as error:
                problem = error
            else:
                self.note(row.id, str(task.extra.get(TOKEN_KEY, "")))
        return problem

"""Searches the newest tasks for those whose creation was not answered.

The states of a submission (`create.SubmissionState`):

| state | set when | the task | next |
|---|---|---|---|
| UNSENT | nothing was sent, or nothing was created | may exist if `lost_at` is set | SENDING |
| SENDING | the first byte of a request is written | may exist | any other |
| UNKNOWN | an answer was lost | may exist | see below |
| CREATED | an answer or a search has named the task | exists | the end |

UNKNOWN depends on the service:

| what is known of the service | what is done, for `SETTLE_WINDOW` at most | next |
|---|---|---|
| it keeps keys | the request is sent again with its key | SENDING |
| it keeps no keys | the list is searched for the mark in the metadata | CREATED |
| neither | as without keys; a page of the list may show that it keeps keys | either |
| it keeps no keys, and there is no room for a mark | nothing | |

What is UNKNOWN at the end raises `SubmissionUnknownError`. A batch has its own search (`batch`).
"""

import asyncio
import copy
import math
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Any

import attrs

from browser_use_async import errors
from browser_use_async.api.endpoint_table import LIST_TASKS
from browser_use_async.api.limits import MAX_TASK_PAGE
from browser_use_async.api.submission_token import TOKEN_KEY, SubmissionToken, digest_of
from browser_use_async.api.tasks import TaskEndpoints
from browser_use_async.lifecycle.submission_age import CLOCK_SKEW, SubmissionAges
from browser_use_async.observing.observers import ErrorMade, Subject
from browser_use_async.transport.client import Transport
from browser_use_async.transport.service import SubmissionKeys
from browser_use_async.types import PageQuery, Task, TaskPage, TaskSummary

SETTLE_WINDOW = 150.0
"""Seconds from a lost answer after which a task that did not appear is taken never to appear.

A service may carry out a request a minute after its client has given up, as gateways and queues
wait for so long, and may list a new task after seconds. The rest is a margin. The window is
measured by the clock of the event loop, which cannot be set, and in another process by the
service's clock.
"""

KEY_WINDOW = 86400.0
"""Seconds back to look for a task with a caller's key, where the service keeps no keys.

A program that was restarted asks again within hours, and each 100 tasks since then cost a request.
"""

REPLAY_WINDOW = 5.0
"""Seconds to look for a task if the answer to its run-task named another one.

The service has answered, so it is not slow.
"""

FIRST_PAUSE, LONGEST_PAUSE = 0.5, 10.0
TICK = 0.001  # timers may fire a little early
REPEATED_PAGES = 10  # pages in a row without a new row, after which reading stops
OLD_ROWS = 10  # rows in a row that are too old end the reading; one wrong date does not
REMEMBERED = 10_000  # tasks whose marks are kept

# A look that ends in one of these may succeed later. Everything else ends the search.
_PASSING = (errors.APIConnectionError, errors.APIStatusError, errors.ResponseDecodeError)
# These are `APIStatusError`s, too, but a wrong key stays wrong within the window.
_FINAL = (errors.AuthenticationError, errors.PermissionDeniedError)


@attrs.define(eq=False, repr=False)
class _Search:
    """One submission that is looked for."""

    token: SubmissionToken
    key: str | None  # finds the task by a request, if the service keeps keys
    found: "asyncio.Future[str]"  # its task's id
    about: object  # the subject of its scans for observers
    reach: float | None = None  # seconds to look back; None: to the time when it was sent
    seen_at: float | None = None  # the loop time at which the last whole scan for it began

    def could_match(self, row: TaskSummary, oldest: datetime | None) -> bool:
        """Whether a row may be its task."""
        return (
            not self.found.done()
            and self.token.digest == digest_of(row.task)
            and not _is_older(row.created_at, oldest)
        )

    def is_answered_by(self, keys: SubmissionKeys) -> bool:
        """Whether a request with its key would find more than the list, and sooner."""
        return self.key is not None and keys.are_kept

    def max_age(self, ages: SubmissionAges) -> float:
        """Seconds that may have passed since its task was created."""
        if self.reach is not None:
            return self.reach
        age = ages.max_age(self.token)
        if math.isinf(age) and self.seen_at is not None:
            # A task that a whole scan did not show was created at most a settle window before it.
            passed = asyncio.get_running_loop().time() - self.seen_at
            return passed + self.token.settle_window
        return age


@attrs.define(eq=False, repr=False)
class _Scan:
    """One reading of the list, from the top. Its result is None, or why it is not complete."""

    task: "asyncio.Task[errors.BrowserUseError | None]" = attrs.field(init=False)
    begun: bool = False  # whether it has begun to read
    newest: datetime | None = None  # the date of the list's newest task: ages count back from it


class Reconciler:
    """Runs the searches of a session: each page that is read serves all of them."""

    # How far down the list a task can be follows from its age and from the dates of the rows above
    # it. So it does not matter how far this machine's clock is from the service's, nor whether the
    # service's `Date` agrees with the dates of its rows.

    def __init__(
        self, transport: Transport, ages: SubmissionAges, settle_window: float = SETTLE_WINDOW
    ) -> None:
        self.settle_window = settle_window
        self._transport = transport
        self._observers = transport.observers
        self._ages = ages
        self._service_date = transport.server_clock.unconfirmed
        self._searches: list[_Search] = []
        # What a scan is about. The list itself and no copy: a search that joins the scan later is
        # part of what observers are notified about, too.
        self._subjects: list[object] = []
        # Retries for long: giving up means paying twice, or not knowing.
        self._tasks = TaskEndpoints(partial(transport.call_patiently, about=self._subjects))
        self._marks: dict[str, str] = {}  # task id -> its mark, or "" for a task without one
        self._scan: _Scan | None = None

    def claim(self, task_id: str, mark: str | None) -> bool:
        """Record the task that an answer to run-task names; False if it is another submission's."""
        known = self._marks.get(task_id)
        # A cache or a proxy may have answered with the answer to an earlier call. Then one of the
        # two answers was wrong, and it is unknown which: the task is fetched when that matters.
        if known is not None and (mark is None or known != mark):
            del self._marks[task_id]
            return False
        self.record(task_id, mark)
        return True

    def record(self, task_id: str, mark: str | None) -> None:
        """Record whose task this is, by its own metadata; then it need not be fetched."""
        self._marks[task_id] = mark or ""
        if len(self._marks) > REMEMBERED:
            del self._marks[next(iter(self._marks))]
        # A webhook about a task ends the search for it at once.
        for search in self._searches:
            if search.token.mark == mark and not search.found.done():
                search.found.set_result(task_id)

    def forget(self, task_id: str) -> None:
        """Forget whose task this is; it is fetched when that matters."""
        self._marks.pop(task_id, None)

    async def find(
        self,
        token: SubmissionToken,
        seconds: float,
        about: object = None,
        *,
        key: str | None = None,
        reach: float | None = None,
    ) -> str | None:
        """Look for a task until it appears or the time is up; raises if the last look failed.

        With a key the search ends, without a result, as soon as the service is known to keep keys:
        then the same request with the same key returns the task. `reach` says how many seconds to
        look back, if it was not sent just now.
        """
        ends_at = asyncio.get_running_loop().time() + seconds
        return await self._search(token, lambda: ends_at, about, key, reach)

    async def find_in_window(self, token: SubmissionToken) -> str | None:
        """Look for a task until it appears or the rest of its settle window has passed."""
        loop = asyncio.get_running_loop()
        latest = loop.time() + token.settle_window

        def ends_at() -> float:
            age = self._ages.min_age(token)  # an answer may have shown the service's time
            if age is None:  # unknown: wait for the whole window
                return latest
            return min(loop.time() - age + token.settle_window, latest)

        return await self._search(token, ends_at)

    async def _search(
        self,
        token: SubmissionToken,
        ends_at: Callable[[], float],
        about: object = None,
        key: str | None = None,
        reach: float | None = None,
    ) -> str | None:
        known = [task_id for task_id, mark in self._marks.items() if mark == token.mark]
        # A webhook or an earlier page has shown it already.
        if known:
            return known[0]
        about = Subject() if about is None else about
        found = asyncio.get_running_loop().create_future()
        search = _Search(token, key, found, about, reach)
        self._searches.append(search)
        self._subjects.append(about)
        try:
            return await self._find(search, ends_at)
        finally:
            self._searches.remove(search)
            self._subjects.remove(about)
            if not self._searches:
                await self._end_scan()

    async def _find(self, search: _Search, ends_at: Callable[[], float]) -> str | None:
        loop = asyncio.get_running_loop()
        pause = FIRST_PAUSE
        while True:
            began = loop.time()
            problem = await self._wait_for_scan(search)
            if search.found.done():
                return search.found.result()
            if search.is_answered_by(self._transport.keys):
                return None
            is_last = began >= ends_at() - TICK
            passing = isinstance(problem, _PASSING) and not isinstance(problem, _FINAL)
            if problem is not None and (is_last or not passing):
                problem = copy.copy(problem)  # several searches may get it
                self._observers.notify(ErrorMade(problem), search.about)
                raise problem
            if is_last:
                return None
            left = max(ends_at() - loop.time(), 0.0)
            await asyncio.wait([search.found], timeout=min(pause, left))
            # New tasks usually appear within a second; later scans are for slow services.
            pause = min(2 * pause, LONGEST_PAUSE)

    async def _wait_for_scan(self, search: _Search) -> errors.BrowserUseError | None:
        """Wait for a whole scan that began after this call; others may share it."""
        began = asyncio.get_running_loop().time()
        while True:
            if (scan := self._scan) is None or scan.task.done():
                scan, fresh = self._start_scan(), True
            else:  # rows that were read before this call were not compared with this search
                fresh = not scan.begun
            ends: list[asyncio.Future[Any]] = [search.found, scan.task]
            await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
            if search.found.done():
                return None
            # An older scan is only waited for; the next turn starts or joins a new one.
            if fresh:
                if (problem := scan.task.result()) is None:
                    search.seen_at = began
                return problem

    def _start_scan(self) -> _Scan:
        self._scan = scan = _Scan()
        scan.task = asyncio.get_running_loop().create_task(
            self._read(scan), name="browser-use: searches the task list for lost submissions"
        )
        return scan

    async def _end_scan(self) -> None:
        """Cancel the scan, since no search is left."""
        scan, self._scan = self._scan, None
        if scan is not None and not scan.task.done():
            scan.task.cancel()
            await asyncio.wait([scan.task])

    async def _read(self, scan: _Scan) -> errors.BrowserUseError | None:
        scan.begun = True
        try:
            return await self._fetch_all(await self._read_pages(scan))
        except errors.BrowserUseError as error:
            return error

    async def _read_pages(self, scan: _Scan) -> list[TaskSummary]:
        """Read pages, newest first, until they are older than every search under way."""
        candidates: list[TaskSummary] = []
        seen: set[str] = set()
        page, repeated, old = 1, 0, 0
        while self._is_searching() and repeated < REPEATED_PAGES:
            key = next((search.key for search in self._searches if search.key is not None), None)
            query = PageQuery(page=page, limit=MAX_TASK_PAGE)
            rows: TaskPage = await self._transport.call_patiently(
                LIST_TASKS, query, about=self._subjects, key=key
            )
            if page == 1:
                scan.newest = self._newest_of(rows.tasks)
            fresh = [row for row in rows.tasks if row.id not in seen]
            seen.update(row.id for row in fresh)
            repeated = 0 if fresh else repeated + 1
            oldest = {search: self._oldest(search, scan) for search in self._searches}
            candidates += [row for row in fresh if not self._check(row, oldest)]
            old = _old_rows(fresh, oldest.values(), old)
            # A short page is no end: a service may give fewer rows than were asked for.
            is_short = len(rows.tasks) < MAX_TASK_PAGE
            is_last = not rows.tasks or (is_short and len(seen) >= rows.total_count)
            if old >= OLD_ROWS or is_last:
                break
            page += 1
        return candidates

    def _newest_of(self, rows: Sequence[TaskSummary]) -> datetime | None:
        """The date of the newest task, by the first page; wrong dates are outvoted."""
        # A date that is too late would hide tasks, and one that is too early costs a few requests.
        # So if no `Date` of the service limits it, it is the median of the rows.
        dates = sorted(row.created_at for row in rows if row.created_at is not None)
        if not dates:
            return None
        date = self._service_date()
        return dates[len(dates) // 2] if date is None else min(dates[-1], date)

    def _oldest(self, search: _Search, scan: _Scan) -> datetime | None:
        """The earliest date that the task of a search can have, or None if any date is possible."""
        age = search.max_age(self._ages)
        if scan.newest is None or math.isinf(age):
            return None
        token = search.token
        try:
            # The earlier of two dates, since one that is too late would hide the task.
            oldest = scan.newest - timedelta(seconds=age)
            return (min(oldest, token.sent_at) if token.by_service else oldest) - CLOCK_SKEW
        except OverflowError:
            return None

    def _is_searching(self) -> bool:
        keys = self._transport.keys
        return any(
            not (search.found.done() or search.is_answered_by(keys)) for search in self._searches
        )

    def _check(self, row: TaskSummary, oldest: Mapping[_Search, datetime | None]) -> bool:
        """Whether it is known whose task this is, if a search needs that."""
        if (known := self._marks.get(row.id, mark_in_row(row))) is not None:
            self.record(row.id, known)
            return True
        return not any(search.could_match(row, date) for search, date in oldest.items())

    async def _fetch_all(self, candidates: list[TaskSummary]) -> errors.BrowserUseError | None:
        """Fetch the tasks whose rows have no mark: rows need not have metadata."""
        problem = None
        for row in candidates:
            if not self._is_searching():
                break
            try:
                task = await self._tasks.get(row.id)
            # The others may still be found; if not, the search was not complete and must not say
            # "none".
            except _PASSING as error:
                problem = error
            else:
                self.record(row.id, mark_of(task))
        return problem


def mark_of(task: Task | TaskSummary) -> str:
    """The mark of a task's submission; empty for a task without one."""
    return str(task.extra.get(TOKEN_KEY, ""))


def mark_in_row(row: TaskSummary) -> str | None:
    """The mark in a row of the list; None if the server leaves metadata out of rows."""
    # A row with metadata would show the mark if the task had one.
    return mark_of(row) if TOKEN_KEY in row.extra or row.metadata else None


def _is_older(date: datetime | None, oldest: datetime | None) -> bool:
    return date is not None and oldest is not None and date < oldest


def _old_rows(rows: Sequence[TaskSummary], oldest: Collection[datetime | None], before: int) -> int:
    """How many rows in a row, up to the last one, are too old for every search."""
    for row in rows:
        if row.created_at is not None:
            is_old = all(_is_older(row.created_at, date) for date in oldest)
            before = before + 1 if is_old else 0
    return before

"""Where polled tasks stand in the task list, so that pages can show many of them.

The list is ordered from new to old and grows at its top. So a task has a *rank*, which counts from
the oldest one; the place of a task is the difference to the rank of the newest. A page that shows
tasks of known ranks says what that is now: its rows vote, and the middle one wins. Tasks that a
page should have shown and did not are polled again, and after three pages one by one.
"""

import math
from bisect import bisect_left, bisect_right, insort
from collections import deque
from collections.abc import Sequence
from typing import NamedTuple

from browser_use_async.api.limits import MAX_TASK_PAGE
from browser_use_async.api.serialization import StatusPage
from browser_use_async.polling.watched_task import WatchedTask

MIN_SHARED = 2  # tasks for which a page is read; for one task a status call is cheaper
BYTES_PER_REQUEST = 64 * 1024  # so many bytes of a page count as one more request
SLACK = 3  # rows by which a place may be off
TYPICAL_ROW_BYTES = 400.0
MAX_BIRTHS = 500  # latest tasks of this session that a page may not have counted
MAX_SEEN = 1000  # rows of tasks that nobody waits for yet
WITNESSES = 3  # rows of which most must agree, or the list is in no order

_Rows = Sequence[WatchedTask | None]  # the task of each row of a page, if it is looked for


class ListPage(NamedTuple):
    """One page to read."""

    number: int  # counted from 1
    limit: int  # rows on it
    tasks: Sequence[WatchedTask]  # those that it should show


class TaskList:
    """The ranks of shared tasks.

    Attributes:
        is_ordered: Whether the last page showed tasks in the order of their ranks. If so, a task
            that it did not show was expected at a wrong place, and the list is right.
    """

    def __init__(self) -> None:
        self.is_ordered = False
        self._is_known = False  # whether any page has been read
        self._newest = 0  # the rank of the newest task
        self._asked_at = -math.inf  # when the newest page was asked for
        self._births: deque[float] = deque(maxlen=MAX_BIRTHS)  # when own tasks were asked for
        self._seen: dict[str, int] = {}  # ranks of rows that were not looked for
        self._row_bytes = TYPICAL_ROW_BYTES
        self._ranked: list[tuple[int, str, WatchedTask]] = []  # the oldest task first

    def add(self, watched: WatchedTask, *, just_created: bool, now: float) -> None:
        """Track a task; one that this session has just created is the newest."""
        if just_created and watched.rank is None:
            # A page may have shown it before the answer to run-task came.
            watched.rank = self._seen.pop(watched.task_id, None)
            if watched.rank is None:
                self._births.append(watched.submitted_at or now)
                self._newest += 1
                if self._is_known:
                    watched.rank = self._newest
        if watched.rank is not None:
            insort(self._ranked, (watched.rank, watched.task_id, watched))

    def discard(self, watched: WatchedTask) -> None:
        """Stop tracking a task."""
        if watched.rank is not None:
            at = bisect_left(self._ranked, (watched.rank, watched.task_id))
            if at < len(self._ranked) and self._ranked[at][2] is watched:
                del self._ranked[at]

    def plan(
        self, watched: WatchedTask, soon: float, overdue: float, now: float
    ) -> ListPage | None:
        """The page with a task and neighbours that are due soon, if it is worth its cost."""
        if watched.rank is None or not self._is_known:
            return None
        # Whole pages, so that no task stands between two of them.
        top = max(self._newest - watched.rank, 0) // MAX_TASK_PAGE * MAX_TASK_PAGE
        low = bisect_left(self._ranked, (self._newest - top - MAX_TASK_PAGE + 1,))
        # Tasks newer than the newest known one are at the top.
        high = bisect_left(self._ranked, (self._newest - top + 1,)) if top else len(self._ranked)
        tasks = [
            each
            for _rank, _id, each in self._ranked[low:high]
            if each is watched
            or (each.next_poll_at <= soon and not each.is_lost and each.may_be_polled(now, overdue))
        ]
        if len(tasks) < MIN_SHARED:
            return None
        first, last = (max(self._newest - (each.rank or 0), 0) for each in (tasks[-1], tasks[0]))
        number, limit = _smallest_page(max(first - SLACK, 0), last + SLACK)
        if limit > MAX_TASK_PAGE:
            number, limit = top // MAX_TASK_PAGE + 1, MAX_TASK_PAGE
        # The page must save more status calls than it costs, its bytes included.
        if len(tasks) < 1 + limit * self._row_bytes / BYTES_PER_REQUEST:
            return None
        return ListPage(number, limit, tasks)

    def record_page(self, page: ListPage, answer: StatusPage, rows: _Rows, asked: float) -> None:
        """Learn ranks from the rows of shared tasks."""
        self.is_ordered = True
        if not answer.ids or asked < self._asked_at:
            return  # a newer page has been read
        self._asked_at = asked
        self._row_bytes += 0.3 * (answer.size / len(answer.ids) - self._row_bytes)
        # The service may put fewer rows on a page than were asked for.
        limit = min(page.limit, answer.limit) if answer.limit > 0 else page.limit
        first = (page.number - 1) * limit
        votes = sorted(
            at + each.rank
            for at, each in enumerate(rows, first)
            if each is not None and each.rank is not None
        )
        newest = votes[len(votes) // 2] if votes else self._newest
        agree = bisect_right(votes, newest + SLACK) - bisect_left(votes, newest - SLACK)
        self.is_ordered = len(votes) > 0 and 2 * agree >= len(votes)
        if len(votes) >= WITNESSES and not self.is_ordered:
            return  # places say nothing
        self._newest, self._is_known = newest + sum(born > asked for born in self._births), True
        for at, (task_id, watched) in enumerate(zip(answer.ids, rows, strict=True), first):
            if watched is None:
                self._seen[task_id] = newest - at
                if len(self._seen) > MAX_SEEN:
                    del self._seen[next(iter(self._seen))]
            elif watched.rank != newest - at:
                self.discard(watched)
                watched.rank = newest - at
                watched.trust_list(asked)
                insort(self._ranked, (watched.rank, watched.task_id, watched))


def _smallest_page(first: int, last: int) -> tuple[int, int]:
    """Number and rows of the smallest page that shows two places (pages start at multiples)."""
    limit = last - first + 1
    while first // limit != last // limit:
        limit += 1
    return first // limit + 1, limit

"""The places of polled tasks in the task list, and which page is worth reading. No I/O.

The list is newest first, and nothing is deleted from it. So a task has a fixed rank, a number that
grows in order of creation. Its place from the top is the newest rank minus its own rank. The newest
rank follows from any page that shows tasks of known ranks. `total_count` is not used, since
services report it capped, late or wrong.

While this session creates tasks, the list changes between a plan and its page. Three rules keep
places right, however fast it changes:

1. Each task counts once. A page has counted all tasks that were created before its request, also
   those that this session gets to know later.
2. A place is planned for the moment of the answer: recent pages show how many new tasks come
   between plan and answer.
3. Tasks may end at their first poll. If all tasks of a page have guessed ranks, these count as
   right where most of them agree.
"""

import math
from bisect import bisect_left, bisect_right
from collections import deque
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import NamedTuple

from browser_use_async.api.limits import MAX_TASK_PAGE
from browser_use_async.api.serialization import StatusPage
from browser_use_async.polling.watched_task import MAX_LIST_MISSES, WatchedTask

MIN_SHARED = 2  # tasks for which a page is read; for one task a status call is cheaper
BYTES_PER_REQUEST = 64 * 1024  # so many bytes of a page count as one more request
GROWTH_WINDOW = 0.5  # seconds, at least, over which growth is measured
MAX_GROWTH = 1000.0  # tasks per second; more means that the list is out of order
MAX_BIRTHS = 500  # latest tasks of this session whose creation times are kept
STALE = 1.0  # seconds by which a page may be older than the newest one
DENSE = 0.75  # if so much of a page is wanted, the whole page is read
WITNESSES = 3  # rows that agree, so that it is no coincidence
MEMORY = 60.0  # seconds for which rows out of order are remembered
TRUST = 10.0  # seconds for which rows in order count more than others
SLACK = 3  # rows by which an estimate may be off
TYPICAL_ROW_BYTES = 400.0

_Rows = Sequence[WatchedTask | None]  # the task of each row of a page, if it is looked for


class ListPage(NamedTuple):
    """One page to read."""

    number: int  # counted from 1
    limit: int  # rows on it
    tasks: Sequence[WatchedTask]  # those that it should show
    newest: int  # the rank of the newest task, as known when the page was planned


class TaskList:
    """The ranks of polled tasks, learned from pages.

    Attributes:
        is_ordered: Whether the last page showed tasks in the order of their ranks. If so, a task
            that it did not show was expected at a wrong place, and the list is right.
    """

    def __init__(self) -> None:
        self.is_ordered = False
        self._is_known = False  # whether any page has been read
        self._agreed_at = self._mixed_at = -math.inf  # the last page in order, and out of order
        self._newest = 0  # the rank of the newest task, as of the last page
        self._asked_at = -math.inf  # the newest page read
        self._newest_at = 0.0  # when a page last showed the rank of the newest task
        self._created = 0  # tasks of this session; known at once, and no part of the growth
        self._births: deque[float] = deque(maxlen=MAX_BIRTHS)  # when their requests began
        self._lead = 0.0  # tasks by which the list has grown when a page is answered
        self._growth = 0.0  # tasks per second created by others
        self._window = (0, -math.inf)  # tasks of others, and when they were counted
        self._row_bytes = TYPICAL_ROW_BYTES
        # Two lists in the same order, oldest task first: bisecting plain numbers takes a tenth of
        # the time of bisecting tasks by a key.
        self._ranks: list[int] = []
        self._tasks: list[WatchedTask] = []

    def newest_rank(self, now: float) -> int:
        """The rank of the newest task, if others create tasks as before."""
        return self._newest + round(self._growth * (now - self._newest_at))

    def _is_creating(self, now: float) -> bool:
        return len(self._births) > 0 and now - self._births[-1] < STALE

    def _ahead(self, now: float) -> int:
        """The number of unknown tasks that the list will have when a page is answered."""
        return round(self._lead) if self._is_creating(now) else 0

    def add(self, watched: WatchedTask, *, just_created: bool, now: float) -> None:
        """Track a task; a task that this session has just created is the newest."""
        if just_created and watched.rank is None:
            born = watched.submitted_at or now
            self._created += 1
            self._births.append(born)
            # The last page has counted tasks that were created before its request, even if their
            # answers came later.
            self._newest += born > self._newest_at
            if self._is_known:
                watched.rank = self.newest_rank(now)
        if watched.rank is not None:
            self._insert(watched, watched.rank)

    def discard(self, watched: WatchedTask) -> None:
        """Stop tracking a task."""
        if watched.rank is not None:
            first = bisect_left(self._ranks, watched.rank)
            for at in range(first, bisect_right(self._ranks, watched.rank)):
                if self._tasks[at] is watched:
                    del self._ranks[at], self._tasks[at]
                    return

    def _insert(self, watched: WatchedTask, rank: int) -> None:
        watched.rank = rank
        watched.trust_list(self._asked_at)
        at = bisect_left(self._ranks, rank)
        self._ranks.insert(at, rank)
        self._tasks.insert(at, watched)

    def pages_needed(self, now: float) -> int:
        """About how many pages show all tracked tasks once."""
        newest = self.newest_rank(now)
        return len({(newest - rank) // MAX_TASK_PAGE for rank in self._ranks})

    @staticmethod
    def count_unlisted(tasks: Iterable[WatchedTask]) -> int:
        """How many of these tasks have no known place."""
        # Compared here, since a property takes thrice as long, for thousands.
        lost = MAX_LIST_MISSES
        return len([1 for each in tasks if each.rank is None or each.list_misses >= lost])

    def search_page(self, number: int, limit: int) -> ListPage:
        """A page that may show tasks whose place is unknown."""
        return ListPage(number, limit, (), self._newest)

    def plan(
        self, watched: WatchedTask, recently: float, overdue: float, now: float
    ) -> ListPage | None:
        """The smallest page with a task and neighbours that may be polled, if it is worth it."""
        if watched.rank is None or not self._is_known:
            return None
        known = self.newest_rank(now)
        newest = known + self._ahead(now)
        at, reach = self._reach_of_page(watched.rank, recently, overdue, newest, now)
        # Inlined, since thousands are checked in a second; tasks of the list are neither settled
        # nor without subscribers.
        lost = MAX_LIST_MISSES
        tasks = [
            each
            for each in self._tasks[at]
            if each.list_misses < lost
            and (not (each.in_flight or each.is_queued) or each.may_be_polled(now, overdue))
        ]
        if len(tasks) < MIN_SHARED:
            return None
        first = max(newest - (tasks[-1].rank or 0), 0)
        last = min(max(newest - (tasks[0].rank or 0), first), reach - 1)
        number, limit = _smallest_page(max(first - SLACK, 0), last + SLACK)
        if limit > MAX_TASK_PAGE:
            number, limit = _smallest_page(first, last)
        # The page must save more status calls than it costs, its bytes included.
        if len(tasks) < 1 + limit * self._row_bytes / BYTES_PER_REQUEST:
            return None
        return ListPage(number, limit, tasks, known)

    def _reach_of_page(
        self, rank: int, recently: float, overdue: float, newest: int, now: float
    ) -> tuple[slice, int]:
        """The tasks on the best page for one of them, and the place behind that page."""
        place = max(newest - rank, 0)
        # Pages with arbitrary starts would leave remainders between them, which need more pages.
        whole = self._places(place - place % MAX_TASK_PAGE, MAX_TASK_PAGE, newest)
        if whole.stop - whole.start >= DENSE * MAX_TASK_PAGE:
            return whole, place - place % MAX_TASK_PAGE + MAX_TASK_PAGE
        at = bisect_left(self._ranks, rank)
        first = place
        for index in range(at + 1, len(self._ranks)):
            above = max(newest - self._ranks[index], 0)
            each = self._tasks[index]
            # Rows that were read recently are left out; else pages would overlap.
            is_wanted = each.answered_at < recently and not each.is_lost
            if not is_wanted or not each.may_be_polled(now, overdue) or _reach(above) <= place:
                break
            first = above
        reach = _reach(first)
        return self._places(first, reach - first, newest), reach

    def _places(self, first: int, count: int, newest: int) -> slice:
        """The tasks at `count` places from `first` on."""
        low = bisect_left(self._ranks, newest - first - count + 1)
        # Tasks newer than the newest known one are at the top.
        high = bisect_left(self._ranks, newest - first + 1) if first else len(self._ranks)
        return slice(low, high)

    def record_page(
        self,
        page: ListPage,
        answer: StatusPage,
        rows: _Rows,
        shown: _Rows,
        asked: float,
        now: float,
    ) -> list[WatchedTask]:
        """Learn ranks from the rows of watched tasks; returns those whose place was unknown.

        `rows` has all of them, by which the page is found to be in order or not, and `shown` those
        that are news: few, if the page was read because another one has left them out.
        """
        self.is_ordered = True
        if asked < self._asked_at - STALE:
            return []  # so late that the list has changed since
        self._asked_at = max(asked, self._asked_at)
        if answer.ids:
            self._row_bytes += 0.3 * (answer.size / len(answer.ids) - self._row_bytes)
        # The service may put fewer rows on a page than were asked for.
        limit = min(page.limit, answer.limit) if answer.limit > 0 else page.limit
        first = (page.number - 1) * limit
        # Each row votes for a newest rank, and most agree: a row out of order must not move all
        # others. The rank of a task that was never polled is a guess: answers to run-task have no
        # order.
        placed = [
            (each.polls > 1, at + each.rank)
            for at, each in enumerate(rows, first)
            if each is not None and each.rank is not None
        ]
        votes = sorted(newest for was_polled, newest in placed if was_polled)
        is_ordered = self._is_ordered(votes, now)
        if not votes and len(placed) >= WITNESSES:
            guesses = sorted(newest for _, newest in placed)
            votes = guesses if self._mostly_agree(guesses, now) else []
        newest = votes[len(votes) // 2] if votes and is_ordered else self.newest_rank(now)
        self.is_ordered = is_ordered and len(votes) > 0
        found = []
        # On most pages each row is where it should be, and then all votes are equal.
        is_as_known = len(votes) == len(shown) and votes and votes[0] == votes[-1]
        top = newest - first
        is_believed = is_ordered or _is_repeated(rows, top)
        for index, watched in enumerate(() if is_as_known else shown):
            rank = top - index
            if watched is None or watched.rank == rank:
                continue
            if watched.rank is None:
                found.append(watched)
            elif not (is_ordered or (is_believed and watched.rank_seen == rank)):
                watched.rank_seen = rank  # believed once another page says the same
                continue
            self.discard(watched)
            self._insert(watched, rank)
        if self.is_ordered and page.tasks and self._is_creating(asked):
            lead = min(max(newest - page.newest, 0), MAX_TASK_PAGE)
            self._lead += 0.3 * (lead - self._lead)
        if self.is_ordered or not self._is_known:
            self._record_newest(newest, asked)
        return found

    def _is_ordered(self, votes: Sequence[int], now: float) -> bool:
        """Whether ranks follow from places: the votes, sorted, agree on the newest rank."""
        if not votes:
            return True
        if votes[-1] - votes[0] <= 2 * self._ahead(now):
            if len(votes) < WITNESSES:  # so few prove nothing in a list out of order
                return now - self._mixed_at > MEMORY
            self._agreed_at = now
            return True
        self._mixed_at = now
        if now - self._agreed_at < TRUST:
            return False  # rows were left out, repeated or mixed, and others know their places
        return self._mostly_agree(votes, now)

    def _mostly_agree(self, votes: Sequence[int], now: float) -> bool:
        # If most do not agree, a place says nothing about an order.
        newest, slack = votes[len(votes) // 2], SLACK + self._ahead(now)
        low, high = bisect_left(votes, newest - slack), bisect_right(votes, newest + slack)
        return 2 * (high - low) >= len(votes)

    def _record_newest(self, newest: int, asked: float) -> None:
        now = self._newest_at = asked
        self._is_known = True
        self._newest = newest + sum(born > asked for born in self._births)
        others, (before, since) = newest - self._created, self._window
        if now - since >= GROWTH_WINDOW:
            if not math.isinf(since):
                growth = min(max(others - before, 0) / (now - since), MAX_GROWTH)
                self._growth += 0.5 * (growth - self._growth)
            self._window = (others, now)


def _is_repeated(rows: _Rows, top: int) -> bool:
    """Whether three of four rows have their known rank, or that of the previous page.

    So two pages in order correct ranks that were taken from a page out of order.
    """
    known = [
        rank in {each.rank, each.rank_seen}
        for rank, each in zip(range(top, top - len(rows), -1), rows, strict=True)
        if each is not None and each.rank is not None
    ]
    return 4 * sum(known) > 3 * len(known)


@lru_cache(1024)
def _reach(first: int) -> int:
    """The place behind the last one that a page can show together with `first`."""
    # Page p of n rows shows the places from (p - 1) * n on, so n decides where pages end.
    if first % MAX_TASK_PAGE == 0:
        return first + MAX_TASK_PAGE
    half = MAX_TASK_PAGE // 2
    return max((first // limit + 1) * limit for limit in range(half, MAX_TASK_PAGE + 1))


def _smallest_page(first: int, last: int) -> tuple[int, int]:
    """Number and rows of the smallest page that shows two places (pages start at multiples)."""
    limit = last - first + 1
    while first // limit != last // limit:
        limit += 1
    return first // limit + 1, limit

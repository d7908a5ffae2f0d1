"""Looks at many tasks in as few requests as possible: pages of the task list, and the rest."""

import asyncio
import copy
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from itertools import count
from typing import Protocol, TypeVar

from browser_use_async import errors
from browser_use_async.contract.status_page import StatusPage
from browser_use_async.models import TaskStatus
from browser_use_async.transport.gate import LONGEST_GAP, REOPENING_SECONDS
from browser_use_async.waiting.learning import Learner, Service
from browser_use_async.waiting.places import UNSEEN_WHEN_LOST, ListMap, PageToRead
from browser_use_async.waiting.watch import Watch

__all__ = ["Looks", "Sweeper"]

ItemT = TypeVar("ItemT")

FEW = 4  # requests that need not be spread over the time until the next sweep
TOGETHER = 0.1  # seconds whose pages leave at once: waking up for each costs as much as it does
MAX_READS = 25  # requests of a sweep at once
PAGE_FAILURES = 3  # in a row, while status calls are answered, before the list is left alone
STATUS_FAILURES = 3  # in a row, before a sweep is given up
LIST_REST = 60.0  # seconds for which it is


class Looks(Protocol):
    """What a sweep needs of the watcher."""

    def look(self, watch: Watch) -> "asyncio.Task[None]":
        """Look at one task by itself; the look that is under way counts."""
        ...

    def confirm(self, watch: Watch) -> None:
        """Fetch a task that the list calls ended."""
        ...


class _Sweep:
    """One look at all of them.

    Args:
        began: The loop time at which it began.
        ends: The loop time until which its requests are spread.
    """

    def __init__(self, began: float, ends: float) -> None:
        self.began = began
        self.ends = ends
        # Why nothing more is asked: neither the list nor a status call was answered.
        self.down: errors.BrowserUseError | None = None
        self.failed = 0  # status calls in a row that were not answered


class Sweeper:
    """Reads the task list for the watcher.

    Args:
        read_page: Reads a page of statuses.
        learner: Keeps what is found out.
        service: Tells whether the service wants a rest.
        threshold: The smallest number of tasks for which a page is read.
        watches: All watches, by task id.
        looks: Looks at single tasks.
    """

    def __init__(
        self,
        read_page: Callable[[int, int], Awaitable[StatusPage]],
        learner: Learner,
        service: Service,
        threshold: int,
        watches: Mapping[str, Watch],
        looks: Looks,
    ) -> None:
        self.map = ListMap()
        self._read_page = read_page
        self._learner = learner
        self._service = service
        self._threshold = threshold
        self._watches = watches
        self._looks = looks
        self._page_failures = 0
        self._list_rests_until = 0.0
        self._search: int | None = None  # the next page on which lost tasks are looked for

    async def sweep(self, watches: Iterable[Watch], seconds: float) -> None:
        """Look at tasks, once each.

        Args:
            watches: Which.
            seconds: The time over which many requests are spread.
        """
        loop = asyncio.get_running_loop()
        began = loop.time()
        sweep = _Sweep(began, began + seconds)
        left = list(watches)
        # The first pages tell how far the list has moved on; whom they missed gets another chance.
        for _round in range(2):
            total = self.map.total
            if self._list_rests_until > began or not await self._sweep_pages(sweep, left):
                break
            left = _unseen(left, began)
            if self.map.total == total:
                break
        left = _unseen(left, began)
        left.sort(key=_looked_at)  # whom an outage kept from being asked has precedence
        await self._spread(sweep, left, lambda watch: self._ask(sweep, watch))

    async def _sweep_pages(self, sweep: _Sweep, watches: list[Watch]) -> bool:
        """Read the pages that pay, and tell whether there were any."""
        pages, _others = self.map.plan(watches, self._threshold)
        self._add_search(pages, watches)
        await self._spread(sweep, pages, lambda page: self._read(sweep, page), TOGETHER)
        return bool(pages)

    def _add_search(self, pages: list[PageToRead[Watch]], watches: list[Watch]) -> None:
        """Look one page further for tasks of which nobody knows where they are."""
        if self._search is None:
            return
        lost = sum(watch.is_lost for watch in watches)
        if not lost or (self._search - 1) * 100 >= (self.map.total or 0):
            self._search = None  # they were found, or are not in the list
        elif lost >= self._threshold:
            first = (self._search - 1) * 100
            pages.append(PageToRead(self._search, 100, (), first, first + 99, None))
            self._search += 1

    async def _spread(
        self,
        sweep: _Sweep,
        items: list[ItemT],
        ask: Callable[[ItemT], Awaitable[None]],
        together: float = 0.0,
    ) -> None:
        """Ask for many things, a few at a time, until the end of the sweep.

        Args:
            sweep: The sweep.
            items: What to ask for, in this order.
            ask: Asks for one of them.
            together: Seconds; what is due within them leaves at once.
        """
        if not items:
            return
        loop = asyncio.get_running_loop()
        start = loop.time()
        gap = max(sweep.ends - start, 0.0) / len(items) if len(items) > FEW else 0.0
        todo = deque(enumerate(items))

        async def work() -> None:
            while todo:
                number, item = todo.popleft()
                due = number * gap
                due = due // together * together if together else due
                pause = start + due - loop.time()
                if pause > 0:
                    await asyncio.sleep(pause)
                await ask(item)

        room = 1 if self._service.is_held else min(MAX_READS, len(items))
        workers = [loop.create_task(work()) for _ in range(room)]
        try:
            await asyncio.gather(*workers)
        finally:
            for worker in workers:
                worker.cancel()
            await asyncio.gather(*workers, return_exceptions=True)

    # --- one request ----------------------------------------------------------------------

    async def _read(self, sweep: _Sweep, plan: PageToRead[Watch]) -> None:
        if sweep.down is not None:
            self._note_failure(plan.tasks, sweep.down)
            return
        loop = asyncio.get_running_loop()
        asked = loop.time()
        ask = self.map.aim(plan)
        try:
            page = await self._read_page(ask.page, ask.limit)
        except errors.BrowserUseError as error:
            await self._note_lost_page(sweep, plan.tasks, error)
            return
        self._page_failures = 0
        now = loop.time()
        self._learner.note_reply_time(now - asked)
        self._note_page(ask, page, now)
        for watch in _unseen(plan.tasks, sweep.began):
            watch.unseen = UNSEEN_WHEN_LOST if watch.rank is None else watch.unseen + 1
            if watch.is_lost and self._search is None:
                self._search = 1

    def _note_page(self, ask: PageToRead[Watch], page: StatusPage, now: float) -> None:
        limit = min(ask.limit, page.limit) if page.limit > 0 else ask.limit
        self.map.note_page(ask.page, limit, page.total_count, len(page.rows), page.size)
        top = self.map.rank_at(ask.page, limit, 0, page.total_count)
        watch_of = self._watches.get
        for rank, (task_id, status) in zip(count(top, -1), page.rows, strict=False):
            watch = watch_of(task_id)
            if watch is None or watch.ended or watch.error is not None:
                continue  # not asked for `settled`: this runs ten thousand times a second
            watch.rank, watch.unseen = rank, 0
            watch.looked_at = now
            watch.answered()
            if status != watch.status or watch.reported is not None:
                self._note_row(watch, TaskStatus(status))

    def _note_row(self, watch: Watch, status: TaskStatus) -> None:
        if status.is_known and not status.is_terminal:
            self._learner.note_status(watch, status)
        else:
            self._looks.confirm(watch)

    async def _note_lost_page(
        self, sweep: _Sweep, watches: Sequence[Watch], error: errors.BrowserUseError
    ) -> None:
        """Find out with one status call whether it is the list that fails, or everything."""
        followed = [watch for watch in watches if watch.followers and not watch.settled]
        if isinstance(error, errors.RateLimitError):
            # Asking for each by itself would be the opposite of what the service wants.
            sweep.down = error
            self._note_failure(followed, error)
            return
        if not followed:
            return
        first, *others = followed
        await asyncio.wait([self._looks.look(first)])
        refused = first.error is not None and not isinstance(first.error, errors.NotFoundError)
        if first.failures or refused:
            sweep.down = error
            self._note_failure(others, error)
        else:
            now = asyncio.get_running_loop().time()
            self._page_failures += 1
            if self._page_failures >= PAGE_FAILURES:
                self._page_failures, self._list_rests_until = 0, now + LIST_REST
            # Asked for one by one, and not all in one moment.
            sweep.ends = max(sweep.ends, now + min(len(others) * LONGEST_GAP, REOPENING_SECONDS))

    def _note_failure(self, watches: Iterable[Watch], error: errors.BrowserUseError) -> None:
        now = asyncio.get_running_loop().time()
        for watch in watches:
            if watch.settled:
                continue
            self._learner.note_failure(watch, copy.copy(error), now)
            if watch.settled:
                watch.tell()

    async def _ask(self, sweep: _Sweep, watch: Watch) -> None:
        if not watch.followers or watch.settled:
            return
        if sweep.down is not None:
            self._note_failure([watch], sweep.down)
            return
        await asyncio.wait([self._looks.look(watch)])
        sweep.failed = sweep.failed + 1 if watch.failures else 0
        if sweep.failed >= STATUS_FAILURES:
            sweep.down = watch.failure


def _looked_at(watch: Watch) -> float:
    return watch.looked_at


def _unseen(watches: Iterable[Watch], since: float) -> list[Watch]:
    """Who has not been looked at since, and still wants to be."""
    late = [watch for watch in watches if watch.looked_at < since]  # few of ten thousand
    return [watch for watch in late if watch.followers and not watch.settled]

"""Looks at many tasks in as few requests as possible: pages of the task list, and the rest."""

import asyncio
import copy
import math
from bisect import insort
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from itertools import count
from operator import attrgetter
from typing import Protocol

from browser_use_async import errors
from browser_use_async.contract.status_page import StatusPage
from browser_use_async.models import TaskStatus
from browser_use_async.transport.gate import LONGEST_GAP, REOPENING_SECONDS
from browser_use_async.waiting.learning import Learner, Service
from browser_use_async.waiting.places import UNSEEN_WHEN_LOST, ListMap, PageToRead
from browser_use_async.waiting.watch import Watch

__all__ = ["LENIENCE", "TICK", "Looks", "Sweeper"]

FEW = 10  # requests that need not be spread over the time until the next sweep
SPREAD = 0.9  # the part of the time until the next sweep over which more than that are
LENIENCE = 1.02  # so many intervals may pass between looks: tasks come later in each sweep
TICK = 0.001  # timers may fire a little early, and looking at once is better than spinning
FEW_MISSED = 3  # of a page, who are asked for by themselves rather than looked for on another
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


class _Turn:
    """One request of a sweep.

    Args:
        asks: For what: a page, or a task by itself.
        looked_at: The loop time of the oldest look among those that it is for.
        due: The loop time at which it has to leave.

    Attributes:
        moment: The loop time at which it leaves.
        below: The next page, of older tasks.
        has_begun: Whether it has left.
    """

    __slots__ = ("asks", "below", "due", "has_begun", "looked_at", "moment")

    def __init__(self, asks: PageToRead[Watch] | Watch, looked_at: float, due: float) -> None:
        self.asks = asks
        self.looked_at = looked_at
        self.due = due
        self.moment = due
        self.below: _Turn | None = None
        self.has_begun = False

    @property
    def rank(self) -> float:
        """The rank of the newest task that it is for; that of an unknown one is the highest."""
        watch = self.asks if isinstance(self.asks, Watch) else next(iter(self.asks.tasks), None)
        return math.inf if watch is None or watch.rank is None else watch.rank


class _Sweep:
    """One look at all of them.

    Args:
        began: The loop time at which it began.
        interval: Seconds until the next one.
        patience: Seconds for which a task may go without a look.
    """

    def __init__(self, began: float, interval: float, patience: float) -> None:
        self.began = began
        self.patience = patience
        self.ends = began + SPREAD * interval  # until then its requests are spread
        self.was_hurried = False  # whether most of them left long before their turn
        self.list_failed = False  # so that there is more to ask for than there is time
        # Why nothing more is asked: neither the list nor a status call was answered.
        self.down: errors.BrowserUseError | None = None
        self.failed = 0  # status calls in a row that were not answered
        self.turns: deque[_Turn] = deque()  # that are yet to come, in order

    def turn_to(self, watches: Iterable[Watch], moment: float) -> None:
        """Ask for tasks that a page did not show where they were expected.

        Args:
            watches: Which.
            moment: The loop time at which to ask, if no other page shows them before.
        """
        for watch in watches:
            turn = _Turn(watch, watch.looked_at, moment)
            insort(self.turns, turn, key=attrgetter("moment"))

    @property
    def usual(self) -> float:
        """The loop time since when everybody has been looked at.

        Whom an outage or its events have kept from that for longer is late for everything, and
        perhaps one of thousands: it is in no hurry.
        """
        return self.began - 2 * self.patience

    def turn(self, asks: PageToRead[Watch] | Watch) -> _Turn:
        """When to ask for something.

        Args:
            asks: A page, or a task by itself.
        """
        watches = (asks,) if isinstance(asks, Watch) else asks.tasks
        looks = [watch.looked_at for watch in watches]
        if min(looks, default=0.0) < 0:
            looks = [watch.last_seen for watch in watches]
        usual = self.usual
        hurried = [] if self.list_failed else [look for look in looks if look > usual]
        due = min(hurried, default=math.inf) + self.patience * LENIENCE
        return _Turn(asks, min(looks, default=self.began), due)


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

    async def sweep(self, watches: Iterable[Watch], interval: float, patience: float) -> bool:
        """Look at tasks, once each.

        Args:
            watches: Which.
            interval: Seconds until the next sweep, over which many requests are spread.
            patience: Seconds for which a task may go without a look, whatever that spreads.

        Returns:
            Whether most requests had to leave together because of that. A sweep that begins right
            after this one finds the time to spread them.
        """
        began = asyncio.get_running_loop().time()
        sweep = _Sweep(began, interval, patience)
        left = list(watches)
        # The first pages tell how far the list has moved on; whom they missed gets another chance.
        for _round in range(2):
            total = self.map.total
            if self._list_rests_until > began:
                break
            self.map.advance(asyncio.get_running_loop().time())
            pages, others = self.map.plan(left, self._threshold)
            self._add_search(pages, left)
            if not pages:
                break
            await self._spread(sweep, [*pages, *others])
            if sweep.down is not None:
                return sweep.was_hurried  # whoever is left has failed, which counts once
            left = _unseen(left, began)
            if self.map.total == total:
                break
        await self._spread(sweep, _unseen(left, began))
        return sweep.was_hurried

    def _add_search(self, pages: list[PageToRead[Watch]], watches: list[Watch]) -> None:
        """Look one page further for tasks of which nobody knows where they are."""
        if self._search is None:
            return
        lost = sum(watch.is_lost for watch in watches)
        if not lost or (self._search - 1) * 100 >= (self.map.total or 0):
            self._search = None  # they were found, or are not in the list
        elif lost >= self._threshold:
            pages.append(PageToRead(self._search, 100, (), (), None))
            self._search += 1

    async def _spread(self, sweep: _Sweep, asks: Sequence[PageToRead[Watch] | Watch]) -> None:
        """Ask for many things, a few at a time, until the end of the sweep.

        Args:
            sweep: The sweep.
            asks: Pages, and tasks by themselves.
        """
        if not asks:
            return
        loop = asyncio.get_running_loop()
        room = asyncio.Semaphore(1 if self._service.is_held else MAX_READS)
        try:
            async with asyncio.TaskGroup() as group:
                sweep.turns = deque(_timed(sweep, asks, loop.time()))
                while sweep.turns:
                    pause = sweep.turns[0].moment - loop.time()
                    if pause > 0:
                        await asyncio.sleep(pause)
                    turn = sweep.turns.popleft()
                    if isinstance(turn.asks, Watch) and turn.asks.looked_at >= sweep.began:
                        continue  # a page has shown it
                    await room.acquire()
                    turn.has_begun = True
                    asking = group.create_task(
                        self._ask(sweep, turn.asks)
                        if isinstance(turn.asks, Watch)
                        else self._read(sweep, self._aim(turn, turn.asks))
                    )
                    asking.add_done_callback(lambda _asking: room.release())
        except ExceptionGroup as raised:
            raise raised.exceptions[0] from None  # by a user's middleware: theirs to see

    def _aim(self, turn: _Turn, plan: PageToRead[Watch]) -> PageToRead[Watch]:
        """The page to read by now. Whom it does not show moves on to the next one."""
        self.map.advance(asyncio.get_running_loop().time())
        aimed, shown = self.map.aim(plan)
        below = turn.below
        if shown < len(plan.tasks) and below and not below.has_begun:
            assert not isinstance(below.asks, Watch)
            below.asks = below.asks.joined_by(plan.tasks[shown:], plan.places[shown:])
        return aimed

    # --- one request ----------------------------------------------------------------------

    async def _read(self, sweep: _Sweep, ask: PageToRead[Watch]) -> None:
        if sweep.down is not None:
            self._note_failure(ask.tasks, sweep.down)
            return
        loop = asyncio.get_running_loop()
        asked = loop.time()
        try:
            page = await self._read_page(ask.page, ask.limit)
        except errors.BrowserUseError as error:
            await self._note_lost_page(sweep, ask.tasks, error)
            return
        self._page_failures = 0
        now = loop.time()
        self._learner.note_reply_time(now - asked)
        self._note_page(ask, page, now)
        missed = _unseen(ask.tasks, sweep.began)
        for watch in missed:
            watch.unseen = UNSEEN_WHEN_LOST if watch.rank is None else watch.unseen + 1
            if watch.is_lost and self._search is None:
                self._search = 1
        if len(missed) <= FEW_MISSED:
            # By then the pages that left together with this one have told whom they show.
            sweep.turn_to(missed, now + TOGETHER)

    def _note_page(self, ask: PageToRead[Watch], page: StatusPage, now: float) -> None:
        limit = min(ask.limit, page.limit) if page.limit > 0 else ask.limit
        self.map.note_page(ask.page, limit, page.total_count, len(page.rows), page.size, now)
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
            sweep.list_failed = True
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


def _timed(sweep: _Sweep, asks: Sequence[PageToRead[Watch] | Watch], start: float) -> list[_Turn]:
    """When each request leaves, the first one first.

    The newest tasks come first, so that the tasks that are created while others are read move those
    on to pages that are yet to be read, and a new task waits no longer than until the next sweep.
    Each task comes a little later in each sweep as newer ones come before it.

    Args:
        sweep: The sweep.
        asks: Pages, and tasks by themselves.
        start: The loop time from which they are spread.
    """
    seconds = max(sweep.ends - start, 0.0)
    gap = seconds / len(asks) if len(asks) > FEW else 0.0
    usual = sweep.usual
    # Whom an outage kept from being asked has precedence.
    turns = sorted(map(sweep.turn, asks), key=lambda turn: (turn.looked_at > usual, -turn.rank))
    page = None
    for number, turn in enumerate(turns):
        pause = min(number * gap, max(turn.due - start, 0.0))
        if not isinstance(turn.asks, Watch):
            pause = (pause + TICK) // TOGETHER * TOGETHER
            if page is not None:
                page.below = turn
            page = turn
        turn.moment = start + pause
    turns.sort(key=lambda turn: turn.moment)
    if turns[len(turns) // 2].moment - start + TOGETHER < seconds / 4 and gap:
        sweep.was_hurried = True
    return turns


def _unseen(watches: Iterable[Watch], since: float) -> list[Watch]:
    """Who has not been looked at since, and still wants to be."""
    late = [watch for watch in watches if watch.looked_at < since]  # few of ten thousand
    return [watch for watch in late if watch.followers and not watch.settled]

"""One timer for the deadlines of all waits and streams."""

import asyncio
import heapq
import itertools

from browser_use_async.waiting.watch import Follower

__all__ = ["Deadlines"]


class Deadlines:
    """Tells followers when their time is up.

    An `asyncio.timeout` for each would be a quarter of what a wait weighs.
    """

    def __init__(self) -> None:
        self._queue: list[tuple[float, int, Follower]] = []
        self._numbers = itertools.count()
        self._count = 0
        self._timer: asyncio.TimerHandle | None = None

    def add(self, follower: Follower) -> None:
        """Tell a follower at its deadline, if it has one, that its time is up.

        Args:
            follower: Which one. Every `add` needs a `remove`.
        """
        if follower.deadline is None:
            return
        self._count += 1
        heapq.heappush(self._queue, (follower.deadline, next(self._numbers), follower))
        if self._queue[0][2] is follower:
            self._set_timer(follower.deadline)

    def remove(self, follower: Follower) -> None:
        """Let it have no deadline any more.

        Args:
            follower: Which one.
        """
        if follower.deadline is None:
            return
        follower.deadline = None
        self._count -= 1
        if not self._count:
            self._queue.clear()
            self._stop_timer()
        elif len(self._queue) > 2 * self._count + 64:  # they would be kept for hours
            self._queue = [entry for entry in self._queue if entry[0] == entry[2].deadline]
            heapq.heapify(self._queue)

    def _set_timer(self, moment: float) -> None:
        self._stop_timer()
        self._timer = asyncio.get_running_loop().call_at(moment, self._ring, moment)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _ring(self, due: float) -> None:
        self._timer = None
        now = max(due, asyncio.get_running_loop().time())  # a timer may ring a little early
        while self._queue:
            moment, _number, follower = self._queue[0]
            if follower.deadline == moment and moment > now:
                self._set_timer(moment)
                return
            heapq.heappop(self._queue)
            if follower.deadline == moment:
                follower.expire()

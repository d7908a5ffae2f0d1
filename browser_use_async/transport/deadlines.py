"""One alarm for all attempts of a session.

All of them may take equally long, so they end in the order in which they began. A timer of its
own would cost an attempt more than all the rest that this package adds to it.
"""

import asyncio

__all__ = ["Deadlines"]


class Deadlines:
    """Ends attempts whose time is up, by way of `asyncio.Timeout` and so as gently as that.

    Args:
        loop: The loop in which they run.
        seconds: How long each may take.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, seconds: float) -> None:
        self._loop = loop
        self._seconds = seconds
        self._ends: dict[asyncio.Timeout, float] = {}  # the first to end comes first
        self._alarm: asyncio.TimerHandle | None = None

    def start(self) -> asyncio.Timeout:
        """A time limit that begins now; to be entered at once, and given to `forget` at the end."""
        limit = asyncio.timeout(None)
        ends = self._loop.time() + self._seconds
        self._ends[limit] = ends
        if self._alarm is None:
            self._alarm = self._loop.call_at(ends, self._ring)
        return limit

    def forget(self, limit: asyncio.Timeout) -> None:
        """Stop watching over an attempt.

        Args:
            limit: What `start` gave.
        """
        self._ends.pop(limit, None)

    def end_all(self) -> None:
        """Let the time of all attempts be up now."""
        if self._alarm is not None:
            self._alarm.cancel()
        while self._ends:
            self._end(next(iter(self._ends)))

    def _ring(self) -> None:
        self._alarm = None
        while self._ends:
            limit, ends = next(iter(self._ends.items()))
            if ends > self._loop.time():
                self._alarm = self._loop.call_at(ends, self._ring)
                return
            self._end(limit)

    def _end(self, limit: asyncio.Timeout) -> None:
        del self._ends[limit]
        limit.reschedule(self._loop.time())

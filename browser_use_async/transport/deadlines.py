"""One alarm for all attempts of a session.

All of them may take equally long, so they end in the order in which they began. A timer of its
own would cost an attempt more than all the rest that this package adds to it.
"""

import asyncio
from types import TracebackType

__all__ = ["Deadlines", "Limit"]


class Limit:
    """The time of one attempt: a block that ends with `TimeoutError` when the time is up.

    `asyncio.timeout` does the same in two coroutines, which each call would pay for. Like there, a
    cancellation from elsewhere wins when both come in one turn of the loop.

    Args:
        loop: The loop in which the block runs.
        running: The limits of all attempts under way, which this one joins for as long as the
            block runs.
        ends: The loop time at which it is up.
    """

    __slots__ = ("_cancelling", "_is_up", "_loop", "_running", "_task", "ends")

    def __init__(
        self, loop: asyncio.AbstractEventLoop, running: "dict[Limit, None]", ends: float
    ) -> None:
        self.ends = ends
        self._loop = loop
        self._running = running
        self._is_up = False
        self._task: asyncio.Task[object]
        self._cancelling = 0

    def end(self) -> None:
        """Let the time be up now."""
        self._running.pop(self, None)
        self._is_up = True
        self._task.cancel()

    def __enter__(self) -> None:
        task = asyncio.current_task(self._loop)  # to find out which it is costs as much again
        assert task is not None
        self._task, self._cancelling = task, task.cancelling()
        self._running[self] = None

    def __exit__(
        self,
        error_type: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._running.pop(self, None)
        if not self._is_up:
            return
        is_ours = self._task.uncancel() <= self._cancelling
        if is_ours and error_type is asyncio.CancelledError:
            raise TimeoutError from error


class Deadlines:
    """Ends attempts whose time is up.

    Args:
        loop: The loop in which they run.
        seconds: How long each may take.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, seconds: float) -> None:
        self._loop = loop
        self._seconds = seconds
        self._running: dict[Limit, None] = {}  # the first to end comes first
        self._alarm: asyncio.TimerHandle | None = None

    def start(self) -> Limit:
        """A time limit that begins now, to be entered at once."""
        ends = self._loop.time() + self._seconds
        if self._alarm is None:
            self._alarm = self._loop.call_at(ends, self._ring)
        return Limit(self._loop, self._running, ends)

    def end_all(self) -> None:
        """Let the time of all attempts be up now."""
        if self._alarm is not None:
            self._alarm.cancel()
        for limit in tuple(self._running):
            limit.end()

    def _ring(self) -> None:
        self._alarm = None
        while self._running:
            limit = next(iter(self._running))
            if limit.ends > self._loop.time():
                self._alarm = self._loop.call_at(limit.ends, self._ring)
                return
            limit.end()

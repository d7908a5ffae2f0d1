"""An event loop without waiting: when nothing is left to do, it is the next timer's time."""

import asyncio
import selectors
from collections.abc import Coroutine
from typing import Any, TypeVar

__all__ = ["VirtualLoop", "run"]

ResultT = TypeVar("ResultT")


class _Skipper(selectors.SelectSelector):
    """Waits by moving the clock, and sees no real file: all that happens, happens in memory."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        """Let the time pass at once."""
        if timeout is None:
            raise RuntimeError("everything waits, and nothing will ever happen")
        self.now += max(timeout, 0.0)
        return []


class VirtualLoop(asyncio.SelectorEventLoop):
    """The loop of one simulation. It starts at 0 seconds, and one run is as good as another."""

    def __init__(self) -> None:
        self._skipper = _Skipper()
        super().__init__(self._skipper)

    def time(self) -> float:
        """Seconds since the beginning of this world."""
        return self._skipper.now


def run(world: Coroutine[Any, Any, ResultT]) -> ResultT:
    """Run a simulation to its end.

    Args:
        world: What happens in it.
    """
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(world)

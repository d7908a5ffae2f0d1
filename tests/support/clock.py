"""An event loop in virtual time: when nothing is ready, the clock jumps to the next timer."""

import asyncio
import selectors
from collections.abc import Coroutine
from typing import Any, TypeVar

__all__ = ["VirtualLoop", "run"]

ResultT = TypeVar("ResultT")


class _VirtualSelector(selectors.SelectSelector):
    """Waits by moving the clock, and watches no real file: everything is in memory."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        """Move the clock."""
        if timeout is None:
            raise RuntimeError("every task waits, and there is no timer")
        self.now += max(timeout, 0.0)
        return []


class VirtualLoop(asyncio.SelectorEventLoop):
    """The loop of one simulation. It starts at 0 seconds."""

    def __init__(self) -> None:
        self._virtual = _VirtualSelector()
        super().__init__(self._virtual)

    def time(self) -> float:
        """Seconds since the beginning of this world."""
        return self._virtual.now


def run(world: Coroutine[Any, Any, ResultT]) -> ResultT:
    """Run a simulation to its end.

    Args:
        world: The coroutine that runs in it.
    """
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(world)

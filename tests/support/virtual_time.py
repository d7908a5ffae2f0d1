"""Operations of tests in virtual time (`looptime`), besides sleeping."""

import asyncio
from typing import Any

__all__ = ["loop_time", "lose"]


def lose(seconds: float) -> None:
    """Let time pass in which the process did not run: all timers of that time are due in one turn.

    Args:
        seconds: How long the process slept, or its loop was blocked.
    """
    loop: Any = asyncio.get_running_loop()
    loop.setup_looptime(start=loop.time() + seconds)


def loop_time() -> float:
    """The time of the running loop, in seconds."""
    return asyncio.get_running_loop().time()

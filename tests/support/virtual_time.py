"""What tests in virtual time (`looptime`) do to it, besides sleeping."""

import asyncio
from typing import Any

__all__ = ["loop_time", "lose"]


def lose(seconds: float) -> None:
    """Let time pass in which the process did not run: whatever was due then is due in one turn.

    Args:
        seconds: How long the process slept, or its loop was blocked.
    """
    loop: Any = asyncio.get_running_loop()
    loop.setup_looptime(start=loop.time() + seconds)


def loop_time() -> float:
    """The time of the running loop, in seconds."""
    return asyncio.get_running_loop().time()

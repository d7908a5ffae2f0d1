"""How long tests wait for what comes when it comes: so long that only a broken one gives up."""

import asyncio
from collections.abc import Callable

__all__ = ["PATIENCE", "until"]

PATIENCE = 40.0
"""Seconds: no machine is so busy, and the time limit of a test comes later."""


async def until(condition: Callable[[], object], seconds: float = PATIENCE) -> None:
    """Wait until something holds that no event tells of.

    Args:
        condition: What is to hold.
        seconds: How long at most.
    """
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110 - nothing tells of it
            await asyncio.sleep(0.005)

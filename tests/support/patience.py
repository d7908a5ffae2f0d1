"""The timeouts of tests, which are so long that only a broken test reaches them."""

import asyncio
from collections.abc import Callable

__all__ = ["PATIENCE", "until"]

PATIENCE = 40.0
"""Seconds: no machine is so busy, and the time limit of a test comes later."""


async def until(condition: Callable[[], object], seconds: float = PATIENCE) -> None:
    """Wait until a condition is true that no event reports.

    Args:
        condition: The condition.
        seconds: The longest time.
    """
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110 - no event for it
            await asyncio.sleep(0.005)

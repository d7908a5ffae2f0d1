"""Work that outlives the call that started it and belongs to the session."""

import asyncio
import contextlib
from collections.abc import Coroutine
from typing import Any, TypeVar

__all__ = ["CLEANUP_SECONDS", "Background"]

ResultT = TypeVar("ResultT")

CLEANUP_SECONDS = 5.0
"""How long a cancelled call, or closing the session, waits for a task to be stopped."""


class Background:
    """Keeps references, so that nothing is collected half-way, and an end."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[Any]] = set()

    def start(self, work: Coroutine[Any, Any, ResultT]) -> "asyncio.Task[ResultT]":
        """Start something and keep it until it ends."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def finish(self, task: "asyncio.Task[Any]") -> None:
        """Wait for work to end, within bounds, whatever becomes of it."""
        await asyncio.wait([task], timeout=CLEANUP_SECONDS)

    async def aclose(self) -> None:
        """Give all work a few seconds to end, then end it."""
        try:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(CLEANUP_SECONDS):
                    await asyncio.sleep(0)  # who is cancelled in this turn has a stop to start yet
                    while self._tasks:
                        await asyncio.wait(tuple(self._tasks))
                        await asyncio.sleep(0)  # what has ended may start something more
        finally:
            late = tuple(self._tasks)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)

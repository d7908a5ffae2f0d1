"""Background tasks, which go on beside the code that started them."""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

ResultT = TypeVar("ResultT")


class BackgroundTasks:
    """Background tasks of one owner, which ends them when it closes; named by their work."""

    def __init__(self, what: str) -> None:
        self._name = f"browser-use: {what}"
        self._tasks: set[asyncio.Task[Any]] = set()

    def start(self, work: Coroutine[Any, Any, ResultT]) -> asyncio.Task[ResultT]:
        """Start a task."""
        task = asyncio.get_running_loop().create_task(work, name=self._name)
        # The loop itself keeps no reference to it.
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    def __len__(self) -> int:
        return len(self._tasks)

    async def join(self) -> None:
        """Wait until all have ended; errors are ignored."""
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def aclose(self) -> None:
        """End all of them."""
        for task in tuple(self._tasks):
            task.cancel()
        await self.join()

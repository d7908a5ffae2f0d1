"""Tasks that go on beside what started them."""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

ResultT = TypeVar("ResultT")


class BackgroundTasks:
    """Tasks of one owner, which ends them with itself; what they do is in their names."""

    def __init__(self, what: str) -> None:
        self._name = f"browser-use: {what}"
        self._tasks: set[asyncio.Task[Any]] = set()

    def start(self, work: Coroutine[Any, Any, ResultT]) -> asyncio.Task[ResultT]:
        """Begin to do something."""
        task = asyncio.get_running_loop().create_task(work, name=self._name)
        # The loop itself does not keep it from being collected.
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    def __len__(self) -> int:
        return len(self._tasks)

    async def join(self) -> None:
        """Wait until all have ended, well or badly."""
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def aclose(self) -> None:
        """End all of them."""
        for task in tuple(self._tasks):
            task.cancel()
        await self.join()

"""Executors for tests that control a task item by item."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

from browser_use_async.server.executors.protocol import Control, Executor
from browser_use_async.server.records import Assignment, Step

__all__ = ["FromQueue", "NeverBegun"]


class FromQueue(Executor):
    """Reports what the test puts into `items`; an exception among them is raised.

    Attributes:
        items: The next reports.
        assignments: The tasks that it was given.
        ended: How many runs have been closed.
        closed: Whether the server has released it.
        cleanup: Seconds that the clean-up of a run takes.
    """

    name = "from-queue"

    def __init__(self, *items: Any, cleanup: float = 0.0) -> None:
        self.items: asyncio.Queue[Any] = asyncio.Queue()
        for item in items:
            self.items.put_nowait(item)
        self.assignments: list[Assignment] = []
        self.ended = 0
        self.closed = False
        self.cleanup = cleanup

    def step(self, goal: str = "Go on", **fields: Any) -> None:
        """Report a step."""
        self.items.put_nowait(Step(goal, **fields))

    async def run(self, assignment: Assignment, control: Control) -> AsyncIterator[Any]:
        """Report item by item."""
        self.assignments.append(assignment)
        try:
            while True:
                item = await self.items.get()
                if isinstance(item, BaseException):
                    raise item
                if item is StopAsyncIteration:
                    return
                yield item
        finally:
            await asyncio.sleep(self.cleanup)
            self.ended += 1

    async def aclose(self) -> None:
        """Record that it was released."""
        self.closed = True


class NeverBegun(FromQueue):
    """Accepts tasks and never begins them."""

    reports_start = True

"""An executor that takes its time, so that a person can follow what it does."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Any, cast

from browser_use_async.server.executors.protocol import (
    Assignment,
    Control,
    Executor,
    Failed,
    Finished,
    Step,
)

__all__ = ["Unhurried"]


class Unhurried:
    """Does what another executor does, with a pause after each step."""

    def __init__(self, executor: Executor, seconds: float) -> None:
        self._executor = executor
        self._seconds = seconds
        self.name = executor.name

    async def run(
        self, assignment: Assignment, control: Control
    ) -> AsyncIterator[Step | Finished | Failed]:
        """Carry out one task."""
        items = cast("Any", self._executor.run(assignment, control))
        async with aclosing(items):
            async for item in items:
                yield item
                await asyncio.sleep(self._seconds)

    async def aclose(self) -> None:
        """Release what the other executor holds."""
        await self._executor.aclose()

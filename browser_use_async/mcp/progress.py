"""Progress notifications while a tool waits for a task."""

import asyncio
import contextlib
from typing import Any

from mcp.server.mcpserver import Context

from browser_use_async.errors import WaitTimeoutError
from browser_use_async.lifecycle.handle import TaskHandle
from browser_use_async.types import TaskStatus

HEARTBEAT = 5.0
"""Seconds between two notifications: clients that count from the last one do not give up."""


async def wait_until_settled(
    handle: TaskHandle[Any], seconds: float, context: Context[Any, Any]
) -> None:
    """Wait until a task has ended or is paused, for some seconds, and tell how it goes on."""
    reporter = _Reporter(handle, seconds, context)
    telling = [asyncio.create_task(reporter.tell_steps()), asyncio.create_task(reporter.tick())]
    try:
        with contextlib.suppress(WaitTimeoutError):
            async for status in handle.stream_status(timeout=seconds):
                if status is TaskStatus.PAUSED:
                    return
    finally:
        for each in telling:
            each.cancel()
        # A client that left cannot be told, which is no reason to fail.
        await asyncio.gather(*telling, return_exceptions=True)


class _Reporter:
    """Tells the seconds that went by, with the latest step as the message."""

    def __init__(self, handle: TaskHandle[Any], seconds: float, context: Context[Any, Any]) -> None:
        self._handle = handle
        self._seconds = seconds
        self._context = context
        self._started = asyncio.get_running_loop().time()
        self._message = f"task {handle.id} is under way"

    async def tell_steps(self) -> None:
        """Report each step as it comes."""
        await self._report()
        async for step in self._handle.stream_steps(timeout=self._seconds):
            self._message = f"task {self._handle.id}, step {step.step}: {step.next_goal}"
            await self._report()

    async def tick(self) -> None:
        """Report from time to time, also when no step comes."""
        while True:
            await asyncio.sleep(HEARTBEAT)
            await self._report()

    async def _report(self) -> None:
        passed = asyncio.get_running_loop().time() - self._started
        await self._context.report_progress(passed, self._seconds, self._message)

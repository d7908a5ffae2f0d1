"""Tasks that run although no caller waits for them."""

import asyncio
from typing import Any

from tests.support.fake_api import FakeApi, FakeTask
from tests.support.fake_task import lives

__all__ = ["cancelled", "forever", "now", "orphans", "steps"]


def now() -> float:
    """The time of the loop, in seconds."""
    return asyncio.get_running_loop().time()


def forever(_body: Any = None) -> FakeTask:
    """A task that does not end by itself."""
    return lives(1e6)


async def steps(count: int) -> None:
    """Let the loop take this many turns."""
    for _ in range(count):
        await asyncio.sleep(0)


def orphans(api: FakeApi) -> list[FakeTask]:
    """The tasks that are running."""
    return [task for task in api.tasks.values() if task.status() == "running"]


async def cancelled(task: "asyncio.Task[Any]") -> bool:
    """Whether something ends in a cancellation."""
    await asyncio.wait([task])
    return task.cancelled()

"""Waits that users write themselves without the SDK's methods, for the controls."""

import asyncio
from functools import partial

from browser_use_async import errors
from browser_use_async.types import Task
from tests.proofs.world.clients import World
from tests.support.fake_task import FakeTask

__all__ = ["careless_wait", "eager_wait", "forgetful_wait", "lazy_wait"]


async def _poll(world: World, task: FakeTask, *, pause: float) -> Task:
    while True:
        try:
            status = await world.session.tasks.get_status(task.id)
            if status.is_terminal:
                return await world.session.tasks.get(task.id)
        except errors.BrowserUseError:
            pass
        await asyncio.sleep(pause)


lazy_wait = partial(_poll, pause=10.0)
"""Polls every ten seconds: late."""

eager_wait = partial(_poll, pause=0.2)
"""Polls five times a second: expensive."""


async def careless_wait(world: World, task: FakeTask) -> Task:
    """Gives up after ten seconds, with an error without the task."""
    async with asyncio.timeout(10.0):
        return await _poll(world, task, pause=1.0)


async def forgetful_wait(world: World, task: FakeTask) -> Task:
    """Leaves the polling to another coroutine, whose death it does not notice."""
    ended: asyncio.Future[Task] = asyncio.get_running_loop().create_future()

    async def poll() -> None:
        status = None
        while status is None or not status.is_terminal:
            await asyncio.sleep(1.0)
            status = await world.session.tasks.get_status(task.id)
        ended.set_result(await world.session.tasks.get(task.id))

    poller = asyncio.create_task(poll())
    try:
        return await ended
    finally:
        poller.cancel()
        await asyncio.wait([poller])

"""The sides of waiting: each waits for one task until it has ended, and creates it if asked to."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import aiohttp
import attrs

from browser_use_async import BrowserUseSession, PollPolicy
from browser_use_async.transport.surroundings import MakeConnector, Surroundings

__all__ = ["SIDES", "Waiter", "loops", "official", "ours", "policy"]

PATIENCE = 100_000.0  # seconds: nobody gives up here
PROMPT = "Find the opening hours"
TERMINAL = {"finished", "failed", "stopped"}


@attrs.frozen
class Waiter:
    """What a side can do.

    Attributes:
        wait: Waits for a task until it has ended.
        run: Creates a task, waits until it has ended, and gives its id.
    """

    wait: Callable[..., Awaitable[object]]
    run: Callable[[], Awaitable[str]]


def policy(seconds: float, *, shared: bool = True) -> PollPolicy:
    """Ours, with a delay of at most so many seconds from a task's end to its notice."""
    options: dict[str, float | bool] = {"interval": seconds, "latency_target": seconds}
    if "shared" in attrs.fields_dict(PollPolicy):
        options["shared"] = shared
    return PollPolicy(**options)


@asynccontextmanager
async def ours(
    url: str,
    seconds: float,
    connector: MakeConnector = aiohttp.TCPConnector,
    *,
    shared: bool = True,
) -> AsyncIterator[Waiter]:
    async with BrowserUseSession(
        "key",
        base_url=f"{url}/api/v1",
        poll=policy(seconds, shared=shared),
        surroundings=Surroundings(connector=connector),
    ) as session:

        def wait(task_id: str, timeout: float = PATIENCE) -> Awaitable[object]:
            return session.wait(task_id, timeout=timeout)

        async def run() -> str:
            handle = await session.submit(PROMPT)  # which leaves it running at the benchmark's end
            return (await handle.wait(timeout=PATIENCE)).id

        yield Waiter(wait, run)


@asynccontextmanager
async def loops(
    url: str, seconds: float, connector: MakeConnector = aiohttp.TCPConnector
) -> AsyncIterator[Waiter]:
    """What people write themselves: a loop for each task."""
    headers = {"Authorization": "Bearer key"}
    async with aiohttp.ClientSession(connector=connector(limit=100), headers=headers) as session:

        async def get(path: str) -> object:
            async with session.get(f"{url}/api/v1/task/{path}") as reply:
                return await reply.json()

        async def wait(task_id: str) -> object:
            while await get(f"{task_id}/status") not in TERMINAL:  # noqa: ASYNC110
                await asyncio.sleep(seconds)
            return await get(task_id)

        async def run() -> str:
            body = {"task": PROMPT}
            async with session.post(f"{url}/api/v1/run-task", json=body) as reply:
                created: dict[str, str] = await reply.json()
            await wait(created["id"])
            return created["id"]

        yield Waiter(wait, run)


@asynccontextmanager
async def official(url: str, seconds: float) -> AsyncIterator[Waiter]:
    from browser_use_sdk import AsyncBrowserUse  # noqa: PLC0415 - 0.2 s that others need not pay

    client = AsyncBrowserUse(api_key="key", base_url=f"{url}/api/v2")

    def wait(task_id: str) -> Awaitable[object]:
        return client.tasks.wait(task_id, timeout=PATIENCE, interval=seconds)

    async def run() -> str:
        task_id = str((await client.tasks.create(PROMPT)).id)
        await wait(task_id)
        return task_id

    try:
        yield Waiter(wait, run)
    finally:
        await client.close()


SIDES: dict[str, tuple[str, Callable[[str, float], AbstractAsyncContextManager[Waiter]]]] = {
    "official": ("browser-use-sdk", official),
    "loops": ("aiohttp, one loop each", loops),
    "ours": ("**browser-use-async**", ours),
}

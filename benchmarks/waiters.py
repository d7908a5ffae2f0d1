"""The sides of waiting: each gives a function that waits for one task until it has ended."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import aiohttp
import attrs

from browser_use_async import BrowserUseSession, PollPolicy
from browser_use_async.transport.surroundings import MakeConnector, Surroundings

__all__ = ["SIDES", "Wait", "loops", "official", "ours", "policy"]

Wait = Callable[..., Awaitable[object]]
PATIENCE = 100_000.0  # seconds: nobody gives up here
TERMINAL = {"finished", "failed", "stopped"}


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
) -> AsyncIterator[Wait]:
    async with BrowserUseSession(
        "key",
        base_url=f"{url}/api/v1",
        poll=policy(seconds, shared=shared),
        surroundings=Surroundings(connector=connector),
    ) as session:

        def wait(task_id: str, timeout: float = PATIENCE) -> Awaitable[object]:
            return session.wait(task_id, timeout=timeout)

        yield wait


@asynccontextmanager
async def loops(
    url: str, seconds: float, connector: MakeConnector = aiohttp.TCPConnector
) -> AsyncIterator[Wait]:
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

        yield wait


@asynccontextmanager
async def official(url: str, seconds: float) -> AsyncIterator[Wait]:
    from browser_use_sdk import AsyncBrowserUse  # noqa: PLC0415 - 0.2 s that others need not pay

    client = AsyncBrowserUse(api_key="key", base_url=f"{url}/api/v2")
    try:
        yield lambda task_id: client.tasks.wait(task_id, timeout=PATIENCE, interval=seconds)
    finally:
        await client.close()


SIDES: dict[str, tuple[str, Callable[[str, float], AbstractAsyncContextManager[Wait]]]] = {
    "official": ("browser-use-sdk", official),
    "loops": ("aiohttp, one loop each", loops),
    "ours": ("**browser-use-async**", ours),
}

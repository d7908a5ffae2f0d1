"""The sides of waiting: each waits for one task until it has ended, and creates it if asked to."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Collection
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import aiohttp
import attrs
import orjson

from browser_use_async import BrowserUseSession, PollPolicy
from browser_use_async.transport.config import MakeConnector, Runtime

__all__ = ["SIDES", "Waiter", "end", "loops", "official", "ours", "policy"]

PATIENCE = 100_000.0  # seconds: no wait gives up here
PROMPT = "Find the opening hours"
TOGETHER = 10  # pages that a bare sweep asks for at once, as ours does
TURN = 0.01  # seconds between checks whether there is anything to wait for
TERMINAL = {"finished", "failed", "stopped"}


@attrs.frozen
class Waiter:
    """The operations of a side.

    Attributes:
        wait: Waits for a task until it has ended.
        run: Creates a task, waits until it has ended, and gives its id.
    """

    wait: Callable[..., Awaitable[object]]
    run: Callable[[], Awaitable[str]]


async def end(waits: Collection[asyncio.Task[None]]) -> None:
    """End the remaining waits, and raise the errors of all."""
    for each in waits:
        each.cancel()
    for result in await asyncio.gather(*waits, return_exceptions=True):
        if isinstance(result, Exception):
            raise result


def policy(seconds: float, *, shared: bool = True) -> PollPolicy:
    """This package, with a delay of at most this many seconds from a task's end to its notice."""
    return PollPolicy(interval=seconds, latency_target=seconds, shared=shared)


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
        runtime=Runtime(connector=connector),
    ) as session:

        def wait(task_id: str, timeout: float = PATIENCE) -> Awaitable[object]:
            return session.wait(task_id, timeout=timeout)

        async def run() -> str:
            handle = await session.submit(PROMPT)  # which leaves it running at the benchmark's end
            return (await handle.wait(timeout=PATIENCE)).id

        yield Waiter(wait, run)


@attrs.frozen
class _Bare:
    """aiohttp alone: no status, no content is checked."""

    session: aiohttp.ClientSession
    url: str

    async def get(self, path: str) -> Any:
        async with self.session.get(f"{self.url}/api/v1/{path}") as reply:
            return orjson.loads(await reply.read())

    async def create(self) -> str:
        async with self.session.post(f"{self.url}/api/v1/run-task", json={"task": PROMPT}) as reply:
            created: dict[str, str] = await reply.json()
        return created["id"]

    def waiter(self, wait: Callable[[str], Awaitable[object]]) -> Waiter:
        async def run() -> str:
            task_id = await self.create()
            await wait(task_id)
            return task_id

        return Waiter(wait, run)


@asynccontextmanager
async def _bare(url: str, connector: MakeConnector) -> AsyncIterator[_Bare]:
    headers = {"Authorization": "Bearer key"}
    async with aiohttp.ClientSession(connector=connector(limit=100), headers=headers) as session:
        yield _Bare(session, url)


@asynccontextmanager
async def loops(
    url: str, seconds: float, connector: MakeConnector = aiohttp.TCPConnector
) -> AsyncIterator[Waiter]:
    """The usual hand-written way: a loop for each task."""
    async with _bare(url, connector) as api:

        async def wait(task_id: str) -> object:
            while await api.get(f"task/{task_id}/status") not in TERMINAL:  # noqa: ASYNC110
                await asyncio.sleep(seconds)
            return await api.get(f"task/{task_id}")

        yield api.waiter(wait)


@asynccontextmanager
async def sweeps(url: str, seconds: float) -> AsyncIterator[Waiter]:
    """The lowest cost of a shared sweep: the requests of this package, and nothing around them. It
    assumes that its tasks, ended ones too, are the newest that exist.
    """
    futures: dict[str, asyncio.Future[None]] = {}
    begun = 0
    async with _bare(url, aiohttp.TCPConnector) as api:

        async def read(page: int) -> None:
            for row in (await api.get(f"tasks?page={page}&limit=100"))["tasks"]:
                future = futures.pop(row["id"], None) if row["status"] in TERMINAL else None
                if future is not None and not future.done():  # the window may be over
                    future.set_result(None)

        async def sweep() -> None:
            while True:
                pages = range(1, -(-begun // 100) + 1)
                for first in range(0, len(pages), TOGETHER):
                    some = pages[first : first + TOGETHER]
                    pause = asyncio.sleep(seconds * len(some) / len(pages))
                    await asyncio.gather(pause, *map(read, some))
                await asyncio.sleep(0 if pages else TURN)

        async def wait(task_id: str) -> object:
            nonlocal begun
            begun += 1
            futures[task_id] = asyncio.get_running_loop().create_future()
            await futures[task_id]
            return await api.get(f"task/{task_id}")

        sweeping = asyncio.create_task(sweep())
        yield api.waiter(wait)
        sweeping.cancel()


@asynccontextmanager
async def official(url: str, seconds: float) -> AsyncIterator[Waiter]:
    from browser_use_sdk import AsyncBrowserUse  # noqa: PLC0415 - 0.2 s that others need not pay

    client = AsyncBrowserUse(api_key="key", base_url=f"{url}/api/v2")

    def wait(task_id: str) -> Awaitable[object]:
        waiting: Awaitable[object] = client.tasks.wait(task_id, timeout=PATIENCE, interval=seconds)
        return waiting

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
    "sweeps": ("aiohttp alone, one sweep for all", sweeps),
}

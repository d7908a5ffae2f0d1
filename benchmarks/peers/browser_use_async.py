"""browser-use-async: this package."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from benchmarks.peers.peer import Peer
from browser_use_async import BrowserUseSession


@asynccontextmanager
async def connect(url: str, timeout: float | None) -> AsyncIterator[BrowserUseSession]:
    base_url = f"{url}/api/v1"
    async with BrowserUseSession(api_key="key", base_url=base_url, timeout=timeout) as session:
        yield session


async def submit(session: BrowserUseSession) -> str:
    return (await session.submit("Find the cheapest flight")).id


async def run(session: BrowserUseSession) -> str:
    return (await session.tasks.run("Find the cheapest flight")).id


async def look(session: BrowserUseSession, task_id: str) -> object:
    return await session.tasks.get_status(task_id)


PEER = Peer(
    "browser-use-async",
    connect,
    {
        "session.submit()": submit,
        "session.tasks.run()": run,
    },
    lambda task_id: {"id": task_id},
    look,
)

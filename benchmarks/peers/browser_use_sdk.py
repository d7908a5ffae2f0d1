"""browser-use-sdk: the vendor's client, for version 2 of the same service."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from browser_use_sdk import AsyncBrowserUse

from benchmarks.peers.peer import Peer
from benchmarks.peers.version_2 import created


@asynccontextmanager
async def connect(url: str, timeout: float | None) -> AsyncIterator[AsyncBrowserUse]:
    options: dict[str, Any] = {} if timeout is None else {"timeout": timeout}
    client = AsyncBrowserUse(api_key="key", base_url=f"{url}/api/v2", **options)
    try:
        yield client
    finally:
        await client.close()


async def create(client: AsyncBrowserUse) -> str:
    return str((await client.tasks.create("Find the cheapest flight")).id)


async def look(client: AsyncBrowserUse, task_id: str) -> object:
    return await client.tasks.status(task_id)


PEER = Peer("browser-use-sdk", connect, {"tasks.create()": create}, created, look)

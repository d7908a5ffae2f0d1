"""browserbase: a browser session."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from browserbase import AsyncBrowserbase

from benchmarks.peers.peer import Peer


@asynccontextmanager
async def connect(url: str, timeout: float | None) -> AsyncIterator[AsyncBrowserbase]:
    options: dict[str, Any] = {} if timeout is None else {"timeout": timeout}
    async with AsyncBrowserbase(api_key="key", base_url=url, **options) as client:
        yield client


async def create(client: AsyncBrowserbase) -> str:
    return (await client.sessions.create(project_id="project")).id


PEER = Peer("browserbase", connect, {"sessions.create()": create})

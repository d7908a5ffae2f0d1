"""openai: a response that is made in the background."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from openai import AsyncOpenAI

from benchmarks.peers.peer import Peer


@asynccontextmanager
async def connect(url: str, timeout: float | None) -> AsyncIterator[AsyncOpenAI]:
    options: dict[str, Any] = {} if timeout is None else {"timeout": timeout}
    async with AsyncOpenAI(api_key="key", base_url=f"{url}/v1", **options) as client:
        yield client


async def create(client: AsyncOpenAI) -> str:
    made = await client.responses.create(model="model", input="Say hello", background=True)
    return made.id


async def look(client: AsyncOpenAI, task_id: str) -> object:
    return await client.responses.retrieve(task_id)


PEER = Peer("openai", connect, {"responses.create()": create}, look)

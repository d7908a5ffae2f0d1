"""anthropic: a message."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from anthropic import AsyncAnthropic

from benchmarks.peers.peer import Peer


@asynccontextmanager
async def connect(url: str, timeout: float | None) -> AsyncIterator[AsyncAnthropic]:
    options: dict[str, Any] = {} if timeout is None else {"timeout": timeout}
    async with AsyncAnthropic(api_key="key", base_url=url, **options) as client:
        yield client


async def create(client: AsyncAnthropic) -> str:
    made = await client.messages.create(
        model="model", max_tokens=100, messages=[{"role": "user", "content": "Say hello"}]
    )
    return made.id


PEER = Peer("anthropic", connect, {"messages.create()": create})

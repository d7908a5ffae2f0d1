"""replicate: a prediction. Its POST is sent without any timeout, whatever the client's one is."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
from replicate.client import Client

from benchmarks.peers.peer import Peer


@asynccontextmanager
async def connect(url: str, timeout: float | None) -> AsyncIterator[Client]:
    options: dict[str, Any] = {} if timeout is None else {"timeout": httpx.Timeout(timeout)}
    yield Client(api_token="token", base_url=url, **options)


async def create(client: Client) -> str:
    made = await client.predictions.async_create(version="version", input={"prompt": "a hat"})
    return made.id


PEER = Peer("replicate", connect, {"predictions.async_create()": create})

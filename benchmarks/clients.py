"""The sides of the status call: bare libraries, other clients, and this one."""

import asyncio
import json
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import partial
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import attrs
import httpx

from benchmarks.peers.peer import load
from benchmarks.servers.canned import TASK_ID

__all__ = ["SIDES", "Call", "Side"]

Call = Callable[[], Awaitable[object]]
PATH = f"/api/v1/task/{TASK_ID}/status"
HEADERS = {"Authorization": "Bearer key"}


@attrs.frozen
class Side:
    """One way of asking for a status.

    Attributes:
        name: For the table.
        connect: Makes the call for the server's root URL.
        cost: About how many times the cost of a call on aiohttp; slow ones make fewer calls.
    """

    name: str
    connect: Callable[[str], AbstractAsyncContextManager[Call]]
    cost: int = 1


class _Exchange(asyncio.Protocol):
    """A connection that has one request and waits for one answer."""

    def __init__(self) -> None:
        self.buffer = b""
        self.answer: asyncio.Future[object] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        head, end, body = self.buffer.partition(b"\r\n\r\n")
        if end and len(body) >= int(head.lower().partition(b"content-length:")[2].split()[0]):
            assert self.answer is not None
            self.buffer = b""
            self.answer.set_result(json.loads(body))


@asynccontextmanager
async def _floor(url: str) -> AsyncIterator[Call]:
    loop = asyncio.get_running_loop()
    address = urlsplit(url)
    question = (
        f"GET {PATH} HTTP/1.1\r\nHost: {address.netloc}\r\nAuthorization: Bearer key\r\n\r\n"
    ).encode()
    idle: deque[_Exchange] = deque()
    made: list[_Exchange] = []

    async def call() -> object:
        if idle:
            connection = idle.pop()
        else:
            _transport, connection = await loop.create_connection(
                _Exchange, str(address.hostname), int(address.port or 80)
            )
            made.append(connection)
        answer = connection.answer = loop.create_future()
        connection.transport.write(question)
        try:
            return await answer
        finally:
            idle.append(connection)

    yield call
    for connection in made:
        connection.transport.close()


@asynccontextmanager
async def _aiohttp(url: str) -> AsyncIterator[Call]:
    async with aiohttp.ClientSession(headers=HEADERS) as session:

        async def call() -> object:
            async with session.get(url + PATH) as reply:
                return await reply.json()

        yield call


@asynccontextmanager
async def _httpx(url: str) -> AsyncIterator[Call]:
    async with httpx.AsyncClient(headers=HEADERS, timeout=60) as client:

        async def call() -> object:
            return (await client.get(url + PATH)).json()

        yield call


@asynccontextmanager
async def _peer(name: str, url: str) -> AsyncIterator[Call]:
    peer = load(name)
    assert peer.look is not None
    look: Callable[[Any, str], Awaitable[object]] = peer.look
    async with peer.connect(url, 60) as client:
        yield lambda: look(client, TASK_ID)


SIDES = {
    "floor": Side("asyncio.Protocol written by hand", _floor),
    "aiohttp": Side("aiohttp alone", _aiohttp),
    "ours": Side("**browser-use-async**", partial(_peer, "browser_use_async")),
    "apify": Side("apify-client", partial(_peer, "apify"), 2),
    "httpx": Side("httpx alone", _httpx, 4),
    "official": Side("browser-use-sdk", partial(_peer, "browser_use_sdk"), 8),
}

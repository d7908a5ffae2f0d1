"""A program that blocks its event loop until the server has closed its connections."""

import asyncio
import threading

import aiohttp
import attrs
import pytest

from tests.support.bench import ONCE
from tests.support.patience import PATIENCE
from tests.support.wire import Connection, WireServer, response


@attrs.define
class Elsewhere:
    """A server in another thread, which runs while the loop of the test is blocked.

    Attributes:
        url: Its base URL.
        requests: How many requests it has answered.
        idle: Set when a connection has been kept for long enough.
        closed: Whether it has closed the connection of the last one.
    """

    url: str = ""
    requests: int = 0
    idle: threading.Event = attrs.field(factory=threading.Event)
    started: threading.Event = attrs.field(factory=threading.Event)
    closed: threading.Event = attrs.field(factory=threading.Event)
    ended: threading.Event = attrs.field(factory=threading.Event)

    async def answer(self, connection: Connection) -> None:
        """Answer once, keep the connection until it is idle for too long, and close it."""
        await connection.read_request()
        self.requests += 1
        connection.send(response(200, f'{{"id":"t-{self.requests}"}}'))
        await asyncio.to_thread(self.idle.wait)
        connection.finish()
        await connection.lost.wait()
        self.closed.set()

    async def run(self) -> None:
        """Serve until the test has ended."""
        async with WireServer(self.answer) as server:
            self.url = server.url
            self.started.set()
            await asyncio.to_thread(self.ended.wait)

    def block(self) -> None:
        """Block the loop of the caller until the server has closed the connection."""
        self.idle.set()
        assert self.closed.wait(PATIENCE)
        self.idle.clear()
        self.closed.clear()


@pytest.fixture
def elsewhere():
    """A server in another thread."""
    server = Elsewhere()
    thread = threading.Thread(target=lambda: asyncio.run(server.run()))
    thread.start()
    server.started.wait()
    yield server
    server.idle.set()
    server.ended.set()
    thread.join()


async def test_a_blocked_loop_makes_no_call_ambiguous(elsewhere, connect):
    """Run-task after a pause that was too long for the server, a hundred times."""
    session = await connect(elsewhere.url, retry=ONCE)

    for _ in range(100):
        await session.submit("Buy milk")
        elsewhere.block()

    assert elsewhere.requests == 100


async def test_pooled_connections_would_be_ambiguous(elsewhere):
    """The control: the same calls on kept connections break, each time."""
    broken = 0
    async with aiohttp.ClientSession() as pooled:
        for _ in range(10):
            async with pooled.post(elsewhere.url) as reply:
                await reply.read()
            elsewhere.block()
            try:
                await pooled.post(elsewhere.url)
            except aiohttp.ClientError:
                broken += 1

    assert broken == 10

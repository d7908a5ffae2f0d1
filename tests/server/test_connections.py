"""Connections of clients: bounded in time and number, and quiet about malformed requests."""

import asyncio
import logging
import resource
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from browser_use_async.server import LocalServer
from browser_use_async.server.connections import (
    BODY_SECONDS,
    HEAD_SECONDS,
    IDLE_SECONDS,
    most_connections,
)
from tests.support.patience import PATIENCE, until

Ends = tuple[asyncio.StreamReader, asyncio.StreamWriter]
PING = b"GET /api/v1/ping HTTP/1.1\r\nHost: localhost\r\n\r\n"


@pytest.fixture
async def server() -> AsyncIterator[LocalServer]:
    """A server to connect with."""
    async with LocalServer(executor="scripted", api_key="sesame-" * 4) as server:
        yield server


async def _connected(server: LocalServer, sent: bytes = b"") -> Ends:
    port = int(server.url.rpartition(":")[2])
    ends = await asyncio.open_connection("127.0.0.1", port)
    ends[1].write(sent)
    return ends


@asynccontextmanager
async def _connection(server: LocalServer, sent: bytes = b"") -> AsyncIterator[Ends]:
    ends = await _connected(server, sent)
    try:
        yield ends
    finally:
        ends[1].close()


async def _rest(reader: asyncio.StreamReader) -> bytes:
    """What comes until the end of the connection, however that comes."""
    try:
        return await reader.read()
    except ConnectionError:
        return b""


@pytest.mark.looptime
@pytest.mark.parametrize(
    ("sent", "seconds"),
    [
        (b"", HEAD_SECONDS),
        (b"GET /api/v1/ping HTTP/1.1\r\nX: ", HEAD_SECONDS),
        (
            b"POST /api/v1/run-task HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\n{",
            BODY_SECONDS,
        ),
    ],
    ids=["nothing", "half a head", "half a body"],
)
async def test_unfinished_requests_are_cut(server: LocalServer, sent: bytes, seconds: float):
    """F4: a connection without a whole head is closed after ten seconds; a body has sixty."""
    if b"Content-Length" in sent:
        key = f"Authorization: Bearer {server.api_key}\r\n".encode()
        sent = sent.replace(b"Content-Length", key + b"Content-Length")
    async with _connection(server, sent) as (reader, _):
        start = asyncio.get_running_loop().time()
        await _rest(reader)

    assert asyncio.get_running_loop().time() - start == pytest.approx(seconds, abs=0.5)


@pytest.mark.looptime
async def test_idle_connections_are_cut(server: LocalServer):
    """F4: after an answer a connection waits for 75 seconds; a head that begins has ten again."""
    async with _connection(server, PING) as (idle, _), _connection(server, PING) as (late, writer):
        for reader in (idle, late):
            assert b"200 OK" in await reader.readuntil(b"\r\n\r\n")
        start = asyncio.get_running_loop().time()
        await asyncio.sleep(IDLE_SECONDS - 5)
        writer.write(b"GET /api")
        await _rest(idle)
        first = asyncio.get_running_loop().time() - start
        await _rest(late)
        second = asyncio.get_running_loop().time() - start

    assert first == pytest.approx(IDLE_SECONDS, abs=0.5)
    assert second == pytest.approx(IDLE_SECONDS - 5 + HEAD_SECONDS, abs=0.5)


@pytest.mark.looptime
async def test_held_calls_are_not_idle(server: LocalServer):
    """F4: the control: a call that the server holds is cut by no limit on connections."""
    held = "GET /api/v1/tasks HTTP/1.1\r\nHost: localhost\r\nPrefer: wait=60\r\n"
    held += f"Authorization: Bearer {server.api_key}\r\nBrowser-Use-Changes: now\r\n\r\n"
    async with _connection(server, held.encode()) as (reader, writer):
        start = asyncio.get_running_loop().time()
        received = bytearray()
        while not received.endswith(b"0\r\n\r\n"):
            received += await reader.read(1000)
        writer.close()

    assert asyncio.get_running_loop().time() - start == pytest.approx(60, abs=1)


async def test_connections_are_fewer_than_descriptors(monkeypatch: pytest.MonkeyPatch):
    """F4: silent connections make room for a request as soon as there are too many of them."""
    monkeypatch.setattr(resource, "getrlimit", lambda _: (80, 80))
    most = most_connections()
    async with LocalServer(executor="scripted") as server:
        silent = [await _connected(server, b"GET /") for _ in range(most + 20)]
        ends = [asyncio.create_task(_rest(reader)) for reader, _ in silent]
        await until(lambda: sum(each.done() for each in ends) >= 20)
        async with _connection(server, PING) as (reader, _), asyncio.timeout(PATIENCE):
            answer = await reader.readuntil(b"\r\n\r\n")
        closed = [each.done() for each in ends]
        for _, writer in silent:
            writer.close()
        await asyncio.gather(*ends)

    assert most == 40
    assert answer.startswith(b"HTTP/1.1 200")
    # Those that had waited longest.
    assert closed.index(False) == 21
    assert not any(closed[21:])


@pytest.mark.parametrize(("soft", "most"), [(256, 128), (1024, 896), (10**6, 4096)])
def test_the_bound_follows_the_limit_of_the_process(
    monkeypatch: pytest.MonkeyPatch, soft: int, most: int
):
    """F4: descriptors are left for browsers, files, and what else the program has open."""
    monkeypatch.setattr(resource, "getrlimit", lambda _: (soft, soft))

    assert most_connections() == most


MALFORMED = {
    "control character": b"GET / HTTP/1.1\r\nHost: x\r\nAuthorization: CANARY-KEY\x01\r\n\r\n",
    "blank in the path": b"GET /live/CANARY-TOKEN x HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "wrong length": b"GET /?CANARY HTTP/1.1\r\nHost: CANARY\r\nContent-Length: x\r\n\r\n",
    "no colon": b"GET / HTTP/1.1\r\nHost: localhost\r\nCANARY-KEY\r\n\r\n",
    "long": b"GET /" + b"CANARY" * 3000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "no method": b"C@NARY-CANARY / HTTP/1.1\r\nHost: localhost\r\n\r\n",
}


@pytest.mark.parametrize("sent", MALFORMED.values(), ids=list(MALFORMED))
async def test_malformed_requests_are_not_quoted(
    server: LocalServer, sent: bytes, caplog: pytest.LogCaptureFixture
):
    """F21: neither the log nor the answer holds a piece of what a broken client or proxy sent."""
    with caplog.at_level(logging.DEBUG):
        async with _connection(server, sent) as (reader, _), asyncio.timeout(PATIENCE):
            answer = await _rest(reader)

    head, _, body = answer.partition(b"\r\n\r\n")
    logged = caplog.text + "".join(str(record.exc_info or "") for record in caplog.records)
    assert head.split(b" ")[1] == b"400"
    assert body == b"Bad Request"
    assert "CANARY" not in logged
    assert not [record for record in caplog.records if record.levelno > logging.INFO]


_KEY_AND_TYPE = (
    b"Host: localhost\r\nAuthorization: Bearer " + b"sesame-" * 4 + b"\r\n"
    b"Content-Type: application/json\r\n"
)
BROKEN_BODIES = {
    "no gzip": b"Content-Encoding: gzip\r\nContent-Length: 6\r\n\r\nCANARY",
    "half of it": b"Content-Length: 900\r\n\r\nCANARY",
    "half a chunk": b"Transfer-Encoding: chunked\r\n\r\n9\r\nCANARY",
}


@pytest.mark.parametrize("sent", BROKEN_BODIES.values(), ids=list(BROKEN_BODIES))
async def test_broken_bodies_are_no_errors_of_the_server(
    server: LocalServer, sent: bytes, caplog: pytest.LogCaptureFixture
):
    """Of a client that hung up, or sent another encoding than it said: 400, and no line."""
    head = b"POST /api/v1/run-task HTTP/1.1\r\n" + _KEY_AND_TYPE
    answered: list[bytes] = []
    with caplog.at_level(logging.DEBUG):
        async with _connection(server, head + sent) as (reader, writer), asyncio.timeout(PATIENCE):
            await until(lambda: server.requests["run_task"] == 1)
            writer.write_eof()
            answered.append(await _rest(reader))
    with caplog.at_level(logging.DEBUG):
        async with _connection(server, PING) as (reader, _):
            await reader.readline()

    assert not [record for record in caplog.records if record.levelno > logging.INFO]
    assert answered[0][:12] in {b"", b"HTTP/1.1 400"}
    assert b"CANARY" not in answered[0]

"""Connections of clients: limits of time and number, and malformed requests without noise."""

import asyncio
import logging
import resource
import select
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest

from browser_use_async.server import LocalServer, ServerSettings
from browser_use_async.server.http.connections import (
    BODY_SECONDS,
    HEAD_SECONDS,
    IDLE_SECONDS,
    MOST_AHEAD,
    WRITE_SECONDS,
    most_connections,
)
from tests.support.patience import PATIENCE, until

Ends = tuple[asyncio.StreamReader, asyncio.StreamWriter]
PING = b"GET /api/v1/ping HTTP/1.1\r\nHost: localhost\r\n\r\n"


_KEY_AND_TYPE = (
    b"Host: localhost\r\nAuthorization: Bearer " + b"sesame-" * 4 + b"\r\n"
    b"Content-Type: application/json\r\n"
)


@pytest.fixture
def server_options():
    """A server to connect with."""
    return {"executor": "scripted", "api_key": "sesame-" * 4}


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
    """The rest of a connection until its end, however it ends."""
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
async def test_unfinished_requests_are_cut(server, sent, seconds):
    """A connection without a complete head is closed after ten seconds; a body has sixty."""
    if b"Content-Length" in sent:
        key = f"Authorization: Bearer {server.api_key}\r\n".encode()
        sent = sent.replace(b"Content-Length", key + b"Content-Length")
    async with _connection(server, sent) as (reader, _):
        start = asyncio.get_running_loop().time()
        await _rest(reader)

    assert asyncio.get_running_loop().time() - start == pytest.approx(seconds, abs=0.5)


@pytest.mark.looptime
async def test_idle_connections_are_cut(server):
    """After an answer a connection stays open for 75 seconds; a new head has ten again."""
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
async def test_held_calls_are_not_idle(server):
    """The control: no limit on connections ends a call that the server holds."""
    held = "GET /api/v1/tasks HTTP/1.1\r\nHost: localhost\r\nPrefer: wait=60\r\n"
    held += f"Authorization: Bearer {server.api_key}\r\nBrowser-Use-Changes: now\r\n\r\n"
    async with _connection(server, held.encode()) as (reader, writer):
        start = asyncio.get_running_loop().time()
        received = bytearray()
        while not received.endswith(b"0\r\n\r\n"):
            received += await reader.read(1000)
        writer.close()

    assert asyncio.get_running_loop().time() - start == pytest.approx(60, abs=1)


async def test_connections_are_fewer_than_descriptors(monkeypatch):
    """Silent connections are closed for a request as soon as there are too many of them."""
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


async def test_unfinished_bodies_do_not_lock_others_out(monkeypatch):
    """Requests with incomplete bodies are ended for others as soon as there are too many."""
    monkeypatch.setattr(resource, "getrlimit", lambda _: (80, 80))
    half = b"POST /api/v1/run-task HTTP/1.1\r\nContent-Length: 9\r\n" + _KEY_AND_TYPE + b"\r\n{"
    async with LocalServer(executor="scripted", api_key="sesame-" * 4) as server:
        bodies = [await _connected(server, half) for _ in range(40)]
        await until(lambda: server.requests["run_task"] == 40)
        answered = [await _is_answered(server) for _ in range(20)]
        for _, writer in bodies:
            writer.close()

    assert all(answered)


@pytest.mark.parametrize(("soft", "most"), [(256, 128), (1024, 896), (10**6, 4096)])
def test_the_bound_follows_the_limit_of_the_process(monkeypatch, soft, most):
    """Descriptors are left for browsers, files, and the rest of the program."""
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
async def test_malformed_requests_are_not_quoted(server, sent, caplog):
    """Neither the log nor the answer contains a part of the malformed request."""
    with caplog.at_level(logging.DEBUG):
        async with _connection(server, sent) as (reader, _), asyncio.timeout(PATIENCE):
            answer = await _rest(reader)

    head, _, body = answer.partition(b"\r\n\r\n")
    logged = caplog.text + "".join(str(record.exc_info or "") for record in caplog.records)
    assert head.split(b" ")[1] == b"400"
    assert body == b"Bad Request"
    assert "CANARY" not in logged
    assert not [record for record in caplog.records if record.levelno > logging.INFO]


BROKEN_BODIES = {
    "no gzip": b"Content-Encoding: gzip\r\nContent-Length: 6\r\n\r\nCANARY",
    "half of it": b"Content-Length: 900\r\n\r\nCANARY",
    "half a chunk": b"Transfer-Encoding: chunked\r\n\r\n9\r\nCANARY",
}


@pytest.mark.parametrize("sent", BROKEN_BODIES.values(), ids=list(BROKEN_BODIES))
async def test_broken_bodies_are_no_errors_of_the_server(server, sent, caplog):
    """A client that disconnected, or sent another encoding than it declared: 400, and no line."""
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


_CLOSED = 7  # of Linux, where a connection was reset
UNREAD = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n" * 40


async def _unread(server: LocalServer, sent: bytes = UNREAD, buffer: int = 4096) -> socket.socket:
    """A connection with a small buffer that requests much and reads nothing."""
    client = socket.socket()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
    client.setblocking(False)
    loop = asyncio.get_running_loop()
    await loop.sock_connect(client, ("127.0.0.1", int(server.url.rpartition(":")[2])))
    await loop.sock_sendall(client, sent)
    return client


async def _taken(client: socket.socket, most: int) -> bytes:
    """Read as a client; no time passes for the server meanwhile."""
    taken = bytearray()
    while len(taken) < most:
        # Not in the loop, whose clock would move: the system may need a moment.
        if select.select([client], [], [], 0.01)[0]:
            if not (part := client.recv(most - len(taken))):
                break
            taken += part
        await asyncio.sleep(0)
    return bytes(taken)


async def _steady(count: Callable[[], int]) -> None:
    """Wait until a count has not changed for a while."""
    last = -1
    while last != (last := count()):  # noqa: ASYNC110 - no event for it
        await asyncio.sleep(0.3)


async def _is_answered(server: LocalServer) -> bool:
    async with _connection(server, PING) as (reader, _), asyncio.timeout(PATIENCE):
        try:
            return (await reader.readline()).startswith(b"HTTP/1.1 200")
        except ConnectionError:
            return False


@pytest.mark.long
async def test_unread_answers_do_not_lock_others_out(monkeypatch, record_property):
    """Where clients that read nothing use all connections, other clients are answered at once."""
    monkeypatch.setattr(resource, "getrlimit", lambda _: (256, 256))
    async with LocalServer(executor="scripted") as server:
        unread = [await _unread(server) for _ in range(128)]
        await until(lambda: server.requests["home_page"] >= 128)
        await _steady(lambda: server.requests["home_page"])
        alone = [await _is_answered(server) for _ in range(150)]
        refilled = []
        for _ in range(150):
            unread.append(await _unread(server))
            refilled.append(await _is_answered(server))
        for client in unread:
            client.close()
    record_property("answered", f"{sum(alone)} and {sum(refilled)} of 150")

    assert sum(alone) >= 0.95 * 150
    assert sum(refilled) >= 0.95 * 150


@pytest.mark.looptime
async def test_unread_answers_are_cut(server):
    """A connection whose client reads nothing of an answer for a minute is closed."""
    client = await _unread(server)
    await until(lambda: server.requests["home_page"])
    start = asyncio.get_running_loop().time()
    with client:
        while not _is_reset(client):  # noqa: ASYNC110 - no event for it
            await asyncio.sleep(1)

    assert asyncio.get_running_loop().time() - start == pytest.approx(WRITE_SECONDS, abs=5)


@pytest.mark.looptime
async def test_slow_readers_are_not_cut(server):
    """The control: a client that reads 512 KB in each half minute gets its whole answer."""
    end = UNREAD + PING.replace(b"Host", b"Connection: close\r\nHost")
    client = await _unread(server, end, buffer=64 * 1024)
    received = bytearray()
    with client:
        while part := await _taken(client, 2**19):
            received += part
            await asyncio.sleep(WRITE_SECONDS / 2)

    assert received.count(b"HTTP/1.1 200 OK") == 41


@pytest.mark.looptime
async def test_requests_behind_an_answer_are_bounded(server):
    """64 KB of further requests may arrive during an answer; with more the connection is cut."""
    held = "GET /api/v1/tasks HTTP/1.1\r\nHost: localhost\r\nPrefer: wait=60\r\n"
    held += f"Authorization: Bearer {server.api_key}\r\nBrowser-Use-Changes: now\r\n\r\n"
    start = asyncio.get_running_loop().time()
    async with _connection(server, held.encode()) as (reader, writer):
        await reader.readuntil(b'"reset":false}\n')
        long = PING.replace(b"Host", b"X: " + b"x" * 4000 + b"\r\nHost")
        writer.write(long * (MOST_AHEAD // len(long)))
        await reader.readuntil(b"\n\r\n1\r\n\n")  # the first pulse
        writer.write(long)
        await _rest(reader)

    assert asyncio.get_running_loop().time() - start < 30


async def test_connections_of_an_address_are_limited(monkeypatch):
    """Beyond the bound the longest idle connection is closed, else the new one is refused."""
    held = b"GET /api/v1/tasks HTTP/1.1\r\nHost: localhost\r\nPrefer: wait=60\r\n"
    held += b"Authorization: Bearer " + b"sesame-" * 4 + b"\r\nBrowser-Use-Changes: now\r\n\r\n"
    monkeypatch.setattr(ServerSettings, "connections_of_address", 3)
    async with LocalServer(executor="scripted", api_key="sesame-" * 4) as server:
        idle = await _connected(server, PING)
        await idle[0].readuntil(b"\r\n\r\n")
        holding = []
        for _ in range(3):  # the last of them replaces the idle one
            holding.append(await _connected(server, held))
            await holding[-1][0].readuntil(b'"reset":false}\n')
        async with asyncio.timeout(PATIENCE):
            await _rest(idle[0])
            async with _connection(server, PING) as (reader, _):
                answer = await _rest(reader)
            holding[0][1].close()
            await holding[0][1].wait_closed()
        await until(lambda: server.requests["list_tasks"] == 3)
        while not await _is_answered(server):  # noqa: ASYNC110 - no event for it
            await asyncio.sleep(0.05)
        for _, writer in (idle, *holding):
            writer.close()

    assert answer.startswith(b"HTTP/1.1 429 Too Many Requests\r\n")
    assert b"There are 3 connections from your address already, which are the most" in answer


@pytest.mark.parametrize(
    ("options", "most"),
    [
        ({}, None),
        ({"host": "0.0.0.0", "tls_cert": "a.pem", "tls_key": "b.pem"}, 64),
        ({"trusted_proxies": ["127.0.0.1"], "public_url": "https://tasks.example"}, None),
    ],
)
def test_only_open_servers_limit_an_address(options, most):
    """Programs of this machine and clients behind a proxy have one address together."""
    settings = ServerSettings(api_key="sesame-" * 4, **options)

    assert settings.connections_of_address == most


def _is_reset(client: socket.socket) -> bool:
    """Whether the server has cut a connection."""
    state = client.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)[0]
    return state == _CLOSED

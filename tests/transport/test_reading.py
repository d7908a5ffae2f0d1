"""An answer is whole or an error, however large, damaged or odd it is."""

import asyncio
import gzip
import random
import tracemalloc
from typing import Any

import pytest

from browser_use_async import errors
from browser_use_async.transport.reading import MAX_BODY, UnreadableBodyError, gunzip
from tests.bench import FAST, ONCE, Connect, Serve
from tests.hygiene import raises
from tests.wire import Connection, answering, response

GZIP = ("Content-Encoding", "gzip")
TASK = (
    '{"id":"t-1","task":"Buy milk","status":"running","output":null,"steps":[],'
    f'"created_at":"2025-11-01T10:48:01Z","padding":"{random.Random(1).randbytes(100).hex()}"}}'
)


# --- compressed bodies ------------------------------------------------------------------------


async def test_compressed_answers_are_read(serve: Serve, connect: Connect):
    """Gzip is asked for, and nothing else, since nothing else is read."""
    server = await serve(answering(response(200, gzip.compress(TASK.encode()), [GZIP])))
    session = await connect(server)

    task = await session.tasks.get("t-1")

    assert task.task == "Buy milk"
    assert server.requests[0].headers["accept-encoding"] == "gzip"


async def test_truncated_compression_is_detected_at_every_offset(serve: Serve, connect: Connect):
    """C1: with a length that agrees, cut at each byte: never a part of an answer as the whole."""
    whole = gzip.compress(TASK.encode())
    server = await serve(
        answering(*(response(200, whole[:cut], [GZIP]) for cut in range(len(whole))))
    )
    session = await connect(server, retry=ONCE)

    for _ in range(len(whole)):
        with pytest.raises(errors.APIConnectionError, match="truncated"):
            await session.tasks.get("t-1")

    assert len(server.requests) == len(whole)


def test_damaged_compression_is_detected():
    """C1: one bit flipped anywhere: refused, or the same text where the bit means nothing."""
    plain = TASK.encode()
    whole = gzip.compress(plain)
    refused = 0

    for position in range(8 * len(whole)):
        damaged = bytearray(whole)
        damaged[position // 8] ^= 1 << position % 8
        try:
            assert gunzip(bytes(damaged)) == plain
        except UnreadableBodyError:
            refused += 1

    assert refused >= 8 * (len(whole) - 8)  # time, flags and system in the header, and padding


@pytest.mark.parametrize(
    ("body", "encoding", "words"),
    [
        (gzip.compress(b"{}", mtime=0) + b"more", "gzip", "behind its end"),
        (gzip.compress(b"{}", mtime=0) + gzip.compress(b"{}", mtime=0), "gzip", "behind its end"),
        (gzip.compress(gzip.compress(b"{}", mtime=0), mtime=0), "gzip, gzip", "not asked for"),
        (b"{}", "gzip", "damaged"),
        (b"{}", "br", "not asked for"),
        (b"{}", "zstd", "not asked for"),
        (b"{}", "deflate", "not asked for"),
    ],
)
async def test_encodings_that_were_not_asked_for_are_refused(
    serve: Serve, connect: Connect, body: bytes, encoding: str, words: str
):
    """C2: a body in another encoding, or in two, is not guessed at."""
    server = await serve(answering(response(200, body, [("Content-Encoding", encoding)])))
    session = await connect(server, retry=ONCE)

    with raises(errors.APIConnectionError) as caught:
        await session.account.get_balance()

    assert words in str(caught.value)


@pytest.mark.parametrize("encoding", ["identity", "", "GZIP", " gzip "])
async def test_encodings_are_named_in_any_case(serve: Serve, connect: Connect, encoding: str):
    """`identity` and the spelling of gzip make no difference."""
    plain = b'{"balance":"1"}'
    body = gzip.compress(plain) if "gzip" in encoding.lower() else plain
    server = await serve(answering(response(200, body, [("Content-Encoding", encoding)])))
    session = await connect(server)

    assert (await session.account.get_balance()).cents == 1


def test_a_bomb_is_refused_before_it_goes_off():
    """C2: a gigabyte of zeros costs no more memory than the limit, and hardly any time."""
    packed = gzip.compress(bytes(1024 * 1024), compresslevel=9)
    bomb = gzip.compress(b"".join([bytes(64 * 1024 * 1024)] * 4), compresslevel=1)
    tracemalloc.start()

    with pytest.raises(UnreadableBodyError, match="expands beyond"):
        gunzip(bomb, limit=1024 * 1024)

    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 8 * 1024 * 1024
    assert len(gunzip(packed)) == 1024 * 1024


async def test_a_bomb_is_an_error_of_the_call(serve: Serve, connect: Connect):
    """C2: 40 MB behind 40 kB."""
    bomb = gzip.compress(bytes(MAX_BODY + 1), compresslevel=9)
    server = await serve(answering(response(200, bomb, [GZIP])))
    session = await connect(server, retry=ONCE)

    with raises(errors.APIConnectionError) as caught:
        await session.tasks.get("t-1")

    assert "expands beyond" in str(caught.value)
    assert len(bomb) < 100_000


# --- sizes ------------------------------------------------------------------------------------


async def test_a_body_without_an_end_is_cut_off(serve: Serve, connect: Connect):
    """C3: of 300 MB no more is read than the limit and what was on its way."""
    sent = 0

    async def pour(connection: Connection) -> None:
        nonlocal sent
        await connection.read_request()
        connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 314572800\r\n\r\n")
        while not connection.lost.is_set() and sent < 314572800:
            connection.send(b" " * 1024 * 1024)
            sent += 1024 * 1024
            await connection.drained()

    server = await serve(pour)
    session = await connect(server, retry=ONCE)

    with raises(errors.APIConnectionError) as caught:
        await session.tasks.get("t-1")

    assert f"larger than {MAX_BODY} bytes" in str(caught.value)
    assert sent < MAX_BODY + 16 * 1024 * 1024


async def test_a_body_that_ends_with_the_connection_must_be_whole(serve: Serve, connect: Connect):
    """C4: no length, and the connection breaks in the middle: asked again, as it is a read."""

    async def cut_first(connection: Connection) -> None:
        await connection.read_request()
        head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n"
        first = len(server.requests) == 1
        connection.send(head + (TASK[:40] if first else TASK).encode())
        await asyncio.sleep(0.01)
        if first:
            connection.reset()

    server = await serve(cut_first)
    session = await connect(server)

    assert (await session.tasks.get("t-1")).task == "Buy milk"
    assert len(server.requests) == 2


# --- time -------------------------------------------------------------------------------------


@pytest.mark.looptime
@pytest.mark.parametrize("flood", ["a drip", "a drip of headers", "1xx without end"])
async def test_an_answer_that_never_ends_is_stopped(
    serve: Serve, connect: Connect, looptime: Any, flood: str
):
    """B18: bytes that keep coming do not keep an attempt alive beyond its time."""

    async def script(connection: Connection) -> None:
        await connection.read_request()
        if flood == "a drip":
            connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
            await connection.drip(b" " * 100_000, 0.2)
        elif flood == "a drip of headers":
            await connection.drip(b"HTTP/1.1 200 OK\r\nX: " + b"x" * 5000, 0.2)
        else:
            while not connection.lost.is_set():
                connection.send(b"HTTP/1.1 100 Continue\r\n\r\n")
                await asyncio.sleep(0.2)

    server = await serve(script)
    session = await connect(server, retry=ONCE, timeout=20.0)

    with raises(errors.APITimeoutError) as caught:
        await session.tasks.get("t-1")

    assert 20 <= looptime <= 21
    assert caught.value.sent is True


# --- what it says -----------------------------------------------------------------------------


async def test_a_web_page_is_no_answer(serve: Serve, connect: Connect):
    """C12: HTML with status 200 is asked again, then reported with a word about base_url."""
    page = response(200, "<!DOCTYPE html><title>Sign in</title>", content_type="text/html")
    server = await serve(answering(page))
    session = await connect(server)

    with raises(errors.ResponseDecodeError) as caught:
        await session.account.get_balance()

    assert len(server.requests) == FAST.max_attempts
    assert "base_url" in str(caught.value)
    assert "/api/v1" in str(caught.value)
    assert "Sign in" not in str(caught.value)


async def test_the_content_type_does_not_matter(serve: Serve, connect: Connect):
    """C12: JSON under another name is JSON, from the proxies that rename it."""
    body = response(200, '{"balance":"5"}', content_type="text/plain")
    server = await serve(answering(body))
    session = await connect(server)

    assert (await session.account.get_balance()).cents == 5


@pytest.mark.parametrize("body", ["", "null", "{}", "[]", "ok", "<p>done</p>"])
async def test_calls_that_answer_nothing_take_anything(serve: Serve, connect: Connect, body: str):
    """C12: what stop answers differs between servers and means nothing."""
    server = await serve(answering(response(200, body)))
    session = await connect(server)

    await session.tasks.stop("t-1")

    assert len(server.requests) == 1


async def test_an_empty_answer_is_none_where_one_is_promised(serve: Serve, connect: Connect):
    """C12: an empty 200 to a question is asked again, then an error."""
    server = await serve(answering(response(200, ""), response(200, '"paused"')))
    session = await connect(server)

    assert await session.tasks.get_status("t-1") == "paused"
    assert len(server.requests) == 2


async def test_an_answer_about_another_task_is_not_passed_on(serve: Serve, connect: Connect):
    """C17: asked again on the mix-up; when it stays, an error that says so."""
    other = response(200, TASK.replace('"t-1"', '"t-2"'))
    server = await serve(answering(other, response(200, TASK), other))
    session = await connect(server)

    assert (await session.tasks.get("t-1")).id == "t-1"
    with raises(errors.ResponseDecodeError) as caught:
        await session.tasks.get("t-1")

    assert caught.value.path == "$.id"
    assert caught.value.task_id == "t-1"
    assert "another task" in str(caught.value)


async def test_a_mix_up_leaves_the_connection(serve: Serve, connect: Connect):
    """C17: a connection that carried somebody else's answer is not used again."""
    other = response(200, TASK.replace('"t-1"', '"t-2"'))
    server = await serve(answering(other, response(200, TASK)))
    session = await connect(server)

    await session.tasks.get("t-1")

    assert len(server.connections) == 2


@pytest.mark.parametrize("seed", range(5))
async def test_noise_is_an_error_and_never_a_crash(serve: Serve, connect: Connect, seed: int):
    """Random bytes as body, at every call: an error of ours or a value of the promised type."""
    noise = random.Random(seed).randbytes(200)
    server = await serve(answering(response(200, noise)))
    session = await connect(server, retry=ONCE)

    for call in (
        session.tasks.get("t-1"),
        session.tasks.get_status("t-1"),
        session.tasks.list(),
        session.tasks.get_media("t-1"),
        session.account.get_balance(),
        session.account.me(),
    ):
        with raises(errors.ResponseDecodeError):
            await call

"""A compressed answer is complete or an error, if it is cut, damaged or a bomb."""

import asyncio
import gzip
import os
import random
import sys
import zlib
from pathlib import Path

import pytest

from browser_use_async import errors
from browser_use_async.transport.response import (
    MAX_BODY,
    PIECE,
    UNMEASURED,
    UnreadableBodyError,
    gunzip,
)
from tests.support.bench import ONCE
from tests.support.hygiene import raises
from tests.support.wire import Connection, answering, response

GZIP = ("Content-Encoding", "gzip")
TASK = (
    '{"id":"t-1","task":"Buy milk","status":"running","output":null,"steps":[],'
    f'"created_at":"2025-11-01T10:48:01Z","padding":"{random.Random(1).randbytes(100).hex()}"}}'
)
MEGABYTE = 1024 * 1024


def bomb(size: int) -> bytes:
    """A gzip stream of zeros, a thousandth of its uncompressed size.

    Args:
        size: The uncompressed size in bytes, a multiple of a megabyte.
    """
    compressor = zlib.compressobj(9, wbits=31)
    head = compressor.compress(bytes(MEGABYTE)) + compressor.flush(zlib.Z_FULL_FLUSH)
    piece = compressor.compress(bytes(MEGABYTE)) + compressor.flush(zlib.Z_FULL_FLUSH)
    return head + piece * (size // MEGABYTE - 1)  # no reader gets as far as the missing end


async def test_compressed_answers_are_read(serve, connect):
    """The request asks for gzip only, since nothing else is decoded."""
    server = await serve(answering(response(200, gzip.compress(TASK.encode()), [GZIP])))
    session = await connect(server)

    task = await session.tasks.get("t-1")

    assert task.task == "Buy milk"
    assert server.requests[0].headers["accept-encoding"] == "gzip"


# --- cut and damaged --------------------------------------------------------------------------


async def test_truncated_compression_is_detected_at_every_offset(serve, connect):
    """With a matching length, cut at each byte: a part of an answer is never accepted."""
    whole = gzip.compress(TASK.encode())
    server = await serve(
        answering(*(response(200, whole[:cut], [GZIP]) for cut in range(len(whole))))
    )
    session = await connect(server, retry=ONCE)
    undetected = 0

    for _ in range(len(whole)):
        try:
            await session.tasks.get("t-1")
        except errors.APIConnectionError as error:
            assert "truncated" in str(error)  # noqa: PT017 - each cut is counted
        else:
            undetected += 1

    assert len(server.requests) == len(whole)
    assert undetected == 0


@pytest.mark.long
def test_a_large_answer_is_detected_at_every_offset():
    """The same for an answer of more than ten thousand compressed bytes."""
    whole = gzip.compress(random.Random(2).randbytes(9_000).hex().encode() * 2)
    undetected = 0

    for cut in range(len(whole)):
        try:
            gunzip(whole[:cut])
        except UnreadableBodyError:
            continue
        undetected += 1

    assert len(whole) > 10_000
    assert undetected == 0


def test_damaged_compression_is_detected():
    """One bit flipped anywhere: refused, or the same text where the bit has no meaning."""
    plain = TASK.encode()
    whole = gzip.compress(plain)
    refused = wrong = 0

    for position in range(8 * len(whole)):
        damaged = bytearray(whole)
        damaged[position // 8] ^= 1 << position % 8
        try:
            wrong += gunzip(bytes(damaged)) != plain
        except UnreadableBodyError:
            refused += 1

    assert wrong == 0
    assert refused >= 8 * (len(whole) - 8)  # time, flags and system in the header, and padding


@pytest.mark.parametrize("lost", [1, 8, 9, 5_000])
def test_a_large_body_must_have_its_end(lost):
    """A body that is measured before it is decompressed is checked as well."""
    whole = gzip.compress(random.Random(3).randbytes(MEGABYTE) * 3, 1)

    with pytest.raises(UnreadableBodyError, match="truncated"):
        gunzip(whole[:-lost])


# --- bombs ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "size", [0, 1, PIECE, UNMEASURED - 1, UNMEASURED, UNMEASURED + 1, UNMEASURED + PIECE, 5_000_000]
)
def test_the_limit_is_exact(size):
    """A body of exactly the limit is read, and one byte more is refused."""
    body = gzip.compress(bytes(size), 1)

    assert len(gunzip(body, limit=max(size, 1))) == size
    if size > 1:
        with pytest.raises(UnreadableBodyError, match="expands beyond"):
            gunzip(body, limit=size - 1)


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
        (b'{"balance":"1"}', "br", "not asked for"),
        (b'{"balance":"1"}', "gzip, identity", "not asked for"),
    ],
)
async def test_encodings_that_were_not_asked_for_are_refused(serve, connect, body, encoding, words):
    """A body in another encoding, or in two, is not decoded by a guess."""
    server = await serve(answering(response(200, body, [("Content-Encoding", encoding)])))
    session = await connect(server, retry=ONCE)

    with raises(errors.APIConnectionError) as caught:
        await session.account.get_balance()

    assert words in str(caught.value)


@pytest.mark.parametrize("encoding", ["identity", "", "GZIP", " gzip "])
async def test_encodings_are_named_in_any_case(serve, connect, encoding):
    """`identity` and the spelling of gzip make no difference."""
    plain = b'{"balance":"1"}'
    body = gzip.compress(plain) if "gzip" in encoding.lower() else plain
    server = await serve(answering(response(200, body, [("Content-Encoding", encoding)])))
    session = await connect(server)

    assert (await session.account.get_balance()).cents == 1


async def test_a_bomb_is_an_error_of_the_call(serve, connect):
    """One megabyte more than the limit, in 33 kB."""
    packed = bomb(MAX_BODY + MEGABYTE)
    server = await serve(answering(response(200, packed, [GZIP])))
    session = await connect(server, retry=ONCE)

    with raises(errors.APIConnectionError) as caught:
        await session.tasks.get("t-1")

    assert "expands beyond" in str(caught.value)
    assert len(packed) < 100_000


# --- its cost ---------------------------------------------------------------------------------

PROGRAM = Path(__file__).with_name("memory_of_a_call.py")


async def _cost(url: str) -> tuple[str, float]:
    """Make one call in a process of its own.

    Returns:
        Its output, and the highest growth of its memory in bytes.
    """
    child = await asyncio.create_subprocess_exec(
        sys.executable,
        str(PROGRAM),
        url,
        stdout=asyncio.subprocess.PIPE,
        cwd=PROGRAM.parents[2],
        env={**os.environ, "PYTHONPATH": str(PROGRAM.parents[2])},
    )
    output_bytes, _ = await child.communicate()
    assert child.returncode == 0
    grown, _, said = output_bytes.decode().partition(" ")
    return said, int(grown)


@pytest.mark.long
@pytest.mark.skipif(sys.platform != "linux", reason="the peak is read from /proc")
async def test_a_gigabyte_costs_no_memory(serve):
    """A megabyte that expands to a gigabyte: refused, with at most 20 MB more in the process.

    The first call of the process succeeds, so that only the bomb is measured.
    """
    packed = bomb(1024 * MEGABYTE)
    small = response(200, b'{"balance":"1"}')
    server = await serve(answering(small, response(200, packed, [GZIP])))

    said, grown = await _cost(server.url)

    assert "APIConnectionError" in said
    assert "expands beyond" in said
    assert grown <= 20 * MEGABYTE


@pytest.mark.skipif(sys.platform != "linux", reason="the peak is read from /proc")
async def test_a_body_without_an_end_is_cut_off(serve):
    """Of 300 MB no more is read than the limit and the bytes on the way."""
    length = 300 * MEGABYTE
    sent = 0

    async def pour(connection: Connection) -> None:
        nonlocal sent
        await connection.read_request()
        if len(server.requests) == 1:
            connection.send(response(200, b'{"balance":"1"}'))
            await connection.read_request()
        connection.send(f"HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n".encode())
        while not connection.lost.is_set() and sent < length:
            connection.send(b" " * MEGABYTE)
            sent += MEGABYTE
            await connection.drained()

    server = await serve(pour)

    said, grown = await _cost(server.url)

    assert "APIConnectionError" in said
    assert f"larger than {MAX_BODY} bytes" in said
    assert sent < 3 * MAX_BODY  # with the buffers of two kernels, and a sender that notices it late
    assert grown < MAX_BODY + 16 * MEGABYTE

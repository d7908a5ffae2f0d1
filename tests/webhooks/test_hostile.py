"""Hostile callers: too much, too slow, and random bytes, over real sockets."""

import asyncio
import contextlib
import gzip
import json
import logging
import resource
import time

import aiohttp
import pytest
from aiohttp.http_exceptions import BadHttpMessage
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from browser_use_async import errors, webhooks
from tests.support.patience import until
from tests.support.webhook_servers import FRAMEWORKS, in_aiohttp
from tests.webhooks.calls import SECRET, body_of, event, headers_of, post, raw_request, signature


def _lines(headers: dict[str, str]) -> list[str]:
    return [f"{name}: {text}" for name, text in headers.items()]


def _status(answer: bytes) -> int:
    return int(answer.split(maxsplit=2)[1]) if answer else 0


async def _closed(reader: asyncio.StreamReader) -> None:
    with contextlib.suppress(ConnectionError):  # a reset, because of unread data
        await reader.read()


@pytest.mark.parametrize("length", [1_048_577, 99_000_000_000, "9" * 5000, "-1", "ten"])
@pytest.mark.parametrize("name", ["aiohttp", "ASGI alone"])
async def test_a_length_that_is_too_much(name, length):
    """It is refused by the header alone, by the receiver or by the web server before it."""
    receiver = webhooks.WebhookReceiver(SECRET)
    lines = [*_lines(headers_of(b"{}")), f"Content-Length: {length}"]
    async with FRAMEWORKS[name](receiver) as url:
        answer = await raw_request(url, lines)

    status = _status(answer)
    assert status == 413 if isinstance(length, int) else status in {0, 400, 413}
    assert receiver.metrics.delivered.total() == 0


@pytest.mark.long
async def test_a_compressed_bomb(http):
    """Compressed bodies are refused unread, so that none is expanded."""
    receiver = webhooks.WebhookReceiver(SECRET)
    bomb = gzip.compress(b" " * 100_000_000)
    headers = {**headers_of(bomb), "Content-Encoding": "gzip"}
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    async with in_aiohttp(receiver) as url:
        reply = await post(http, url, bomb, headers=headers)
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024

    assert reply.status == 415
    assert grown < 20


@pytest.mark.looptime
@pytest.mark.parametrize("kind", ["silent", "one byte a second", "no end"])
async def test_a_body_that_does_not_come(kind):
    """After ten seconds the call is answered and the connection closed."""
    loop = asyncio.get_running_loop()
    receiver = webhooks.WebhookReceiver(SECRET)
    async with in_aiohttp(receiver) as url:
        host, _, path = url.removeprefix("http://").partition("/")
        reader, writer = await asyncio.open_connection(*host.split(":"))
        lines = [f"POST /{path} HTTP/1.1", f"Host: {host}", *_lines(headers_of(b"{}"))]
        writer.write("\r\n".join([*lines, "Content-Length: 1000", "", ""]).encode())
        if kind == "no end":
            writer.write(b" " * 999)
        began = loop.time()
        answer = asyncio.create_task(reader.read(1000))
        while not answer.done():
            if kind == "one byte a second":
                writer.write(b" ")
            await asyncio.wait([answer], timeout=1.0)
        await asyncio.wait([asyncio.create_task(_closed(reader))], timeout=1.0)
        elapsed = loop.time() - began
        writer.close()

    assert _status(answer.result()) == 408
    assert 9.9 <= elapsed <= 11
    assert receiver.metrics.refused == {"too_slow": 1}


async def test_slow_ones_delay_no_others():
    """200 connections with incomplete bodies are open while 200 good calls are answered."""
    events: list[webhooks.Event] = []
    receiver = webhooks.WebhookReceiver(SECRET, on_event=events.append, body_timeout=60.0)
    async with aiohttp.ClientSession() as http, in_aiohttp(receiver) as url:
        host, _, path = url.removeprefix("http://").partition("/")
        lines = [f"POST /{path} HTTP/1.1", f"Host: {host}", *_lines(headers_of(b"{}"))]
        slow = [await asyncio.open_connection(*host.split(":")) for _ in range(200)]
        for _reader, writer in slow:
            writer.write("\r\n".join([*lines, "Content-Length: 1000", "", "{"]).encode())
        replies, delays = [], []
        for _ in range(200):
            began = time.perf_counter()
            replies.append(await post(http, url, event()))
            delays.append(time.perf_counter() - began)
        still_open = sum(not reader.at_eof() for reader, _writer in slow)
        for _reader, writer in slow:
            writer.close()

    assert {reply.status for reply in replies} == {200}
    assert still_open == 200
    assert len(events) == 200


@pytest.mark.parametrize("name", ["aiohttp", "ASGI alone"])
async def test_a_caller_that_hangs_up(name, caplog):
    """An incomplete body causes no event, is counted, and is no error in the log."""
    receiver = webhooks.WebhookReceiver(SECRET)
    async with FRAMEWORKS[name](receiver) as url:
        host, _, path = url.removeprefix("http://").partition("/")
        _reader, writer = await asyncio.open_connection(*host.split(":"))
        lines = [f"POST /{path} HTTP/1.1", f"Host: {host}", *_lines(headers_of(b"{}"))]
        writer.write("\r\n".join([*lines, "Content-Length: 1000", "", "{"]).encode())
        writer.close()
        await until(lambda: receiver.metrics.refused)

    assert receiver.metrics.refused == {"gone": 1}
    assert not [each for each in caplog.records if each.levelno >= logging.WARNING]


# --- random input -----------------------------------------------------------------------------

STAMPS = st.one_of(
    st.just(str(int(time.time()))),
    st.text(max_size=30),
    st.floats().map(str),
    st.datetimes().map(str),
    st.integers().map(str),
)
SIGNATURES = st.one_of(
    st.text(max_size=80),
    st.text("0123456789abcdef", min_size=64, max_size=64),
    st.text("0123456789abcdefABCDEF,= ", max_size=300),
)
JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=10)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=4), st.dictionaries(st.text(max_size=8), inner, max_size=4)
    ),
    max_leaves=12,
).map(lambda value: json.dumps(value).encode())
BODIES = st.one_of(st.binary(max_size=300), JSON)


@pytest.mark.long
@example(b"{}", [], "1" + "0" * 20, "0" * 64)
@example(b"{}", [], "\ud800", "0" * 64)
@example(b"[" * 9999, [], str(int(time.time())), "0" * 64)
@given(
    body=BODIES,
    pairs=st.lists(
        st.tuples(st.one_of(st.text(max_size=20), st.binary(max_size=20)), st.text(max_size=20)),
        max_size=5,
    ),
    stamp=STAMPS,
    given_signature=SIGNATURES,
)
def test_anything_at_unwrap(body, pairs, stamp, given_signature):
    """No bytes and headers without the secret are accepted, or raise anything else."""
    headers = [
        *pairs,
        ("X-Browser-Use-Timestamp", stamp),
        (b"x-browser-use-signature", given_signature.encode("utf-8", "replace")),
    ]
    for tolerance in (300, None):
        with pytest.raises(errors.WebhookVerificationError):
            webhooks.unwrap(body, headers, SECRET, tolerance=tolerance)


@pytest.mark.long
@given(body=BODIES, stamp=st.integers(0, 10**12))
def test_anything_that_is_signed(body, stamp):
    """With the secret, any signed body is an event or a typed refusal, in bounded time."""
    headers = {
        "X-Browser-Use-Timestamp": str(stamp),
        "X-Browser-Use-Signature": signature(body, str(stamp)),
    }
    try:
        event = webhooks.unwrap(body, headers, SECRET, tolerance=None)
    except errors.WebhookVerificationError as error:
        assert error.reason == "body"  # noqa: PT017 - either is right
    else:
        assert isinstance(
            event, (webhooks.TaskStatusUpdate, webhooks.TestEvent, webhooks.UnknownEvent)
        )


@pytest.fixture
def served():
    """Sends raw requests to a receiver, all over one loop and server."""
    loop = asyncio.new_event_loop()
    receiver = webhooks.WebhookReceiver(SECRET, body_timeout=0.2)
    serving = in_aiohttp(receiver)
    url = loop.run_until_complete(serving.__aenter__())

    async def send(parts: list[bytes]) -> bytes:
        host, _, path = url.removeprefix("http://").partition("/")
        reader, writer = await asyncio.open_connection(*host.split(":"))
        writer.write(f"POST /{path} HTTP/1.1\r\nHost: {host}\r\n".encode() + b"".join(parts))
        try:
            async with asyncio.timeout(20):
                return await reader.read()
        except ConnectionError:
            return b""
        finally:
            writer.close()

    yield lambda parts: (loop.run_until_complete(send(parts)), receiver)
    loop.run_until_complete(serving.__aexit__(None, None, None))
    loop.close()


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    body=BODIES,
    extra=st.lists(st.tuples(st.binary(max_size=20), st.binary(max_size=40)), max_size=3),
    stamp=STAMPS,
    given_signature=SIGNATURES,
)
def test_anything_at_a_socket(served, caplog, body, extra, stamp, given_signature):
    """Every call is refused by the receiver or by the web server; none is a 500 or accepted."""
    fields = [
        (b"Content-Length", str(len(body)).encode()),
        (b"Connection", b"close"),
        (b"X-Browser-Use-Timestamp", stamp.encode("utf-8", "replace")),
        (b"X-Browser-Use-Signature", given_signature.encode("utf-8", "replace")),
        *extra,
    ]
    head = [name + b": " + value.replace(b"\n", b" ") + b"\r\n" for name, value in fields]
    answer, receiver = served([*head, b"\r\n", body])

    assert _status(answer) in {0, 400, 403, 408, 413, 415, 417}
    assert receiver.metrics.received.total() == 0
    # aiohttp logs invalid HTTP as an error, which never reaches a handler.
    errors_logged = [each for each in caplog.records if each.levelno >= logging.ERROR]
    assert {each.exc_info and each.exc_info[0] for each in errors_logged} <= {BadHttpMessage}


def test_a_genuine_call_gets_through(served):
    """The control: the same client, with the secret, is accepted."""
    body = body_of(event())
    fields = {**headers_of(body), "Content-Length": str(len(body)), "Connection": "close"}
    head = [f"{name}: {value}\r\n".encode() for name, value in fields.items()]

    answer, receiver = served([*head, b"\r\n", body])

    assert _status(answer) == 200
    assert receiver.metrics.received == {"finished": 1}

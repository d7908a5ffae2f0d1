"""A failure before the request was sent is known to be one."""

import asyncio
import contextlib
import socket

import pytest

from browser_use_async import RetryPolicy, RetryScheduled, SessionEvent
from browser_use_async.errors import APIConnectionError, APITimeoutError
from tests.support.bench import FAST
from tests.support.certificates import Certificate
from tests.support.hygiene import raises
from tests.support.wire import Connection, answering, bound_socket, response

CREATED = answering(response(200, '{"id":"t-1"}'))


async def _stall(connection: Connection) -> None:
    await connection.stall()


async def _stall_after_the_request(connection: Connection) -> None:
    await connection.read_request()
    await connection.stall()


async def test_a_refused_connection_is_tried_again(serve, connect):
    """Refused twice, then open: the third attempt creates the one task."""
    listener = bound_socket()
    events: list[SessionEvent] = []
    opened = asyncio.Event()

    def open_after_two(event: SessionEvent) -> None:
        events.append(event)
        if len(events) == 2:
            listener.listen()  # connections now wait until the server below accepts them
            opened.set()

    port = listener.getsockname()[1]
    session = await connect(f"http://127.0.0.1:{port}/api/v1", on_event=open_after_two)

    creating = asyncio.create_task(session.tasks.run("Buy milk"))
    await opened.wait()
    server = await serve(CREATED, listener=listener)
    created = await creating

    assert created.id == "t-1"
    assert len(server.requests) == 1
    assert [event.attempt for event in events if isinstance(event, RetryScheduled)] == [1, 2]
    assert all("no connection to 127.0.0.1" in repr(event) for event in events)


async def test_a_refused_connection_is_reported_as_not_sent(connect):
    """The error says so, how often it was tried, and that a repetition is safe."""
    with bound_socket() as listener:
        session = await connect(f"http://127.0.0.1:{listener.getsockname()[1]}/api/v1")

        with raises(APIConnectionError) as caught:
            await session.tasks.run("Buy milk")

    assert caught.value.sent is False
    assert caught.value.attempts == FAST.max_attempts == 4
    assert "after 4 attempts" in str(caught.value)
    assert "Connection refused" in str(caught.value)
    assert "calling again is safe" in str(caught.value)


async def test_an_unknown_name_is_reported_as_not_sent(connect):
    """A host that does not exist is tried as often as the policy says."""
    session = await connect("https://api.invalid/api/v1", retry=RetryPolicy(max_attempts=2))

    with raises(APIConnectionError) as caught:
        await session.tasks.run("Buy milk")

    assert caught.value.sent is False
    assert caught.value.attempts == 2
    assert "the name api.invalid could not be resolved" in str(caught.value)


@contextlib.contextmanager
def _full_queue():
    """A port whose connections hang: the kernel's queue is full, and is never read."""
    with bound_socket() as listener, contextlib.ExitStack() as stack:
        listener.listen(0)
        for _ in range(2):
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(listener.getsockname())
        yield listener.getsockname()[1]


@pytest.mark.looptime
@pytest.mark.parametrize(("timeout", "seconds"), [(30.0, 10.0), (3.0, 3.0)])
@pytest.mark.parametrize("scheme", ["http", "https"])
async def test_a_hanging_connection_was_not_sent(serve, connect, scheme, timeout, seconds):
    """A connection or handshake that hangs ends in time and is known not to have sent."""
    silent = await serve(_stall)
    with _full_queue() as full:
        port = full if scheme == "http" else silent.port
        session = await connect(
            f"{scheme}://127.0.0.1:{port}/api/v1",
            timeout=timeout,
            retry=RetryPolicy(max_attempts=1),
        )
        loop = asyncio.get_running_loop()
        started = loop.time()

        with raises(APITimeoutError) as caught:
            await session.tasks.run("Buy milk")

    assert caught.value.sent is False
    assert loop.time() - started == pytest.approx(seconds, abs=0.5)


async def test_a_trusted_certificate_works(serve, connect, certificate):
    """With the user's own context, TLS works as usual."""
    server = await serve(CREATED, tls=certificate.server_side)
    session = await connect(server, ssl=certificate.trusting)

    assert (await session.tasks.run("Buy milk")).id == "t-1"
    await session.ping()

    assert len(server.requests) == 2


async def test_an_untrusted_certificate_is_refused_at_once(serve, connect, certificate):
    """Not sent and not retried, since the same certificate would come again."""
    server = await serve(CREATED, tls=certificate.server_side)
    session = await connect(server)

    with raises(APIConnectionError) as caught:
        await session.tasks.run("Buy milk")

    assert caught.value.sent is False
    assert caught.value.attempts == 1
    assert "the certificate of 127.0.0.1 is not trusted" in str(caught.value)
    assert not server.requests


async def test_a_certificate_of_another_host_is_refused_at_once(
    serve, connect, certificate, tmp_path
):
    """A trusted certificate that names another host is refused like an untrusted one."""
    other = Certificate(tmp_path, "DNS:elsewhere.example")
    server = await serve(CREATED, tls=other.server_side)
    session = await connect(server, ssl=other.trusting)

    with raises(APIConnectionError) as caught:
        await session.tasks.run("Buy milk")

    assert (caught.value.sent, caught.value.attempts) == (False, 1)
    assert not server.requests


async def test_plain_text_on_a_tls_port_was_not_sent(serve, connect):
    """A server that speaks plain HTTP never gets the key."""

    async def babble(connection: Connection) -> None:
        connection.send(response(400, "this is not TLS"))

    plain = await serve(babble)
    session = await connect(plain.url.replace("http:", "https:"))
    with raises(APIConnectionError) as caught:
        await session.tasks.run("Buy milk")

    assert caught.value.sent is False
    assert "speaks http and not https; write http:// in its URL" in str(caught.value)
    assert len(plain.connections) == caught.value.attempts == 1


@pytest.mark.looptime
async def test_waiting_for_a_slot_is_no_timeout(serve, connect):
    """250 calls of 5 s each through 100 slots: no timeout includes the time in the queue."""
    busy = most = 0

    async def slow(connection: Connection) -> None:
        nonlocal busy, most
        while True:
            await connection.read_request()
            busy += 1
            most = max(most, busy)
            await asyncio.sleep(5)
            busy -= 1
            connection.send(response(200, '"running"'))

    server = await serve(slow)
    session = await connect(server, timeout=8.0, retry=RetryPolicy(max_attempts=1))
    started = asyncio.get_running_loop().time()

    statuses = await asyncio.gather(*(session.tasks.get_status(f"t-{n}") for n in range(250)))

    assert statuses == ["running"] * 250
    assert most == 100
    assert asyncio.get_running_loop().time() - started == pytest.approx(15, abs=1)


@pytest.mark.looptime
async def test_a_call_cancelled_in_the_queue_sends_nothing(serve, connect):
    """A call that is cancelled while all slots are in use reaches no server."""
    server = await serve(_stall_after_the_request)
    session = await connect(server)
    calls = [asyncio.create_task(session.tasks.get_status("t-1")) for _ in range(100)]
    await server.requests_seen(100)

    with pytest.raises(TimeoutError):
        async with asyncio.timeout(5):
            await session.tasks.run("Buy milk")
    for call in calls:
        call.cancel()
    await asyncio.gather(*calls, return_exceptions=True)

    assert len(server.connections) == 100

"""One attempt is one request on the wire, on this session's pools and on the user's session."""

import asyncio
import base64
from typing import Any

import aiohttp
import attrs
import pytest
from aiohttp import ClientHandlerType, ClientRequest, ClientResponse

from browser_use_async import BrowserUseSession
from browser_use_async.errors import APIConnectionError, ConfigurationError, SessionClosedError
from tests.support.bench import FAST, ONCE
from tests.support.hygiene import KEY, raises
from tests.support.wire import Connection, answering, response

RUNNING = response(200, '"running"')
CREATED = response(200, '{"id":"t-1"}')


async def _die(connection: Connection) -> None:
    await connection.read_request()
    connection.finish()


async def _die_rudely(connection: Connection) -> None:
    await connection.read_request()
    connection.reset()


async def _die_when_used_again(connection: Connection) -> None:
    await connection.read_request()
    connection.send(RUNNING)
    await connection.read_request()
    connection.reset()


class Counting:
    """A client middleware of the user's own."""

    def __init__(self) -> None:
        self.calls = 0

    async def __call__(self, request: ClientRequest, handler: ClientHandlerType) -> ClientResponse:
        """Count and pass on."""
        self.calls += 1
        return await handler(request)


@pytest.fixture
async def own():
    """A session that the user created."""
    async with aiohttp.ClientSession(middlewares=[Counting()]) as session:
        yield session


@pytest.mark.parametrize("script", [_die, _die_rudely])
@pytest.mark.parametrize("verb", ["get_status", "get", "stop", "pause", "resume"])
async def test_a_dying_connection_sees_one_request(serve, connect, script, verb):
    """GET and PUT are not sent a second time by aiohttp."""
    server = await serve(script)
    session = await connect(server, retry=ONCE)

    with raises(APIConnectionError) as caught:
        await getattr(session.tasks, verb)("t-1")

    assert len(server.requests) == len(server.connections) == 1
    assert caught.value.sent is True
    assert caught.value.attempts == 1
    assert caught.value.task_id == "t-1"


@pytest.mark.parametrize("script", [_die, _die_rudely], ids=["FIN", "RST"])
async def test_every_free_call_is_one_request_per_attempt(serve, connect, script):
    """GET, PUT and DELETE of every section, with one attempt and with four."""
    server = await serve(script)
    once = await connect(server, retry=ONCE)
    patient = await connect(server, retry=attrs.evolve(FAST, budget=None))
    attempts = 0

    for session in (once, patient):
        for call in (
            session.tasks.list(),
            session.account.get_balance(),
            session.browser_profiles.update("p-1", persist=False),
            session.browser_profiles.delete("p-1"),
            session.scheduled_tasks.delete("s-1"),
        ):
            with raises(APIConnectionError) as caught:
                await call
            attempts += caught.value.attempts

    assert len(server.requests) == attempts == 5 + 5 * FAST.max_attempts


async def test_a_connection_that_dies_on_reuse_sees_one_request(serve, connect):
    """The same on a kept connection, where aiohttp is most likely to send again."""
    server = await serve(_die_when_used_again)
    session = await connect(server, retry=ONCE)

    await session.tasks.get_status("t-1")
    with raises(APIConnectionError):
        await session.tasks.get_status("t-1")

    assert len(server.requests) == 2
    assert len(server.connections) == 1


async def test_connections_are_kept_for_free_calls_only(serve, connect):
    """Polls share a connection; a call that costs money has one of its own."""
    server = await serve(answering(RUNNING, RUNNING, CREATED, CREATED, RUNNING))
    session = await connect(server)

    await session.tasks.get_status("t-1")
    await session.tasks.get_status("t-1")
    await session.tasks.run("Buy milk")
    await session.tasks.run("Buy milk")
    await session.tasks.get_status("t-1")

    assert [bytes(each.received).count(b"HTTP/1.1") for each in server.connections] == [3, 1, 1]
    assert server.requests[2].headers["connection"] == "close"


@pytest.mark.parametrize("verb", ["get_status", "stop"])
async def test_the_users_session_sees_one_request_too(serve, connect, own, verb):
    """The package's middleware encloses the user's, and the user's still runs."""
    server = await serve(_die)
    ours = Counting()
    session = await connect(server, retry=ONCE, http=own, middlewares=[ours])

    with raises(APIConnectionError):
        await getattr(session.tasks, verb)("t-1")

    (theirs,) = own._middlewares
    assert len(server.requests) == 1
    assert (ours.calls, theirs.calls) == (1, 1)


async def test_the_users_session_carries_free_calls_only(serve, connect, own):
    """Reads use it; run-task has a connection that no other call uses."""
    server = await serve(answering(RUNNING, CREATED))
    session = await connect(server, http=own)
    (theirs,) = own._middlewares

    await session.tasks.get_status("t-1")
    assert theirs.calls == 1
    await session.tasks.run("Buy milk")
    assert theirs.calls == 1

    assert server.requests[0].headers["authorization"] == f"Bearer {KEY}"
    assert len(server.connections) == 2


async def test_the_users_session_stays_open(serve, own):
    """The package does not close the user's session."""
    server = await serve(answering(RUNNING))
    async with BrowserUseSession(api_key=KEY, base_url=server.url, http=own) as session:
        await session.tasks.get_status("t-1")

    assert not own.closed
    async with own.get(server.url) as reply:
        assert reply.status == 200


async def test_the_users_closed_session_is_named(serve, connect):
    """When the user closes it first, the error says which session is closed."""
    server = await serve(answering(RUNNING))
    async with aiohttp.ClientSession() as own:
        session = await connect(server, http=own)

    with raises(SessionClosedError) as caught:
        await session.tasks.get_status("t-1")

    assert "http=" in str(caught.value)
    assert not server.connections


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of aiohttp, about BasicAuth
@pytest.mark.parametrize("option", ["trust_env", "auth"])
async def test_a_session_with_credentials_of_its_own_is_refused(option):
    """At once, when the session is created, and without the credentials in the error."""
    values: dict[str, Any] = {"trust_env": True, "auth": aiohttp.BasicAuth("user", "password")}
    async with aiohttp.ClientSession(**{option: values.pop(option)}) as own:
        with pytest.raises(ConfigurationError, match=f"{option}=") as caught:
            BrowserUseSession(api_key=KEY, http=own)

    assert "password" not in str(caught.value)
    assert base64.b64encode(b"user:password").decode() not in str(caught.value)


async def test_settings_of_the_users_session_do_not_reach_the_call(serve, connect):
    """Its default headers, error handling and decompression do not change requests and answers."""
    server = await serve(answering(response(404, '{"detail":"Task not found"}'), RUNNING))
    async with aiohttp.ClientSession(
        headers={"Authorization": "Bearer other", "Accept-Encoding": "br", "X-Own": "1"},
        raise_for_status=True,
        timeout=aiohttp.ClientTimeout(total=0.000001),
    ) as own:
        session = await connect(server, http=own)
        with pytest.raises(Exception, match="Task not found"):
            await session.tasks.get_status("t-1")
        await session.tasks.get_status("t-1")

    for request in server.requests:
        assert request.headers["authorization"] == f"Bearer {KEY}"
        assert request.headers["accept-encoding"] == "gzip"
        assert request.headers["x-own"] == "1"


async def test_traces_and_middlewares_of_the_user_run_for_every_call(serve, connect):
    """`trace_configs` and `middlewares` see each attempt, on either kind of connection."""
    starts: list[str] = []

    async def start(_session: object, _context: object, params: aiohttp.TraceRequestStartParams):
        starts.append(params.method)

    trace = aiohttp.TraceConfig()
    trace.on_request_start.append(start)
    ours = Counting()
    server = await serve(answering(response(503), RUNNING, CREATED))
    session = await connect(server, trace_configs=[trace], middlewares=[ours])

    await session.tasks.get_status("t-1")
    await session.tasks.run("Buy milk")

    assert starts == ["GET", "GET", "POST"]
    assert ours.calls == 3


async def test_a_middleware_of_the_user_that_raises_is_not_swallowed(serve, connect):
    """An exception other than a failed connection is raised unchanged."""

    async def broken(request: ClientRequest, handler: ClientHandlerType) -> ClientResponse:
        raise ZeroDivisionError

    session = await connect(await serve(answering(RUNNING)), middlewares=[broken])

    with pytest.raises(ZeroDivisionError):
        await session.tasks.get_status("t-1")


@pytest.mark.looptime
async def test_a_cancelled_call_frees_its_connection(serve, connect):
    """Cancelling in the middle of an answer closes only a connection that cannot be used again."""

    async def half(connection: Connection) -> None:
        await connection.read_request()
        connection.send(RUNNING[:-3])
        await connection.stall()

    server = await serve(half)
    session = await connect(server)
    call = asyncio.create_task(session.tasks.get_status("t-1"))
    await server.requests_seen()
    await asyncio.sleep(1)  # half of the answer is there

    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call

    await asyncio.wait_for(server.connections[0].lost.wait(), 1)

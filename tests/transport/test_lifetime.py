"""Where and how long a session can be used, and the errors otherwise."""

import asyncio
import gc
import multiprocessing
import subprocess
import sys
import textwrap
import warnings
from typing import Any

import aiohttp
import pytest

from browser_use_async import BrowserUseSession, CallLimits, RetryPolicy
from browser_use_async.errors import (
    ConfigurationError,
    SessionClosedError,
    WrongEventLoopError,
)
from tests.support.hygiene import KEY, assert_hides_secrets, raises
from tests.support.wire import Connection, WireServer, answering, response

RUNNING = response(200, '"running"')


async def _stall(connection: Connection) -> None:
    await connection.read_request()
    await connection.stall()


async def test_a_closed_session_says_so(serve, connect):
    """Used after close: one clear error, and nothing is sent."""
    server = await serve(answering(RUNNING))
    session = await connect(server)
    await session.tasks.get_status("t-1")

    await session.aclose()
    await session.aclose()
    for call in (
        session.tasks.get_status("t-1"),
        session.tasks.run("Buy milk"),
        session.submit("Buy milk"),
        session.wait("t-1"),
        session.ping(),
        session.account.me(),
    ):
        with raises(SessionClosedError):
            await call

    assert len(server.requests) == 1


async def test_an_unused_session_can_be_closed(serve):
    """Without connections there is nothing to close, and the session is closed."""
    server = await serve(answering(RUNNING))
    session = BrowserUseSession(api_key=KEY, base_url=server.url)

    await session.aclose()

    with raises(SessionClosedError):
        await session.ping()
    assert not server.connections


@pytest.mark.looptime
@pytest.mark.parametrize("borrowed", [False, True], ids=["our connections", "the user's"])
@pytest.mark.parametrize("verb", ["get_status", "run"])
async def test_calls_under_way_end_when_the_session_closes(serve, connect, verb, *, borrowed):
    """At once, with an error that leaves open whether the call was executed."""
    server = await serve(_stall)
    async with aiohttp.ClientSession() as own:
        session = await connect(server, http=own if borrowed else None)
        call = asyncio.create_task(getattr(session.tasks, verb)("t-1"))
        await server.requests_seen()

        async with asyncio.timeout(1):
            await session.aclose()
            await asyncio.wait([call])

    error = call.exception()
    assert isinstance(error, SessionClosedError)
    assert "may have carried it out" in str(error)
    assert_hides_secrets(error)
    assert len(server.requests) == 1


@pytest.mark.looptime
@pytest.mark.parametrize("borrowed", [False, True], ids=["our connections", "the user's"])
async def test_calls_in_a_pause_end_when_the_session_closes(serve, connect, *, borrowed):
    """A pause of 50 s between two attempts ends at once, and nothing more is sent."""
    server = await serve(answering(response(429, "{}", [("Retry-After", "50")])))
    resting = asyncio.Event()
    async with aiohttp.ClientSession() as own:
        session = await connect(
            server,
            http=own if borrowed else None,
            retry=RetryPolicy(),
            on_event=lambda _event: resting.set(),
        )
        call = asyncio.create_task(session.tasks.get_status("t-1"))
        await resting.wait()

        async with asyncio.timeout(1):
            await session.aclose()
            await asyncio.wait([call])

    assert isinstance(call.exception(), SessionClosedError)
    assert len(server.requests) == 1


async def test_a_session_closes_beside_an_attempt_whose_time_is_up(serve, connect):
    """A middleware that still cleans up after the timeout does not keep connections open."""
    cleaning, cleaned = asyncio.Event(), asyncio.Event()

    async def clean_up(
        request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType
    ) -> aiohttp.ClientResponse:
        try:
            return await handler(request)
        finally:
            cleaning.set()
            await cleaned.wait()

    server = await serve(_stall)
    session = await connect(server, timeout=0.05, middlewares=[clean_up])
    late = asyncio.create_task(session.tasks.get_status("t-1"))
    await cleaning.wait()

    await session.aclose()
    cleaned.set()
    await asyncio.wait([late])

    assert isinstance(late.exception(), SessionClosedError)


@pytest.mark.looptime
async def test_calls_in_the_queue_end_when_the_session_closes(serve, connect):
    """More calls than slots: all of them end."""
    server = await serve(_stall)
    session = await connect(server)
    calls = [asyncio.create_task(session.tasks.get_status("t-1")) for _ in range(150)]
    await server.requests_seen(100)

    async with asyncio.timeout(1):
        await session.aclose()
        await asyncio.wait(calls)

    assert {type(call.exception()) for call in calls} == {SessionClosedError}
    assert len(server.requests) == 100


async def test_a_call_that_is_cancelled_as_it_is_admitted_gives_its_place_back(serve, connect):
    """With one slot, the next call is sent."""
    server = await serve(answering(RUNNING))
    session = await connect(server, limits=CallLimits(max_in_flight=1))

    async def first() -> None:
        await session.tasks.get_status("t-1")
        second.cancel()  # in the step of the loop in which the slot has become free

    calls = asyncio.create_task(first())
    await server.requests_seen()
    second = asyncio.create_task(session.tasks.get_status("t-2"))
    await asyncio.wait([calls, second])

    async with asyncio.timeout(5):
        await session.tasks.get_status("t-3")
    assert second.cancelled()
    assert len(server.requests) == 2


@pytest.mark.canaries_by_design("errors")  # which refer to the sessions that are left open
def test_another_event_loop_is_refused():
    """The error says so, and what to do, without the loops' representations."""
    session = BrowserUseSession(api_key=KEY, base_url="http://127.0.0.1:9")

    async def use() -> None:
        async with WireServer(answering(RUNNING)) as server:
            mine = BrowserUseSession(api_key=KEY, base_url=server.url)
            sessions.append(mine)
            await mine.tasks.get_status("t-1")

    async def use_again() -> None:
        for verb in (sessions[0].ping, sessions[0].__aenter__):
            with raises(WrongEventLoopError) as caught:
                await verb()
            assert "belongs to another event loop" in str(caught.value)
            assert "asyncio.run()" in str(caught.value)

    sessions: list[BrowserUseSession] = []
    asyncio.run(session.aclose())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)  # left open on purpose
        asyncio.run(use())
        asyncio.run(use_again())
        sessions.clear()
        gc.collect()


def test_a_session_made_outside_of_a_loop_connects_in_the_first_one():
    """Creating one needs no loop; the first use decides."""
    session = BrowserUseSession(api_key=KEY, base_url="http://127.0.0.1:9")

    async def use() -> None:
        async with session:
            pass

    asyncio.run(use())

    assert repr(session) == "<BrowserUseSession http://127.0.0.1:9>"


FORKED = """
import asyncio, multiprocessing, sys
from browser_use_async import BrowserUseSession
from browser_use_async.errors import WrongEventLoopError
from tests.support.wire import WireServer, answering, response

def child(session, pipe):
    async def use():
        for verb in (session.ping(), session.submit("x"), session.wait("t-1")):
            try:
                await verb
            except WrongEventLoopError as error:
                pipe.send(str(error))
        await session.aclose()
    asyncio.run(use())
    pipe.close()

async def main():
    async with WireServer(answering(response(200, "{}"))) as server:
        async with BrowserUseSession(api_key="k", base_url=server.url) as session:
            await session.ping()
            ours, theirs = multiprocessing.Pipe()
            process = multiprocessing.get_context("fork").Process(
                target=child, args=(session, theirs)
            )
            process.start()
            print(*[await asyncio.to_thread(ours.recv) for _ in range(3)], sep=" | ")
            await asyncio.to_thread(process.join)
            await session.ping()
            print(process.exitcode, len(server.requests), len(server.connections))

asyncio.run(main())
"""


@pytest.mark.skipif(
    "fork" not in multiprocessing.get_all_start_methods(), reason="this system does not fork"
)
def test_a_forked_process_is_refused(pytestconfig):
    """The child gets an error, closes without touching the sockets, and the parent continues."""
    run = subprocess.run(
        [sys.executable, "-W", "error::ResourceWarning", "-c", textwrap.dedent(FORKED)],
        capture_output=True,
        text=True,
        timeout=50,
        check=True,
        cwd=pytestconfig.rootpath,
    )

    words, figures = run.stdout.strip().split("\n")
    assert words.count("before the fork; create a new one in process") == 3
    assert figures.split() == ["0", "2", "1"]
    assert not run.stderr


async def test_without_a_key_only_ping_works(serve, connect, monkeypatch):
    """A missing key is an error before anything is sent, with the name of the variable to set."""
    monkeypatch.delenv("BROWSER_USE_API_KEY", raising=False)
    server = await serve(answering(response(200, "{}")))
    session = BrowserUseSession(base_url=server.url)
    with raises(ConfigurationError) as refused:
        await session.__aenter__()
    assert "BROWSER_USE_API_KEY" in str(refused.value)
    ours = [each for each in refused.traceback if "/browser_use_async/" in str(each.path)]
    assert len(ours) == 1

    for call in (
        session.tasks.get("t-1"),
        session.tasks.run("Buy milk"),
        session.submit("Buy milk"),
        session.account.me(),
        session.account.get_balance(),
    ):
        with raises(ConfigurationError) as caught:
            await call
        assert "BROWSER_USE_API_KEY" in str(caught.value)
        assert "nothing was sent" in str(caught.value)
    assert not server.connections

    await session.ping()

    (request,) = server.requests
    assert "authorization" not in request.headers
    await session.aclose()


@pytest.mark.parametrize("name", ["__reduce__", "copy", "deepcopy"])
def test_sessions_are_not_copied(name):
    """A session contains the key and connections, neither of which can be copied."""
    import copy

    session: Any = BrowserUseSession(api_key=KEY)
    act = session.__reduce__ if name == "__reduce__" else lambda: getattr(copy, name)(session)

    with pytest.raises(TypeError, match="not pickled"):
        act()

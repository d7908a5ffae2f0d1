"""Closing a session after its event loop was closed."""

import asyncio
import contextlib
import gc
import ssl
import subprocess
import sys
import textwrap
import warnings
from collections.abc import Awaitable, Callable

import pytest
import uvloop

from browser_use_async import BrowserUseSession
from browser_use_async.errors import SessionClosedError, WrongEventLoopError
from tests.support.hygiene import KEY
from tests.support.patience import until
from tests.support.storage import TASK, FakeStorage
from tests.support.wire import Connection, answering, response

ANSWERS = answering(response(200, "{}"))
LOOPS: dict[str, Callable[[], asyncio.AbstractEventLoop]] = {
    "asyncio": asyncio.new_event_loop,
    "uvloop": uvloop.new_event_loop,
}


async def _ping(session: BrowserUseSession) -> None:
    await asyncio.gather(session.ping(), session.ping())


def _used(session: BrowserUseSession, new_loop: Callable[[], asyncio.AbstractEventLoop]) -> None:
    """Use a session in a loop, and close the loop."""
    loop = new_loop()
    try:
        loop.run_until_complete(_ping(session))
    finally:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ResourceWarning)  # uvloop closes connections itself
            loop.close()


async def _by_hand(session: BrowserUseSession) -> None:
    await session.aclose()


async def _by_stack(session: BrowserUseSession) -> None:
    async with contextlib.AsyncExitStack() as stack:
        stack.push_async_exit(session)


def _close_elsewhere(
    session: BrowserUseSession, close: Callable[[BrowserUseSession], Awaitable[None]]
) -> list[str]:
    """Close it twice in a new loop, and return Python's warnings, except about its sockets."""

    async def closing() -> None:
        await close(session)
        await close(session)
        with pytest.raises(SessionClosedError):
            await session.ping()

    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        asyncio.run(closing())
        gc.collect()
    texts = [str(each.message) for each in warned]
    return [text for text in texts if not text.startswith(("unclosed transport", "unclosed <"))]


@pytest.mark.parametrize("close", [_by_hand, _by_stack], ids=["aclose", "async with"])
@pytest.mark.parametrize("tls", [False, True], ids=["plain", "TLS"])
@pytest.mark.parametrize("kind", LOOPS)
async def test_any_loop_closes_a_session_whose_own_is_closed(
    serve, certificate, kind, close, *, tls
):
    """Without an error, twice; Python warns of the connections, and the server sees them end."""
    server = await serve(ANSWERS, tls=certificate.server_side if tls else None)
    trusting: ssl.SSLContext | None = certificate.trusting if tls else None
    session = BrowserUseSession(api_key=KEY, base_url=server.url, ssl=trusting)
    await asyncio.to_thread(_used, session, LOOPS[kind])

    warned = await asyncio.to_thread(_close_elsewhere, session, close)

    assert warned == []
    assert len(server.connections) == 2
    await until(lambda: all(each.client_closed for each in server.connections))


async def test_connections_to_the_storage_are_closed_too(nothing_leaks, tmp_path):
    """These are the connections of file transfers."""
    async with FakeStorage() as storage:
        storage.keep("a.txt", b"content")
        session = BrowserUseSession(api_key=KEY, base_url=storage.api.url)

        def use() -> None:
            asyncio.run(session.files.download_output_file(TASK, "a.txt", tmp_path))

        await asyncio.to_thread(use)
        warned = await asyncio.to_thread(_close_elsewhere, session, _by_hand)

        assert warned == []
        ends = [*storage.api.connections, *storage.server.connections]
        assert len(ends) == 2
        await until(lambda: all(each.client_closed for each in ends))


async def test_a_loop_that_only_stopped_is_not_closed(serve):
    """As long as the own loop could run again, closing elsewhere is refused, and harmless."""
    server = await serve(ANSWERS)
    session = BrowserUseSession(api_key=KEY, base_url=server.url)

    def use() -> None:
        with asyncio.Runner() as runner:
            runner.run(session.ping())
            other = asyncio.new_event_loop()
            try:
                with pytest.raises(WrongEventLoopError, match="one session for each"):
                    other.run_until_complete(session.aclose())
            finally:
                other.close()
            runner.run(session.ping())
            runner.run(session.aclose())

    await asyncio.to_thread(use)

    assert len(server.connections) == 1


PROGRAM = """
    import asyncio, os, sys
    import aiohttp
    from browser_use_async import BrowserUseSession
    from tests.support.hygiene import open_sockets

    async def note(session, context, parameters):
        sent.release()

    async def begin():
        global left
        left = [asyncio.ensure_future(work) for work in (
            session.wait("t-1"), session.tasks.run("x"), session.tasks.get_status("t-2"),
        )]
        for _ in left:
            await sent.acquire()

    async def close():
        for _ in range(2):
            await session.aclose()
        print("woken:", sum(task.done() for task in left))

    sent = asyncio.Semaphore(0)
    trace = aiohttp.TraceConfig()
    trace.on_request_headers_sent.append(note)
    session = BrowserUseSession("{key}", base_url="{url}", trace_configs=[trace])
    own = 2  # of each loop
    loop = asyncio.new_event_loop()
    loop.run_until_complete(begin())
    # One for each call; the wait opens another one when its first look is not answered soon.
    print("connected:", open_sockets() - own >= len(left))
    loop.close()
    asyncio.run(close())
    sys.stdout.flush()
    os._exit(0)  # else Python warns of tasks that are still running
"""


async def _stall(connection: Connection) -> None:
    await connection.read_request()
    await connection.stall()


@pytest.mark.long
async def test_calls_that_a_closed_loop_left_under_way(serve):
    """They are not woken, and closing raises nothing."""
    server = await serve(_stall)
    program = textwrap.dedent(PROGRAM).format(key=KEY, url=server.url)

    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", program, stdout=subprocess.PIPE
    )
    output, _nothing = await process.communicate()

    assert output.decode().splitlines() == ["connected: True", "woken: 0"]
    assert process.returncode == 0

"""Searches cost money and leave no record at the service: a lost answer is lost."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from browser_use_async import BrowserUseSession, errors
from tests.support.bench import FAST
from tests.support.hygiene import raises
from tests.support.wire import Connection, Script, answering, bound_socket, response

pytestmark = pytest.mark.looptime

Search = Callable[[BrowserUseSession], Awaitable[Any]]

SEARCHES: dict[str, Search] = {
    "simple_search": lambda session: session.search.simple_search("milk"),
    "search_url": lambda session: session.search.search_url("https://example.com", "milk"),
}


async def _stall(connection: Connection) -> None:
    await connection.read_request()
    await connection.stall()


async def _finish(connection: Connection) -> None:
    await connection.read_request()


async def _reset(connection: Connection) -> None:
    await connection.read_request()
    connection.reset()


async def _break_off(connection: Connection) -> None:
    await connection.read_request()
    connection.send(response(200, '{"results":[]}')[:-3])


LOSSES: dict[str, Script] = {
    "stall": _stall,
    "FIN": _finish,
    "RST": _reset,
    "broken off": _break_off,
    "garbage": answering(b"220 mail.example.com ESMTP\r\n\r\n"),
    **{str(status): answering(response(status, "{}")) for status in (408, 500, 502, 503, 504, 524)},
}


@pytest.mark.parametrize("search", SEARCHES)
@pytest.mark.parametrize("loss", LOSSES)
async def test_a_lost_search_is_not_sent_again(serve, connect, search, loss):
    """One POST; the error says that it may be paid and that this cannot be checked."""
    server = await serve(LOSSES[loss])
    session = await connect(server, timeout=3.0)

    with pytest.raises((errors.APIConnectionError, errors.APIStatusError)) as caught:
        await SEARCHES[search](session)

    assert len(server.requests) == 1
    assert "may have been paid for. No call of the API shows" in str(caught.value)
    assert getattr(caught.value, "sent", True) is True


@pytest.mark.parametrize("search", SEARCHES)
async def test_an_unusable_answer_to_a_search_is_not_asked_for_again(serve, connect, search):
    """A good status with an invalid body was paid for."""
    server = await serve(answering(response(200, '{"results":5,"url":5}')))
    session = await connect(server)

    with raises(errors.ResponseDecodeError):
        await SEARCHES[search](session)

    assert len(server.requests) == 1


@pytest.mark.parametrize("search", SEARCHES)
async def test_a_search_that_was_not_sent_is_tried_again(connect, search):
    """A request that was certainly not sent costs nothing, and the error says that it is safe."""
    with bound_socket() as listener:
        session = await connect(f"http://127.0.0.1:{listener.getsockname()[1]}/api/v1")

        with raises(errors.APIConnectionError) as caught:
            await SEARCHES[search](session)

    assert (caught.value.sent, caught.value.attempts) == (False, FAST.max_attempts)
    assert "calling again is safe" in str(caught.value)


@pytest.mark.parametrize("search", SEARCHES)
async def test_cancelling_a_search_sends_nothing_more(serve, connect, search):
    """A cancelled call sends nothing more."""
    server = await serve(_stall)
    session = await connect(server)

    async def run() -> None:
        await SEARCHES[search](session)

    call = asyncio.create_task(run())
    await server.requests_seen()
    call.cancel()
    await asyncio.wait([call])

    assert call.cancelled()
    assert len(server.requests) == 1

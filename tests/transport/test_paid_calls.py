"""A call that costs money is sent once, for any answer."""

import asyncio
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Any

import pytest

from browser_use_async import RetryPolicy, RetryScheduled, errors
from browser_use_async.api.submission_token import TOKEN_KEY
from browser_use_async.transport.config import Runtime
from browser_use_async.transport.response import OutcomeKind
from tests.support.hygiene import raises
from tests.support.wire import Connection, answering, response
from tests.transport.one_submission import TEN_PAIRS, finishing, kind_of

CREATED = response(200, '{"id":"t-1"}')


@pytest.mark.parametrize("rudely", [False, True], ids=["FIN", "RST"])
async def test_a_lost_answer_raises_and_says_how_to_find_out(serve, connect, *, rudely):
    """One POST, and an error with the token that the task at the server has."""
    server = await serve(finishing(b"", rudely=rudely))
    session = await connect(server, runtime=Runtime(settle_window=0.0))

    with raises(errors.SubmissionUnknownError) as caught:
        await session.submit("Buy milk")

    (request,) = (each for each in server.requests if each.method == "POST")
    assert caught.value.submission_token is not None
    assert request.json["metadata"][TOKEN_KEY] in caught.value.submission_token
    assert "may or may not have been created" in str(caught.value)


async def test_the_plain_call_says_that_the_task_may_exist(serve, connect):
    """`tasks.run` sends no token, and its error says that the request was sent."""
    server = await serve(finishing(b""))
    session = await connect(server)

    with raises(errors.APIConnectionError) as caught:
        await session.tasks.run("Buy milk")

    assert caught.value.sent is True
    assert [request.json for request in server.requests] == [{"task": "Buy milk"}]
    assert "may have been carried out" in str(caught.value)


@pytest.mark.parametrize(
    "status", [302, 303, 408, 409, 425, 500, 502, 503, 504, 520, 524, 599, 418, 600]
)
async def test_a_failure_of_the_server_is_ambiguous(serve, connect, status):
    """The status does not say whether the task exists; there is never a second POST."""
    server = await serve(answering(response(status, '{"detail":"no luck"}')))
    session = await connect(server)

    assert await kind_of(server.url) is OutcomeKind.AMBIGUOUS
    with raises(errors.SubmissionUnknownError):
        await session.submit("Buy milk", metadata=TEN_PAIRS)
    with pytest.raises(errors.APIStatusError) as caught:
        await session.tasks.run("Buy milk")

    assert len(server.requests) == 3
    assert "may have been carried out, so look" in str(caught.value)


@pytest.mark.looptime
async def test_too_many_requests_are_waited_out(serve, connect):
    """Three times 429 with Retry-After, then one task, after at least those pauses."""
    busy = [response(429, "{}", [("Retry-After", text)]) for text in ("2", "0.5", "7")]
    server = await serve(answering(*busy, CREATED))
    events: list[Any] = []
    session = await connect(server, retry=RetryPolicy(), on_event=events.append)
    started = asyncio.get_running_loop().time()

    await session.tasks.run("Buy milk")

    took = asyncio.get_running_loop().time() - started
    assert len(server.requests) == 4
    pauses = [event.pause for event in events]
    assert 2 <= pauses[0] <= 2.2
    assert 0.5 <= pauses[1] <= 1.0  # the jitter of the second failure reaches one second
    assert 7 <= pauses[2] <= 7.7
    assert took == pytest.approx(sum(pauses), abs=0.2)
    assert {event.operation for event in events} == {"run_task"}
    assert {event.reason for event in events} == {"status 429"}
    assert all(type(event) is RetryScheduled for event in events)


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, errors.BadRequestError),
        (401, errors.AuthenticationError),
        (402, errors.PaymentRequiredError),
        (403, errors.PermissionDeniedError),
        (404, errors.APINotServedError),
        (413, errors.APIStatusError),
        (422, errors.UnprocessableEntityError),
        (501, errors.InternalServerError),
        (521, errors.InternalServerError),
    ],
)
async def test_a_refusal_is_final(serve, connect, status, kind):
    """One POST, the server's own message, and no mention of an unknown outcome."""
    server = await serve(
        answering(response(status, '{"detail":"not today"}', [("X-Request-ID", "r-7")]))
    )
    session = await connect(server)

    for verb in (session.tasks.run, session.submit):
        with raises(kind) as caught:
            await verb("Buy milk")
        assert caught.value.status == status
        assert caught.value.detail == "not today"
        assert caught.value.request_id == "r-7"
        assert caught.value.attempts == 1
        assert "not today" in str(caught.value)
        assert "may have been carried out" not in str(caught.value)

    assert len(server.requests) == 2


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("place", ["elsewhere", "here"])
@pytest.mark.parametrize("verb", ["run", "get", "stop"])
async def test_redirects_are_not_followed(serve, connect, status, place, verb):
    """Neither key nor body are sent to another address, and no POST becomes a GET."""
    other = await serve(answering(CREATED))
    target = other.url if place == "elsewhere" else "/api/v1"
    server = await serve(
        answering(response(status, "", [("Location", f"{target}/run-task")])),
    )
    session = await connect(server)

    with raises(errors.APIStatusError) as caught:
        await getattr(session.tasks, verb)("t-1")

    assert caught.value.status == status
    assert "base_url" in str(caught.value)
    assert ("may have been carried out" in str(caught.value)) == (
        verb == "run" and status in {302, 303}
    )
    # A stop that may have been carried out is checked by the status.
    assert len(server.requests) == (2 if verb == "stop" and status in {302, 303} else 1)
    assert other.bytes_received == 0
    assert not other.connections


@pytest.mark.parametrize(
    "stray", [response(408, ""), response(200, '{"id":"evil"}')], ids=["408", "an id"]
)
async def test_a_stray_answer_is_no_task(serve, connect, stray):
    """An unrequested answer on an idle connection is never that of run-task."""

    async def script(connection: Connection) -> None:
        await connection.read_request()
        connection.send(CREATED)
        connection.send(stray)
        await connection.stall()

    async def later(connection: Connection) -> None:
        while True:
            request = await connection.read_request()
            connection.send(CREATED if request.method == "POST" else response(200, '"running"'))
            await asyncio.sleep(0.02)
            connection.send(stray)

    for behaviour in (script, later):
        server = await serve(behaviour)
        session = await connect(server)
        if behaviour is later:
            await session.tasks.get_status("t-0")
            await asyncio.sleep(0.05)

        ids = [(await session.tasks.run("Buy milk")).id for _ in range(3)]

        assert ids == ["t-1"] * 3
        posts = [request for request in server.requests if request.method == "POST"]
        assert len(posts) == 3
        assert len(server.connections) == len(server.requests)


@pytest.mark.looptime
async def test_an_answer_that_comes_late_is_a_timeout(serve, connect):
    """The server never answers: sent, timed out, and still one POST."""

    async def stall(connection: Connection) -> None:
        await connection.read_request()
        await connection.stall()

    server = await serve(stall)
    session = await connect(server, timeout=30.0)

    with raises(errors.APITimeoutError) as caught:
        await session.tasks.run("Buy milk")

    assert caught.value.sent is True
    assert isinstance(caught.value, TimeoutError)
    assert len(server.requests) == 1


async def test_a_date_in_the_future_is_waited_for(serve, connect):
    """Past the cap, the call fails at once, with the number of seconds."""
    date = format_datetime(datetime(2025, 11, 1, 10, 0, 0, tzinfo=UTC), usegmt=True)
    until = format_datetime(datetime(2025, 11, 1, 11, 0, 0, tzinfo=UTC), usegmt=True)
    server = await serve(answering(response(429, "{}", [("Date", date), ("Retry-After", until)])))
    session = await connect(server)

    with raises(errors.RateLimitError) as caught:
        await session.tasks.run("Buy milk")

    assert caught.value.retry_after == 3600
    assert len(server.requests) == 1

"""Which calls are repeated, how often, and how long the pauses are."""

import asyncio
import logging
import random
import time
from datetime import UTC, datetime, timedelta
from statistics import mean
from typing import Any

import attrs
import pytest
import tenacity
from multidict import CIMultiDict

from browser_use_async import RetryPolicy, RetryScheduled, TaskStatus, errors
from browser_use_async.api.endpoint_table import ENDPOINTS, Effect
from browser_use_async.transport.response import Outcome, OutcomeKind, Reply
from browser_use_async.transport.retry import may_try_again
from tests.support.bench import FAST
from tests.support.fake_api import Fault
from tests.support.fake_task import lives
from tests.support.hygiene import raises
from tests.support.wire import Connection, answering, response

RUNNING = response(200, '"running"')
TRANSIENT = [408, 425, 429, 500, 502, 503, 504, 520, 524, 530]


def _outcome(status: int | None = None, kind: OutcomeKind = OutcomeKind.AMBIGUOUS, **headers: str):
    reply = None if status is None else Reply(status, CIMultiDict(headers), b"")
    return Outcome(kind, reply=reply)


@pytest.mark.parametrize("status", TRANSIENT)
@pytest.mark.parametrize("verb", ["get_status", "stop"])
async def test_transient_failures_of_free_calls_are_repeated(serve, connect, status, verb):
    """Reads and idempotent calls succeed as soon as the service works."""
    server = await serve(answering(response(status), response(status), RUNNING))
    events: list[Any] = []
    session = await connect(server, on_event=events.append)

    await getattr(session.tasks, verb)("t-1")

    assert len(server.requests) == 3
    assert len({request.raw for request in server.requests}) == 1
    assert [(event.attempt, event.task_id) for event in events] == [(1, "t-1"), (2, "t-1")]


@pytest.mark.parametrize("status", [400, 401, 402, 403, 404, 405, 409, 418, 422, 501])
async def test_final_answers_are_not_repeated(serve, connect, status):
    """A call that would get the same answer again is sent once."""
    server = await serve(answering(response(status, '{"detail":"no"}')))
    session = await connect(server)

    with pytest.raises(errors.APIStatusError):
        await session.tasks.get_status("t-1")

    assert len(server.requests) == 1


async def test_attempts_end_where_the_policy_says(serve, connect):
    """The last failure is raised, with the number of attempts."""
    server = await serve(answering(response(503, '{"message":"come back later"}')))
    session = await connect(server, retry=RetryPolicy(max_attempts=3, base_delay=0.001))

    with raises(errors.InternalServerError) as caught:
        await session.tasks.get_status("t-1")

    assert len(server.requests) == caught.value.attempts == 3
    assert caught.value.detail == "come back later"
    assert caught.value.task_id == "t-1"
    assert "after 3 attempts" in str(caught.value)


def test_what_may_be_repeated_follows_from_the_row():
    """The whole rule in one table: effect of the call by outcome of the attempt."""
    never_reached = _outcome(kind=OutcomeKind.NOT_SENT)
    bad_certificate = Outcome(OutcomeKind.NOT_SENT, transient=False)
    lost = _outcome()
    refused = _outcome(404, OutcomeKind.REJECTED)
    busy = _outcome(429, OutcomeKind.REJECTED)
    edge = _outcome(521, OutcomeKind.REJECTED)
    failed = _outcome(503)
    garbled = _outcome(200)
    done = Outcome(OutcomeKind.ACCEPTED)
    always, never = (never_reached, busy), (bad_certificate, refused, done)

    for effect in Effect:
        free = effect in {Effect.READS, Effect.IDEMPOTENT}
        for outcome in always:
            assert may_try_again(effect, outcome)
        for outcome in never:
            assert not may_try_again(effect, outcome)
        for outcome in (lost, edge, failed, garbled):
            assert may_try_again(effect, outcome) is free

    # The request for an upload URL is the one POST that changes nothing.
    posts = [row for row in ENDPOINTS if row.method == "POST" and row.section != "Files"]
    assert {row.effect for row in posts} <= {Effect.CREATES}


@pytest.mark.long
def test_pauses_are_spread_over_the_whole_ceiling():
    """100,000 draws over 8 failures: between 0 and the ceiling, half of it on average."""
    policy = RetryPolicy(base_delay=0.5, max_delay=8.0)
    draw = random.Random(1)
    means: list[float] = []

    for failures, ceiling in enumerate([0.5, 1.0, 2.0, 4.0, 8.0, 8.0, 8.0, 8.0], start=1):
        pauses = [policy.pause(_outcome(503), failures, draw) or 0.0 for _ in range(12_500)]
        assert policy.ceiling(failures) == ceiling
        assert 0 <= min(pauses) <= 0.01 * ceiling
        assert 0.99 * ceiling <= max(pauses) <= ceiling
        means.append(mean(pauses) / ceiling)
        assert means[-1] == pytest.approx(0.5, rel=0.02)

    assert policy.ceiling(10_000) == 8.0


def test_what_the_server_asks_for_is_a_floor():
    """Never sooner than requested, at most 10 % later, and 0 seconds cause no storm."""
    policy, draw = RetryPolicy(), random.Random(1)
    asked = _outcome(429, **{"Retry-After": "10"})
    at_once = _outcome(429, **{"Retry-After": "0"})

    for _ in range(1000):
        pause = policy.pause(asked, 1, draw)
        assert pause is not None
        assert 10 <= pause <= 11
    assert mean(policy.pause(at_once, 2, draw) or 0.0 for _ in range(1000)) == pytest.approx(
        0.5, abs=0.05
    )


@pytest.mark.long
async def test_calls_that_are_repeated_at_once_stay_apart(serve, connect):
    """1,000 concurrent calls whose first attempts fail: each gets the answer to its own."""
    seen: set[str] = set()

    async def fail_first(connection: Connection) -> None:
        while True:
            request = await connection.read_request()
            first = request.target not in seen
            seen.add(request.target)
            name = request.target.split("/")[-2]
            connection.send(response(503) if first else response(200, f'"{name}"'))

    server = await serve(fail_first)
    # A budget would not allow a thousand repetitions at once.
    session = await connect(server, retry=attrs.evolve(FAST, budget=None))

    names = [f"t-{number}" for number in range(1000)]
    answers = await asyncio.gather(*map(session.tasks.get_status, names))

    wrong = sum(got != TaskStatus(name) for got, name in zip(answers, names, strict=True))
    assert wrong == 0
    assert len(server.requests) == 2000


async def test_one_tenacity_object_for_all_calls_mixes_them_up():
    """The control: the same thousand calls through one tenacity object get wrong answers."""
    shared = tenacity.AsyncRetrying(
        retry=tenacity.retry_if_result(lambda answer: answer is None),
        wait=_a_moment,
        sleep=asyncio.sleep,
    )
    seen: set[int] = set()

    async def fail_first(number: int) -> int | None:
        await asyncio.sleep(0)
        first = number not in seen
        seen.add(number)
        return None if first else number

    answers = await asyncio.gather(*(shared(fail_first, number) for number in range(1000)))

    wrong = sum(answer != number for number, answer in enumerate(answers))
    assert wrong > 0


async def _a_moment(_state: tenacity.RetryCallState) -> float:
    await asyncio.sleep(0)
    return 0.0


@pytest.mark.looptime
@pytest.mark.parametrize("jump", [-3600, 3600])
async def test_a_jump_of_the_wall_clock_changes_nothing(serve, connect, monkeypatch, jump):
    """The clock jumps in the middle of a pause, whose length stays the same."""
    loop = asyncio.get_running_loop()
    monkeypatch.setattr(time, "time", lambda: 2e9 + loop.time() + jump * (loop.time() >= 2.0))
    busy = response(429, "{}", [("Retry-After", "5")])
    server = await serve(answering(busy, RUNNING))
    session = await connect(server, retry=RetryPolicy())

    await session.tasks.get_status("t-1")

    assert 5 <= loop.time() <= 6


async def test_events_say_what_went_wrong(serve, connect):
    """`on_event` gets each pause: the call, the task, the attempt, the length and the reason."""
    server = await serve(answering(response(503), RUNNING))
    events: list[Any] = []
    session = await connect(server, on_event=events.append)

    await session.tasks.get_status("t-1")

    (event,) = events
    assert event == RetryScheduled("get_task_status", "t-1", 1, event.pause, "status 503")
    assert 0 <= event.pause <= FAST.base_delay


async def test_an_observer_that_raises_does_no_harm(serve, connect, caplog):
    """An exception of the user's callback is logged and not raised."""
    server = await serve(answering(response(503), RUNNING))

    def broken(event: object) -> None:
        raise ZeroDivisionError(event)

    session = await connect(server, on_event=broken)

    assert await session.tasks.get_status("t-1") == "running"

    (record,) = [each for each in caplog.records if each.levelno >= logging.ERROR]
    assert record.getMessage() == "on_event raised"
    assert record.exc_info is not None


@pytest.mark.looptime
async def test_cancelling_a_pause_ends_the_call(serve, connect):
    """A call between two attempts is cancelled at once, and sends nothing more."""
    server = await serve(answering(response(429, "{}", [("Retry-After", "30")])))
    session = await connect(server)

    with pytest.raises(TimeoutError):
        async with asyncio.timeout(5):
            await session.tasks.get_status("t-1")

    assert len(server.requests) == 1


@pytest.mark.parametrize(
    "options",
    [
        {"max_attempts": 0},
        {"base_delay": -1},
        {"max_delay": float("inf")},
        {"retry_after_cap": float("nan")},
        {"max_attempts": 1.5},
        {"max_attempts": True},
        {"base_delay": "1"},
        {"max_attempts": None},
    ],
    ids=str,
)
def test_policies_that_cannot_work_are_refused(options):
    """The error names the option."""
    with raises(errors.ConfigurationError) as caught:
        RetryPolicy(**options)

    assert next(iter(options)) in str(caught.value)


def test_policies_are_values():
    """Two policies with the same figures are equal, and neither can be changed."""
    assert RetryPolicy() == RetryPolicy(
        max_attempts=4, base_delay=0.5, max_delay=8.0, retry_after_cap=60.0
    )
    with pytest.raises(AttributeError):
        RetryPolicy().max_attempts = 2  # type: ignore[misc]


def test_a_pause_by_date_is_capped_as_well():
    """A distant date is treated like a number of seconds."""
    far = datetime.now(UTC) + timedelta(days=2)
    headers = {"Retry-After": far.strftime("%a, %d %b %Y %H:%M:%S GMT")}

    assert RetryPolicy().pause(_outcome(429, **headers), 1, random.Random(1)) is None


@pytest.mark.looptime
@pytest.mark.parametrize("between", [Fault(status=200, body="{}"), Fault(status=503)])
async def test_answers_that_are_wrong_in_different_ways_are_asked_for_again(api, session, between):
    """Only the same mistake twice in a row is the service's final answer."""
    task = api.add(lives(1e6))
    wrong = Fault(status=200, body='{"id": 5}')
    api.break_calls("get", {1: wrong, 2: between, 3: wrong})

    assert (await session.tasks.get(task.id)).id == task.id

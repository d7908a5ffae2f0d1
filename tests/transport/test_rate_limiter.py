"""How many calls at once, how fast, and in which order."""

import asyncio
import contextlib
from itertools import pairwise

import pytest

from browser_use_async import CallLimits, RetryPolicy, TaskStatus, errors
from tests.support.fake_api import Fault
from tests.support.fake_task import lives
from tests.support.virtual_time import loop_time

pytestmark = pytest.mark.looptime


@pytest.mark.parametrize("most", [1, 7, 100])
async def test_calls_in_flight_are_bounded(api, open_session, most):
    """Never more at once than allowed, and as many while there are enough calls."""
    session = await open_session(limits=CallLimits(max_in_flight=most))
    task = api.add(lives(1e6))
    api.latency = 0.2

    await asyncio.gather(*(session.tasks.get_status(task.id) for _ in range(250)))

    assert api.most_in_flight == most


async def test_a_call_that_is_cancelled_as_it_is_admitted_takes_no_room(api, open_session):
    """Its permit goes to the next call; otherwise such calls would stop the session."""
    session = await open_session(limits=CallLimits(max_in_flight=1))
    task = api.add(lives(1e6))
    waiting: list[asyncio.Task[TaskStatus]] = []

    async def make_room_and_cancel() -> None:
        await session.tasks.get_status(task.id)
        waiting[0].cancel()  # which has been admitted, and has not continued

    first = asyncio.create_task(make_room_and_cancel())
    await asyncio.sleep(0)
    waiting.append(asyncio.create_task(session.tasks.get_status(task.id)))
    await first
    with pytest.raises(asyncio.CancelledError):
        await waiting[0]

    async with asyncio.timeout(60.0):
        await session.tasks.get_status(task.id)
    assert api.count("status") == 2


async def test_refusals_of_calls_sent_together_halve_the_window_once(api, open_session):
    """Twenty of twenty are refused with a 429: ten may run then, and not one."""
    session = await open_session(limits=CallLimits(max_in_flight=20))
    task = api.add(lives(1e6))
    api.fault = lambda call: Fault(status=429) if call.number <= 20 else None
    api.latency = 0.2
    refused = [asyncio.create_task(session.tasks.get_status(task.id)) for _ in range(20)]
    await asyncio.sleep(0.1)
    api.most_in_flight = 0

    await asyncio.gather(*refused)

    assert 8 <= api.most_in_flight <= 12


async def test_no_pause_is_longer_than_ten_minutes(api, session):
    """One absurd `Retry-After` does not end every wait of the session."""
    task = api.add(lives(30.0))
    api.break_calls("status", {1: Fault(status=429, headers={"Retry-After": "86400"})})

    ended = await session.wait(task.id)

    assert ended.status is TaskStatus.FINISHED
    assert 600.0 <= loop_time() <= 620.0


@pytest.mark.parametrize("idle", [0.0, 60.0])
async def test_a_rate_spaces_calls_evenly(api, open_session, idle):
    """Twenty calls a second are one every 50 ms, however many wait, also after a pause."""
    session = await open_session(limits=CallLimits(calls_per_second=20))
    task = api.add(lives(1e6))
    await session.tasks.get_status(task.id)
    await asyncio.sleep(idle)

    await asyncio.gather(*(session.tasks.get_status(task.id) for _ in range(99)))

    gaps = [late - early for early, late in pairwise(api.times())]
    assert min(gaps) >= 0.045
    assert loop_time() == pytest.approx(max(99 / 20, idle + 98 / 20), abs=0.1)


@pytest.mark.long
async def test_no_operation_waits_behind_a_thousand_of_another(api, open_session):
    """A stop that comes last is among the next calls to be sent."""
    session = await open_session(limits=CallLimits(max_in_flight=2))
    task = api.add(lives(1e6))
    api.latency = 0.1
    reads = [asyncio.create_task(session.tasks.get_status(task.id)) for _ in range(1000)]
    await asyncio.sleep(0.05)

    await session.tasks.stop(task.id)

    stopped_at = loop_time()
    await asyncio.gather(*reads)
    print(f"the stop took {stopped_at:.2f} s, all reads {loop_time():.1f} s")
    assert stopped_at <= 0.5
    assert loop_time() >= 40.0


async def test_stops_go_first(api, open_session):
    """A stop that comes last is sent next, whatever else waits."""
    session = await open_session(limits=CallLimits(max_in_flight=1))
    task = api.add(lives(1e6))
    api.latency = 0.1
    verbs = (session.tasks.get_status, session.tasks.get)
    reads = [asyncio.create_task(verb(task.id)) for _ in range(5) for verb in verbs]
    await asyncio.sleep(0.05)

    await asyncio.gather(session.tasks.list(), session.tasks.stop(task.id), *reads)

    assert [call.route for call in api.calls][:2] == ["status", "stop"]


async def test_calls_of_one_kind_keep_their_order(api, open_session):
    """First come, first served."""
    session = await open_session(limits=CallLimits(max_in_flight=1))
    tasks = [api.add(lives(1e6)) for _ in range(50)]
    api.latency = 0.1

    await asyncio.gather(*(session.tasks.get_status(task.id) for task in tasks))

    assert [call.task_id for call in api.calls] == [task.id for task in tasks]


@pytest.mark.long
@pytest.mark.timeout(180)
async def test_429_halves_what_is_sent_at_once_and_success_restores_it(api, open_session):
    """A service that accepts eight at once gets about that many, without a setting."""
    session = await open_session(retry=RetryPolicy(max_attempts=50, base_delay=0.05, max_delay=0.2))
    task = api.add(lives(1e6))
    api.latency = 0.1
    api.fault = lambda _call: Fault(status=429) if api.in_flight > 8 else None

    answers = await asyncio.gather(*(session.tasks.get_status(task.id) for _ in range(2000)))

    assert len(answers) == 2000
    refused = api.count() - 2000
    late = [call.at for call in api.calls if call.at >= 5.0]
    took = loop_time()
    print(f"{refused} of {api.count()} calls refused, {len(late)} calls after 5 s in {took:.1f} s")
    assert refused <= 0.25 * api.count()
    assert loop_time() <= 2000 * 0.1 / 8 * 2.0


async def test_what_is_sent_at_once_grows_back_to_the_bound_and_not_beyond(api, open_session):
    """A refusal has halved the window, and answers raise it again by parts of a call."""
    session = await open_session(limits=CallLimits(max_in_flight=3))
    task = api.add(lives(1e6))
    api.latency = 0.1
    api.break_calls("status", {1: Fault(status=429)})

    await asyncio.gather(*(session.tasks.get_status(task.id) for _ in range(30)))

    assert api.most_in_flight == 3


async def test_a_cancelled_call_leaves_the_queue(api, open_session):
    """Cancelled in the queue, a call is never sent, and those behind it move up."""
    session = await open_session(limits=CallLimits(max_in_flight=1))
    tasks = [api.add(lives(1e6)) for _ in range(10)]
    api.latency = 1.0
    calls = [asyncio.create_task(session.tasks.get_status(task.id)) for task in tasks]
    await asyncio.sleep(0.5)

    for call in calls[1:9]:
        call.cancel()
    ended = await asyncio.gather(*calls, return_exceptions=True)

    assert [type(each).__name__ for each in ended].count("CancelledError") == 8
    assert [call.task_id for call in api.calls] == [tasks[0].id, tasks[9].id]
    assert loop_time() == pytest.approx(2.0, abs=0.1)


async def test_closing_ends_those_who_queue(api, open_session):
    """A call in the queue gets `SessionClosedError` and is not sent."""
    session = await open_session(limits=CallLimits(max_in_flight=1))
    task = api.add(lives(1e6))
    api.latency = 5.0
    calls = [asyncio.create_task(session.tasks.get_status(task.id)) for _ in range(20)]
    await asyncio.sleep(1.0)

    await session.aclose()
    ended = await asyncio.gather(*calls, return_exceptions=True)

    assert {type(each) for each in ended} == {errors.SessionClosedError}
    assert api.count() == 1


@pytest.mark.parametrize(
    "wrong",
    [
        {"max_in_flight": 0},
        {"max_in_flight": 1.5},
        {"max_in_flight": True},
        {"calls_per_second": 0},
        {"calls_per_second": float("nan")},
        {"slot_timeout": -1},
        {"slot_timeout": float("inf")},
    ],
    ids=str,
)
def test_limits_that_cannot_work_are_refused(wrong):
    """The error names the field."""
    (name,) = wrong

    with pytest.raises(errors.ConfigurationError, match=name):
        CallLimits(**wrong)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("route", "status", "said", "requests"),
    [
        ("status", 503, "false", 1),
        ("status", 503, "true", 2),
        ("status", 409, "true", 2),
        ("status", 409, "maybe", 1),
        ("stop", 503, "False", 1),
        ("stop", 409, "true", 2),
        ("run", 503, "true", 1),
        ("run", 409, "true", 1),
        ("pause", 503, "true", 1),
        ("run", 429, "false", 2),  # nothing was executed, and the pause is the rate limiter's
    ],
)
async def test_what_the_server_says_about_repeating(api, session, route, status, said, requests):
    """`X-Should-Retry` is respected for reads and idempotent calls, and for no others."""
    task = api.add(lives(1e6))
    api.break_calls(route, {1: Fault(status=status, headers={"X-Should-Retry": said})})
    verbs = {
        "status": lambda: session.tasks.get_status(task.id),
        "stop": lambda: session.tasks.stop(task.id),
        "pause": lambda: session.tasks.pause(task.id),
        "run": lambda: session.tasks.run("x"),
    }

    with contextlib.suppress(errors.APIStatusError):
        await verbs[route]()

    assert api.count(route) == requests

"""A service that is overloaded, and a session that does not make it worse."""

import asyncio
import random
from collections.abc import Callable

import attrs
import pytest

from browser_use_async import BrowserUseSession, PollPolicy, RetryPolicy, TaskStatus, errors
from tests.support.fake_api import Call, FakeApi, Fault
from tests.support.fake_task import lives
from tests.support.virtual_time import loop_time

pytestmark = pytest.mark.looptime

LIMITED = Fault(status=429, headers={"Retry-After": "10"}, delay=0.05)


def _storm(api: FakeApi, begins: float, ends: float, status: int = 429) -> None:
    """Let every call be refused for a while."""
    api.latency = 0.05
    refusal = attrs.evolve(LIMITED, status=status)
    api.fault = lambda call: refusal if begins <= call.at < ends else None


def _first_100_ms(times: list[float]) -> int:
    return sum(1 for at in times if at <= times[0] + 0.1)


@pytest.mark.torture
async def test_a_thousand_waiters_send_one_probe_per_pause(api, open_session):
    """At most one probe per `Retry-After`, and no burst when the service is healthy again."""
    session = await open_session(poll=PollPolicy(shared=False))
    tasks = [api.add(lives(1e6)) for _ in range(1000)]
    _storm(api, 20.0, 75.0)
    waits = [asyncio.create_task(session.wait(task.id, timeout=100.0)) for task in tasks]

    await asyncio.gather(*waits, return_exceptions=True)

    probes = [at for at in api.times() if 21.0 <= at < 75.0]
    after = [at for at in api.times() if at >= 75.0]
    first = _first_100_ms(after)
    peak = max(sum(1 for at in after if start <= at < start + 0.1) for start in after[::10])
    assert 4 <= len(probes) <= 6
    assert first <= 50
    assert peak <= 100
    assert len({call.task_id for call in api.calls if call.at >= 75.0}) == 1000


@pytest.mark.long
@pytest.mark.parametrize(
    ("status", "count"),
    [(429, 300), (503, 300), (429, 1000)],
)
async def test_many_callers_send_one_probe_per_pause(api, open_session, status, count):
    """The same for hundreds of calls of the thin layer, of which none fails."""
    session = await open_session(retry=RetryPolicy(max_attempts=8, budget=None))
    tasks = [api.add(lives(1e6)) for _ in range(count)]
    _storm(api, 0.0, 25.0, status)

    answers = await asyncio.gather(*(session.tasks.get_status(task.id) for task in tasks))

    assert set(answers) == {TaskStatus.RUNNING}
    probes = [at for at in api.times() if 0.2 <= at < 25.0]
    after = [at for at in api.times() if at >= 25.0]
    first = _first_100_ms(after)
    assert len(probes) == 2
    assert first <= 40


@pytest.mark.parametrize("status", [429, 503])
async def test_calls_that_a_pause_held_back_begin_one_by_one(api, session, status):
    """Of 200 calls, 26 reach the service in the first second after a pause, and all within 3."""
    task = api.add(lives(1e6))
    refusal = Fault(status=status, headers={"Retry-After": "300"})
    api.break_calls("status", {1: refusal})
    first = asyncio.create_task(session.tasks.get_status(task.id))
    await asyncio.sleep(250.0)

    calls = asyncio.gather(*(session.tasks.get_status(task.id) for _ in range(200)))
    with pytest.raises(errors.APIStatusError):
        await first
    await calls

    times = api.times()[1:]
    assert times[0] >= 300.0
    assert 20 <= sum(at <= times[0] + 1.0 for at in times) <= 26
    assert times[-1] <= times[0] + 3.0


async def test_a_pause_applies_to_calls_of_every_kind(api, session):
    """The pause that one call gets applies to all: a stop, a list and a new task wait as well."""
    task = api.add(lives(1e6))
    api.break_calls("status", {1: LIMITED})

    await asyncio.gather(
        session.tasks.get_status(task.id),
        *(_later(0.1, verb) for verb in (session.tasks.list, lambda: session.tasks.stop(task.id))),
        _later(0.1, lambda: session.submit("x")),
    )

    assert min(api.times("list", "stop", "run")) >= 10.0


async def _later(seconds: float, verb: Callable[[], object]) -> None:
    await asyncio.sleep(seconds)
    await verb()  # type: ignore[misc]


LATE = {
    "answered": Fault(),
    "refused": Fault(status=429, headers={"Retry-After": "1"}),
    "lost": Fault(cut=True),
    "cancelled": None,
}


@pytest.mark.parametrize("at", [5.0, 15.0], ids=["in the pause", "during the probe"])
@pytest.mark.parametrize("kind", LATE)
async def test_calls_from_before_a_pause_do_not_change_it(api, open_session, kind, at):
    """Their ends neither end the pause nor shorten it, and let no second probe begin."""
    session = await open_session(retry=RetryPolicy(max_attempts=1))
    task = api.add(lives(1e6))
    late = LATE[kind]
    faults = {
        ("list", 1): Fault(delay=1e6) if late is None else attrs.evolve(late, delay=at),
        ("status", 1): Fault(status=429, headers={"Retry-After": "10"}),
        ("get", 1): Fault(stall=20.0),
    }
    api.fault = lambda call: faults.get((call.route, call.number))
    old = asyncio.create_task(session.tasks.list())
    if late is None:
        asyncio.get_running_loop().call_later(at, old.cancel)
    with pytest.raises(errors.RateLimitError):
        await session.tasks.get_status(task.id)

    await asyncio.gather(session.tasks.get(task.id), session.tasks.get(task.id))

    probe, second = api.times("get")
    assert probe == pytest.approx(10.0, abs=0.1)
    assert second == pytest.approx(30.0, abs=0.2)
    await asyncio.gather(old, return_exceptions=True)


async def test_a_probe_that_is_cancelled_makes_room_for_the_next(api, open_session):
    """Otherwise no call of the session would begin again."""
    session = await open_session(retry=RetryPolicy(max_attempts=1))
    task = api.add(lives(1e6))
    refusal = Fault(status=429, headers={"Retry-After": "10"})
    api.break_calls("status", {1: refusal, 2: Fault(stall=1e6)})
    with pytest.raises(errors.RateLimitError):
        await session.tasks.get_status(task.id)
    probe = asyncio.create_task(session.tasks.get_status(task.id))
    other = asyncio.create_task(session.tasks.get(task.id))
    await asyncio.sleep(12.0)
    assert not api.times("get")

    probe.cancel()
    await other

    assert api.times("get") == [pytest.approx(12.0, abs=0.2)]


async def test_a_long_pause_is_raised_without_sending(api, session):
    """A call that will not wait for the rest of a pause fails at once, with its length."""
    task = api.add(lives(1e6))
    api.break_calls("status", {1: Fault(status=429, headers={"Retry-After": "300"})})
    with pytest.raises(errors.RateLimitError) as first:
        await session.tasks.get_status(task.id)
    await asyncio.sleep(100.0)

    with pytest.raises(errors.RateLimitError, match="was not sent") as second:
        await session.tasks.get(task.id)

    assert first.value.retry_after == 300.0
    assert second.value.retry_after == pytest.approx(200.0, abs=1.0)
    assert second.value.task_id == task.id
    assert api.count() == 1
    await asyncio.sleep(201.0)
    assert (await session.tasks.get(task.id)).id == task.id


async def test_a_longer_pause_reaches_queued_calls(api, open_session):
    """A call in the queue does not wait through pauses without end."""
    session = await open_session(retry=RetryPolicy(max_attempts=3))
    task = api.add(lives(1e6))
    api.fault = lambda _call: Fault(status=429, headers={"Retry-After": "50"})

    ended = await asyncio.gather(
        *(session.tasks.get_status(task.id) for _ in range(20)), return_exceptions=True
    )

    assert {type(each) for each in ended} == {errors.RateLimitError}
    # Three attempts, each of which queues through three pauses at most.
    assert loop_time() <= 3 * (3 * 50.0 + 55.0)


@pytest.mark.long
async def test_ten_minutes_of_503_are_asked_once_per_call(api, session):
    """The retry budget is used up, and then one call is one request."""
    api.fault = lambda _call: Fault(status=503)
    calls = 0

    async def caller() -> None:
        nonlocal calls
        while loop_time() < 600.0:
            calls += 1
            with pytest.raises(errors.InternalServerError):
                await session.tasks.get_status("t-1")
            await asyncio.sleep(5.0)

    await asyncio.gather(*(caller() for _ in range(20)))

    ratio = api.count() / calls
    assert ratio <= 1.05


async def test_successes_add_no_repetitions_beyond_the_bucket(api, open_session):
    """However many calls have succeeded, an outage gets only the repetitions of the bucket."""
    quick = RetryPolicy(budget=28.0, base_delay=0.01, max_delay=0.02)
    session = await open_session(retry=quick)
    task = api.add(lives(1e6))
    for _call in range(50):
        await session.tasks.get_status(task.id)
    api.fault = lambda _call: Fault(status=503)
    for _call in range(5):
        with pytest.raises(errors.InternalServerError):
            await session.tasks.get_status(task.id)

    assert api.count() == 50 + 5 + 2


async def test_without_a_budget_an_outage_is_asked_four_times(api, open_session):
    """The control without a budget: four requests per call."""
    session = await open_session(retry=RetryPolicy(budget=None))
    api.fault = lambda _call: Fault(status=503)

    for _ in range(50):
        with pytest.raises(errors.InternalServerError):
            await session.tasks.get_status("t-1")

    assert api.count() == 200


@pytest.mark.long
async def test_ten_percent_of_errors_are_made_good(api, open_session):
    """The budget refills with successes, so the usual errors are repeated as before."""
    succeeded = {}
    for budget in (500.0, None):
        draw = random.Random(12)
        session = await open_session(
            retry=RetryPolicy(budget=budget, base_delay=0.01, max_delay=0.02)
        )
        task = api.add(lives(1e9))
        api.fault = lambda _call, draw=draw: Fault(status=503) if draw.random() < 0.1 else None
        succeeded[budget] = await _successes(session, task.id, 2500)

    assert succeeded[500.0] >= 0.999 * 2500
    assert succeeded[500.0] >= succeeded[None] - 1


async def _successes(session: BrowserUseSession, task_id: str, count: int) -> int:
    good = 0
    for _ in range(count // 50):
        ended = await asyncio.gather(
            *(session.tasks.get_status(task_id) for _ in range(50)), return_exceptions=True
        )
        good += sum(isinstance(each, TaskStatus) for each in ended)
    return good


async def test_submissions_do_not_depend_on_the_budget(api, session):
    """An outage that emptied the bucket does not keep a lost answer from being found."""
    api.fault = lambda call: Fault(status=503) if call.route == "status" else None
    for _ in range(100):
        with pytest.raises(errors.InternalServerError):
            await session.tasks.get_status("t-1")

    def lose(call: Call) -> Fault | None:
        if call.route == "run":
            return Fault(cut=True, done=True)
        return Fault(status=503) if call.route == "list" and call.number <= 3 else None

    api.fault = lose

    handle = await session.submit("x")

    assert list(api.tasks) == [handle.id]
    assert api.count("run") == 1

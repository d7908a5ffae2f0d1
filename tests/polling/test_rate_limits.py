"""Waits of a session that a service asks to slow down."""

import asyncio
import random

import pytest

from browser_use_async import PollPolicy, TaskStatus, errors
from tests.support.fake_api import Call, FakeTask, Fault
from tests.support.fake_task import lives
from tests.support.virtual_time import loop_time

pytestmark = pytest.mark.looptime


@pytest.mark.long
async def test_a_long_retry_after_pauses_all_waits(api, session):
    """After one 429 with `Retry-After: 300`, no wait of the session sends a request for 300 s."""
    tasks = [api.add(lives(400.0)) for _ in range(40)]
    refused_at: list[float] = []

    def limit(call: Call) -> Fault | None:
        if call.at >= 30.0 and not refused_at:
            refused_at.append(call.at)
            return Fault(status=429, headers={"Retry-After": "300"})
        return None

    api.fault = limit

    ended = await asyncio.gather(*(session.wait(task.id) for task in tasks))

    assert {each.status for each in ended} == {TaskStatus.FINISHED}
    times = [at for at in api.times() if at > refused_at[0] + 0.01]
    assert min(times) >= refused_at[0] + 300.0
    # No burst afterwards: one probe, then polls spread over the policy's interval.
    after = [at for at in api.times() if refused_at[0] + 300.0 <= at < 399.0]
    peak = max(sum(1 for other in after if at <= other < at + 0.1) for at in after)
    print(f"looks in the busiest 100 ms after the pause: {peak} of {len(tasks)}")
    assert peak <= 15


@pytest.mark.long
@pytest.mark.parametrize(("shared", "count"), [(True, 100), (False, 30)], ids=["shared", "alone"])
async def test_a_limited_service_is_probed_by_one(api, open_session, count, *, shared):
    """While it keeps answering 429 with Retry-After, there is one probe per pause."""
    session = await open_session(poll=PollPolicy(shared=shared))
    tasks = [api.add(lives(1e6)) for _ in range(count)]
    api.latency = 0.05
    limited = Fault(status=429, headers={"Retry-After": "10"}, delay=0.05)
    api.fault = lambda call: limited if 5.0 <= call.at < 85.0 else None
    waits = [asyncio.create_task(session.wait(task.id, timeout=100.0)) for task in tasks]

    await asyncio.gather(*waits, return_exceptions=True)

    probes = len([at for at in api.times() if 10.0 <= at < 85.0])
    assert 6 <= probes <= 9
    assert len([at for at in api.times() if at >= 86.0]) >= (10 if shared else count)


async def test_an_absurd_retry_after_is_capped(api, session):
    """One wrong header does not stop every wait of the session for years."""
    task = api.add(lives(60.0))
    api.break_calls("status", {3: Fault(status=429, headers={"Retry-After": "99999999"})})

    ended = await session.wait(task.id)

    assert ended.status is TaskStatus.FINISHED
    assert loop_time() <= 610.0


async def test_a_pause_never_outlasts_a_deadline(api, session):
    """The wait ends on time though the service asked for a longer pause."""
    task = api.add(lives(1e6))
    api.break_calls("status", {2: Fault(status=429, headers={"Retry-After": "300"})})

    with pytest.raises(errors.WaitTimeoutError):
        await session.wait(task.id, timeout=60.0)

    assert loop_time() == pytest.approx(60.0, abs=0.05)
    assert api.count() == 2


@pytest.mark.long
@pytest.mark.parametrize("headers", [{}, {"Retry-After": "3"}], ids=["429", "Retry-After"])
@pytest.mark.parametrize("count", [5, 30, 150])
async def test_a_list_that_alone_is_limited_delays_no_wait(api, open_session, headers, count):
    """Calls for single tasks are answered, so they take the place of its pages."""
    session, draw = await open_session(), random.Random(1)
    limited = Fault(status=429, headers=headers)
    api.fault = lambda call: limited if call.route == "list" and call.at >= 5.0 else None
    tasks = [api.add(lives(draw.uniform(30.0, 250.0))) for _ in range(count)]
    late: list[float] = []

    async def wait(task: FakeTask) -> None:
        await session.wait(task.id)
        late.append(loop_time() - task.ended_at)

    await asyncio.gather(*map(wait, tasks))

    assert max(late) <= 8.0


@pytest.mark.long
@pytest.mark.parametrize("headers", [{}, {"Retry-After": "1"}], ids=["429", "Retry-After"])
async def test_a_service_that_limits_all_calls_gets_few(api, open_session, headers):
    """It answers each fifth call, and not the first pages: no wait gives up, and calls are few."""
    session, limited = await open_session(), Fault(status=429, headers=headers)
    draw = random.Random(1)

    def limit(call: Call) -> Fault | None:
        is_first_search = call.route == "list" and call.number <= 20
        return limited if is_first_search or draw.random() < 0.8 else None

    api.fault = limit
    tasks = [api.add(lives(20.0 + 13.0 * number)) for number in range(30)]

    ended = await asyncio.gather(*(session.wait(task.id) for task in tasks))

    assert {each.status for each in ended} == {TaskStatus.FINISHED}
    assert api.count() <= 1.5 * loop_time()


@pytest.mark.long
async def test_a_limited_list_is_logged_once(api, open_session, caplog):
    """Calls for single tasks are limited now and then, so the list is tried again and again."""
    session, limited = await open_session(), Fault(status=429)
    api.fault = lambda call: limited if call.route == "list" or call.number % 20 == 0 else None
    tasks = [api.add(lives(300.0)) for _ in range(30)]

    await asyncio.gather(*(session.wait(task.id) for task in tasks))

    assert api.count("list") > 10
    assert len([each for each in caplog.records if "one by one" in each.message]) >= 2
    (warning,) = [each for each in caplog.records if each.levelname == "WARNING"]
    assert "for up to 60 s instead of through the task list" in warning.message

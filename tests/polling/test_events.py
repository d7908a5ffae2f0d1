"""Waits and submissions with webhooks: events wake them at once, and never mislead them."""

import asyncio

import pytest

from browser_use_async import PollPolicy, TaskStatus, errors
from tests.support.fake_api import Call, FakeTask, Fault
from tests.support.fake_task import Source, lives
from tests.support.virtual_time import loop_time

pytestmark = pytest.mark.looptime


SLOW = PollPolicy(interval=30.0, latency_target=60.0)


async def test_an_event_wakes_a_wait_at_once(api, open_session):
    """Between the event and the return of the wait are one round trip and one request."""
    session = await open_session(poll=SLOW)
    source = Source()
    session.attach(source)
    api.latency = 0.05
    tasks = [api.add(lives(10.0 + number)) for number in range(20)]
    ended: dict[str, float] = {}

    async def wait(task: FakeTask) -> None:
        await session.wait(task.id)
        ended[task.id] = loop_time()

    waits = [asyncio.create_task(wait(task)) for task in tasks]
    await asyncio.sleep(1.0)
    asked = api.count()
    for number, task in enumerate(tasks):
        asyncio.get_running_loop().call_at(10.0 + number + 0.001, source.send, task, "finished")
    await asyncio.gather(*waits)

    delays = [ended[task.id] - 10.0 - number for number, task in enumerate(tasks)]
    assert max(delays) <= 0.06
    assert api.count("get") == 20
    assert api.count() - asked <= 20 + 2


async def test_an_event_of_a_failure_wakes_a_wait(api, open_session):
    """Also if `failed` is an event that the documentation of the API does not have."""
    session = await open_session(poll=SLOW)
    source = Source()
    session.attach(source)
    task = api.add(lives(10.0, "failed"))
    asyncio.get_running_loop().call_at(10.001, source.send, task, "failed")

    ended = await session.wait(task.id)

    assert ended.status == "failed"
    assert loop_time() <= 10.1


async def test_a_stream_gets_a_pause_at_once(api, open_session):
    """The stream gets more than ends, which are all that a wait needs."""
    session = await open_session(poll=SLOW)
    source = Source()
    session.attach(source)
    task = api.add(FakeTask(life=((0.0, "running"), (10.0, "paused"), (100.0, "finished"))))
    asyncio.get_running_loop().call_at(10.01, source.send, task, "paused")

    statuses = [(str(status), loop_time()) async for status in session.stream_status(task.id)]

    assert [status for status, _at in statuses] == ["running", "paused", "finished"]
    assert statuses[1][1] <= 10.1


@pytest.mark.parametrize("end", ["finished", "failed"])
async def test_lost_events_cost_a_poll(api, open_session, end):
    """A failed task, for example, has no event: polling finds its end."""
    session = await open_session(poll=PollPolicy(latency_target=5.0))
    session.attach(Source())
    task = api.add(lives(61.0, end))

    ended = await session.wait(task.id)

    assert ended.status == end
    assert loop_time() <= 61.0 + 5.1


@pytest.mark.parametrize("word", ["finished", "stopped", "started", "paused", "archived"])
async def test_a_wrong_event_ends_no_wait(api, session, word):
    """After an early, old or invented event the API is asked, and the wait continues."""
    source = Source()
    session.attach(source)
    task = api.add(lives(30.0))
    seen: list[TaskStatus] = []

    async def stream() -> None:
        seen.extend([status async for status in session.stream_status(task.id)])

    waits = [asyncio.create_task(session.wait(task.id)), asyncio.create_task(stream())]
    for _ in range(10):
        await asyncio.sleep(1.0)
        source.send(task, word)
    early = any(wait.done() for wait in waits)
    await asyncio.gather(*waits)

    assert not early
    assert loop_time() >= 30.0
    assert seen == ["running", "finished"]


@pytest.mark.parametrize("route", ["status", "get"])
async def test_an_event_during_a_look_is_not_missed(api, open_session, route):
    """The poll in progress may return an older state, so another one follows at once."""
    session = await open_session(poll=SLOW)
    source = Source()
    session.attach(source)
    task = api.add(lives(0.0 if route == "get" else 1e6))
    task.detail_life = ((0.0, "running"), (1.0, "finished"))
    api.break_calls(route, {1: Fault(stall=3.0, done=True)})

    wait = asyncio.create_task(session.wait(task.id))
    asyncio.get_running_loop().call_later(1.5, source.send, task, "finished")
    await wait

    assert loop_time() <= 3.5


async def test_events_of_other_tasks_cost_nothing(api, session):
    """A task without a wait is not polled."""
    source = Source()
    session.attach(source)
    await session.ping()

    for _ in range(100):
        source.send(api.add(lives(1.0)), "finished")
    await asyncio.sleep(10.0)

    assert api.count() == 1


async def test_an_event_settles_a_lost_submission(api, session):
    """The answer to run-task is lost and the list lags; the event names the task."""
    source = Source()
    session.attach(source)
    api.list_lag = 1e6
    api.make = lambda _body: lives(1e6)

    def lose(call: Call) -> Fault | None:
        if call.route == "run":
            asyncio.get_running_loop().call_later(
                20.0, lambda: source.send(next(iter(api.tasks.values())), "initializing")
            )
            return Fault(cut=True, done=True)
        return None

    api.fault = lose

    handle = await session.submit("x")

    assert list(api.tasks) == [handle.id]
    assert api.count("run") == 1
    assert loop_time() == pytest.approx(20.0, abs=0.05)


async def test_without_an_event_it_stays_unknown(api, session):
    """The control: with the same lost answer and no event the caller gets an error."""
    session.attach(Source())
    api.list_lag = 1e6
    api.break_calls("run", {1: Fault(cut=True, done=True)})

    with pytest.raises(errors.SubmissionUnknownError):
        await session.submit("x")

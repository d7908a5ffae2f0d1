"""Waits, streams, pages and webhooks for the same tasks, in virtual time."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from browser_use_async import BrowserUseSession, PollPolicy
from tests.support.fake_api import Call, FakeTask, Fault
from tests.support.fake_task import Source, lives

pytestmark = pytest.mark.looptime


def _now() -> float:
    return asyncio.get_running_loop().time()


@asynccontextmanager
async def _running(*coroutines: Any) -> AsyncIterator[list["asyncio.Task[Any]"]]:
    """Run a coroutine meanwhile."""
    tasks = [asyncio.create_task(each) for each in coroutines]
    try:
        yield tasks
    finally:
        for each in tasks:
            each.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _waits(session: BrowserUseSession, tasks: list[FakeTask]) -> list[Any]:
    return [session.wait(task.id) for task in tasks]


async def _steps(
    session: BrowserUseSession,
    task: FakeTask,
    yielded: list[int] | None = None,
    timeout: float | None = None,
) -> None:
    async for step in session.stream_steps(task.id, timeout=timeout):
        if yielded is not None:
            yielded.append(step.step)


async def _late(session: BrowserUseSession, task: FakeTask) -> float:
    """Wait for a task; return the seconds from its end to the end of the wait."""
    await session.wait(task.id)
    return _now() - task.born - task.life[-1][0]


@pytest.mark.timeout(30)
@pytest.mark.parametrize("target", [0.001, None])
async def test_pauses_shorter_than_a_tick_leave_the_loop_running(api, open_session, target):
    """Users' tests poll every millisecond: no two polls of a task happen at the same moment."""
    policy = PollPolicy(interval=0.001, latency_target=target)
    session = await open_session(poll=policy)
    api.latency = 0.01
    tasks = [api.add(lives(0.3)) for _ in range(3)]

    late = await asyncio.gather(*(_late(session, task) for task in tasks))

    assert max(late) <= 0.1


async def test_a_wait_that_is_left_alone_does_not_wait_for_a_slow_page(api, session):
    """Two waits share a page; one is cancelled, and the other one is polled alone in time."""
    tasks = [api.add(lives(10.0)) for _ in range(2)]
    slow_page = asyncio.Event()

    def fault(call: Call) -> Fault | None:
        if call.route != "list" or call.at <= 5.0:
            return None
        slow_page.set()
        return Fault(stall=40.0)

    api.fault = fault
    async with _running(_late(session, tasks[0]), session.wait(tasks[1].id)) as (kept, left):
        await slow_page.wait()
        left.cancel()
        late = await kept

    assert late <= 2.5


async def test_a_stream_of_statuses_does_not_wait_for_the_safety_net(api, session):
    """While webhooks make polls rare, a stream that joins a wait polls at once, and often."""
    source = Source()
    session.attach(source)
    source.send(api.add(lives(0.0)), "finished")
    task = api.add(FakeTask(life=((0.0, "running"), (4.0, "paused"), (10.0, "running"))))

    async with _running(session.wait(task.id)):
        await asyncio.sleep(5.0)
        yielded = []
        async for status in session.stream_status(task.id):
            yielded.append((str(status), _now()))
            if len(yielded) >= 2 and status == "running":
                break

    assert yielded[-2][0] == "paused"
    assert yielded[-2][1] <= 5.1
    assert yielded[-1][1] <= 12.1


async def test_the_live_page_of_a_task_long_paused(api, session):
    """A wait has read only its status; a program that needs more gets the whole task."""
    task = api.add(FakeTask(life=((0.0, "running"), (5.0, "paused"))))

    async with _running(session.wait(task.id)):
        await asyncio.sleep(60.0)
        url = await session.handle(task.id).wait_for_live_url(timeout=10.0)

    assert url is not None
    assert _now() <= 60.2


async def test_the_steps_taken_since_another_stream_ended(api, session):
    """The steps of an earlier stream are old; since then the task ran and is paused again."""
    task = api.add(FakeTask(life=((0.0, "paused"), (5.0, "running"), (30.0, "paused")), steps=25))

    async with _running(session.wait(task.id)):
        async with _running(_steps(session, task)):
            await asyncio.sleep(4.0)
        await asyncio.sleep(76.0)
        yielded: list[int] = []
        with pytest.raises(TimeoutError):
            await _steps(session, task, yielded, timeout=10.0)

    assert yielded == list(range(1, 26))


async def test_whole_tasks_are_wanted_during_a_status_call(api, open_session):
    """A stream that joins during a status call does not wait for the poll after it."""
    session = await open_session(poll=PollPolicy(interval=30.0, latency_target=60.0))
    api.latency = 0.5
    task = api.add(lives(1e6, live_after=0.0))

    async with _running(session.wait(task.id)):
        await asyncio.sleep(0.2)
        await session.handle(task.id).wait_for_live_url()

    assert _now() <= 2.0


async def test_pages_do_not_outdate_the_steps_of_a_slow_reply(api, session):
    """Pages have newer statuses than a get that takes three seconds, but no steps."""
    tasks = [api.add(lives(1e6)) for _ in range(20)]
    api.fault = lambda call: Fault(stall=3.0) if call.route == "get" else None

    async with _running(*_waits(session, tasks)):
        await asyncio.sleep(10.0)
        begin = _now()
        async for _ in session.stream_steps(tasks[0].id):
            break

    assert _now() - begin <= 4.0


@pytest.mark.long
async def test_many_streams_do_not_keep_waits_from_being_polled(api, session):
    """Streams need more calls than there are slots; ten waits need one page in two seconds."""
    api.latency = 1.0
    streamed = [api.add(lives(1e6)) for _ in range(300)]
    tasks = [api.add(lives(30.0 + number)) for number in range(10)]

    async with _running(*(_steps(session, task) for task in streamed)):
        late = await asyncio.gather(*(_late(session, task) for task in tasks))

    assert sorted(late)[-2] <= 5.0
    assert max(late) <= 8.0  # the last one shares no page, and has its turn among the streams


@pytest.mark.long
async def test_an_event_overtakes_the_polls_that_are_queued(api, session):
    """A stream whose next poll waits for a slot ends soon after the event of its end."""
    source = Source()
    session.attach(source)
    api.latency = 1.0
    streamed = [api.add(lives(1e6)) for _ in range(300)]
    tasks = [api.add(lives(30.0 + 0.3 * number)) for number in range(20)]

    async def late(task: FakeTask) -> float:
        async for _ in session.stream_status(task.id):
            pass
        return _now() - task.life[-1][0]

    for task in tasks:
        asyncio.get_running_loop().call_at(task.life[-1][0], source.send, task, "finished")
    async with _running(*(_steps(session, task) for task in streamed)):
        delays = await asyncio.gather(*map(late, tasks))

    assert max(delays) <= 3.2


@pytest.mark.long
@pytest.mark.parametrize("count", [20, 400])
async def test_an_outage_is_no_storm_while_the_list_is_not_read(api, session, count):
    """Tasks that are polled one by one are polled less often while no answer comes."""
    tasks = [api.add(lives(100.0)) for _ in range(count)]

    def fault(call: Call) -> Fault | None:
        if 30.0 <= call.at < 60.0:
            return Fault(cut=True)
        return Fault(status=503) if call.route == "list" else None

    api.fault = fault
    late = await asyncio.gather(*(_late(session, task) for task in tasks))

    calls = sum(30.0 <= at < 60.0 for at in api.times())
    print(f"{count} waits: {calls} calls in 30 s of outage")
    # Without an outage it would be 6,000 for 400 tasks: the margin is about one round for answers
    # that a busy machine delays while virtual time goes on.
    assert calls <= 200 + 2.5 * count
    assert max(late) <= 2.2
    back = {at for task in tasks for at in api.reported[task.id] if at >= 60.0}
    assert min(back) <= 71.0


async def test_the_last_of_two_waits_keeps_its_long_pause(api, session):
    """While webhooks arrive no task is polled before half of the safety interval has passed."""
    source = Source()
    session.attach(source)
    source.send(api.add(lives(0.0)), "finished")
    tasks = [api.add(lives(10.0)), api.add(lives(1e6))]

    async with _running(session.wait(tasks[1].id)):
        asyncio.get_running_loop().call_at(10.01, source.send, tasks[0], "finished")
        await session.wait(tasks[0].id)
        await asyncio.sleep(18.0)

    assert [at for at in api.reported[tasks[1].id] if at > 1.0] == []


async def test_a_wait_for_an_older_task_of_the_session_polls_at_once(api, session):
    """It may have ended long ago, however many other tasks have waits."""
    others = [api.add(lives(1e6)) for _ in range(300)]

    async with _running(*_waits(session, others)):
        for _ in range(5):
            api.next_tasks = [lives(5.0)]
            handle = await session.submit("x")
            await asyncio.sleep(7.3)
            begin = _now()
            await handle.wait()
            assert _now() - begin <= 0.1


async def test_an_end_that_is_found_twice_was_reported(api, session):
    """A webhook has reported the end, so that a second wait does not make polls frequent."""
    source = Source()
    session.attach(source)
    source.send(api.add(lives(0.0)), "finished")
    other = api.add(lives(1e6))
    api.next_tasks = [lives(5.0)]
    handle = await session.submit("x")
    asyncio.get_running_loop().call_at(5.01, source.send, api.tasks[handle.id], "finished")

    async with _running(session.wait(other.id)):
        await handle.wait()
        await handle.wait()
        before = len(api.reported[other.id])
        await asyncio.sleep(40.0)

    assert len(api.reported[other.id]) - before <= 1

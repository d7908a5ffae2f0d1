"""Streams of statuses and steps, live URLs, and waits for many tasks."""

import asyncio
import contextlib
import gc
from collections.abc import AsyncIterable, Callable
from typing import Any

import pytest

from browser_use_async import BrowserUseSession, PollPolicy, TaskStatus, errors
from tests.support.fake_api import Call, FakeTask, Fault
from tests.support.fake_task import lives
from tests.support.hygiene import LIVE_TOKEN
from tests.support.virtual_time import loop_time

pytestmark = pytest.mark.looptime


async def _fill(items: list[Any], stream: AsyncIterable[Any]) -> None:
    async for item in stream:
        items.append(item)  # noqa: PERF401 - what came before an error counts


def _first_is_slow(route: str, since: float) -> Callable[[Call], Fault | None]:
    slow: list[Call] = []

    def fault(call: Call) -> Fault | None:
        if call.route != route or call.at < since or slow:
            return None
        slow.append(call)
        return Fault(stall=8.0)

    return fault


async def _statuses(session: BrowserUseSession, task_id: str) -> list[str]:
    return [str(status) async for status in session.stream_status(task_id)]


async def test_statuses_come_once_each(api, session):
    """An unchanged status is yielded once, and the stream ends after the terminal one."""
    task = api.add(FakeTask(life=((0.0, "created"), (4.0, "running"), (300.0, "failed"))))

    statuses_seen = [str(status) async for status in session.stream_status(task.id)]

    assert statuses_seen == ["created", "running", "failed"]


async def test_flapping_statuses_are_changes(api, session):
    """A status that returns is a change each time."""
    life = tuple((20.0 * number, ("running", "paused")[number % 2]) for number in range(5))
    task = api.add(FakeTask(life=(*life, (100.0, "stopped"))))

    statuses_seen = [str(status) async for status in session.stream_status(task.id)]

    assert statuses_seen == ["running", "paused", "running", "paused", "running", "stopped"]


@pytest.mark.parametrize(("route", "count"), [("status", 1), ("list", 2)])
async def test_a_slow_reply_takes_no_status_back(api, session, route, count):
    """A reply to a request from before the pause comes after another poll has seen the pause."""
    life = ((0.0, "running"), (10.0, "paused"), (30.0, "finished"))
    tasks = [api.add(FakeTask(life=life)) for _ in range(count)]
    api.fault = _first_is_slow(route, 8.0)
    statuses_seen = await asyncio.gather(*(_statuses(session, task.id) for task in tasks))

    assert statuses_seen == [["running", "paused", "finished"]] * count


async def test_closing_a_stream_stops_its_polls(api, session):
    """After `aclose()` there are no requests any more."""
    task = api.add(lives(1e6))
    stream = session.stream_status(task.id)
    assert await anext(stream) == "running"
    await stream.aclose()
    before = api.count()

    await asyncio.sleep(600.0)

    assert api.count() == before


async def test_closing_a_stream_during_a_look_ends_the_look(api, session):
    """A request without a consumer is cancelled, not awaited."""
    task = api.add(lives(1e6))
    stream = session.stream_status(task.id)
    await anext(stream)
    api.latency = 20.0
    await asyncio.sleep(5.0)
    assert api.in_flight == 2  # the poll, and one more since its reply takes too long

    await stream.aclose()
    await asyncio.sleep(0.1)

    assert api.in_flight == 0


async def test_a_slow_consumer_has_no_backlog(api, session):
    """A consumer that returns after five changes gets the latest status, then the end."""
    life = tuple((10.0 * number, ("running", "paused")[number % 2]) for number in range(10))
    task = api.add(FakeTask(life=(*life, (200.0, "finished"))))
    statuses_seen: list[str] = []

    async for status in session.stream_status(task.id):
        statuses_seen.append(str(status))
        await asyncio.sleep(57.0)

    assert statuses_seen == ["running", "paused", "finished"]


async def test_a_consumer_that_sleeps_past_the_end_gets_it(api, session):
    """It gets the terminal status even if the deadline passed while it worked."""
    task = api.add(lives(30.0))
    statuses_seen: list[str] = []

    async for status in session.stream_status(task.id, timeout=60.0):
        statuses_seen.append(str(status))
        await asyncio.sleep(500.0)

    assert statuses_seen == ["running", "finished"]


async def test_a_consumer_that_breaks_leaves_nothing(api, session):
    """`break` and an exception in the loop both end the polling."""
    task = api.add(lives(1e6))

    async for _status in session.stream_status(task.id):
        break

    async def fail() -> None:
        async for _step in session.stream_steps(task.id):
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await fail()
    gc.collect()
    await asyncio.sleep(1.0)
    before = api.count()
    await asyncio.sleep(600.0)

    assert api.count() == before


async def test_a_stream_times_out(api, session):
    """A stream's timeout raises as a wait's does, at the deadline."""
    task = api.add(lives(1e6))
    statuses_seen: list[str] = []

    with pytest.raises(errors.WaitTimeoutError):
        await _fill(statuses_seen, session.stream_status(task.id, timeout=40.0))

    assert statuses_seen == ["running"]
    assert loop_time() == pytest.approx(40.0, abs=0.05)


async def test_steps_come_once_and_in_order(api, session):
    """Each step is yielded once, in order, and the stream ends with the task."""
    task = api.add(lives(60.0, steps=20, step_seconds=2.5))

    numbers = [step.step async for step in session.stream_steps(task.id)]

    assert numbers == list(range(1, 21))
    assert api.count("status") == 0  # the whole task has its status too


async def test_steps_go_on_after_a_known_one(api, session):
    """`after=` leaves out the steps up to that number, for a stream after a restart."""
    task = api.add(lives(60.0, steps=20, step_seconds=2.5))

    numbers = [step.step async for step in session.handle(task.id).stream_steps(after=17)]

    assert numbers == [18, 19, 20]


async def test_odd_step_lists_repeat_nothing(api, session):
    """A list that shrinks, shuffles and repeats yields each number once, ascending."""

    def steps(age: float) -> list[int]:
        lists = ([1, 2, 3], [1], [], [4, 2, 1, 3], [3, 3, 5, 5, 1], [2, 1], [7, 6, 5, 1])
        return lists[min(int(age / 10.0), len(lists) - 1)]

    task = api.add(lives(75.0, steps=steps))

    numbers = [step.step async for step in session.stream_steps(task.id)]

    assert numbers == [1, 2, 3, 4, 5, 6, 7]


async def test_ten_thousand_steps(api, session):
    """A very long list is yielded completely."""
    task = api.add(lives(0.0, steps=lambda _age: range(1, 10_001)))

    numbers = [step.step async for step in session.stream_steps(task.id)]

    assert numbers == list(range(1, 10_001))


async def test_two_streams_of_a_task_cost_one_poll(api, session):
    """A stream of steps and one of statuses share each poll; one alone costs the same."""
    task = api.add(lives(100.0, steps=10, step_seconds=5.0))

    async def statuses() -> list[str]:
        return [str(status) async for status in session.stream_status(task.id)]

    async def steps() -> list[int]:
        return [step.step async for step in session.stream_steps(task.id)]

    first, second, third = await asyncio.gather(statuses(), steps(), steps())

    assert first == ["running", "finished"]
    assert second == third == list(range(1, 11))
    assert api.count("status") == 0
    alone = 60  # polls of one stream: every 1 to 2 s for 100 s
    assert api.count("get") <= alone


async def test_a_stream_of_steps_that_joins_is_served_at_once(api, open_session):
    """It joins a wait that reads statuses only, and does not wait for the next regular poll."""
    policy = PollPolicy(interval=500.0, latency_target=500.0)
    session = await open_session(poll=policy)
    task = api.add(lives(1e6, steps=3))
    wait = asyncio.create_task(session.wait(task.id))
    await asyncio.sleep(100.0)

    async with contextlib.aclosing(session.stream_steps(task.id)) as stream:
        first = await anext(stream)

    assert first.step == 1
    assert loop_time() <= 101.0
    wait.cancel()
    await asyncio.gather(wait, return_exceptions=True)


@pytest.mark.long
async def test_paused_tasks_show_late_steps(api, session):
    """A step in progress at the pause is yielded during the pause."""
    life = ((0.0, "running"), (10.0, "paused"), (500.0, "finished"))
    task = api.add(FakeTask(life=life, steps=lambda age: [1, 2] if age > 15.0 else [1]))

    at = [loop_time() async for _step in session.stream_steps(task.id)]

    assert len(at) == 2
    assert at[1] <= 18.0


async def test_the_live_url_is_waited_for(api, session):
    """`wait_for_live_url` returns as soon as the task can be watched."""
    task = api.add(lives(300.0, live_after=12.0))

    url = await session.handle(task.id).wait_for_live_url()

    assert url == f"https://live.example.com/{task.id}?token={LIVE_TOKEN}"
    assert 12.0 <= loop_time() <= 14.1


async def test_a_task_without_a_live_url_ends_the_wait_for_it(api, session):
    """A task that ended without one gives None; one that goes on without one times out."""
    ended, alive = api.add(lives(5.0, live_after=None)), api.add(lives(1e6, live_after=None))

    assert await session.handle(ended.id).wait_for_live_url() is None
    with pytest.raises(errors.WaitTimeoutError):
        await session.handle(alive.id).wait_for_live_url(timeout=30.0)


async def test_a_stream_survives_an_outage(api, session):
    """A short outage is not visible in a stream."""
    task = api.add(lives(100.0, steps=10, step_seconds=9.0))
    api.fault = lambda call: Fault(cut=True) if 20.0 <= call.at < 60.0 else None

    numbers = [step.step async for step in session.stream_steps(task.id)]

    assert numbers == list(range(1, 11))


async def test_a_handle_travels_as_text(api, open_session):
    """`to_token` and `session.handle` are inverse, an id is its own token."""
    session = await open_session()
    task = api.add(lives(3.0))
    token = session.handle(task.id).to_token()

    other = await open_session()
    handle = other.handle(token)

    assert handle.id == task.id
    assert (await handle.wait()).status is TaskStatus.FINISHED
    assert await handle.get_status() is TaskStatus.FINISHED
    for nothing in ("", "bu-task.1.", None):
        with pytest.raises(errors.InvalidRequestError):
            session.handle(nothing)  # type: ignore[arg-type]

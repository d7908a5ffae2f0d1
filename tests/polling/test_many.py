"""Waiting for many tasks at once."""

import asyncio
from collections.abc import AsyncIterable
from typing import Any

import pytest

from browser_use_async import Task, errors
from tests.support.fake_api import Fault
from tests.support.fake_task import lives
from tests.support.virtual_time import loop_time

pytestmark = pytest.mark.looptime


async def _fill(items: list[Any], stream: AsyncIterable[Any]) -> None:
    async for item in stream:
        items.append(item)  # noqa: PERF401 - what came before an error counts


async def test_many_tasks_come_as_they_end(api, session):
    """`wait_many` returns each task once, in the order of their ends, also one named twice."""
    tasks = [api.add(lives(100.0 - 10.0 * number)) for number in range(8)]
    ids = [task.id for task in tasks]

    ended = [task.id async for task in session.wait_many([*ids, ids[0]])]

    assert ended == ids[::-1]


async def test_many_tasks_with_a_slow_consumer(api, session):
    """Tasks that end while the consumer works are returned, even past the deadline."""
    tasks = [api.add(lives(10.0 + number)) for number in range(5)]
    ended: list[str] = []

    async for task in session.wait_many([task.id for task in tasks], timeout=60.0):
        ended.append(task.id)
        await asyncio.sleep(50.0)

    assert sorted(ended) == sorted(task.id for task in tasks)


async def test_many_tasks_time_out_together(api, session):
    """The tasks that ended in time are returned; then the error has the number of the others."""
    tasks = [api.add(lives(length)) for length in (5.0, 1e6, 1e6)]
    ended: list[Task] = []

    with pytest.raises(errors.WaitTimeoutError, match="1 more"):
        await _fill(ended, session.wait_many([task.id for task in tasks], timeout=30.0))

    assert [task.id for task in ended] == [tasks[0].id]
    assert loop_time() == pytest.approx(30.0, abs=0.05)
    before = api.count()
    await asyncio.sleep(100.0)
    assert api.count() == before


async def test_many_tasks_that_have_ended_come_before_the_timeout(api, session):
    """A late consumer gets what has ended meanwhile, and then the error about the others."""
    tasks = [api.add(lives(end, id=name)) for name, end in (("a", 5.0), ("b", 1e6), ("c", 40.0))]
    ended: list[str] = []

    async def consume() -> None:
        async for task in session.wait_many([task.id for task in tasks], timeout=30.0):
            ended.append(task.id)
            await asyncio.sleep(50.0)

    with pytest.raises(errors.WaitTimeoutError) as caught:
        await consume()

    assert ended == ["a", "c"]
    assert caught.value.task_id == "b"


async def test_many_tasks_end_with_the_first_refusal(api, session):
    """A task that cannot be awaited raises, and the others are not polled any more."""
    task = api.add(lives(1e6))

    with pytest.raises(errors.NotFoundError) as caught:
        await _fill([], session.wait_many([task.id, "missing"]))

    assert caught.value.task_id == "missing"


@pytest.mark.parametrize("by_handle", [True, False], ids=["handle", "id"])
@pytest.mark.parametrize("way", ["wait", "wait_many"])
async def test_own_tasks_sit_out_an_outage(api, session, by_handle, way):
    """A task that this session has created exists, though no wait has read it yet."""
    handles = [await session.submit("Buy milk"), await session.submit("Buy tea")]
    given = handles if by_handle else [each.id for each in handles]
    api.fault = lambda call: Fault(status=503) if call.at < 100.0 else None

    if way == "wait":
        ended = [await session.wait(each) for each in given]
    else:
        ended = [task async for task in session.wait_many(given)]

    assert {task.id for task in ended} == {each.id for each in handles}
    assert loop_time() > 100.0


async def test_own_tasks_may_be_missing_at_first(api, session):
    """`wait_many` of handles accepts, like their own waits, that a new task is not readable yet."""
    handle = await session.submit("Buy milk")
    missing = Fault(status=404, body='{"detail": "Task not found"}')
    api.fault = lambda call: missing if call.at < 5.0 else None

    ended = [task async for task in session.wait_many([handle])]

    assert [task.id for task in ended] == [handle.id]


async def test_no_tasks_are_no_wait(api, session):
    """`wait_many` without tasks ends at once; a single string is refused."""
    assert [task async for task in session.wait_many([])] == []
    with pytest.raises(errors.InvalidRequestError):
        await anext(session.wait_many("abc"))  # not the tasks a, b and c
    assert api.count() == 0


async def test_breaking_out_of_many_tasks_lets_them_go(api, session):
    """Closing `wait_many` ends the polls of all remaining tasks."""
    tasks = [api.add(lives(length)) for length in (5.0, 1e6, 1e6)]
    stream = session.wait_many([task.id for task in tasks])
    await anext(stream)
    await stream.aclose()
    before = api.count()

    await asyncio.sleep(100.0)

    assert api.count() == before

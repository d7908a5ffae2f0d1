"""What thousands of waits share, and what they release."""

import asyncio
import gc
import sys
from collections import Counter
from types import FrameType
from typing import Any

import pytest

from browser_use_async import PollPolicy, Task
from browser_use_async.polling.watched_task import Subscriber, WatchedTask
from tests.support.fake_api import Fault
from tests.support.fake_task import lives

pytestmark = pytest.mark.looptime


@pytest.mark.long
async def test_the_deadlines_of_all_waits_take_no_timers_of_their_own(api, session, monkeypatch):
    """None of three hundred waits for one task sets a timer, and each one ends on time."""
    task = api.add(lives(1e6))
    loop = asyncio.get_running_loop()
    timers: list[float] = []
    call_at = loop.call_at

    def counted(when: float, *rest: Any, **more: Any) -> asyncio.TimerHandle:
        timers.append(when)
        return call_at(when, *rest, **more)

    monkeypatch.setattr(loop, "call_at", counted)

    async def wait(timeout: float) -> float:
        with pytest.raises(TimeoutError):
            await session.wait(task.id, timeout=timeout)
        return loop.time() - timeout

    waits = [asyncio.create_task(wait(100.0 + number / 10)) for number in range(300)]
    await asyncio.sleep(0)

    assert sum(when >= 100.0 for when in timers) <= 1
    assert await asyncio.gather(*waits) == pytest.approx([0.0] * 300, abs=0.05)


async def test_deadlines_in_any_order_are_kept(api, session):
    """The first deadline may come last, and other waits may have left before."""
    tasks = [api.add(lives(30.0 if number % 3 == 0 else 1e6)) for number in range(60)]

    async def wait(task_id: str, timeout: float) -> float:
        try:
            await session.wait(task_id, timeout=timeout)
        except TimeoutError:
            return asyncio.get_running_loop().time() - timeout
        return 0.0

    timeouts = [60.0 + (number * 37) % 60 for number in range(60)]
    ends = await asyncio.gather(*map(wait, [task.id for task in tasks], timeouts))

    assert ends == pytest.approx([0.0] * 60, abs=0.05)


@pytest.mark.long
async def test_ended_waits_are_released(api, open_session):
    """While one wait goes on, nothing is kept of 400 that have ended with hours left."""
    session = await open_session(poll=PollPolicy(timeout=8 * 3600.0))
    going_on = asyncio.create_task(session.wait(api.add(lives(1e6)).id))
    await asyncio.gather(*(session.wait(api.add(lives(20.0)).id) for _ in range(400)))
    await asyncio.sleep(10.0)

    gc.collect()
    kept = Counter(type(each) for each in gc.get_objects())

    assert kept[Task] == 0
    assert kept[WatchedTask] == 1
    assert kept[Subscriber] == 1
    going_on.cancel()


@pytest.mark.long
async def test_tasks_of_pages_under_way_cost_no_work(api, session):
    """While pages are slow, a thousand tasks in them are not visited again and again."""
    waits = [asyncio.create_task(session.wait(api.add(lives(1e6)).id)) for _ in range(1000)]
    await asyncio.sleep(10.0)
    api.fault = lambda call: Fault(delay=4.0) if call.route == "list" else None
    calls = 0

    def count(frame: FrameType, event: str, _argument: object) -> None:
        nonlocal calls
        calls += event == "call" and "browser_use_async/polling/" in frame.f_code.co_filename

    before = api.count("list", "status")
    sys.setprofile(count)
    await asyncio.sleep(40.0)
    sys.setprofile(None)
    for wait in waits:
        wait.cancel()
    await asyncio.wait(waits)

    # For each of the hundred tasks of a page some visits, and none for each other request.
    assert calls / (api.count("list", "status") - before) < 5000

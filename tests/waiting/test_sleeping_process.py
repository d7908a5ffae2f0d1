"""A process that did not run for a while, as a laptop that slept: in real time."""

import asyncio
import time
from collections.abc import Callable

import pytest

from browser_use_async import PollPolicy, errors
from tests.api_bench import OpenSession
from tests.fake_api import FakeApi
from tests.waiting.test_polling import lives

EVERY = 0.02
SLEEP = 30 * EVERY


@pytest.mark.case("D21")
async def test_missed_looks_are_not_made_up_for(
    api: FakeApi, open_session: OpenSession, figure: Callable[[str], None]
):
    """D21: after a sleep of thirty intervals each task is looked at once, then as ever."""
    session = await open_session(poll=PollPolicy(interval=EVERY, growth=1.0, jitter=0.0))
    tasks = [api.add(lives(1e6)) for _ in range(4)]
    waits = [asyncio.create_task(session.wait(task.id)) for task in tasks]
    await asyncio.sleep(5 * EVERY)

    time.sleep(SLEEP)  # noqa: ASYNC251 - the sleep of the process
    woke, before = time.perf_counter(), api.count()
    await asyncio.sleep(3 * EVERY)
    passed = (time.perf_counter() - woke) / EVERY
    looks = api.count() - before
    for wait in waits:
        wait.cancel()
    await asyncio.gather(*waits, return_exceptions=True)

    # One that was under way, one at once, then one per interval.
    assert looks <= len(tasks) * (2 + passed)
    figure(f"{looks} looks at {len(tasks)} tasks after 30 missed ones each")


@pytest.mark.case("D21")
async def test_a_deadline_that_passed_during_the_sleep(api: FakeApi, open_session: OpenSession):
    """D21: the wait ends as soon as the process runs again, however much there is to look at."""
    session = await open_session(poll=PollPolicy(interval=EVERY, growth=1.0, jitter=0.0))
    tasks = [api.add(lives(1e6)) for _ in range(4)]
    waits = [asyncio.create_task(session.wait(task.id, timeout=0.3)) for task in tasks]
    await asyncio.sleep(0.1)

    time.sleep(SLEEP)  # noqa: ASYNC251 - the sleep of the process
    woke = time.perf_counter()
    ended = await asyncio.gather(*waits, return_exceptions=True)

    assert time.perf_counter() - woke <= 0.1
    assert [type(error) for error in ended] == [errors.WaitTimeoutError] * 4

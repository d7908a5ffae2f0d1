"""A process that did not run for a while, as on a laptop that slept: the loop's clock jumps."""

import asyncio
from typing import Any

import pytest

from browser_use_async import PollPolicy, errors
from browser_use_async.transport.config import Runtime
from tests.support.chance import NoChance
from tests.support.fake_task import lives
from tests.support.virtual_time import lose

pytestmark = pytest.mark.looptime

EVERY = 2.0
SLEEP = 30 * EVERY
# One poll per task in each interval, to the millisecond.
ALONE: dict[str, Any] = {
    "poll": PollPolicy(interval=EVERY, latency_target=EVERY, shared=False),
    "runtime": Runtime(rng=NoChance()),
}


async def test_missed_polls_are_not_made_up_for(api, open_session):
    """After a sleep of thirty intervals each task is polled at once, then as usual."""
    session = await open_session(**ALONE)
    tasks = [api.add(lives(1e6)) for _ in range(4)]
    waits = [asyncio.create_task(session.wait(task.id)) for task in tasks]
    await asyncio.sleep(5.5 * EVERY)

    before = api.count()
    lose(SLEEP)
    await asyncio.sleep(3.5 * EVERY)
    looks = api.count() - before
    for wait in waits:
        wait.cancel()
    await asyncio.gather(*waits, return_exceptions=True)

    assert before == len(tasks) * 6
    assert looks == len(tasks) * 4  # one at once, then one per interval


async def test_a_deadline_that_passed_during_the_sleep(api, open_session):
    """The wait ends as soon as the process runs again, however many polls are due."""
    session = await open_session(**ALONE)
    tasks = [api.add(lives(1e6)) for _ in range(4)]
    just_passed = 5 * EVERY + SLEEP - 0.5
    waits = [asyncio.create_task(session.wait(task.id, timeout=just_passed)) for task in tasks]
    await asyncio.sleep(5 * EVERY)

    lose(SLEEP)
    loop = asyncio.get_running_loop()
    woke = loop.time()
    ended = await asyncio.gather(*waits, return_exceptions=True)

    assert loop.time() - woke <= 0.05
    assert [type(error) for error in ended] == [errors.WaitTimeoutError] * 4

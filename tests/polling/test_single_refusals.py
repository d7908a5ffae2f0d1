"""A service that answers some calls with 429 and asks for no pause."""

import asyncio
import random

import pytest

from tests.support.fake_api import FakeTask, Fault
from tests.support.fake_task import lives
from tests.support.virtual_time import loop_time

pytestmark = [pytest.mark.looptime, pytest.mark.long]


async def test_a_page_that_is_refused_now_and_then_is_asked_for_again(api, session):
    """A fifth of the calls is refused, and hundreds of waits end hardly later than without."""
    api.latency, chance, rng = 0.1, random.Random(1), random.Random(1)
    api.fault = lambda _call: Fault(status=429, delay=0.1) if chance.random() < 0.2 else None
    tasks = [api.add(lives(rng.uniform(20.0, 200.0))) for _ in range(300)]

    async def wait(task: FakeTask) -> float:
        await session.wait(task.id)
        return loop_time() - task.born - task.life[-1][0]

    delays = await asyncio.gather(*map(wait, tasks))

    assert sum(delays) / len(delays) <= 1.3
    assert api.count() <= 4.5 * len(tasks)

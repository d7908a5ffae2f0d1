"""A task list whose rows are sometimes out of order, repeated or missing."""

import asyncio
import random
from typing import Any

import pytest

from tests.support.fake_api import FakeTask
from tests.support.fake_task import lives

pytestmark = [pytest.mark.looptime, pytest.mark.long, pytest.mark.timeout(300)]


def _flickering(shuffled: float, twice: float, missing: float) -> Any:
    rng = random.Random(3)

    def flicker(rows: list[FakeTask]) -> list[FakeTask]:
        rows = list(rows)
        if rows and rng.random() < twice:
            at = rng.randrange(len(rows))
            rows = [*rows[:at], rows[at], *rows[at:]][: len(rows)]
        if rows and rng.random() < missing:
            del rows[rng.randrange(len(rows))]
        if rng.random() < shuffled:
            rng.shuffle(rows)
        return rows

    return flicker


@pytest.mark.parametrize(
    ("count", "longest", "most"),
    [
        (200, 700.0, 7.0),
        pytest.param(1000, 1700.0, 17.0, marks=[pytest.mark.nightly, pytest.mark.timeout(900)]),
    ],
)
async def test_rows_out_of_order_are_read_nonetheless(api, open_session, count, longest, most):
    """A missing row is read again, at that cost only, and no wait ends later."""
    api.page_lies = _flickering(shuffled=0.3, twice=0.2, missing=0.2)
    rng, session = random.Random(2), await open_session()
    tasks = [api.add(lives(rng.uniform(20.0, longest))) for _ in range(count)]

    async def wait(task: FakeTask) -> float:
        ended = await session.wait(task.id)
        assert ended.id == task.id
        return asyncio.get_running_loop().time() - task.born - task.life[-1][0]

    delays = sorted(await asyncio.gather(*map(wait, tasks)))
    requests = api.count("list", "status") / count

    assert requests <= most  # about half of it if the list is in order
    assert delays[int(0.99 * count)] <= 2.2

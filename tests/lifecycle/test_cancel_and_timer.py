"""A cancellation and a timeout in one turn of the loop."""

import asyncio

import pytest

from tests.lifecycle.orphans import cancelled, forever, orphans
from tests.support.virtual_time import lose

pytestmark = pytest.mark.looptime


@pytest.mark.parametrize("shift", [-0.01, 0.01], ids=["cancelled first", "timer first"])
async def test_a_cancellation_wins_over_the_timeout(api, session, shift):
    """Of 50 calls that are cancelled in the turn of their timeout, none loses the cancellation."""
    api.make = forever
    loop = asyncio.get_running_loop()
    began = loop.time()
    runs = [
        asyncio.create_task(session.run_and_wait("x", timeout=0.6, on_timeout="leave"))
        for _ in range(50)
    ]
    for run in runs:
        loop.call_at(began + 0.6 + shift, run.cancel)
    loop.call_at(began + 0.55, lose, 0.1)

    ended = [await cancelled(run) for run in runs]

    assert ended.count(True) == 50
    assert not orphans(api)


async def test_an_outer_timeout_in_the_turn_of_the_inner_one(api, session):
    """Where both timeouts are due in one turn, the outer one is raised."""
    task = api.add(forever())
    loop = asyncio.get_running_loop()
    loop.call_later(0.15, lose, 0.1)

    async def wait(inner: float) -> bool:
        with pytest.raises(TimeoutError) as caught:
            async with asyncio.timeout(0.2) as outer:
                await session.wait(task.id, timeout=inner)
        return outer.expired() and type(caught.value) is TimeoutError

    ended = await asyncio.gather(*(wait(inner) for inner in [0.19, 0.2, 0.21] * 20))

    assert ended == [True] * 60

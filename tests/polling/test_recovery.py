"""How soon waits continue when a service is back, and pauses that would end too late."""

import asyncio
import itertools
import math
import time

import pytest

from browser_use_async import RetryPolicy, TaskStatus, errors
from tests.support.fake_api import Fault
from tests.support.fake_task import lives
from tests.support.virtual_time import loop_time

pytestmark = pytest.mark.looptime

LONGEST_PAUSE = 10.0  # seconds between two polls of a service that fails
AFTER_A_PAUSE = 4.0  # seconds until all waits have polled again
SEEN = 3.0  # seconds within which each task has been polled
OUTAGES = {
    "errors": Fault(status=503),
    "cut connections": Fault(cut=True),
    "429 without a word about when": Fault(status=429),
}


@pytest.mark.long
@pytest.mark.parametrize(
    "outage",
    [
        pytest.param(outage, marks=[] if outage == "errors" else [pytest.mark.torture])
        for outage in OUTAGES
    ],
)
async def test_the_first_answer_of_a_recovered_service_is_not_missed_for_long(api, session, outage):
    """40 waits in outages of up to five minutes see the end of their task within one pause."""
    took: list[float] = []
    firsts: list[float] = []

    for seconds in (20.0, 75.0, 300.0):
        tasks = [api.add(lives(SEEN + seconds / 2)) for _ in range(40)]
        waits = [asyncio.create_task(session.wait(task.id)) for task in tasks]
        await asyncio.sleep(SEEN)  # a task that was never seen is not awaited in an outage
        back = loop_time() + seconds
        api.fault = lambda call, back=back: OUTAGES[outage] if call.at < back else None
        firsts.append(math.inf)
        for wait in asyncio.as_completed(waits):
            assert (await wait).status is TaskStatus.FINISHED
            took.append(loop_time() - back)
            firsts[-1] = min(firsts[-1], took[-1])

    assert min(took) >= 0
    assert max(firsts) <= LONGEST_PAUSE + 2.0  # the last poll round may take longer
    # Where the list recovers a moment after the status calls, the others are polled one by one.
    assert max(took) <= LONGEST_PAUSE + AFTER_A_PAUSE + 0.5


@pytest.mark.parametrize("asked", [True, False], ids=["asked for", "drawn"])
async def test_a_pause_that_would_end_after_the_deadline_is_not_begun(api, open_session, *, asked):
    """10 s are left and the pause would take 11 s or more: the error is raised at once."""
    retry = RetryPolicy() if asked else RetryPolicy(base_delay=1e6, max_delay=1e6)
    session = await open_session(retry=retry)
    api.break_calls("run", {0: Fault(status=429, headers={"Retry-After": "11"} if asked else {})})

    with pytest.raises(errors.RateLimitError) as caught:
        await session.run_and_wait("Buy milk", timeout=10.0)

    assert loop_time() <= 0.05
    assert caught.value.retry_after == (11.0 if asked else None)
    assert api.count() == 1


async def test_pauses_end_before_the_deadline(api, session):
    """Attempts go on while there is time for one more, and never beyond."""
    api.break_calls("run", {0: Fault(status=429, headers={"Retry-After": "4"})})

    with pytest.raises(errors.RateLimitError):
        await session.run_and_wait("Buy milk", timeout=10.0)

    assert api.count("run") == 3
    assert loop_time() <= 10.05


@pytest.mark.parametrize("jump", [-3600, 3600])
async def test_a_jump_of_the_wall_clock_moves_no_deadline(api, session, monkeypatch, jump):
    """The clock jumps in the middle of a wait, which polls as often and ends as before."""
    loop = asyncio.get_running_loop()
    monkeypatch.setattr(time, "time", lambda: 2e9 + loop.time() + jump * (loop.time() >= 30.0))
    task = api.add(lives(1e6))

    with pytest.raises(errors.WaitTimeoutError):
        await session.wait(task.id, timeout=60.0)

    looks = api.times("status")
    moved = abs(loop_time() - 60.0)
    assert moved <= 0.05
    assert max(later - one for one, later in itertools.pairwise(looks)) <= 2.5

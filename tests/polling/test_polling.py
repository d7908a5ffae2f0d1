"""The cost of a wait, and its delay, in virtual time."""

import asyncio
import itertools
import random

import pytest

from browser_use_async import PollPolicy, TaskStatus
from browser_use_async.transport.config import Runtime
from tests.support.chance import NoChance
from tests.support.fake_api import Fault
from tests.support.fake_task import lives

pytestmark = pytest.mark.looptime


@pytest.mark.long
@pytest.mark.timeout(180)
async def test_half_an_hour_of_polling(api, session):
    """A 30-minute task is polled until 2 s after its end at most, by a thousand small requests."""
    task = api.add(lives(1800.0))

    ended = await session.wait(task.id)

    assert ended.status is TaskStatus.FINISHED
    assert 1800.0 <= asyncio.get_running_loop().time() <= 1802.1
    # Pauses of at most 2 s, at least 1.8 s: between 900 and 1010 polls, and one get at the end.
    assert 900 <= api.count("status") <= 1010
    assert api.count("get") == 1


async def test_polls_follow_the_policy(api, open_session):
    """Without jitter the polls come exactly when the policy says."""
    policy = PollPolicy(interval=8.0, latency_target=None)
    session = await open_session(poll=policy, runtime=Runtime(rng=NoChance()))
    task = api.add(lives(40.0))

    await session.wait(task.id)

    assert api.times("status") == pytest.approx([0, 8, 16.8, 26.48, 36.48, 46.48], abs=0.01)


@pytest.mark.long
async def test_jitter_stays_inside_its_bounds(api, open_session):
    """Every pause between two polls is shortened by up to a tenth."""
    session = await open_session(poll=PollPolicy(interval=1.0, latency_target=1.0))
    task = api.add(lives(200.0))

    await session.wait(task.id)

    times = api.times("status")
    pauses = [later - earlier for earlier, later in itertools.pairwise(times)]
    assert min(pauses) >= 0.9 - 0.002
    assert max(pauses) <= 1.0 + 0.002
    assert max(pauses) - min(pauses) > 0.07


@pytest.mark.long
@pytest.mark.timeout(180)
async def test_many_waits_spread_out(api, open_session):
    """200 waits that begin together have at most twice the mean in any 100 ms in the end."""
    poll = PollPolicy(interval=0.5, latency_target=0.5, shared=False)
    session = await open_session(poll=poll, runtime=Runtime(rng=random.Random(1)))
    tasks = [api.add(lives(55.0)) for _ in range(200)]

    await asyncio.gather(*(session.wait(task.id) for task in tasks))

    buckets = [0] * 60
    for at in api.times("status"):
        if 49.0 <= at < 55.0:
            buckets[int((at - 49.0) * 10)] += 1
    ratio = max(buckets) / (sum(buckets) / len(buckets))
    assert ratio <= 2.0


@pytest.mark.long
async def test_the_latency_target_is_kept(api, open_session):
    """A task's end is seen at most the latency target, and a reply, after it."""
    session = await open_session(poll=PollPolicy(latency_target=2.0))
    loop = asyncio.get_running_loop()
    delays: list[float] = []

    for length in (0.0, 3.3, 47.1, 222.2, 601.9):
        task = api.add(lives(length))
        born = loop.time()
        await session.wait(task.id)
        delays.append(loop.time() - born - length)

    print("seconds from end to return:", [round(delay, 2) for delay in delays])
    assert max(delays) <= 2.01


async def test_a_finished_task_costs_two_requests(api, session):
    """One status call and one confirming get."""
    task = api.add(lives(0.0))

    ended = await session.wait(task.id)

    assert ended.output == "Done."
    assert (api.count("status"), api.count("get")) == (1, 1)


async def test_a_wait_without_timeout_is_bounded(api, open_session):
    """`PollPolicy.timeout` ends a wait without a timeout of its own."""
    session = await open_session(poll=PollPolicy(timeout=90.0))
    task = api.add(lives(1e9))

    with pytest.raises(TimeoutError):
        await session.wait(task.id)

    assert asyncio.get_running_loop().time() == pytest.approx(90.0, abs=0.05)


async def test_waits_of_one_task_share_its_polls(api, session):
    """Fifty waits for one task cost what one wait costs."""
    task = api.add(lives(60.0))

    ended = await asyncio.gather(*(session.wait(task.id) for _ in range(50)))

    assert {each.status for each in ended} == {TaskStatus.FINISHED}
    assert api.count("status") <= 40
    assert api.count("get") == 1


async def test_no_burst_after_the_loop_was_blocked(api, session, looptime):
    """After ten minutes in which nothing ran there is one poll per task, not 300."""
    tasks = [api.add(lives(2000.0)) for _ in range(20)]
    waits = [asyncio.create_task(session.wait(task.id, timeout=3000.0)) for task in tasks]
    await asyncio.sleep(30.0)
    before = api.count()

    # Replies that take ten minutes block every wait as a sleeping laptop would.
    api.latency = 600.0
    await asyncio.sleep(3.0)
    api.latency = 0.0
    await asyncio.sleep(30.0)  # attempts time out
    blocked = api.count() - before
    for wait in waits:
        wait.cancel()
    await asyncio.gather(*waits, return_exceptions=True)

    assert blocked <= 3 * len(tasks)


async def test_the_deadline_is_checked_first_after_a_block(api, session):
    """A wait whose deadline passed while nothing ran ends at once, with at most one poll."""
    task = api.add(lives(1e6))
    wait = asyncio.create_task(session.wait(task.id, timeout=60.0))
    await asyncio.sleep(58.0)
    before = api.count()
    api.fault = lambda _call: Fault(delay=1e5)

    with pytest.raises(TimeoutError):
        await wait

    assert asyncio.get_running_loop().time() == pytest.approx(60.0, abs=0.05)
    assert api.count() - before <= 2


async def test_no_polls_without_a_wait(api, session):
    """After the last wait has ended nothing is polled any more."""
    task = api.add(lives(1e6))
    with pytest.raises(TimeoutError):
        await session.wait(task.id, timeout=10.0)
    before = api.count()

    await asyncio.sleep(1000.0)

    assert api.count() == before


async def test_a_second_wait_starts_afresh(api, session):
    """A wait that begins just as another one ends is polled."""
    tasks = [api.add(lives(20.0)) for _ in range(2)]
    for task in tasks:
        with pytest.raises(TimeoutError):
            await session.wait(task.id, timeout=5.0)
        # No turn of the loop in between: the poller is just about to end.

    ended = await session.wait(tasks[0].id)

    assert ended.status is TaskStatus.FINISHED


async def test_a_wait_joins_one_that_has_just_settled(api, session):
    """A wait that joins between the final poll and its result gets the answer too."""
    task = api.add(lives(5.0))
    statuses: list[TaskStatus] = []

    async def follow_again() -> None:
        async for status in session.stream_status(task.id):
            statuses.append(status)
            if status.is_terminal:
                statuses.append((await session.wait(task.id)).status)

    await asyncio.wait_for(follow_again(), 60.0)

    assert statuses == ["running", "finished", "finished"]


@pytest.mark.long
async def test_at_most_fifty_looks_at_once(api, open_session):
    """Hundreds of waits leave room for other calls, and each one is polled."""
    session = await open_session(poll=PollPolicy(latency_target=4.0, shared=False))
    api.latency = 0.2
    tasks = [api.add(lives(30.0)) for _ in range(200)]

    ended = await asyncio.gather(*(session.wait(task.id) for task in tasks))

    assert {each.status for each in ended} == {TaskStatus.FINISHED}
    assert api.most_in_flight <= 50
    longest = 0.0
    for task in tasks:
        times = api.times("status", task_id=task.id)
        gaps = [later - earlier for earlier, later in itertools.pairwise(times)]
        longest = max(longest, *gaps)
    print(f"longest gap between two looks at a task: {longest:.2f} s")
    assert longest <= 8.0


async def test_requests_are_named_for_what_they_poll(api, session):
    """`asyncio.all_tasks` shows which task a poll is about, or how many a page is read for."""
    api.latency = 3.0
    tasks = [api.add(lives(1e6)) for _ in range(2)]
    wait = asyncio.create_task(session.wait(tasks[0].id))
    await asyncio.sleep(1.0)
    alone = {each.get_name() for each in asyncio.all_tasks()}
    other = asyncio.create_task(session.wait(tasks[1].id))
    together: set[str] = set()
    while not any("2 tasks" in name for name in together):
        await asyncio.sleep(1.0)
        together |= {each.get_name() for each in asyncio.all_tasks()}
    for each in (wait, other):
        each.cancel()
    await asyncio.gather(wait, other, return_exceptions=True)

    assert f"poll of task {tasks[0].id}" in alone
    assert "poll of 2 tasks through the task list" in together

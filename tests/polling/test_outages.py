"""Waits while the API fails: sometimes, and for minutes."""

import asyncio
import random
from typing import Any

import pytest

from browser_use_async import PollPolicy, TaskStatus, errors
from tests.support.fake_api import Fault
from tests.support.fake_task import lives
from tests.support.virtual_time import loop_time

pytestmark = pytest.mark.looptime


def _outage(begin: float, end: float) -> Any:
    return lambda call: Fault(cut=True) if begin <= call.at < end else None


@pytest.mark.long
@pytest.mark.parametrize(
    "count", [100, pytest.param(1000, marks=[pytest.mark.torture, pytest.mark.timeout(180)])]
)
async def test_random_failures_lose_no_task(api, session, count):
    """With 30 % of all polls failing in every way, all waits return their task."""
    draw = random.Random(7)
    failures = [
        Fault(status=500),
        Fault(status=502, body="<html>bad gateway</html>"),
        Fault(status=503),
        Fault(status=429),
        Fault(status=408),
        Fault(status=425),
        Fault(status=409),
        Fault(status=200, body="<html>"),
        Fault(status=200, body="[1]"),
        Fault(cut=True),
        Fault(cut=True, done=True),
    ]
    api.fault = lambda _call: draw.choice(failures) if draw.random() < 0.3 else None
    tasks = [api.add(lives(draw.uniform(0.0, 20.0))) for _ in range(count)]

    ended = await asyncio.gather(*(session.wait(task.id) for task in tasks))

    assert [each.id for each in ended] == [task.id for task in tasks]
    assert {each.status for each in ended} == {TaskStatus.FINISHED}


@pytest.mark.long
async def test_an_outage_within_the_tolerance_is_survived(api, session):
    """Five minutes of outage within a wait of eleven cause no error."""
    task = api.add(lives(660.0))
    api.fault = _outage(300.0, 600.0)

    ended = await session.wait(task.id, timeout=1500.0)

    assert ended.status is TaskStatus.FINISHED
    # Polls back off to 10 s: during an outage they are not sent at full speed.
    assert 30 <= len([at for at in api.times() if 300 <= at < 600]) <= 80


@pytest.mark.long
async def test_an_outage_beyond_the_tolerance_interrupts(api, open_session):
    """With a tolerance of a minute the wait gives up, and the error says how to continue."""
    session = await open_session(poll=PollPolicy(outage_timeout=60.0))
    task = api.add(lives(1200.0))
    api.fault = _outage(300.0, 1e9)

    with pytest.raises(errors.WaitInterruptedError) as caught:
        await session.wait(task.id)

    assert caught.value.task_id == task.id
    assert caught.value.last_status is TaskStatus.RUNNING
    assert task.id in str(caught.value)
    assert 360.0 <= loop_time() <= 380.0


@pytest.mark.long
async def test_each_failure_in_a_row_counts_anew(api, open_session):
    """An answer in between resets the tolerance, so single failures interrupt no wait."""
    session = await open_session(poll=PollPolicy(outage_timeout=30.0))
    task = api.add(lives(150.0))
    api.fault = lambda call: Fault(status=503) if call.number % 3 else None

    ended = await session.wait(task.id)

    assert ended.status is TaskStatus.FINISHED


async def test_all_followers_are_interrupted_with_errors_of_their_own(api, open_session):
    """Two waits and a stream of one task each get an error of their own."""
    session = await open_session(poll=PollPolicy(outage_timeout=10.0))
    task = api.add(lives(1200.0))
    api.fault = _outage(0.0, 1e9)

    async def stream() -> None:
        async for _status in session.stream_status(task.id):
            pass

    raised = await asyncio.gather(
        session.wait(task.id), session.wait(task.id), stream(), return_exceptions=True
    )

    assert [type(error) for error in raised] == [errors.WaitInterruptedError] * 3
    assert len({id(error) for error in raised}) == 3


async def test_a_wait_after_an_interruption_looks_again(api, open_session):
    """An interruption that a slow consumer has not read yet is not passed on to a new wait."""
    session = await open_session(poll=PollPolicy(outage_timeout=10.0))
    task = api.add(lives(200.0))
    api.fault = _outage(5.0, 60.0)
    stream = session.stream_status(task.id)
    await anext(stream)  # and then its consumer is busy
    await asyncio.sleep(100.0)

    ended = await session.wait(task.id)

    assert ended.status is TaskStatus.FINISHED
    with pytest.raises(errors.WaitInterruptedError):
        await anext(stream)


@pytest.mark.long
@pytest.mark.timeout(180)
async def test_a_service_in_trouble_is_left_alone(api, open_session):
    """One request at a time checks whether hundreds of waits can continue."""
    rng, begin, end = random.Random(1), 60.0, 1860.0
    kinds = [Fault(status=503), Fault(cut=True), Fault(stall=60.0)]
    api.fault = lambda call: rng.choice(kinds) if begin <= call.at < end else None
    session = await open_session(poll=PollPolicy(outage_timeout=3600.0))
    tasks = [api.add(lives(rng.uniform(1000.0, 2000.0))) for _ in range(300)]
    waits = [asyncio.create_task(session.wait(task.id)) for task in tasks]

    await asyncio.sleep(end - loop_time())
    during = len([call for call in api.calls if call.at >= begin])
    await asyncio.gather(*waits)
    late = loop_time() - max(end, *(task.born + task.life[-1][0] for task in tasks))

    assert during <= 0.8 * (end - begin)
    assert late <= 4.0


@pytest.mark.parametrize("begin", [0.1, 1.0, 2.5])
async def test_an_outage_ends_although_the_list_goes_on_failing(api, session, begin):
    """Calls for single tasks show that the service answers, also while tasks are searched for."""
    api.make = lambda _body: lives(40.0)
    handles = [await session.submit(text) for text in ("Look", "Read")]
    begin += loop_time()
    outage, is_broken = _outage(begin, begin + 10.0), Fault(cut=True)
    api.fault = lambda call: is_broken if call.route == "list" else outage(call)

    ended = await asyncio.gather(*(handle.wait() for handle in handles))

    assert {each.status for each in ended} == {TaskStatus.FINISHED}
    assert loop_time() <= begin + 60.0


async def test_pages_end_with_the_last_wait(api, open_session):
    """In an outage a page may hang for long, and is useless once no wait is left."""
    session = await open_session(poll=PollPolicy(long_poll=False))
    tasks = [api.add(lives(1e6)) for _ in range(40)]
    api.fault = lambda call: Fault(stall=50.0) if call.at >= 10.0 else None
    waits = [asyncio.create_task(session.wait(task.id)) for task in tasks]
    await asyncio.sleep(15.0)
    assert api.in_flight > 0

    for each in waits:
        each.cancel()
    await asyncio.gather(*waits, return_exceptions=True)

    await asyncio.sleep(0.5)
    assert api.in_flight == 0


REDIRECTS = [301, 302, 303, 304, 307, 308]
ELSEWHERE = {"Location": "https://elsewhere.example/login"}


@pytest.mark.parametrize("status", REDIRECTS)
@pytest.mark.parametrize("count", [1, 40])
async def test_a_redirect_ends_no_wait(api, session, count, status):
    """A maintenance page for a minute, and now and then one more, delay waits and end none."""
    draw = random.Random(status)
    tasks = [api.add(lives(draw.uniform(5.0, 100.0))) for _ in range(count)]
    api.fault = lambda call: (
        Fault(status=status, headers=ELSEWHERE)
        if 10.0 <= call.at < 70.0 or (call.at > 1.0 and draw.random() < 0.05)
        else None
    )

    ended = await asyncio.gather(*(session.wait(task.id) for task in tasks))

    assert [each.id for each in ended] == [task.id for task in tasks]
    assert {each.status for each in ended} == {TaskStatus.FINISHED}
    assert loop_time() <= 115.0


async def test_a_service_that_only_redirects_is_an_outage(api, open_session):
    """It is reported, ends the wait for a task that nobody saw, and after its time every wait."""
    heard: list[Any] = []
    session = await open_session(on_event=heard.append, poll=PollPolicy(outage_timeout=60.0))
    task = api.add(lives(1e6))
    api.fault = lambda call: Fault(status=302, headers=ELSEWHERE) if call.at >= 10.0 else None
    known = asyncio.create_task(session.wait(task.id))
    await asyncio.sleep(20.0)

    with pytest.raises(errors.APIStatusError, match="redirects are not followed"):
        await session.tasks.get(task.id)
    assert [type(each).__name__ for each in heard] == ["ServiceUnreachable"]
    with pytest.raises(errors.WaitInterruptedError, match="whether the task exists is not known"):
        await session.wait("never-seen")
    with pytest.raises(errors.WaitInterruptedError, match="redirects are not followed"):
        await known

    assert 70.0 <= loop_time() <= 85.0

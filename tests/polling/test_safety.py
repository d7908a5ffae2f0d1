"""The polls that remain while webhooks arrive, and their purpose, in virtual time."""

import asyncio
import itertools
import random
import threading

import pytest

from browser_use_async import PollPolicy
from tests.support.api_bench import OpenSession
from tests.support.fake_api import FakeApi, FakeTask
from tests.support.fake_task import Source, lives
from tests.support.virtual_time import loop_time

SAFETY = 60.0
TARGET = 2.0
ROUND_TRIP = 0.05


def _at_the_end(source: Source, task: FakeTask, delay: float = 0.02, word: str = "") -> None:
    """Send an event when a task ends."""
    seconds, end = task.life[-1]
    moment = task.born + seconds + delay
    asyncio.get_running_loop().call_at(moment, source.send, task, word or end)


def _proven(api: FakeApi, source: Source) -> None:
    """Send one event, of a task without a wait."""
    source.send(api.add(lives(0.0)), "finished")


async def _costs(
    api: FakeApi, open_session: OpenSession, *, attached: bool, count: int = 200
) -> tuple[float, list[float]]:
    """Run tasks of lognormal length, 100 at once; return requests per task and sorted delays."""
    draw = random.Random(11)
    source = Source()
    session = await open_session()
    api.latency = ROUND_TRIP
    api.make = lambda _body: lives(draw.lognormvariate(4.094, 0.8))
    delays: list[float] = []
    if attached:
        session.attach(source)
    room = asyncio.Semaphore(100)

    async def work() -> None:
        async with room:
            handle = await session.submit("x")
            task = api.tasks[handle.id]
            _at_the_end(source, task)
            await handle.wait()
            delays.append(loop_time() - task.born - task.life[-1][0])

    await asyncio.gather(*(work() for _ in range(count)))
    return (api.count() - api.count("run")) / count, sorted(delays)


@pytest.mark.long
@pytest.mark.looptime
@pytest.mark.timeout(180)
async def test_what_a_task_costs(api, open_session):
    """One confirming get, and little more; the wait ends within two round trips of the event."""
    cost, delays = await _costs(api, open_session, attached=True)

    assert cost <= 1.2
    assert delays[-1] <= 0.02 + 2 * ROUND_TRIP


@pytest.mark.long
@pytest.mark.looptime
@pytest.mark.timeout(180)
async def test_what_a_task_costs_without(api, open_session):
    """The control: without a receiver the same count is far above the bound."""
    cost, delays = await _costs(api, open_session, attached=False, count=100)

    assert cost > 2
    assert delays[len(delays) // 2] > 0.5


@pytest.mark.looptime
@pytest.mark.parametrize("count", [1, 40])
@pytest.mark.parametrize("end", ["finished", "failed"])
async def test_an_end_without_an_event(api, session, end, count):
    """Events came before, and then no more: the end is found within the safety interval."""
    source = Source()
    session.attach(source)
    _proven(api, source)
    tasks = [api.add(lives(70.0 + number, end)) for number in range(count)]
    found: dict[str, float] = {}

    async def wait(task: FakeTask) -> None:
        await session.wait(task.id)
        found[task.id] = loop_time() - task.life[-1][0]

    await asyncio.gather(*map(wait, tasks))

    delays = sorted(found.values())
    assert delays[-1] <= SAFETY + ROUND_TRIP
    assert delays[-1] > TARGET  # or else it is not the rare polling that is measured


@pytest.mark.long
@pytest.mark.looptime
async def test_lost_events_are_noticed(api, session):
    """After one end without an event, polling is as usual until events come again."""
    source = Source()
    session.attach(source)
    _proven(api, source)
    tasks = [api.add(lives(seconds)) for seconds in (10.0, 150.0, 200.0, 250.0)]
    waits = [asyncio.create_task(session.wait(task.id)) for task in tasks]
    found: list[float] = []
    for task, wait in zip(tasks[:3], waits, strict=False):
        await wait
        found.append(loop_time() - task.life[-1][0])
    source.send(tasks[0], "started")  # they come again
    asked = api.count()
    _at_the_end(source, tasks[3])
    await waits[3]

    assert TARGET < found[0] <= SAFETY + ROUND_TRIP
    assert max(found[1:]) <= TARGET + 0.1
    assert loop_time() <= 250.1
    assert api.count() - asked <= 3


@pytest.mark.looptime
async def test_promises_are_not_enough(api, session):
    """A source without any event changes nothing: a wrong address costs no time."""
    session.attach(Source())
    task = api.add(lives(61.0))

    await session.wait(task.id)

    assert loop_time() <= 61.0 + TARGET + 0.1


@pytest.mark.looptime
@pytest.mark.parametrize("count", [1, 5])
async def test_an_event_that_comes_too_soon(api, session, count):
    """The API does not know of the end yet; it is polled as often as without events."""
    source = Source()
    session.attach(source)
    tasks = [api.add(lives(20.0)) for _ in range(count)]
    for task in tasks:
        _at_the_end(source, task, -1.0)

    await asyncio.gather(*(session.wait(task.id) for task in tasks))

    assert 20.0 <= loop_time() <= 20.0 + TARGET + 0.1


@pytest.mark.looptime
@pytest.mark.parametrize(
    "words", [["finished", "started"], ["paused", "finished", "paused"], ["finished"] * 3]
)
async def test_events_in_the_wrong_order(api, session, words):
    """After late and repeated events the wait ends with the API's answer."""
    source = Source()
    session.attach(source)
    task = api.add(lives(10.0, "stopped"))
    for number, word in enumerate(words):
        _at_the_end(source, task, 0.02 * (number + 1), word)

    ended = await session.wait(task.id)

    assert ended.status == "stopped"
    assert loop_time() <= 10.2


@pytest.mark.looptime
@pytest.mark.parametrize("count", [1, 5])
async def test_an_event_that_came_before_the_wait(api, session, count):
    """A quick task ends before its wait begins; the wait polls at once."""
    source = Source()
    session.attach(source)
    api.make = lambda _body: lives(0.0)
    handles = [await session.submit("x") for _ in range(count)]
    for task in api.tasks.values():
        source.send(task, "finished")
    began = loop_time()

    await asyncio.gather(*(handle.wait() for handle in handles))

    assert loop_time() - began <= 0.2


@pytest.mark.looptime
async def test_a_task_that_failed_before_the_wait(api, session):
    """A wait that starts after the task has ended returns with its first poll."""
    source = Source()
    session.attach(source)
    _proven(api, source)
    api.make = lambda _body: lives(1.0, "failed")
    handles = [await session.submit("x") for _ in range(5)]
    await asyncio.sleep(30.0)
    began = loop_time()

    await asyncio.gather(*(handle.wait() for handle in handles))

    assert loop_time() - began <= 0.2


@pytest.mark.looptime
async def test_streams_are_polled_as_before(api, session):
    """No webhook reports steps and resumptions; a wait beside a stream still polls rarely."""
    source = Source()
    session.attach(source)
    _proven(api, source)
    shown = api.add(FakeTask(life=((0.0, "running"), (9.0, "paused"), (19.0, "running"))))
    others = [api.add(lives(1e6)) for _ in range(30)]
    waits = [asyncio.create_task(session.wait(task.id)) for task in others]
    seen: list[tuple[str, float]] = []
    async for status in session.stream_status(shown.id):
        seen.append((str(status), loop_time()))
        if len(seen) == 3:
            break
    steps = [step.step async for step in session.stream_steps(api.add(lives(5.0)).id)]
    looked = max(api.count("status", task_id=task.id) for task in others)
    for wait in waits:
        wait.cancel()
    await asyncio.gather(*waits, return_exceptions=True)

    assert [status for status, _at in seen] == ["running", "paused", "running"]
    assert seen[1][1] <= 9.0 + TARGET + 0.1
    assert seen[2][1] <= 19.0 + TARGET + 0.1
    assert steps == [1, 2, 3]
    assert looked <= 1


@pytest.mark.looptime
async def test_a_policy_of_ones_own(api, open_session):
    """The safety pause is a minute, and never less than the pause without events."""
    for policy, most in (
        (PollPolicy(), SAFETY),
        (PollPolicy(interval=100.0, latency_target=100.0), 100.0),
    ):
        session = await open_session(poll=policy)
        source = Source()
        session.attach(source)
        _proven(api, source)
        task = api.add(lives(500.0, "failed"))
        await session.wait(task.id)
        times = api.times("status", task_id=task.id)
        pauses = [after - before for before, after in itertools.pairwise(times)]

        assert max(pauses) <= most + 0.1
        assert min(pauses) >= 0.89 * most


async def test_a_receiver_in_another_thread(api, open_session):
    """Events of another thread are handled in the session's own loop."""
    session = await open_session(poll=PollPolicy(interval=20.0, latency_target=60.0))
    source = Source()
    session.attach(source)
    task = api.add(lives(0.3))
    wait = asyncio.create_task(session.wait(task.id))
    await asyncio.sleep(0.5)
    thread = threading.Thread(target=source.send, args=(task, "finished"))
    thread.start()

    async with asyncio.timeout(10):
        ended = await wait
    thread.join()

    assert ended.status == "finished"


@pytest.mark.looptime
async def test_events_after_the_end_of_a_session(api, session):
    """A receiver may outlive the sessions that get its events."""
    source = Source()
    session.attach(source)
    task = api.add(lives(0.0))
    await session.wait(task.id)
    await session.aclose()
    before = list(api.calls)

    source.send(task, "finished")
    thread = threading.Thread(target=source.send, args=(task, "finished"))
    thread.start()
    thread.join()
    await asyncio.sleep(60.0)

    assert api.calls == before

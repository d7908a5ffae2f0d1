"""An account with a limit of tasks at once."""

import asyncio
from collections import Counter
from typing import Any

import attrs
import pytest

from browser_use_async import (
    CallLimits,
    RetryPolicy,
    SlotAwaited,
    TaskStatus,
    errors,
)
from tests.support.fake_api import Call, FakeApi, FakeTask, Fault
from tests.support.fake_task import TERMINAL, lives
from tests.support.virtual_time import loop_time

pytestmark = pytest.mark.looptime

FULL = Fault(
    status=429,
    body='{"detail": "Too many concurrent active sessions. Please wait for one to finish."}',
)


def _alive(api: FakeApi) -> int:
    return sum(task.status() not in TERMINAL for task in api.tasks.values())


def _allow(api: FakeApi, slots: int) -> None:
    """Let run-task be refused while this many tasks run."""

    def fault(call: Call) -> Fault | None:
        return FULL if call.route == "run" and _alive(api) >= slots else None

    api.fault = fault


async def test_tasks_wait_for_a_slot(api, session):
    """Thirty tasks on five slots: all of them finish, no task is lost or doubled."""
    api.make = lambda _body: lives(10.0)
    _allow(api, 5)

    tasks = await asyncio.gather(*(session.run_and_wait(f"task {n}") for n in range(30)))

    assert {task.status for task in tasks} == {TaskStatus.FINISHED}
    assert len(api.tasks) == 30
    asked = api.count("run")
    print(f"{asked} run-task calls for 30 tasks on 5 slots, in {loop_time():.0f} s (60 s at best)")
    assert 30 + 25 <= asked <= 30 + 90
    assert loop_time() <= 100.0


async def test_callers_that_are_refused_keep_their_order(api, session):
    """The first of thirty callers gets the first slot, not the last one that was refused."""
    created: list[str] = []

    def make(body: dict[str, Any]) -> FakeTask:
        created.append(body["task"])
        return lives(5.0)

    api.make = make
    _allow(api, 1)
    texts = [f"task {number}" for number in range(30)]

    await asyncio.gather(*map(session.run_and_wait, texts))

    assert created == texts
    assert api.count("run") >= 30 + 29  # each but the first was refused


async def test_only_run_task_is_delayed(api, session):
    """While the account is full, all other calls are sent at once."""
    running = api.add(lives(1e6))
    _allow(api, 1)
    waiting = asyncio.create_task(session.submit("x"))
    await asyncio.sleep(5.0)
    began = loop_time()

    await session.tasks.get_status(running.id)
    await session.tasks.list()

    assert loop_time() - began <= 0.1
    assert not waiting.done()
    running.overruled = "stopped"
    handle = await waiting
    assert handle.id in api.tasks


@pytest.mark.parametrize("asked", [{}, {"Retry-After": "5"}], ids=str)
async def test_an_end_that_a_wait_sees_frees_the_slot_at_once(api, session, asked):
    """Run-task need not wait for its whole pause, though the service asked for one long before."""
    api.next_tasks = [lives(300.0), lives(1.0)]
    refusal = attrs.evolve(FULL, headers=asked)

    def fault(call: Call) -> Fault | None:
        if call.route != "run" or not _alive(api):
            return None
        return refusal if call.number == 2 else FULL

    api.fault = fault
    first = asyncio.create_task(session.run_and_wait("first"))
    await asyncio.sleep(0.5)

    await session.run_and_wait("second")

    await first
    second = list(api.tasks.values())[1]
    assert second.born <= 300.0 + 3.0  # the end is seen within the latency target


async def test_a_pause_that_the_service_asks_for_is_kept(api, session):
    """Run-task is not sent before its time, though a task of the session ends meanwhile."""
    api.next_tasks = [lives(5.0), lives(1.0)]
    asked = attrs.evolve(FULL, headers={"Retry-After": "40"})
    api.fault = lambda call: asked if call.route == "run" and _alive(api) else None

    await asyncio.gather(session.run_and_wait("first"), session.run_and_wait("second"))

    assert [at >= 40.0 for at in api.times("run")] == [False, False, True]


async def test_pauses_are_short_again_after_a_success(api, session):
    """They grow to half a minute while the account is full, and begin anew."""
    full = ((0.0, 200.0), (300.0, 305.0))
    api.fault = lambda call: FULL if any(since <= call.at < to for since, to in full) else None
    await session.submit("x")
    await asyncio.sleep(300.0 - loop_time())

    await session.submit("y")

    assert 305.0 <= loop_time() <= 310.0


@pytest.mark.parametrize("first", [FULL, Fault(status=429, headers={"Retry-After": "5"})])
@pytest.mark.parametrize("second", [FULL, Fault(status=429)])
async def test_after_a_refused_probe_comes_another(api, session, first, second):
    """For any refusal, neither run-task nor other calls are delayed for ever."""
    task = api.add(lives(1e6))
    api.break_calls("run", {1: first, 2: second})
    submission = asyncio.create_task(session.submit("x"))
    await asyncio.sleep(10.0)

    async with asyncio.timeout(60.0):
        await session.tasks.get_status(task.id)
        await submission
    assert api.count("run") == 3


async def test_a_probe_that_is_given_up_makes_room_for_another(api, session):
    """The call that tests for a slot is cancelled: another one takes its place."""
    api.break_calls("run", {1: FULL, 2: Fault(stall=1e6)})
    probe = asyncio.create_task(session.tasks.run("x"))
    await asyncio.sleep(10.0)
    assert api.count("run") == 2

    probe.cancel()
    async with asyncio.timeout(60.0):
        await session.tasks.run("y")

    assert probe.cancelled()


async def test_one_probe_at_a_time_asks_for_a_slot(api, session):
    """A hundred submissions on a full account send a few requests a minute, not a hundred."""
    blocker = api.add(lives(1e6))
    _allow(api, 1)
    submissions = [asyncio.create_task(session.submit(f"task {n}")) for n in range(100)]

    await asyncio.sleep(300.0)

    per_minute = Counter(int(at // 60) for at in api.times("run"))
    assert all(per_minute[minute] <= 6 for minute in (2, 3, 4))
    assert not any(each.done() for each in submissions)
    assert blocker.id in api.tasks
    for each in submissions:
        each.cancel()
    await asyncio.gather(*submissions, return_exceptions=True)


async def test_nothing_is_created_after_a_cancellation(api, session):
    """Cancelled while it queues for a slot, a submission ends at once and is never sent."""
    api.add(lives(50.0))
    _allow(api, 1)
    submission = asyncio.create_task(session.run_and_wait("x"))
    await asyncio.sleep(10.0)
    asked = api.count("run")

    submission.cancel()
    with pytest.raises(asyncio.CancelledError):
        await submission

    assert loop_time() == pytest.approx(10.0, abs=0.1)
    await asyncio.sleep(200.0)
    assert api.count("run") == asked
    assert len(api.tasks) == 1


async def test_a_refusal_that_comes_after_a_cancellation_is_the_last(api, session):
    """The request was on the wire at the cancellation; no other is sent for it."""
    late = attrs.evolve(FULL, delay=1.0)
    api.break_calls("run", {1: late})
    submission = asyncio.create_task(session.run_and_wait("x"))
    await asyncio.sleep(0.5)

    submission.cancel()
    with pytest.raises(asyncio.CancelledError):
        await submission

    await asyncio.sleep(60.0)
    assert api.count("run") == 1
    assert not api.tasks


async def test_the_wait_for_a_slot_times_out(api, open_session):
    """After `slot_timeout` seconds the refusal is raised, and nothing was created."""
    session = await open_session(
        limits=CallLimits(slot_timeout=60.0), retry=RetryPolicy(max_attempts=1)
    )
    api.add(lives(1e6))
    _allow(api, 1)

    with pytest.raises(errors.RateLimitError, match="concurrent"):
        await session.submit("x")

    assert 60.0 <= loop_time() <= 95.0
    assert len(api.tasks) == 1


async def test_a_timeout_while_waiting_for_a_slot_has_the_refusal(api, session):
    """No task exists after the caller's timeout, and none will."""
    api.add(lives(1e6))
    _allow(api, 1)

    with pytest.raises(errors.RateLimitError, match="concurrent"):
        await session.run_and_wait("x", timeout=20.0)

    assert loop_time() <= 20.05
    await asyncio.sleep(300.0)
    assert len(api.tasks) == 1


async def test_the_thin_layer_fails_like_any_call(api, session):
    """`tasks.run` is one plain call: repeated as the policy says, then the refusal is raised."""
    api.add(lives(1e6))
    _allow(api, 1)

    with pytest.raises(errors.RateLimitError, match="concurrent"):
        await session.tasks.run("x")

    assert api.count("run") == 4


async def test_one_event_reports_the_wait(api, open_session):
    """The event says that the task waits for a slot."""
    events: list[object] = []
    session = await open_session(on_event=events.append)
    api.add(lives(30.0))
    _allow(api, 1)

    await session.submit("x")

    assert [type(event) for event in events] == [SlotAwaited]
    assert isinstance(events[0], SlotAwaited)
    assert events[0].patience == pytest.approx(3600.0, abs=1.0)


async def test_another_429_is_not_about_slots(api, session):
    """A plain 429 to run-task is repeated as the policy says, and then raised."""
    api.make = lambda _body: FakeTask()
    api.fault = lambda _call: Fault(status=429)

    with pytest.raises(errors.RateLimitError):
        await session.submit("x")

    assert api.count("run") == 4

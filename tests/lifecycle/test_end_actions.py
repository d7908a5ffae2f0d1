"""Which caller stops its task: after a cancellation, and after a timeout."""

import asyncio
import logging
import re
import types
from collections.abc import Generator
from typing import Any

import pytest

from browser_use_async import EndActionAttempted, errors
from tests.lifecycle.orphans import cancelled, forever, now, orphans, steps
from tests.support.api_bench import resolved
from tests.support.fake_api import FakeTask, Fault
from tests.support.fake_task import lives

pytestmark = pytest.mark.looptime


@pytest.mark.long
async def test_cancelling_at_every_step_leaves_no_orphan(api, session):
    """Cancelled after k turns of the loop, for every k until the wait is under way."""
    api.make = forever
    points = 160

    for turns in range(points):
        run = asyncio.create_task(session.run_and_wait("x"))
        await steps(turns)
        run.cancel()
        assert await cancelled(run), f"swallowed after {turns} turns"
        assert not orphans(api), f"an orphan after {turns} turns"

    assert api.in_flight == 0
    assert api.count("status") > 20  # the last turns are inside the wait
    assert api.count("stop") == len(api.tasks)  # one stop for each, never two
    # Cancelled before the first turn, nothing was sent, and nothing was paid.
    assert len(api.tasks) < points


async def test_cancelling_a_submission_at_every_step_leaves_no_orphan(api, session):
    """`submit` cancelled after k turns: there is no task, or it is stopped, or handed over."""
    api.make = forever
    handed: set[str] = set()

    for turns in range(80):
        submission = asyncio.create_task(session.submit("x"))
        await steps(turns)
        submission.cancel()
        if not await cancelled(submission):
            handed.add(submission.result().id)
        assert {task.id for task in orphans(api)} == handed, f"after {turns} turns"

    assert handed
    assert api.count("stop") == len(api.tasks) - len(handed)


@pytest.mark.long
async def test_cancelling_a_submission_with_a_lost_answer_leaves_no_orphan(api, session):
    """A lost answer, cancelled at any time of the search: the task is found and stopped."""
    api.make = forever
    api.latency = 0.1
    api.list_lag = 2.0
    api.break_calls("run", {0: Fault(cut=True, done=True, delay=0.2, stall=0.2)})
    handed: set[str] = set()

    for tenths in range(45):
        submission = asyncio.create_task(session.submit("x"))
        await asyncio.sleep(tenths / 10)
        submission.cancel()
        if not await cancelled(submission):
            handed.add(submission.result().id)
    await asyncio.sleep(30.0)

    assert handed
    assert {task.id for task in orphans(api)} == handed
    assert api.count("run") == len(api.tasks)


async def test_a_cancelled_submission_whose_task_is_late_leaves_its_token(api, session, caplog):
    """The task is listed late; the log has the token, which finds it in any process."""
    api.make = forever
    api.break_calls("run", {1: Fault(cut=True, done=True, stall=2.0)})
    api.list_lag = 160.0
    submission = asyncio.create_task(session.submit("x"))
    await asyncio.sleep(1.0)
    submission.cancel()
    assert await cancelled(submission)
    await asyncio.sleep(160.0)
    (token,) = re.findall(r"browser-use-async watch (bu1\S+)`", caplog.text)

    found = await resolved(session, token)

    assert found is not None
    assert [found.id] == list(api.tasks)


@pytest.mark.long
@pytest.mark.parametrize("lost", [False, True], ids=["answered", "lost answers"])
async def test_cancelling_at_any_time_leaves_no_orphan(api, session, lost):
    """With slow replies and with lost answers, each task that was created is stopped."""
    api.make = forever
    api.latency = 0.3
    api.list_lag = 2.0
    if lost:
        api.break_calls("run", {0: Fault(cut=True, done=True, delay=0.2, stall=0.2)})

    for tenths in range(60):
        run = asyncio.create_task(session.run_and_wait("x"))
        await asyncio.sleep(tenths / 10)
        began = now()
        run.cancel()
        assert await cancelled(run)
        assert now() - began <= 5.05
    await asyncio.sleep(30.0)

    assert not orphans(api)
    assert len(api.tasks) >= 50


@pytest.mark.parametrize("status", ["created", "running", "paused", "finished", "archived"])
async def test_cancelling_stops_in_each_state(api, session, status):
    """`on_cancel="stop"` sends one stop, in whatever state the task is."""
    life = ((0.0, "running"), (10.0, status))
    api.make = lambda _body: FakeTask(life=life)
    run = asyncio.create_task(session.run_and_wait("x"))
    await asyncio.sleep(10.5 if status == "finished" else 20.0)
    run.cancel()

    assert await cancelled(run)
    assert api.count("stop") == 1


@pytest.mark.parametrize(("fate", "route"), [("stop", "stop"), ("pause", "pause"), ("leave", "")])
async def test_on_cancel(api, session, fate, route):
    """The task is left, paused or stopped, as `on_cancel` says."""
    api.make = forever
    run = asyncio.create_task(session.run_and_wait("x", on_cancel=fate))
    await asyncio.sleep(20.0)
    run.cancel()

    assert await cancelled(run)
    assert [call.route for call in api.calls if call.at >= 20.0 and call.route != "status"] == (
        [route] if route else []
    )


@pytest.mark.parametrize(("fate", "route"), [("stop", "stop"), ("pause", "pause"), ("leave", "")])
async def test_an_error_thrown_into_the_wait(api, session, fate, route):
    """Any exception ends the call; `on_cancel` is applied to the task, and the error names it."""
    api.make = forever
    call = session.run_and_wait("x", on_cancel=fate)
    thrown = asyncio.get_running_loop().create_future()

    @types.coroutine
    def driven() -> Generator[Any, None, Any]:
        # The call waits for this, until the error comes.
        step = call.send(None)
        while not thrown.done():
            yield from asyncio.wait({step, thrown}, return_when="FIRST_COMPLETED").__await__()
            step = step if thrown.done() else call.send(None)
        step = call.throw(ZeroDivisionError("thrown in by a scheduler"))
        while True:
            yield from asyncio.wait({step}).__await__()
            step = call.send(None)

    asyncio.get_running_loop().call_later(20.0, thrown.set_result, None)
    with pytest.raises(ZeroDivisionError) as caught:
        await driven()

    assert next(iter(api.tasks)) in caught.value.__notes__[0]
    assert api.count("stop") + api.count("pause") == bool(route)
    assert not route or api.count(route) == 1


@pytest.mark.parametrize(("fate", "route"), [("stop", "stop"), ("pause", "pause"), ("leave", "")])
async def test_on_timeout(api, session, fate, route):
    """The call ends on time; the task is stopped or paused in the background."""
    api.make = forever
    api.fault = lambda call: Fault(delay=3.0) if call.route in {"stop", "pause"} else None

    with pytest.raises(errors.WaitTimeoutError) as caught:
        await session.run_and_wait("x", timeout=60.0, on_timeout=fate)

    assert now() == pytest.approx(60.0, abs=0.05)
    assert caught.value.task_id in api.tasks
    await session.aclose()  # waits for the stop that is in progress
    assert api.count("stop", "pause") == (1 if route else 0)
    assert not route or now() >= 63.0
    assert bool(orphans(api)) is not bool(route)


async def test_a_slow_stop_delays_a_cancellation_by_five_seconds(api, session):
    """The stop is shielded and has a time limit; the cancellation is raised after it."""
    api.make = forever
    api.fault = lambda call: Fault(delay=20.0) if call.route == "stop" else None
    run = asyncio.create_task(session.run_and_wait("x"))
    await asyncio.sleep(10.0)
    run.cancel()

    assert await cancelled(run)
    assert now() == pytest.approx(15.0, abs=0.05)
    await asyncio.sleep(20.0)
    assert not orphans(api)  # it continued in the background


@pytest.mark.parametrize("pause", [0.0, 1.0], ids=["the next turn", "during the stop"])
async def test_a_second_cancellation_ends_the_first(api, session, pause):
    """A second cancellation does not wait for the stop, which continues."""
    api.make = forever
    api.fault = lambda call: Fault(delay=20.0) if call.route == "stop" else None
    run = asyncio.create_task(session.run_and_wait("x"))
    await asyncio.sleep(10.0)
    run.cancel()
    await asyncio.sleep(pause)
    run.cancel()

    assert await cancelled(run)
    late = now() - 10.0 - pause
    assert late <= 0.05
    await asyncio.sleep(25.0)
    assert not orphans(api)


async def test_an_outer_timeout_is_a_cancellation(api, session):
    """`asyncio.timeout` around the call sees its own timeout, and the task is stopped."""
    api.make = forever

    with pytest.raises(TimeoutError) as caught:
        async with asyncio.timeout(30.0):
            await session.run_and_wait("x")

    assert not isinstance(caught.value, errors.WaitTimeoutError)
    assert now() == pytest.approx(30.0, abs=0.05)
    assert not orphans(api)


async def test_a_failing_sibling_cancels_the_group(api, session):
    """One of 100 in a TaskGroup fails: its siblings are stopped, and the group is clean."""

    def make(body: dict[str, Any]) -> FakeTask:
        return lives(20.0, end="failed") if body["task"] == "job 50" else forever()

    api.make = make

    async def run_all() -> None:
        async with asyncio.TaskGroup() as group:
            for number in range(100):
                group.create_task(session.run_and_wait(f"job {number}"))

    with pytest.raises(ExceptionGroup) as caught:
        await run_all()

    assert [type(error) for error in caught.value.exceptions] == [errors.TaskFailedError]
    assert not orphans(api)
    assert api.count("stop") == 99


async def test_a_stop_that_fails_is_logged(api, open_session, caplog):
    """A task that could not be stopped is named in the log; the cancellation is raised."""
    events: list[object] = []
    session = await open_session(on_event=events.append)
    api.make = forever
    api.fault = lambda call: Fault(status=403) if call.route == "stop" else None
    run = asyncio.create_task(session.run_and_wait("x"))
    await asyncio.sleep(5.0)
    run.cancel()

    assert await cancelled(run)
    (task,) = api.tasks
    (warning,) = [each for each in caplog.records if f"could not stop task {task}" in each.message]
    assert warning.levelno == logging.WARNING
    assert "may still run and cost money" in warning.message
    (event,) = events
    assert isinstance(event, EndActionAttempted)
    assert (event.task_id, event.action) == (task, "stop")
    assert "403" in (event.problem or "")


@pytest.mark.parametrize("action", ["stop", "pause"])
@pytest.mark.parametrize("end", ["cancelled", "timed out"])
async def test_what_was_done_with_a_task_is_an_event(api, open_session, end, action):
    """The event comes once, after the service has answered, and not before."""
    events: list[object] = []
    session = await open_session(on_event=events.append)
    api.make = forever
    api.fault = lambda call: Fault(stall=2.0) if call.route == action else None
    run = asyncio.create_task(
        session.run_and_wait("x", on_cancel=action, on_timeout=action, timeout=5.0)
    )
    await asyncio.sleep(4.5)
    if end == "cancelled":
        run.cancel()
    await asyncio.sleep(1.5)
    assert events == []
    await asyncio.gather(run, return_exceptions=True)
    await asyncio.sleep(1.5)

    (task,) = api.tasks
    assert events == [EndActionAttempted(task, action, None)]


async def test_a_stop_without_time_is_logged(api, open_session):
    """Closing waits five seconds for the stop, and then logs that the task may still run."""
    events: list[object] = []
    session = await open_session(on_event=events.append)
    api.make = forever
    api.fault = lambda call: Fault(stall=60.0) if call.route == "stop" else None
    run = asyncio.create_task(session.run_and_wait("x"))
    await asyncio.sleep(4.5)
    run.cancel()
    await asyncio.gather(run, return_exceptions=True)
    await session.aclose()

    (task,) = api.tasks
    assert events == [EndActionAttempted(task, "stop", "there was no time for it")]


async def test_a_task_that_ended_just_before_is_not_logged(api, session, caplog):
    """A stop that is refused because the task has ended is not logged as a failure."""
    api.make = lambda _body: lives(4.5)
    # The end is not known before the cancellation.
    api.fault = lambda call: Fault(delay=30.0) if call.route in {"status", "list"} else None
    run = asyncio.create_task(session.run_and_wait("x"))
    await asyncio.sleep(5.0)
    api.fault = lambda _call: None
    run.cancel()

    assert await cancelled(run)
    assert api.count("stop") == 1
    assert not [each for each in caplog.records if each.levelno >= logging.WARNING]

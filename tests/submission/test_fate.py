"""Who stops the task when nobody waits any longer: cancellation, timeouts, closing."""

import asyncio
import logging
import time
from collections.abc import Callable
from typing import Any

import pytest

from browser_use_async import errors
from tests.api_bench import OpenSession
from tests.fake_api import FakeApi, FakeTask, Fault
from tests.waiting.test_polling import lives

pytestmark = pytest.mark.looptime


def _time() -> float:
    return asyncio.get_running_loop().time()


def _forever(_body: Any = None) -> FakeTask:
    return lives(1e6)


async def _steps(count: int) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


def _orphans(api: FakeApi) -> list[FakeTask]:
    return [task for task in api.tasks.values() if task.status() == "running"]


async def _cancelled(task: "asyncio.Task[Any]") -> bool:
    await asyncio.wait([task])
    return task.cancelled()


async def test_cancelling_at_every_step_leaves_no_orphan(api: FakeApi, open_session: OpenSession):
    """E1: cancelled after k turns of the loop, for every k until the wait is under way."""
    session = await open_session()
    api.make = _forever
    points = 160

    for turns in range(points):
        run = asyncio.create_task(session.run_and_wait("x"))
        await _steps(turns)
        run.cancel()
        assert await _cancelled(run), f"swallowed after {turns} turns"
        assert not _orphans(api), f"an orphan after {turns} turns"

    assert api.in_flight == 0
    assert api.count("status") > 20  # the last points lie inside the wait
    assert api.count("stop") == len(api.tasks)  # once for each, never twice
    print(f"{points} cancel points, {len(api.tasks)} tasks created, 0 orphans")
    # Cancelled before the first turn, nothing was sent, and nothing was paid.
    assert len(api.tasks) < points


@pytest.mark.case("A21")
async def test_cancelling_a_submission_at_every_step_leaves_no_orphan(
    api: FakeApi, open_session: OpenSession, figure: Callable[[str], None]
):
    """A21: `submit` cancelled after k turns: there is no task, or it was stopped or handed over."""
    session = await open_session()
    api.make = _forever
    handed: set[str] = set()

    for turns in range(80):
        submission = asyncio.create_task(session.submit("x"))
        await _steps(turns)
        submission.cancel()
        if not await _cancelled(submission):
            handed.add(submission.result().id)
        assert {task.id for task in _orphans(api)} == handed, f"after {turns} turns"

    assert handed
    assert api.count("stop") == len(api.tasks) - len(handed)
    figure(f"80 cancel points, {len(api.tasks)} tasks created, 0 orphans")


@pytest.mark.parametrize("lost", [False, True], ids=["answered", "lost answers"])
async def test_cancelling_at_any_time_leaves_no_orphan(
    api: FakeApi, open_session: OpenSession, lost: bool
):
    """E1 with slow replies and with lost answers: whatever was created is stopped in the end."""
    session = await open_session()
    api.make = _forever
    api.latency = 0.3
    api.list_lag = 2.0
    if lost:
        api.break_calls("run", {0: Fault(cut=True, done=True, delay=0.2, stall=0.2)})

    for tenths in range(60):
        run = asyncio.create_task(session.run_and_wait("x"))
        await asyncio.sleep(tenths / 10)
        began = _time()
        run.cancel()
        assert await _cancelled(run)
        assert _time() - began <= 5.05
    await asyncio.sleep(30.0)

    assert not _orphans(api)
    assert len(api.tasks) >= 50


@pytest.mark.parametrize("status", ["created", "running", "paused", "finished", "archived"])
async def test_cancelling_stops_in_each_state(api: FakeApi, open_session: OpenSession, status: str):
    """E2: `on_cancel="stop"` sends one stop, in whatever state the task is."""
    session = await open_session()
    life = ((0.0, "running"), (10.0, status))
    api.make = lambda _body: FakeTask(life=life)
    run = asyncio.create_task(session.run_and_wait("x"))
    await asyncio.sleep(10.5 if status == "finished" else 20.0)
    run.cancel()

    assert await _cancelled(run)
    assert api.count("stop") == 1


@pytest.mark.parametrize(("fate", "route"), [("stop", "stop"), ("pause", "pause"), ("leave", "")])
async def test_on_cancel(api: FakeApi, open_session: OpenSession, fate: Any, route: str):
    """E2: the fate of the task is what was asked for."""
    session = await open_session()
    api.make = _forever
    run = asyncio.create_task(session.run_and_wait("x", on_cancel=fate))
    await asyncio.sleep(20.0)
    run.cancel()

    assert await _cancelled(run)
    assert [call.route for call in api.calls if call.at >= 20.0 and call.route != "status"] == (
        [route] if route else []
    )


@pytest.mark.parametrize(("fate", "route"), [("stop", "stop"), ("pause", "pause"), ("leave", "")])
async def test_on_timeout(api: FakeApi, open_session: OpenSession, fate: Any, route: str):
    """D3: the call ends on time; what becomes of the task is done behind its back."""
    session = await open_session()
    api.make = _forever
    api.fault = lambda call: Fault(delay=3.0) if call.route in {"stop", "pause"} else None

    with pytest.raises(errors.WaitTimeoutError) as caught:
        await session.run_and_wait("x", timeout=60.0, on_timeout=fate)

    assert _time() == pytest.approx(60.0, abs=0.05)
    assert caught.value.task_id in api.tasks
    await session.aclose()  # waits for the stop that is under way
    assert api.count("stop", "pause") == (1 if route else 0)
    assert not route or _time() >= 63.0
    assert bool(_orphans(api)) is not bool(route)


async def test_a_slow_stop_delays_a_cancellation_by_five_seconds(
    api: FakeApi, open_session: OpenSession
):
    """E2: the stop is shielded and bounded; the cancellation comes through all the same."""
    session = await open_session()
    api.make = _forever
    api.fault = lambda call: Fault(delay=20.0) if call.route == "stop" else None
    run = asyncio.create_task(session.run_and_wait("x"))
    await asyncio.sleep(10.0)
    run.cancel()

    assert await _cancelled(run)
    assert _time() == pytest.approx(15.0, abs=0.05)
    await asyncio.sleep(20.0)
    assert not _orphans(api)  # it went on in the background


async def test_a_second_cancellation_ends_the_first(api: FakeApi, open_session: OpenSession):
    """E3: whoever cancels twice does not wait for the stop."""
    session = await open_session()
    api.make = _forever
    api.fault = lambda call: Fault(delay=20.0) if call.route == "stop" else None
    run = asyncio.create_task(session.run_and_wait("x"))
    await asyncio.sleep(10.0)
    run.cancel()
    await asyncio.sleep(1.0)
    run.cancel()

    assert await _cancelled(run)
    assert _time() == pytest.approx(11.0, abs=0.05)
    await asyncio.sleep(20.0)
    assert not _orphans(api)


async def test_an_outer_timeout_is_a_cancellation(api: FakeApi, open_session: OpenSession):
    """E5: `asyncio.timeout` around the call sees its own timeout, and the task is stopped."""
    session = await open_session()
    api.make = _forever

    with pytest.raises(TimeoutError) as caught:
        async with asyncio.timeout(30.0):
            await session.run_and_wait("x")

    assert not isinstance(caught.value, errors.WaitTimeoutError)
    assert _time() == pytest.approx(30.0, abs=0.05)
    assert not _orphans(api)


async def test_a_failing_sibling_cancels_the_group(api: FakeApi, open_session: OpenSession):
    """E4: one of 100 in a TaskGroup fails: its siblings are stopped, and the group is clean."""
    session = await open_session()

    def make(body: dict[str, Any]) -> FakeTask:
        return lives(20.0, end="failed") if body["task"] == "job 50" else _forever()

    api.make = make

    async def run_all() -> None:
        async with asyncio.TaskGroup() as group:
            for number in range(100):
                group.create_task(session.run_and_wait(f"job {number}"))

    with pytest.raises(ExceptionGroup) as caught:
        await run_all()

    assert [type(error) for error in caught.value.exceptions] == [errors.TaskFailedError]
    assert not _orphans(api)
    assert api.count("stop") == 99


async def test_a_stop_that_fails_is_logged(
    api: FakeApi, open_session: OpenSession, caplog: pytest.LogCaptureFixture
):
    """A task that could not be stopped is named in the log; the cancellation comes through."""
    session = await open_session()
    api.make = _forever
    api.fault = lambda call: Fault(status=403) if call.route == "stop" else None
    run = asyncio.create_task(session.run_and_wait("x"))
    await asyncio.sleep(5.0)
    run.cancel()

    assert await _cancelled(run)
    (task,) = api.tasks
    assert [
        record.levelno
        for record in caplog.records
        if f"could not stop task {task}" in record.message
    ] == [logging.WARNING]


async def test_closing_gives_stops_their_time(api: FakeApi, open_session: OpenSession):
    """`aclose()` waits for the stop of a cancelled call, five seconds at the most."""
    session = await open_session()
    api.make = _forever
    api.fault = lambda call: Fault(delay=4.0) if call.route == "stop" else None
    run = asyncio.create_task(session.run_and_wait("x"))
    await asyncio.sleep(10.0)
    run.cancel()
    await asyncio.sleep(0.5)

    await session.aclose()

    assert _time() == pytest.approx(14.0, abs=0.05)
    assert await _cancelled(run)
    assert not _orphans(api)


async def test_closing_in_the_turn_of_a_cancellation(api: FakeApi, open_session: OpenSession):
    """E12: cancelled and closed in one turn, as `asyncio.run` does at its end, nothing is lost."""
    session = await open_session()
    api.make = _forever
    runs = [asyncio.create_task(session.run_and_wait("x")) for _ in range(5)]
    await asyncio.sleep(10.0)
    for run in runs:
        run.cancel()

    await session.aclose()

    assert [await _cancelled(run) for run in runs] == [True] * 5
    assert not _orphans(api)


async def test_closing_does_not_wait_for_ever(
    api: FakeApi, open_session: OpenSession, caplog: pytest.LogCaptureFixture
):
    """A stop that takes too long is given up, and the log names the task."""
    session = await open_session()
    api.make = _forever
    api.fault = lambda call: Fault(delay=25.0) if call.route == "stop" else None
    with pytest.raises(errors.WaitTimeoutError):
        await session.run_and_wait("x", timeout=10.0, on_timeout="stop")

    await session.aclose()

    assert _time() == pytest.approx(15.0, abs=0.05)
    (task,) = api.tasks
    assert f"no time to stop task {task}" in caplog.text


async def test_closing_during_a_creation_is_unknown(api: FakeApi, open_session: OpenSession):
    """E8: run-task is on the wire when the session closes: the caller gets the token."""
    session = await open_session()
    api.break_calls("run", {1: Fault(delay=20.0)})
    submission = asyncio.create_task(session.submit("x"))
    await asyncio.sleep(1.0)

    await session.aclose()

    with pytest.raises(errors.SubmissionUnknownError) as caught:
        await submission
    assert caught.value.submission_token is not None
    assert _time() == pytest.approx(6.0, abs=0.05)


async def test_closing_before_the_request_is_closing(api: FakeApi, open_session: OpenSession):
    """E8: nothing is on the wire, so the caller is told that the session is closed."""
    session = await open_session()
    api.break_calls("run", {1: Fault(status=429, headers={"Retry-After": "50"})})
    submission = asyncio.create_task(session.submit("x"))
    await asyncio.sleep(1.0)

    await session.aclose()

    with pytest.raises(errors.SessionClosedError):
        await submission
    assert api.count("run") == 1


async def test_closing_during_the_wait_of_a_run(api: FakeApi, open_session: OpenSession):
    """E8: the task lives on, and the error carries its id."""
    session = await open_session()
    api.make = _forever
    run = asyncio.create_task(session.run_and_wait("x"))
    await asyncio.sleep(10.0)
    began = time.perf_counter()

    await session.aclose()

    with pytest.raises(errors.SessionClosedError) as caught:
        await run
    assert caught.value.task_id in api.tasks
    assert len(_orphans(api)) == 1
    assert time.perf_counter() - began < 1.0

"""What `run_and_wait` does besides the wait: the callback, and a creation that is cut short."""

import asyncio
from typing import Any

import pytest

from browser_use_async import TaskHandle, errors
from tests.support.fake_api import FakeApi, FakeTask, Fault
from tests.support.fake_task import lives
from tests.support.virtual_time import loop_time

pytestmark = pytest.mark.looptime


def _forever(_body: Any = None) -> FakeTask:
    return lives(1e6)


def _orphans(api: FakeApi) -> list[FakeTask]:
    return [task for task in api.tasks.values() if task.status() == "running"]


async def _cancelled(task: "asyncio.Task[Any]") -> bool:
    await asyncio.wait([task])
    return task.cancelled()


async def test_nothing_is_sent_after_a_cancellation(api, session):
    """A submission that is cancelled while it waits for a 429 to end is not sent again."""
    api.break_calls("run", {1: Fault(status=429, headers={"Retry-After": "20"})})
    run = asyncio.create_task(session.run_and_wait("x"))
    await asyncio.sleep(10.0)
    run.cancel()

    assert await _cancelled(run)
    assert loop_time() == pytest.approx(10.0, abs=0.05)
    await asyncio.sleep(60.0)
    assert api.count() == 1


async def test_nothing_is_sent_after_the_request_on_the_wire(api, session):
    """A submission whose request is answered with 429 after the cancellation is not sent again."""
    limited = Fault(status=429, headers={"Retry-After": "5"}, delay=2.0)
    api.break_calls("run", {1: limited})
    run = asyncio.create_task(session.run_and_wait("x"))
    await asyncio.sleep(1.0)
    run.cancel()

    assert await _cancelled(run)
    await asyncio.sleep(60.0)
    assert api.count() == 1


async def test_no_search_sends_after_a_cancellation(api, session, caplog):
    """Cancelled during the search for a lost answer: a task that is found is stopped, no more."""
    api.break_calls("run", {1: Fault(cut=True)})
    run = asyncio.create_task(session.run_and_wait("x"))
    await asyncio.sleep(10.0)
    run.cancel()

    assert await _cancelled(run)
    await asyncio.sleep(300.0)
    assert api.count("run") == 1
    assert "bu1." in caplog.text  # the token, by which the caller can search


async def test_a_pause_beyond_the_deadline_is_not_begun(api, session):
    """A pause that would end after the deadline does not begin: no task exists, and none will."""
    api.break_calls("run", {0: Fault(status=429, headers={"Retry-After": "30"})})

    with pytest.raises(errors.RateLimitError) as caught:
        await session.run_and_wait("x", timeout=10.0)

    assert caught.value.retry_after == 30.0
    assert loop_time() == pytest.approx(0.0, abs=0.05)
    await asyncio.sleep(120.0)
    assert api.count("run") == 1


async def test_a_timeout_on_the_wire_is_unknown(api, session):
    """The timeout ends while run-task is in progress: the error finds the task, which runs on."""
    api.make = _forever
    api.break_calls("run", {1: Fault(delay=8.0)})

    with pytest.raises(errors.SubmissionUnknownError) as caught:
        await session.run_and_wait("x", timeout=5.0)

    assert loop_time() == pytest.approx(5.0, abs=0.05)
    found = await caught.value.resolve()
    assert found is not None
    assert len(_orphans(api)) == 1


async def test_a_timeout_on_the_wire_can_stop(api, session):
    """With `on_timeout="stop"`, a task that is created after the timeout is stopped."""
    api.make = _forever
    api.break_calls("run", {1: Fault(delay=8.0)})

    with pytest.raises(errors.SubmissionUnknownError):
        await session.run_and_wait("x", timeout=5.0, on_timeout="stop")
    await asyncio.sleep(10.0)

    assert len(api.tasks) == api.count("stop") == 1
    assert not _orphans(api)


async def test_on_created_is_called_once(api, session):
    """The callback gets the handle before the wait, as a coroutine or a plain function."""
    handles: list[TaskHandle] = []

    async def later(handle: TaskHandle) -> None:
        await asyncio.sleep(1.0)
        handles.append(handle)

    for callback in (handles.append, later):
        ended = await session.run_and_wait("x", on_created=callback)
        assert handles[-1].id == ended.id

    assert len(handles) == 2


async def test_on_created_does_not_move_the_deadline(api, session):
    """A callback that hangs ends with the timeout, and `on_timeout` is applied to the task."""
    api.make = _forever

    async def hang(_handle: TaskHandle) -> None:
        await asyncio.sleep(1e6)

    with pytest.raises(errors.WaitTimeoutError) as caught:
        await session.run_and_wait("x", timeout=10.0, on_timeout="stop", on_created=hang)

    assert loop_time() == pytest.approx(10.0, abs=0.05)
    assert caught.value.task_id in api.tasks
    assert "asks the service to stop it now" in str(caught.value)
    assert "lives on" not in str(caught.value)
    await asyncio.sleep(1.0)
    assert not _orphans(api)


@pytest.mark.parametrize("action", ["leave", "stop", "pause"])
async def test_the_error_says_what_becomes_of_the_task(api, session, action):
    """The error of a timeout says whether the task is stopped, paused or runs on."""
    api.make = _forever

    with pytest.raises(errors.WaitTimeoutError) as caught:
        await session.run_and_wait("x", timeout=10.0, on_timeout=action)
    await asyncio.sleep(1.0)

    handles = str(caught.value)
    asked = "" if action == "leave" else f"asks the service to {action} it now"
    assert ("It lives on: wait again" in handles) is (action == "leave")
    assert asked in handles
    assert (api.count("stop"), api.count("pause")) == (action == "stop", action == "pause")


@pytest.mark.parametrize("error", [ValueError("mine"), TimeoutError("mine")], ids=repr)
async def test_what_on_created_raises_comes_through(api, session, error):
    """The callback's exception is raised, with a note that names the running task."""
    api.make = _forever

    async def fail(_handle: TaskHandle) -> None:
        raise error

    with pytest.raises(type(error), match="mine") as caught:
        await session.run_and_wait("x", timeout=10.0, on_created=fail)

    (task,) = _orphans(api)
    assert task.id in "".join(caught.value.__notes__)


async def test_a_cancelled_callback_stops_the_task(api, session):
    """Cancelling inside the callback is cancelling the call."""
    api.make = _forever

    async def hang(_handle: TaskHandle) -> None:
        await asyncio.sleep(1e6)

    run = asyncio.create_task(session.run_and_wait("x", on_created=hang))
    await asyncio.sleep(5.0)
    run.cancel()

    assert await _cancelled(run)
    assert not _orphans(api)

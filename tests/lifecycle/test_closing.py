"""What happens to tasks and calls when the session is closed."""

import asyncio

import pytest

from browser_use_async import BrowserUseSession, errors
from tests.lifecycle.orphans import cancelled, forever, now, orphans, steps
from tests.support.fake_api import Fault
from tests.support.hygiene import KEY

pytestmark = pytest.mark.looptime


async def test_closing_gives_stops_their_time(api, session):
    """`aclose()` waits for the stop of a cancelled call, five seconds at the most."""
    api.make = forever
    api.fault = lambda call: Fault(delay=4.0) if call.route == "stop" else None
    run = asyncio.create_task(session.run_and_wait("x"))
    await asyncio.sleep(10.0)
    run.cancel()
    await asyncio.sleep(0.5)

    await session.aclose()

    assert now() == pytest.approx(14.0, abs=0.05)
    assert await cancelled(run)
    assert not orphans(api)


async def test_closing_in_the_turn_of_a_cancellation(api, session):
    """A call is cancelled and the session closed in one turn, as at the end of `asyncio.run`."""
    api.make = forever
    runs = [asyncio.create_task(session.run_and_wait("x")) for _ in range(5)]
    await asyncio.sleep(10.0)
    for run in runs:
        run.cancel()

    await session.aclose()

    assert [await cancelled(run) for run in runs] == [True] * 5
    assert not orphans(api)


@pytest.mark.parametrize("turns", range(1, 6))
async def test_closing_that_is_cancelled_with_a_call_loses_nothing(api, caplog, turns):
    """A program that cancels everything while it closes stops the task, or the log names it."""
    api.make = forever
    session = BrowserUseSession(api_key=KEY, base_url=api.url)
    run = asyncio.create_task(session.run_and_wait("x"))
    await asyncio.sleep(2.0)

    closing = asyncio.create_task(session.aclose())
    run.cancel()
    await steps(turns)
    closing.cancel()

    assert await cancelled(run)
    await asyncio.wait([closing])
    task = api.only_task()
    assert task.status() == "stopped" or f"could not stop task {task.id}" in caplog.text


async def test_a_wait_in_a_closed_session_names_its_task(api, session):
    """The wait ends at once, and its error says that the task runs on."""
    handle = await session.submit("x")
    await session.aclose()

    with pytest.raises(errors.SessionClosedError, match="lives on") as caught:
        await handle.wait()

    assert caught.value.task_id == handle.id


async def test_closing_does_not_wait_for_ever(api, session, caplog):
    """A stop that takes too long is given up, and the log names the task."""
    api.make = forever
    api.fault = lambda call: Fault(delay=25.0) if call.route == "stop" else None
    with pytest.raises(errors.WaitTimeoutError):
        await session.run_and_wait("x", timeout=10.0, on_timeout="stop")

    await session.aclose()

    assert now() == pytest.approx(15.0, abs=0.05)
    (task,) = api.tasks
    assert f"could not stop task {task}: there was no time for it" in caplog.text


async def test_closing_during_a_creation_is_unknown(api, session):
    """Run-task is on the wire when the session closes: the caller gets the token."""
    api.break_calls("run", {1: Fault(delay=20.0)})
    submission = asyncio.create_task(session.submit("x"))
    await asyncio.sleep(1.0)

    await session.aclose()

    with pytest.raises(errors.SubmissionUnknownError) as caught:
        await submission
    assert caught.value.submission_token is not None
    assert now() == pytest.approx(6.0, abs=0.05)


async def test_closing_before_the_request_is_closing(api, session):
    """Nothing was sent, so the caller gets the error of a closed session."""
    api.break_calls("run", {1: Fault(status=429, headers={"Retry-After": "50"})})
    submission = asyncio.create_task(session.submit("x"))
    await asyncio.sleep(1.0)

    await session.aclose()

    with pytest.raises(errors.SessionClosedError):
        await submission
    assert api.count("run") == 1


async def test_closing_during_the_wait_of_a_run(api, session):
    """The task runs on, and the error carries its id."""
    api.make = forever
    run = asyncio.create_task(session.run_and_wait("x"))
    await asyncio.sleep(10.0)
    began = asyncio.get_running_loop().time()

    await session.aclose()

    with pytest.raises(errors.SessionClosedError) as caught:
        await run
    assert caught.value.task_id in api.tasks
    assert len(orphans(api)) == 1
    assert asyncio.get_running_loop().time() - began < 1.0

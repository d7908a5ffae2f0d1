"""The life of a session: closing, other loops, and everything at once with the bundled server."""

import asyncio
import gc
import weakref
from typing import Any

import pytest

from browser_use_async import BrowserUseSession, PollPolicy, TaskStatus, errors, webhooks
from browser_use_async.server.executors.scripted import Scenario, ScriptedExecutor
from tests.support.api_bench import resolved
from tests.support.fake_api import FakeTask, Fault
from tests.support.hygiene import KEY, raises


def _forever() -> FakeTask:
    return FakeTask(life=((0.0, "running"),))


async def _finish(*waits: "asyncio.Task[Any]") -> list[BaseException | None]:
    await asyncio.wait(waits)
    return [wait.exception() for wait in waits]


def test_with_is_refused_and_names_the_way():
    """The error for a program without an event loop says how to use a session."""
    session = BrowserUseSession(KEY)

    with raises(TypeError) as caught, session:
        pytest.fail("it was entered")

    assert str(caught.value).startswith("a session needs `async with`; programs without an event")
    assert "Programs without an event loop" in str(caught.value)


# --- closing ------------------------------------------------------------------------------


@pytest.mark.looptime
async def test_closing_ends_every_wait(api, session):
    """Running waits, streams and iterators get `SessionClosedError`, with the task's id."""
    task = api.add(_forever())

    async def statuses() -> None:
        async for _status in session.stream_status(task.id):
            pass

    async def steps() -> None:
        async for _step in session.stream_steps(task.id):
            pass

    async def many() -> None:
        async for _task in session.wait_many([task.id]):
            pass

    waits = [
        asyncio.create_task(wait)
        for wait in (
            session.wait(task.id),
            session.handle(task.id).wait(),
            session.handle(task.id).wait_for_live_url(),
            statuses(),
            steps(),
            many(),
        )
    ]
    task.live_after = None
    await asyncio.sleep(10.0)

    await session.aclose()

    raised = await _finish(*waits)
    assert [type(error) for error in raised] == [errors.SessionClosedError] * 6
    assert {error.task_id for error in raised} == {task.id}  # type: ignore[union-attr]
    assert api.in_flight == 0


@pytest.mark.looptime
async def test_an_answer_that_came_before_closing_is_given(api, session):
    """A terminal answer is never lost, not even in the turn of closing."""
    task = api.add(FakeTask(life=((0.0, "running"), (5.0, "finished"))))
    yielded: list[TaskStatus] = []

    async def slow_consumer() -> None:
        async for status in session.stream_status(task.id):
            yielded.append(status)
            await asyncio.sleep(20.0)

    consumer = asyncio.create_task(slow_consumer())
    await asyncio.sleep(10.0)

    await session.aclose()
    await consumer

    assert yielded == ["running", "finished"]


@pytest.mark.looptime
async def test_a_closed_session_refuses_everything(api, session):
    """Use after close is one clear error for each method; closing twice does no harm."""
    task = api.add(_forever())
    handle = session.handle(task.id)
    await session.tasks.get(task.id)
    await asyncio.gather(session.aclose(), session.aclose())
    await session.aclose()
    before = api.count()

    for verb in (
        session.ping(),
        session.submit("x"),
        session.run_and_wait("x"),
        session.wait(task.id),
        resolved(session, "bu1." + "0" * 32 + "." + "0" * 16 + ".1.1"),
        handle.wait(),
        handle.get_status(),
        handle.stop(),
        anext(session.stream_status(task.id)),
        anext(session.stream_steps(task.id)),
        anext(session.wait_many([task.id])),
        anext(aiter(session.iterate_all_tasks())),
    ):
        with pytest.raises(errors.SessionClosedError):
            await verb

    assert api.count() == before


@pytest.mark.looptime
async def test_a_wait_that_begins_while_closing_is_refused(api, session):
    """While `aclose` waits for a stop, a new wait does not hang."""
    api.make = lambda _body: _forever()
    api.fault = lambda call: Fault(delay=3.0) if call.route == "stop" else None
    with pytest.raises(errors.WaitTimeoutError) as caught:
        await session.run_and_wait("x", timeout=5.0, on_timeout="stop")
    closing = asyncio.create_task(session.aclose())
    await asyncio.sleep(1.0)

    with pytest.raises(errors.SessionClosedError) as refused:
        await session.wait(caught.value.task_id or "")

    assert refused.value.task_id == caught.value.task_id
    await closing


@pytest.mark.looptime
async def test_closing_that_is_cancelled_leaves_nothing(api, session):
    """An `aclose` that is cancelled still closes the connections."""
    api.make = lambda _body: _forever()
    api.fault = lambda call: Fault(delay=30.0) if call.route == "stop" else None
    with pytest.raises(errors.WaitTimeoutError):
        await session.run_and_wait("x", timeout=5.0, on_timeout="stop")

    with pytest.raises(TimeoutError):
        async with asyncio.timeout(1.0):
            await session.aclose()

    await asyncio.sleep(0.1)
    assert api.in_flight == 0
    with pytest.raises(errors.SessionClosedError):
        await session.ping()


@pytest.mark.looptime
async def test_closing_ends_a_search(api, session):
    """A running `resolve` gets the error too."""
    api.break_calls("run", {1: Fault(cut=True)})
    with pytest.raises(errors.SubmissionUnknownError) as caught:
        await session.run_and_wait("x", timeout=10.0)
    search = asyncio.create_task(caught.value.resolve())
    await asyncio.sleep(20.0)

    await session.aclose()

    (error,) = await _finish(search)
    assert isinstance(error, errors.SessionClosedError)


async def test_a_session_is_released_with_its_last_name(api):
    """No cycle, no task and no registry refers to a closed session."""
    session = BrowserUseSession(api_key=KEY, base_url=api.url)
    task = api.add(FakeTask(life=((0.0, "finished"),)))
    await session.wait(task.id)
    await session.aclose()
    gone = weakref.ref(session)

    del session

    assert gone() is None


async def test_a_receiver_keeps_no_closed_session(api):
    """One receiver may serve many sessions in turn, each with its own memory."""
    receiver = webhooks.WebhookReceiver("the secret")
    session = BrowserUseSession(api_key=KEY, base_url=api.url)
    session.attach(receiver)
    await session.wait(api.add(FakeTask(life=((0.0, "finished"),))).id)
    await session.aclose()
    gone = weakref.ref(session)

    del session
    gc.collect()

    assert gone() is None


# --- other loops ---------------------------------------------------------------------------


async def test_another_loop_is_refused(running_api):
    """Waits, streams and closing in a second loop are refused with a typed error, without harm."""
    session = BrowserUseSession(api_key=KEY, base_url=running_api.url)
    wait = asyncio.create_task(session.wait("t1"))
    await asyncio.sleep(0.05)

    def elsewhere() -> None:
        async def use() -> None:
            for verb in (session.wait("t1"), session.submit("x"), session.aclose()):
                with pytest.raises(errors.WrongEventLoopError, match="one session for") as caught:
                    await verb
                assert "<" not in str(caught.value)
            with pytest.raises(errors.WrongEventLoopError):
                await anext(session.stream_status("t1"))

        asyncio.run(use())

    await asyncio.to_thread(elsewhere)

    assert not wait.done()
    await session.aclose()
    assert [type(error) for error in await _finish(wait)] == [errors.SessionClosedError]


# --- with the bundled server --------------------------------------------------------------


@pytest.fixture
def server_options():
    """Tasks that end in different ways."""
    executor = ScriptedExecutor(
        {
            "fails": Scenario(steps=("Try", "Give up"), outcome="failed", reason="no such page"),
            "hangs": Scenario(hangs=True, step_seconds=0.02),
            "answers": Scenario(output={"title": "Example"}, step_seconds=0.02),
            "long": Scenario(steps=[f"Step {n}" for n in range(1, 9)], step_seconds=0.05),
        }
    )
    return {"executor": executor}


async def test_the_bundled_server_from_end_to_end(server):
    """Run, structured output, failure, stop by cancellation, streams, paging: on real sockets."""
    async with BrowserUseSession(
        api_key=server.api_key,
        base_url=server.base_url,
        poll=PollPolicy(interval=0.05, latency_target=0.1),
    ) as session:
        ended = await session.run_and_wait("answers", output_type=dict[str, str])
        assert ended.parsed == {"title": "Example"}

        with pytest.raises(errors.TaskFailedError, match="no such page"):
            await session.run_and_wait("fails")

        handle = await session.submit("long", metadata={"mine": "1"})
        steps, statuses, again = await asyncio.gather(
            _list(handle.stream_steps()), _list(handle.stream_status()), handle.wait()
        )
        assert [step.next_goal for step in steps] == [f"Step {n}" for n in range(1, 9)]
        assert statuses[-1] == again.status == "finished"
        assert again.metadata == {"mine": "1"}

        with pytest.raises(TimeoutError):
            async with asyncio.timeout(None) as limit:
                await session.run_and_wait(
                    "hangs",
                    on_created=lambda _handle: limit.reschedule(asyncio.get_running_loop().time()),
                )
        rows = await _list(session.iterate_all_tasks(page_size=2))
        assert [(row.task, str(row.status)) for row in rows] == [
            ("hangs", "stopped"),
            ("long", "finished"),
            ("fails", "failed"),
            ("answers", "finished"),
        ]


async def _list(items: Any) -> list[Any]:
    return [item async for item in items]

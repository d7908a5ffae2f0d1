"""The same life of a session in every kind of event loop."""

import asyncio
import logging
import sys
from collections.abc import Callable

import pytest
import uvloop

from browser_use_async import BrowserUseSession, PollPolicy, TaskHandle, TaskStatus, errors
from tests.support.eager import eager_task
from tests.support.fake_api import FakeApi, FakeTask, Fault
from tests.support.hygiene import KEY
from tests.support.patience import until

LOOPS: dict[str, Callable[[], asyncio.AbstractEventLoop]] = {
    "asyncio": asyncio.new_event_loop,
    "uvloop": uvloop.new_event_loop,
}
QUICK = PollPolicy(interval=0.03, latency_target=0.05)


@pytest.mark.long
@pytest.mark.parametrize("debug", [False, True], ids=["plain", "debug mode"])
@pytest.mark.parametrize("eager", [False, True], ids=["lazy tasks", "eager tasks"])
@pytest.mark.parametrize("kind", LOOPS)
def test_a_session_in_every_loop(kind, eager, debug, caplog):
    """Runs, waits, streams, adopts, stops and closes, and the loop reports no error."""
    if eager and sys.version_info < (3, 12):
        pytest.skip("eager tasks came with Python 3.12")
    with asyncio.Runner(debug=debug, loop_factory=LOOPS[kind]) as runner:
        if eager:
            runner.get_loop().set_task_factory(eager_task)
        runner.run(_live())

    said = [
        record.message
        for record in caplog.records
        if record.name == "asyncio" and record.levelno > logging.WARNING
    ]
    assert not said


async def _live() -> None:
    async with (
        FakeApi() as api,
        BrowserUseSession(api_key=KEY, base_url=api.url, poll=QUICK) as session,
    ):
        await _run_and_stream(api, session)
        await _cancel(api, session)
        pending = asyncio.create_task(session.wait(api.add(_running()).id))
        await asyncio.sleep(0.05)
        await session.aclose()
        await asyncio.wait([pending])
        assert isinstance(pending.exception(), errors.SessionClosedError)
        assert _names_of_other_tasks() <= {"RequestHandler.start"}  # the server's


def _names_of_other_tasks() -> set[str]:
    others = asyncio.all_tasks() - {asyncio.current_task()}
    return {getattr(task.get_coro(), "__qualname__", "") for task in others}


def _running(seconds: float = 1e6) -> FakeTask:
    return FakeTask(life=((0.0, "running"), (seconds, "finished")))


async def _run_and_stream(api: FakeApi, session: BrowserUseSession) -> None:
    api.make = lambda _body: _running(0.1)
    assert (await session.run_and_wait("x")).status is TaskStatus.FINISHED
    api.break_calls("run", {2: Fault(cut=True, done=True)})
    handle = await session.submit("an answer that is lost")
    statuses = [str(status) async for status in handle.stream_status()]
    assert statuses[-1] == "finished"
    many = [task.id async for task in session.wait_many(api.tasks)]
    assert len(many) == api.count("run") == 2
    with pytest.raises(errors.InvalidRequestError):
        await session.wait("..")


async def _cancel(api: FakeApi, session: BrowserUseSession) -> None:
    api.make = lambda _body: _running()
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(None) as limit:
            await session.run_and_wait(
                "x",
                on_created=lambda _handle: limit.reschedule(asyncio.get_running_loop().time()),
            )
    with pytest.raises(errors.WaitTimeoutError):
        await session.run_and_wait("x", timeout=3.0, on_timeout="stop")
    with pytest.raises(ExceptionGroup) as caught:
        await _fail_beside(session)
    assert [type(error) for error in caught.value.exceptions] == [ZeroDivisionError]
    await until(lambda: api.count("stop") >= 7)
    assert api.count("stop") == 7


async def _fail_beside(session: BrowserUseSession) -> None:
    created: list[TaskHandle] = []
    async with asyncio.TaskGroup() as group:
        for _ in range(5):
            group.create_task(session.run_and_wait("x", on_created=created.append))
        await until(lambda: len(created) == 5)
        raise ZeroDivisionError

"""A call cancelled at any await ends, leaks nothing, and leaves no unknown task."""

import asyncio
import re
from collections.abc import AsyncGenerator, Callable, Iterator

import pytest

from browser_use_async import BrowserUseSession, errors
from browser_use_async.transport.config import Runtime
from tests.lifecycle.awaits import Awaits
from tests.lifecycle.orphans import cancelled, orphans
from tests.support.api_bench import resolved
from tests.support.fake_api import FakeApi, Fault
from tests.support.fake_task import lives
from tests.support.hygiene import KEY

pytestmark = pytest.mark.looptime

QUICK = Runtime(settle_window=5.0)


@pytest.mark.parametrize("lost", [False, True], ids=["answered", "lost answers"])
@pytest.mark.parametrize("fate", ["stop", "pause", "leave"])
async def test_cancelling_at_every_await(api, caplog, fate, lost):
    """`run_and_wait` cancelled at its k-th await, for every k until it is through."""
    api.make = lambda _body: lives(20.0)
    if lost:
        api.break_calls("run", {0: Fault(cut=True, done=True)})
    known: set[str] = set()
    point = leaks = 0
    reached = True

    while reached:
        point += 1
        # A new session each time, since connecting has awaits as well.
        async with BrowserUseSession(api_key=KEY, base_url=api.url, runtime=QUICK) as session:
            awaits = Awaits(point)
            run = awaits.start(
                session.run_and_wait(
                    "x",
                    on_cancel=fate,
                    on_created=lambda handle: known.add(handle.id),
                )
            )
            reached = await cancelled(run)
            assert reached is awaits.reached, f"await {point}"
            if fate == "leave":
                await _note_what_is_left(api, session, known, caplog)
            left = {task.id for task in orphans(api)}
            assert left <= known if fate == "leave" else not left, f"await {point}"
        leaks += awaits.alive + api.in_flight

    assert leaks == 0
    assert api.count("run") == len(api.tasks)
    assert api.count("stop", "pause") <= (0 if fate == "leave" else len(api.tasks))


async def _note_what_is_left(
    api: FakeApi, session: BrowserUseSession, known: set[str], log: pytest.LogCaptureFixture
) -> None:
    """Add the tasks that the log names to the known ones."""
    await asyncio.sleep(5.0)  # what was sent runs to its end
    known |= {task_id for task_id in api.tasks if task_id in log.text}
    for token in re.findall(r"browser-use-async watch (bu1\S+)`", log.text):
        found = await resolved(session, token)
        known |= set() if found is None else {found.id}
    log.clear()


FOLLOWING: dict[str, Callable[[BrowserUseSession, str], AsyncGenerator[object, None]]] = {
    "stream_status": lambda session, task_id: session.stream_status(task_id),
    "stream_steps": lambda session, task_id: session.stream_steps(task_id),
    "wait_many": lambda session, task_id: session.wait_many([task_id]),
}


@pytest.mark.parametrize("verb", ["wait", *FOLLOWING])
async def test_cancelling_what_only_follows(api, verb):
    """Waits and streams cancelled at any await stop polling, and leave the task alone."""

    async def follow(session: BrowserUseSession, task_id: str) -> None:
        if verb == "wait":
            await session.wait(task_id)
            return
        async for _item in FOLLOWING[verb](session, task_id):
            await asyncio.sleep(0.1)

    point = leaks = 0
    reached = True
    while reached:
        point += 1
        async with BrowserUseSession(api_key=KEY, base_url=api.url) as session:
            task = api.add(lives(8.0))
            awaits = Awaits(point)
            reached = await cancelled(awaits.start(follow(session, task.id)))
            assert reached is awaits.reached, f"await {point}"
            await asyncio.sleep(0.1)
            before = api.count()
            await asyncio.sleep(10.0)
            assert api.count() == before
        leaks += awaits.alive + api.in_flight

    assert leaks == 0
    assert api.count("stop", "pause") == 0


@pytest.mark.long
async def test_leaving_a_batch_at_every_await(api, caplog):
    """A batch without a ledger, cancelled at any await: its tasks are stopped or reported."""

    async def program() -> None:
        async with BrowserUseSession(api_key=KEY, base_url=api.url) as session:
            async for _result in session.run_many(["x", "y", "z"], concurrency=2):
                await asyncio.sleep(0.1)

    ages: Iterator[float] = iter(())
    api.make = lambda _body: lives(next(ages))
    known: set[str] = set()  # of all rounds: a task that one round has reported runs on in the next
    point = leaks = 0
    reached = True
    while reached:
        point += 1
        ages = iter([1.0, 30.0, 30.0])
        awaits = Awaits(point)
        reached = await cancelled(awaits.start(program()))
        assert reached is awaits.reached, f"await {point}"
        await asyncio.sleep(0.5)  # what was sent runs to its end
        async with BrowserUseSession(api_key=KEY, base_url=api.url) as session:
            await _note_what_is_left(api, session, known, caplog)
        assert {task.id for task in orphans(api)} <= known, f"await {point}"
        leaks += awaits.alive + api.in_flight

    assert leaks == 0


async def test_closing_is_cancelled_at_every_await(api):
    """`aclose` cancelled at any await: waits raise, and no connection is left."""
    api.make = lambda _body: lives(1e6)
    api.fault = lambda call: Fault(delay=2.0) if call.route == "stop" else None
    point = leaks = 0
    reached = True
    while reached:
        point += 1
        session = BrowserUseSession(api_key=KEY, base_url=api.url)
        wait = asyncio.create_task(session.wait(api.add(lives(1e6)).id))
        with pytest.raises(errors.WaitTimeoutError):
            await session.run_and_wait("x", timeout=3.0, on_timeout="stop")
        awaits = Awaits(point)
        reached = await cancelled(awaits.start(session.aclose()))
        assert reached is awaits.reached, f"await {point}"
        with pytest.raises(errors.SessionClosedError):
            await wait
        await asyncio.sleep(0.1)
        leaks += awaits.alive + api.in_flight

    assert leaks == 0

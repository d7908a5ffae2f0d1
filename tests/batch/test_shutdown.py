"""The ways to leave a batch: break, cancellation, closing, draining."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest

from browser_use_async import TaskStatus, errors
from browser_use_async.batch import ItemState, StopReason, read_ledger
from tests.batch.conftest import QUICK, hanging
from tests.support.patience import PATIENCE, until

Texts = Callable[[int], list[str]]


@pytest.mark.parametrize("way", ["break", "cancel", "aclose"])
@pytest.mark.parametrize("on_cancel", ["leave", "stop", None])
async def test_leaving_leaves_or_stops(launch, session_with, ledger, texts, way, on_cancel):
    """Left in any way, tasks run on or are stopped, and the next run continues with them."""
    server = await launch(scenarios={"Task 0": QUICK}, executor=hanging({"Task 0": QUICK}))
    session = await session_with(server)
    batch = session.run_many(texts(5), concurrency=3, ledger=ledger, on_cancel=on_cancel)

    # A batch that is left before an answer has come has an unanswered item, which is another case.
    await _leave(batch, way, lambda: read_ledger(ledger).counts[ItemState.SUBMITTED] == 3)

    statuses = [task.status for task in server.store.tasks if task.task != "Task 0"]
    wanted = TaskStatus.STOPPED if on_cancel == "stop" else TaskStatus.RUNNING
    assert statuses
    await until(lambda: {t.status for t in server.store.tasks[1:]} == {wanted})
    view = read_ledger(ledger)
    assert view.counts[ItemState.DONE] == 1
    before = len(server.store.tasks)
    for task in server.store.tasks[1:]:
        await session.tasks.stop(task.id)
    again = session.run_many(texts(before), concurrency=5, ledger=ledger)
    results = await again.collect()
    assert len(results) == before == len(server.store.tasks)


async def _leave(batch: Any, way: str, condition: Callable[[], object]) -> None:
    """Leave a batch that has returned its first result, as soon as a condition is true."""
    seen = asyncio.Event()

    async def iterate() -> None:
        async with batch:
            async for _result in batch:
                await until(condition)
                seen.set()
                if way == "break":
                    break

    task = asyncio.ensure_future(iterate())
    await seen.wait()
    if way == "cancel":
        task.cancel()
    elif way == "aclose":
        await batch.aclose()
    await asyncio.wait([task], timeout=PATIENCE)
    assert task.done()


async def test_without_a_ledger_leaving_stops(launch, session_with, texts):
    """Where no ledger keeps the running tasks, they are stopped."""
    server = await launch(executor=hanging({"Task 0": QUICK}))
    session = await session_with(server)

    batch = session.run_many(texts(5), concurrency=3)
    await _leave(batch, "break", lambda: len(server.store.tasks) == 4)

    statuses = {task.task: task.status for task in server.store.tasks}
    assert statuses.pop("Task 0") is TaskStatus.FINISHED
    assert set(statuses.values()) == {TaskStatus.STOPPED}


@pytest.mark.parametrize("waits_for_input", [False, True])
async def test_draining_finishes_what_runs(launch, session_with, ledger, waits_for_input):
    """After `drain()` nothing is submitted, running tasks end, and the loop ends."""
    server = await launch()
    session = await session_with(server)

    async def endless() -> AsyncIterator[str]:
        for number in range(1_000_000):
            if number == 4 and waits_for_input:
                await asyncio.get_running_loop().create_future()
            yield f"Task {number}"

    batch = session.run_many(endless(), concurrency=3, ledger=ledger)
    seen = 0
    async for _result in batch:
        seen += 1
        if seen == 3:
            batch.drain()

    view = read_ledger(ledger)
    assert batch.progress.stopped_by is StopReason.DRAINED
    assert view.counts[ItemState.DONE] == len(server.store.tasks) == seen
    assert not view.counts[ItemState.SUBMITTED]


@pytest.mark.parametrize("concurrency", [1, 3])
async def test_an_input_may_drain_its_batch(launch, session_with, ledger, concurrency):
    """Later items of the input are not submitted, and the loop ends without an error."""
    session = await session_with(await launch())

    def given() -> Iterator[str]:
        for number in range(10):
            if number == 3:
                batch.drain()
            yield f"Task {number}"

    batch = session.run_many(given(), concurrency=concurrency, ledger=ledger)
    results = await batch.collect()

    assert [each.index for each in results] == [0, 1, 2]
    assert all(each.succeeded for each in results)
    assert batch.progress.stopped_by is StopReason.DRAINED


async def test_a_loop_that_is_left_needs_no_closing(launch, session_with, ledger, texts):
    """After a plain `break` the ledger is free within a moment, and no task is left."""
    session = await session_with(await launch())

    async for _result in session.run_many(texts(5), concurrency=2, ledger=ledger):
        break

    results = await _when_the_ledger_is_free(
        lambda: session.run_many(texts(5), concurrency=2, ledger=ledger)
    )
    assert all(result.succeeded for result in results)


@pytest.mark.parametrize("way", ["aclose", "cancel"])
async def test_closing_before_the_ledger_is_open_leaves_it_to_others(
    launch, session_with, ledger, texts, way
):
    """Closed or cancelled while it opens its ledger, a batch sends nothing and frees it."""
    server = await launch()
    session = await session_with(server)
    batch = session.run_many(texts(5), concurrency=2, ledger=ledger)
    collecting = asyncio.ensure_future(batch.collect())
    await asyncio.sleep(0)
    if way == "aclose":
        await batch.aclose()
    else:
        collecting.cancel()
    await asyncio.wait([collecting], timeout=PATIENCE)
    assert collecting.done()

    assert server.requests["run_task"] == 0
    await _when_the_ledger_is_free(lambda: session.run_many(texts(2), concurrency=1, ledger=ledger))


async def _when_the_ledger_is_free(batch: Callable[[], Any]) -> list[Any]:
    """The results of a batch, which begins as soon as another has released the ledger."""
    async with asyncio.timeout(PATIENCE):
        while True:
            try:
                results: list[Any] = await batch().collect()
            except errors.LedgerLockedError:
                await asyncio.sleep(0.01)
            else:
                return results


async def test_closing_the_session_ends_the_batch(launch, session_with, ledger, texts):
    """A session that is closed in the middle ends the batch with an error that says so."""
    server = await launch(executor=hanging())
    session = await session_with(server)
    collecting = asyncio.ensure_future(
        session.run_many(texts(4), concurrency=2, ledger=ledger).collect()
    )
    await until(lambda: len(server.store.tasks) == 2)
    await until(lambda: read_ledger(ledger).counts[ItemState.SUBMITTED] == 2)

    await session.aclose()

    with pytest.raises(errors.SessionClosedError):
        await collecting
    assert read_ledger(ledger).counts[ItemState.SUBMITTED] == 2

"""Batches that are closed in the middle of a submission, or cancelled from outside."""

import asyncio
import sys
from collections.abc import AsyncIterator, Callable
from decimal import Decimal
from typing import Any

import pytest

from browser_use_async import BrowserUseSession, TaskStatus, errors
from browser_use_async.testing import Fault, Scenario, ScriptedExecutor
from tests.batch.conftest import POLL, QUICK, hanging
from tests.support.eager import eager_task
from tests.support.patience import PATIENCE, until

Texts = Callable[[int], list[str]]


@pytest.fixture
def browser_use_server_options():
    """A server in a thread, so that only the session's asyncio tasks are in the test's loop."""
    return {"executor": ScriptedExecutor({"Task": QUICK}, default=Scenario(hangs=True))}


async def test_a_batch_that_closes_submits_nothing_more(launch, session_with):
    """While the batch waits for an answer, to stop its task, workers begin nothing new."""
    server = await launch(faults=[Fault("latency", "run_task", seconds=1, calls=1, when="before")])
    session = await session_with(server)
    batch = session.run_many((f"Task {n}" for n in range(1000)), concurrency=4, on_cancel="stop")
    async for _result in batch:
        break
    sent = server.requests["run_task"]

    await batch.aclose()

    # Only those that were in progress when it was closed exist.
    assert server.requests["run_task"] <= sent + 3
    assert server.tasks_created <= sent + 3


async def test_a_batch_that_closes_tries_nothing_again(launch, session_with):
    """An answer without a task ends an item, which would be retried otherwise."""
    refusal = Fault("status", "run_task", status=429)
    slow = Fault("latency", "run_task", seconds=1)
    server = await launch(faults=[slow, refusal])
    session = await session_with(server)
    batch = session.run_many(["Task"], concurrency=1, on_cancel="stop")
    collecting = asyncio.ensure_future(batch.collect())
    await until(lambda: server.requests["run_task"] == 1)

    await batch.aclose()
    await asyncio.wait([collecting], timeout=PATIENCE)

    assert server.requests["run_task"] == 1


async def test_a_second_cancellation_aborts_no_stop(launch, session_with, texts):
    """Cancelled again while it waits for an answer, a batch still stops all of its tasks."""
    slow = Fault("latency", "run_task", seconds=1, calls=3)
    server = await launch(executor=hanging(), faults=[slow])
    session = await session_with(server)
    running = asyncio.ensure_future(session.run_many(texts(3), concurrency=3).collect())
    await until(lambda: server.requests["run_task"] == 3 and server.tasks_created >= 2)

    running.cancel()
    await asyncio.wait([running], timeout=0.1)
    running.cancel()
    await asyncio.wait([running], timeout=PATIENCE)

    assert running.cancelled()
    await until(lambda: {task.status for task in server.store.tasks} == {TaskStatus.STOPPED})
    await until(lambda: not [each for each in asyncio.all_tasks() if "Batch" in repr(each)])
    assert server.tasks_created == 3


@pytest.mark.parametrize("spares_consumer", [False, True])
async def test_a_program_that_cancels_everything_leaves_no_task_running(
    browser_use_server, spares_consumer
):
    """Workers that the program cancels still stop their tasks, and the batch says so."""
    key, url = browser_use_server.api_key, browser_use_server.base_url
    me = asyncio.current_task()

    async def run() -> None:
        async with BrowserUseSession(key, base_url=url, poll=POLL) as session:
            await session.run_many((f"Endless {n}" for n in range(4)), concurrency=4).collect()

    running = asyncio.ensure_future(run())
    await until(lambda: browser_use_server.tasks_created == 4)
    await asyncio.sleep(0.2)  # until all answers have arrived
    for each in asyncio.all_tasks() - {me} - ({running} if spares_consumer else set()):
        each.cancel()
    await asyncio.wait([running], timeout=PATIENCE)

    assert running.cancelled() is not spares_consumer
    if spares_consumer:
        assert "cancelled an asyncio task of the batch" in str(running.exception())
    async with BrowserUseSession(key, base_url=url) as session:
        statuses = {task.status async for task in session.iterate_all_tasks()}
    assert statuses == {TaskStatus.STOPPED}


@pytest.mark.parametrize("concurrency", [1, 3])
async def test_an_input_that_awaits_what_was_cancelled_has_not_ended(
    launch, session_with, ledger, concurrency
):
    """Its `CancelledError` is an exception of the input, and not its end."""
    session = await session_with(await launch())

    async def given() -> AsyncIterator[str]:
        for number in range(3):
            yield f"Task {number}"
        lookup: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        lookup.cancel()
        yield await lookup

    with pytest.raises(errors.BatchInputError, match="raised CancelledError after 3 items"):
        await session.run_many(given(), concurrency=concurrency, ledger=ledger).collect()


async def test_budgets_count_the_task_of_a_lost_answer(browser_use_server):
    """An adopted task is charged with its cost, and its reservation is released."""
    browser_use_server.set_faults([Fault("lost_reply", "run_task", calls=1)])
    key, url = browser_use_server.api_key, browser_use_server.base_url
    async with (
        BrowserUseSession(key, base_url=url, poll=POLL) as session,
        session.budget(cents=300) as budget,
    ):
        given = [(f"{number}", "Task") for number in range(4)]
        results = await session.run_many(given, concurrency=1).collect()

    assert [result.succeeded for result in results] == [True] * 4
    assert budget.reserved_cents == 0
    assert budget.spent_cents == sum((each.cost_cents or Decimal(0)) for each in results) > 0


@pytest.mark.skipif(sys.version_info < (3, 12), reason="eager tasks came with Python 3.12")
async def test_eager_tasks_keep_to_the_concurrency(browser_use_server):
    """In a loop with eager tasks, a batch runs no more items than `concurrency`."""
    key, url = browser_use_server.api_key, browser_use_server.base_url
    loop: Any = asyncio.get_running_loop()
    before, most = loop.get_task_factory(), 0
    loop.set_task_factory(eager_task)

    def count(progress: Any) -> None:
        nonlocal most
        most = max(most, progress.running)

    try:
        async with BrowserUseSession(key, base_url=url, poll=POLL) as session:
            given = [(f"{n}", "Task") for n in range(6)]
            results = await session.run_many(given, concurrency=2, on_progress=count).collect()
    finally:
        loop.set_task_factory(before)

    assert len(results) == 6
    assert most == 2

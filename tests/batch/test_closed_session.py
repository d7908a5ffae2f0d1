"""Batches whose session is closed while they run, and batches that end with an error."""

import asyncio
from collections.abc import AsyncIterator, Callable

import attrs
import pytest

from browser_use_async import BrowserUseSession, TaskStatus, errors
from browser_use_async.batch import StopReason
from browser_use_async.server import LocalServer
from browser_use_async.server.faults import Fault
from tests.batch.conftest import POLL, QUICK, RETRY, hanging
from tests.support.patience import PATIENCE, until

# Without held calls, which the server answers only after half a minute.
POLLED = attrs.evolve(POLL, long_poll=False)
Texts = Callable[[int], list[str]]


def _statuses(server: LocalServer) -> set[TaskStatus]:
    return {task.status for task in server.store.tasks if task.task != "Task 0"}


@pytest.mark.parametrize("way", ["break", "raise", "cancel"])
async def test_a_loop_that_is_left_with_its_session_stops_its_tasks(launch, texts, way):
    """Without a ledger no other run knows them, also when the session is closed at once."""
    server = await launch(executor=hanging({"Task 0": QUICK}))
    seen = asyncio.Event()

    async def program() -> None:
        url = server.base_url
        async with BrowserUseSession(server.api_key, base_url=url, poll=POLL) as session:
            async for _result in session.run_many(texts(3), concurrency=3):
                await until(lambda: len(server.store.tasks) == 3)
                seen.set()
                if way == "break":
                    break
                if way == "raise":
                    raise ZeroDivisionError
                await asyncio.get_running_loop().create_future()

    running = asyncio.ensure_future(program())
    await seen.wait()
    if way == "cancel":
        running.cancel()
    await asyncio.wait([running], timeout=PATIENCE)

    assert running.done()
    assert running.cancelled() is (way == "cancel")
    assert _statuses(server) == {TaskStatus.STOPPED}
    assert server.requests["stop_task"] == 2


@pytest.mark.parametrize("is_answered", [True, False])
async def test_closing_the_session_stops_what_no_ledger_knows(
    launch, session_with, texts, is_answered
):
    """The program that collects gets an error; the tasks are stopped, unanswered ones too."""
    slow = Fault("latency", "run_task", seconds=0.5, probability=0.0 if is_answered else 1.0)
    server = await launch(executor=hanging(), faults=[slow])
    session = await session_with(server, poll=POLLED)
    collecting = asyncio.ensure_future(session.run_many(texts(3), concurrency=3).collect())
    await until(lambda: len(server.store.tasks) == 3)
    if is_answered:
        await until(lambda: server.requests["get_task_status"] + server.requests["list_tasks"] > 3)

    await session.aclose()

    with pytest.raises(errors.SessionClosedError, match="before its batch came to its end"):
        await collecting
    assert _statuses(server) == {TaskStatus.STOPPED}


@pytest.mark.long
async def test_what_waits_for_a_slot_is_not_sent_when_the_session_closes(
    launch, session_with, texts
):
    """The slot of a task that is stopped is used by no other task of the batch."""
    slow = Fault("latency", "stop_task", seconds=2, when="after")
    server = await launch(max_concurrent_tasks=1, executor=hanging(), faults=[slow])
    session = await session_with(server)
    collecting = asyncio.ensure_future(session.run_many(texts(3), concurrency=3).collect())
    await until(lambda: server.requests["run_task"] > 2)

    await session.aclose()

    with pytest.raises(errors.SessionClosedError):
        await collecting
    assert [task.status for task in server.store.tasks] == [TaskStatus.STOPPED]


async def test_closing_the_session_names_the_tasks_that_live_on(launch, session_with):
    """Where tasks are left running without a ledger, the error has the id of each."""
    server = await launch(executor=hanging())
    session = await session_with(server, poll=POLLED)
    given = [("a", "Task"), ("b", "Task")]
    batch = session.run_many(given, concurrency=2, on_cancel="leave")
    collecting = asyncio.ensure_future(batch.collect())
    await until(lambda: server.requests["get_task_status"] + server.requests["list_tasks"] > 3)

    await session.aclose()

    with pytest.raises(errors.SessionClosedError) as caught:
        await collecting
    assert _statuses(server) == {TaskStatus.RUNNING}
    assert all(task.id in str(caught.value) for task in server.store.tasks)


async def test_closing_a_batch_twice_stops_nothing_twice(launch, session_with, texts):
    """Leaving the loop, the `async with` around it and `aclose` close the batch once."""
    server = await launch(executor=hanging({"Task 0": QUICK}))
    session = await session_with(server)

    async with session.run_many(texts(3), concurrency=3) as batch:
        async for _result in batch:
            await until(lambda: len(server.store.tasks) == 3)
            break
    await batch.aclose()

    assert _statuses(server) == {TaskStatus.STOPPED}
    assert server.requests["stop_task"] == 2


async def test_an_error_of_every_wait_stops_what_no_ledger_knows(launch, session_with, texts):
    """The error names one task at most; the others would run on unknown."""
    server = await launch(executor=hanging())
    session = await session_with(server, retry=RETRY, poll=POLLED)
    collecting = asyncio.ensure_future(session.run_many(texts(3), concurrency=3).collect())
    await until(lambda: len(server.store.tasks) == 3)
    await until(lambda: server.requests["get_task_status"] + server.requests["list_tasks"] > 3)

    reads = ("get_task_status", "list_tasks", "get_task")
    server.set_faults([Fault("status", each, status=401) for each in reads])

    with pytest.raises(errors.AuthenticationError):
        await collecting
    assert _statuses(server) == {TaskStatus.STOPPED}


async def _waiting(given: list[str]) -> AsyncIterator[str]:
    """An input that has more items only in hours, as one that reads a queue."""
    for each in given:
        yield each
    await asyncio.get_running_loop().create_future()


async def test_an_error_ends_a_batch_whose_input_waits(launch, session_with):
    """An error that applies to every item is raised at once, not with the next item."""
    refusal = Fault("status", "run_task", status=401)
    session = await session_with(await launch(faults=[refusal]))

    with pytest.raises(errors.AuthenticationError):
        async with asyncio.timeout(PATIENCE):
            await session.run_many(_waiting(["Task"]), concurrency=2).collect()


async def test_closing_the_session_ends_a_batch_whose_input_waits(launch, session_with, ledger):
    """It does not wait for the next item either."""
    server = await launch()
    session = await session_with(server)
    batch = session.run_many(_waiting(["Task"]), concurrency=2, ledger=ledger)
    collecting = asyncio.ensure_future(batch.collect())
    await until(lambda: batch.progress.done)

    await session.aclose()

    with pytest.raises(errors.SessionClosedError, match="run it again with the same ledger"):
        async with asyncio.timeout(PATIENCE):
            await collecting


async def test_a_used_up_budget_ends_a_batch_whose_input_waits(launch, session_with):
    """Nothing that the input could give would be submitted."""
    session = await session_with(await launch())
    items = _waiting(["Task", "Another"])
    batch = session.run_many(items, concurrency=2, budget_cents=4, max_agent_steps=1)

    async with asyncio.timeout(PATIENCE):
        results = await batch.collect()

    assert len(results) == 1
    assert batch.progress.stopped_by is StopReason.BUDGET

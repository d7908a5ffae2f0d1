"""Several processes on one queue: results, retries, keys, secrets, drains."""

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any

import pytest

from browser_use_async import BatchItem, BatchResult, RunTaskRequest, batch
from browser_use_async.batch import ItemState, StopReason
from browser_use_async.errors import BatchInputError, ConfigurationError
from browser_use_async.server.executors.scripted import Scenario, ScriptedExecutor
from browser_use_async.server.faults import Fault
from tests.batch.conftest import Held, Mended, hanging
from tests.batch.queue.processes import Worker, Works
from tests.support.patience import PATIENCE, until

Texts = Callable[[int], list[str]]
SECRET = "correct-horse-battery"


async def ends(queue_address: str) -> list[BatchResult[Any]]:
    """The results so far."""
    return [result async for result in batch.results(queue_address)]


async def test_two_sessions_share_a_queue(launch, session_with, queue_address, texts):
    """Each item has one task, its cost is counted once, and all results are there in order."""
    server = await launch()
    sessions = [await session_with(server) for _ in range(2)]
    enqueued = await batch.enqueue(queue_address, [*texts(20), "Task 3"])

    worked = await asyncio.gather(*(batch.work(queue_address, session=each) for each in sessions))

    state, results = await batch.status(queue_address), await ends(queue_address)
    assert enqueued.counts[ItemState.NEW] == enqueued.total == 20
    assert [each.stopped_by for each in worked] == [None, None]
    assert Counter(task.task for task in server.store.tasks) == Counter(texts(20))
    assert state.counts[ItemState.DONE] == state.total == 20
    assert [result.name for result in results] == texts(20)
    assert state.cost_cents == sum(result.cost_cents for result in results) > 0
    assert {result.state for result in results} == {ItemState.DONE}


async def test_enqueueing_again_adds_what_is_missing(launch, session_with, queue_address, texts):
    """The same call continues, and items that have ended stay as they are."""
    server = await launch()
    session = await session_with(server)
    await batch.enqueue(queue_address, texts(3))
    await batch.work(queue_address, session=session)

    again = await batch.enqueue(queue_address, texts(5))
    await batch.work(queue_address, session=session)

    assert (again.total, again.left) == (5, 2)
    assert len(server.store.tasks) == 5


async def test_a_job_that_somebody_deleted_is_made_again(
    launch, session_with, postgres, queue_address, texts
):
    """Enqueueing the same input repairs the queue."""
    import psycopg

    server = await launch()
    await batch.enqueue(queue_address, texts(3))
    with psycopg.connect(postgres, autocommit=True) as connection:
        connection.execute("SET search_path TO browser_use_batches")
        connection.execute("DELETE FROM procrastinate_jobs")

    await batch.enqueue(queue_address, texts(3))
    await batch.work(queue_address, session=await session_with(server))

    assert len(server.store.tasks) == 3


async def test_failed_items_are_tried_again_once(launch, session_with, queue_address):
    """`retry` gives each one another task with another key, and the first cost stays."""
    executor = Mended("bad")
    server = await launch(executor=executor)
    session = await session_with(server)
    await batch.enqueue(queue_address, ["bad", "good"])
    await batch.work(queue_address, session=session)
    before = await batch.status(queue_address)
    executor.broken.clear()

    again = await batch.retry(queue_address)
    await batch.work(queue_address, session=session)

    bad, good = await ends(queue_address)
    after = await batch.status(queue_address)
    assert (before.counts[ItemState.FAILED], again.left) == (1, 1)
    assert (bad.state, good.state) == (ItemState.DONE, ItemState.DONE)
    assert bad.former_cost_cents > 0
    assert after.cost_cents == before.cost_cents + bad.cost_cents
    assert len(server.store.tasks) == 3


async def test_a_refused_item_waits_until_it_is_corrected(launch, session_with, queue_address):
    """An invalid request has no job; a correct one under its key has."""
    server = await launch()
    session = await session_with(server)
    await batch.enqueue(queue_address, [("a", "")])
    await batch.work(queue_address, session=session)
    (refused,) = await ends(queue_address)

    await batch.enqueue(queue_address, [("a", "Look")])
    await batch.work(queue_address, session=session)

    (corrected,) = await ends(queue_address)
    assert (refused.state, refused.succeeded) == (ItemState.DEAD, False)
    assert "InvalidRequestError" in str(refused.error)
    assert corrected.state is ItemState.DONE
    assert [task.task for task in server.store.tasks] == ["Look"]


def _commits(address: str) -> int:
    """How many transactions a database has had, once nobody uses it."""
    import psycopg

    others = (
        "SELECT count(*) FROM pg_stat_activity "
        "WHERE datname = current_database() AND pid != pg_backend_pid()"
    )
    with psycopg.connect(address, autocommit=True) as connection:
        deadline = time.monotonic() + PATIENCE
        while connection.execute(others).fetchone() != (0,):
            assert time.monotonic() < deadline
            time.sleep(0.05)
        found = connection.execute(
            "SELECT xact_commit FROM pg_stat_database WHERE datname = current_database()"
        ).fetchone()
    assert found is not None
    return int(found[0])


async def test_items_share_their_statements(launch, session_with, postgres, queue_address, texts):
    """Each has four statements: many are fetched, begun, recorded and ended in one."""
    server = await launch()
    session = await session_with(server)
    await batch.enqueue(queue_address, texts(200))
    before = await asyncio.to_thread(_commits, postgres)

    await batch.work(queue_address, session=session, concurrency=200)

    assert (
        (await batch.status(queue_address)).counts[ItemState.DONE] == 200 == len(server.store.tasks)
    )
    # Some 100, and 200 on a busy machine. Without a pause there are 400, without groups 850.
    assert await asyncio.to_thread(_commits, postgres) - before < 300


async def test_what_the_service_refuses_is_a_dead_letter(launch, session_with, queue_address):
    """It costs nothing, and `retry` takes it again."""
    server = await launch(faults=[Fault("status", "run_task", calls=1, status=422)])
    session = await session_with(server)
    await batch.enqueue(queue_address, ["one"])
    await batch.work(queue_address, session=session)
    refused = await batch.status(queue_address)

    again = await batch.retry(queue_address)
    await batch.work(queue_address, session=session)

    assert (refused.counts[ItemState.DEAD], refused.cost_cents) == (1, 0)
    assert again.left == 1
    assert (
        (await batch.status(queue_address)).counts[ItemState.DONE] == 1 == len(server.store.tasks)
    )


async def test_items_with_the_same_prefix_join_and_cost_nothing(
    launch, session_with, postgres, queue_address
):
    """A queue joins the tasks of a ledger, and another queue those of the first."""
    server = await launch()
    session = await session_with(server)
    items = [BatchItem(f"Do {number}", f"item-{number}") for number in range(3)]
    await session.run_many(items, key_prefix="p/").collect()
    states = []
    for address in (queue_address, f"{postgres}#other"):
        await batch.enqueue(address, items, key_prefix="p/")
        await batch.work(address, session=session)
        states.append(await batch.status(address))

    assert len(server.store.tasks) == 3
    assert [(state.joined, state.cost_cents) for state in states] == [(3, 0), (3, 0)]
    assert all(result.joined for result in await ends(queue_address))


async def test_secrets_are_given_to_workers_and_not_to_the_queue(
    launch, session_with, postgres, queue_address
):
    """The database has their names; a worker without the values says which one it needs."""
    import psycopg

    server = await launch()
    session = await session_with(server)
    request = RunTaskRequest("Log in", secrets={"pin": SECRET}, allowed_domains=["example.com"])
    await batch.enqueue(queue_address, [BatchItem(request, "a")])

    with pytest.raises(ConfigurationError, match="the secret 'pin' of the item 'a'"):
        await batch.work(queue_address, session=session)
    assert not server.store.tasks
    await batch.work(queue_address, session=session, secrets={"pin": SECRET})

    with psycopg.connect(postgres) as connection:
        row = connection.execute("SELECT items::text FROM browser_use_batches.items").fetchone()
    assert row is not None
    assert "pin" in row[0]
    assert SECRET not in row[0]
    assert [result.state for result in await ends(queue_address)] == [ItemState.DONE]


async def test_renewed_secrets_keep_the_task(launch, session_with, queue_address):
    """A task that was begun with another secret is the item's own, and is waited for."""
    executor = Held()
    server = await launch(executor=executor)
    session = await session_with(server)
    request = RunTaskRequest("Log in", secrets={"pin": SECRET}, allowed_domains=["example.com"])
    await batch.enqueue(queue_address, [BatchItem(request, "a")])
    first = asyncio.ensure_future(
        batch.work(queue_address, session=session, secrets={"pin": SECRET}, concurrency=1)
    )
    await until(lambda: server.store.tasks)
    first.cancel()
    await asyncio.wait([first])
    executor.released.set()

    await batch.work(queue_address, session=session, secrets={"pin": "another-secret"})

    (result,) = await ends(queue_address)
    assert (result.state, result.joined) == (ItemState.DONE, False)
    assert len(server.store.tasks) == 1


async def test_a_lost_answer_makes_no_second_task(launch, session_with, queue_address, texts):
    """The same request is sent again with its key."""
    server = await launch(faults=[Fault("lost_reply", "run_task", calls=(2, 3))])
    await batch.enqueue(queue_address, texts(4))

    await batch.work(queue_address, session=await session_with(server))

    state = await batch.status(queue_address)
    assert state.counts[ItemState.DONE] == 4 == len(server.store.tasks)
    assert state.joined == 0


async def test_a_wrong_key_ends_a_worker_and_loses_nothing(
    launch, session_with, queue_address, texts
):
    """The error is raised once, and another worker goes on with the items."""
    server = await launch(faults=[Fault("status", "run_task", calls=1, status=401)])
    session = await session_with(server)
    await batch.enqueue(queue_address, texts(3))

    with pytest.raises(Exception, match="401"):
        await batch.work(queue_address, session=session, concurrency=1)
    await batch.work(queue_address, session=session)

    assert (
        (await batch.status(queue_address)).counts[ItemState.DONE] == 3 == len(server.store.tasks)
    )


async def test_an_empty_account_stops_a_worker(launch, session_with, queue_address, texts):
    """Nothing is lost: a later worker goes on."""
    server = await launch(faults=[Fault("status", "run_task", calls=2, status=402)])
    session = await session_with(server)
    await batch.enqueue(queue_address, texts(3))

    worked = await batch.work(queue_address, session=session, concurrency=1)
    await batch.work(queue_address, session=session)

    assert worked.stopped_by is StopReason.BALANCE
    assert (
        (await batch.status(queue_address)).counts[ItemState.DONE] == 3 == len(server.store.tasks)
    )


async def test_failures_in_a_row_stop_a_worker(launch, session_with, queue_address, texts):
    """What is left waits for another worker."""
    server = await launch(executor=Mended("Task"))
    await batch.enqueue(queue_address, texts(10))

    worked = await batch.work(
        queue_address, session=await session_with(server), concurrency=1, max_failures=2
    )

    state = await batch.status(queue_address)
    assert worked.stopped_by is StopReason.FAILURES
    assert state.counts[ItemState.FAILED] == 2
    assert state.left == 8


async def test_a_drain_finishes_what_is_under_way(launch, session_with, queue_address, texts):
    """No more is begun, and each result is told."""
    executor = Held()
    server = await launch(executor=executor)
    await batch.enqueue(queue_address, texts(5))
    drain, results = asyncio.Event(), list[BatchResult[Any]]()
    working = asyncio.ensure_future(
        batch.work(
            queue_address,
            session=await session_with(server),
            concurrency=2,
            drain=drain,
            on_result=results.append,
        )
    )
    await until(lambda: len(server.store.tasks) == 2)
    drain.set()
    await asyncio.sleep(0)
    executor.released.set()

    worked = await working

    assert worked.stopped_by is StopReason.DRAINED
    assert len(results) == len(server.store.tasks)
    assert all(result.task is not None for result in results)
    assert (await batch.status(queue_address)).left == 5 - len(results)


async def test_a_cancelled_worker_leaves_its_items_at_once(
    launch, session_with, queue_address, texts
):
    """Another one need not wait for a lease: the same tasks end there."""
    executor = Held()
    server = await launch(executor=executor)
    session = await session_with(server)
    await batch.enqueue(queue_address, texts(2))
    leaving = asyncio.ensure_future(batch.work(queue_address, session=session))
    await until(lambda: len(server.store.tasks) == 2)

    leaving.cancel()
    await asyncio.wait([leaving])
    executor.released.set()
    async with asyncio.timeout(25):  # less than a lease
        await batch.work(queue_address, session=session)

    assert leaving.cancelled()
    assert (
        (await batch.status(queue_address)).counts[ItemState.DONE] == 2 == len(server.store.tasks)
    )


async def test_a_task_that_takes_long_is_waited_for_again(launch, session_with, queue_address):
    """After `timeout` its slot is free for others, and it keeps its task."""
    slow = Scenario(steps=("Look",), step_seconds=2.0)
    server = await launch(scenarios={"slow": slow})
    await batch.enqueue(queue_address, ["slow", "quick"])

    await batch.work(queue_address, session=await session_with(server), concurrency=1, timeout=0.5)

    assert (
        (await batch.status(queue_address)).counts[ItemState.DONE] == 2 == len(server.store.tasks)
    )


async def test_results_are_followed_to_the_end(launch, session_with, queue_address, texts):
    """A reader gets each item once, whatever process has ended it, and then the end."""
    server = await launch()
    await batch.enqueue(queue_address, [*texts(6), ("refused", "")])

    async def follow() -> list[str]:
        return [result.name async for result in batch.results(queue_address, follow=True)]

    following = asyncio.ensure_future(follow())
    await batch.work(queue_address, session=await session_with(server))

    assert Counter(await following) == Counter([*texts(6), "refused"])


async def test_what_was_read_before_an_input_fails_is_enqueued(queue_address):
    """The error says how far it came, and the same call continues later."""

    def broken() -> Iterator[tuple[str, str]]:
        yield from items
        raise ZeroDivisionError

    items = [(str(number), "Look") for number in range(1001)]
    with pytest.raises(BatchInputError, match="after 1001 items"):
        await batch.enqueue(queue_address, broken())
    before = await batch.status(queue_address)

    after = await batch.enqueue(queue_address, items)

    assert before.total == after.total == 1001


async def test_texts_that_no_database_takes_are_stored(launch, session_with, queue_address):
    """NUL and long keys, and an output with NUL."""
    scenario = Scenario(steps=("Look",), step_seconds=0.01, output="a\0b")
    server = await launch(executor=ScriptedExecutor(default=scenario))
    await batch.enqueue(
        queue_address, [("k" * 999 + "\N{GRINNING FACE}", "one"), BatchItem("two", "a\0b")]
    )

    await batch.work(queue_address, session=await session_with(server))

    assert [result.state for result in await ends(queue_address)] == [ItemState.DONE] * 2


async def test_a_queue_takes_rows(launch, session_with, queue_address):
    """The values of a row stand in the text of the batch."""
    server = await launch()
    await batch.enqueue(
        queue_address, [{"company": "Acme"}, {"company": "Beta"}], task="Find {company}"
    )

    await batch.work(queue_address, session=await session_with(server))

    assert {task.task for task in server.store.tasks} == {"Find Acme", "Find Beta"}


@pytest.mark.long
async def test_a_killed_process_is_taken_over(launch, queue_address, texts):
    """Its items go on elsewhere after a lease, with their tasks and their money."""
    executor = Held()
    server = await launch(executor=executor)
    await batch.enqueue(queue_address, texts(4), budget_cents=Decimal(1000))
    works = Works(queue=queue_address, base_url=server.base_url, api_key=server.api_key, lease=1.5)
    first = await Worker.start(works)
    await until(lambda: len(server.store.tasks) == 4)
    await first.kill()
    executor.released.set()
    second = await Worker.start(works)
    try:
        assert await second.end() == 0
    finally:
        await second.kill()

    state = await batch.status(queue_address)
    assert state.counts[ItemState.DONE] == 4 == len(server.store.tasks)
    assert (state.reserved_cents, state.joined) == (0, 0)
    assert state.cost_cents == sum(result.cost_cents for result in await ends(queue_address)) > 0


@pytest.mark.long
async def test_a_living_process_keeps_what_it_works_on(launch, session_with, queue_address):
    """It beats while it drains, too, and no other one takes its items over."""
    server = await launch(executor=hanging())
    await batch.enqueue(queue_address, ["one"])
    works = Works(queue=queue_address, base_url=server.base_url, api_key=server.api_key, lease=1.0)
    draining, other = await Worker.start(works), None
    try:
        await until(lambda: server.store.tasks)
        draining.process.terminate()  # it waits for its item
        other = await Worker.start(works)
        for _ in range(4):  # more than the time after which another one would take over
            await asyncio.sleep(1.0)
        calls = server.requests["run_task"]
        await (await session_with(server)).tasks.stop(server.store.tasks[0].id)
        assert [await each.end() for each in (draining, other)] == [0, 0]
    finally:
        for each in (draining, *([] if other is None else [other])):
            await each.kill()

    assert calls == 1 == len(server.store.tasks)
    assert [result.state for result in await ends(queue_address)] == [ItemState.FAILED]

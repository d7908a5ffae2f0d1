"""The budget and the limits per key of a queue, over all its processes."""

import asyncio
from collections import Counter
from decimal import Decimal

import pytest

from browser_use_async import BatchItem, RunTaskRequest, batch
from browser_use_async.batch import ItemState, StopReason
from browser_use_async.server.executors.scripted import Scenario, ScriptedExecutor
from tests.batch.conftest import Held, Mended
from tests.batch.queue.processes import Worker, Works
from tests.batch.test_key_limits import most_of_each
from tests.support.patience import until

STEPS = 2  # a task costs 1 cent and 2.50 for each step, so at most 6 cents


def texts(count: int) -> list[RunTaskRequest]:
    """Tasks of at most six cents."""
    return [RunTaskRequest(f"Task {number}", max_agent_steps=STEPS) for number in range(count)]


def site_of(item: BatchItem) -> str | None:
    """The site of an item; those without one have no limit."""
    site = (item.key or "").partition("/")[0]
    return site if site != "none" else None


async def test_all_processes_keep_one_budget(launch, session_with, queue_address):
    """Two spend no more than the budget, stop, and go on when it is larger."""
    server = await launch()
    sessions = [await session_with(server) for _ in range(2)]
    await batch.enqueue(queue_address, texts(12), budget_cents=20)

    worked = await asyncio.gather(*(batch.work(queue_address, session=each) for each in sessions))

    before = await batch.status(queue_address)
    assert {each.stopped_by for each in worked} == {StopReason.BUDGET} == {before.stopped_by}
    assert before.cost_cents <= 20 < before.cost_cents + 6
    assert before.reserved_cents == 0
    assert (await batch.work(queue_address, session=sessions[0])).stopped_by is StopReason.BUDGET
    assert len(server.store.tasks) == before.counts[ItemState.DONE]
    await batch.enqueue(queue_address, texts(12), budget_cents=200)
    await batch.work(queue_address, session=sessions[0])
    after = await batch.status(queue_address)
    assert after.counts[ItemState.DONE] == 12 == len(server.store.tasks)
    assert after.cost_cents == 12 * (1 + Decimal("2.5"))


@pytest.mark.parametrize("budget", [12, 100])
async def test_a_second_process_reserves_nothing_for_what_is_reserved(
    launch, session_with, queue_address, budget
):
    """An item that goes on elsewhere needs no room in a full budget, and takes none in another."""
    executor = Held()
    server = await launch(executor=executor)
    session = await session_with(server)
    await batch.enqueue(queue_address, texts(2), budget_cents=budget)
    leaving = asyncio.ensure_future(batch.work(queue_address, session=session))
    await until(lambda: len(server.store.tasks) == 2)
    full = await batch.status(queue_address)
    leaving.cancel()
    await asyncio.wait([leaving])
    executor.released.set()

    worked = await batch.work(queue_address, session=session)

    state = await batch.status(queue_address)
    assert full.reserved_cents == 12
    assert worked.stopped_by is None
    assert (state.reserved_cents, state.counts[ItemState.DONE]) == (0, 2)


async def test_who_waits_for_money_makes_place_for_who_gives_it_back(
    launch, session_with, queue_address
):
    """All slots wait for a budget that only a begun item without a slot can free."""
    executor = Held("Task 0")
    server = await launch(executor=executor)
    first, second = [await session_with(server) for _ in range(2)]
    await batch.enqueue(queue_address, texts(3), budget_cents=10)
    leaving = asyncio.ensure_future(batch.work(queue_address, session=first, concurrency=1))
    await until(lambda: server.store.tasks)
    waiting = asyncio.ensure_future(batch.work(queue_address, session=second, concurrency=1))
    await asyncio.sleep(1.0)  # it has the second item, and waits for the budget

    leaving.cancel()  # the first item is in the queue again, begun
    await asyncio.wait([leaving])
    executor.released.set()

    async with asyncio.timeout(30):
        worked = await waiting
    state = await batch.status(queue_address)
    assert worked.stopped_by is StopReason.BUDGET
    assert state.counts[ItemState.DONE] == 2 == len(server.store.tasks)
    assert state.cost_cents == 7


async def test_a_retry_is_paid_from_the_same_budget(launch, session_with, queue_address):
    """The cost of the failed task stays spent."""
    executor = Mended("Task")
    server = await launch(executor=executor)
    session = await session_with(server)
    await batch.enqueue(queue_address, texts(1), budget_cents=9)
    await batch.work(queue_address, session=session)
    before = await batch.status(queue_address)
    executor.broken.clear()
    await batch.retry(queue_address)

    worked = await batch.work(queue_address, session=session)

    assert worked.stopped_by is StopReason.BUDGET
    assert (await batch.status(queue_address)).cost_cents == before.cost_cents > 0


async def test_items_of_a_site_wait_without_holding_up_others(launch, session_with, queue_address):
    """A hundred items of a site that has no room leave the slots to others."""
    executor = ScriptedExecutor(
        {"slow": Scenario(steps=("Look",), step_seconds=1.0)},
        default=Scenario(steps=("Look",), step_seconds=0.01),
    )
    server = await launch(executor=executor)
    slow = [(f"slow/{number}", f"slow/{number}") for number in range(4)]
    other = [(f"none/{number}", f"none/{number}") for number in range(20)]
    state = await batch.enqueue(queue_address, slow + other, limit_by=site_of, per_key=1)

    await batch.work(queue_address, session=await session_with(server), concurrency=4)

    assert state.per_key == 1
    assert (await batch.status(queue_address)).counts[ItemState.DONE] == 24
    assert most_of_each(server)["slow"] == 1
    ended = [task.task for task in sorted(server.store.tasks, key=lambda each: each.created_at)]
    assert ended.index("none/19") < ended.index("slow/3")


async def test_batches_of_one_database_have_limits_of_their_own(launch, session_with, postgres):
    """An item of another batch that nobody works on takes no place."""
    server = await launch()
    items = [(f"a/{number}", f"a/{number}") for number in range(3)]
    for name in ("one", "two"):
        await batch.enqueue(f"{postgres}#{name}", items, limit_by=site_of, per_key=1)

    await batch.work(f"{postgres}#two", session=await session_with(server))

    assert (await batch.status(f"{postgres}#two")).counts[ItemState.DONE] == 3
    assert len(server.store.tasks) == 3


async def test_what_is_tried_again_waits_for_its_site(launch, session_with, queue_address):
    """The limit counts for second tasks, too."""
    executor = Mended("a/")
    server = await launch(executor=executor)
    session = await session_with(server)
    items = [(f"a/{number}", f"a/{number}") for number in range(6)]
    await batch.enqueue(queue_address, items, limit_by=site_of, per_key=2)
    await batch.work(queue_address, session=session)
    executor.broken.clear()

    await batch.retry(queue_address)
    await batch.work(queue_address, session=session)

    assert (await batch.status(queue_address)).counts[ItemState.DONE] == 6
    assert len(server.store.tasks) == 12
    assert most_of_each(server)["a"] <= 2


@pytest.mark.long
async def test_processes_keep_a_limit_together(launch, queue_address):
    """Three processes, one of which is killed: no site exceeds its limit, and all items end."""
    executor = ScriptedExecutor(default=Scenario(steps=("Look",), step_seconds=0.1))
    server = await launch(executor=executor)
    keys = [f"{'aabcdnone'[number % 5]}/{number}" for number in range(60)]
    await batch.enqueue(queue_address, [(key, key) for key in keys], limit_by=site_of, per_key=2)
    works = Works(
        queue=queue_address,
        base_url=server.base_url,
        api_key=server.api_key,
        concurrency=8,
        lease=1.0,
    )
    workers = [await Worker.start(works) for _ in range(3)]
    try:
        await until(lambda: len(server.store.tasks) > 15)
        await workers[0].kill()
        assert [await worker.end() for worker in workers[1:]] == [0, 0]
    finally:
        for worker in workers:
            await worker.kill()

    assert Counter(task.task for task in server.store.tasks) == Counter(keys)
    assert all(most <= 2 for site, most in most_of_each(server).items() if site != "none")

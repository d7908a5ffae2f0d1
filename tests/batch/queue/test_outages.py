"""The database of a queue is away: workers wait, and nothing is done twice."""

import asyncio
from collections import Counter
from decimal import Decimal
from urllib.parse import urlsplit

import pytest

from browser_use_async import batch
from browser_use_async.batch import ItemState
from browser_use_async.errors import LedgerError
from browser_use_async.server.executors.scripted import Scenario, ScriptedExecutor
from tests.support.patience import until
from tests.support.tcp_proxy import TcpProxy, through

pytestmark = pytest.mark.long

SLOW = Scenario(steps=("Look",), step_seconds=0.2)


@pytest.mark.parametrize("mode", ["fast", "immediate"])
async def test_the_database_may_restart(
    launch, session_with, postgres_server, queue_address, texts, mode
):
    """A restart or a crash under running items costs a moment: one task for each item."""
    server = await launch(executor=ScriptedExecutor(default=SLOW))
    sessions = [await session_with(server) for _ in range(2)]
    await batch.enqueue(queue_address, texts(30), budget_cents=Decimal(30_000))
    working = asyncio.gather(
        *(
            batch.work(queue_address, session=session, concurrency=5, lease=3.0)
            for session in sessions
        )
    )
    await until(lambda: len(server.store.tasks) >= 8)

    await asyncio.to_thread(postgres_server.restart, mode)
    await working

    state = await batch.status(queue_address)
    assert Counter(task.task for task in server.store.tasks) == Counter(texts(30))
    assert (state.counts[ItemState.DONE], state.reserved_cents) == (30, 0)
    assert state.cost_cents == 30 * Decimal("3.5")


async def test_a_worker_waits_for_a_database_that_is_not_up_yet(
    launch, session_with, postgres_server, queue_address, texts
):
    """One that starts while PostgreSQL is down works once it is there."""
    server = await launch()
    session = await session_with(server)
    await batch.enqueue(queue_address, texts(3))
    with postgres_server.stopped():
        working = asyncio.ensure_future(batch.work(queue_address, session=session))
        await asyncio.sleep(1.0)

    await working

    assert len(server.store.tasks) == 3


async def test_a_worker_whose_work_is_done_waits_for_a_database_that_is_away(
    launch, session_with, postgres, texts
):
    """An outage after the last result delays the end of `work` and is not an error."""
    server = await launch()
    session = await session_with(server)
    async with TcpProxy("127.0.0.1", urlsplit(postgres).port or 5432) as proxy:
        cut = f"{through(postgres, proxy)}#run"
        await batch.enqueue(cut, texts(1))
        cuts = []

        def cut_for_a_second(result):
            cuts.append(result.state)
            proxy.cut()
            asyncio.get_running_loop().call_later(1.0, proxy.heal)

        worked = await batch.work(cut, session=session, on_result=cut_for_a_second)

    assert cuts == [ItemState.DONE]
    assert worked.stopped_by is None
    assert worked.status.counts[ItemState.DONE] == 1


async def test_an_outage_that_lasts_too_long_ends_a_worker(launch, session_with, postgres, texts):
    """The error says so after `outage_timeout`, and another worker goes on."""
    server = await launch(executor=ScriptedExecutor(default=SLOW))
    session = await session_with(server)
    async with TcpProxy("127.0.0.1", urlsplit(postgres).port or 5432) as proxy:
        cut = f"{through(postgres, proxy)}#run"
        await batch.enqueue(cut, texts(10))
        working = asyncio.ensure_future(
            batch.work(cut, session=session, concurrency=2, outage_timeout=2.0, lease=3.0)
        )
        await until(lambda: len(server.store.tasks) >= 2)
        proxy.cut()

        with pytest.raises(LedgerError, match="could not be read or written"):
            await working

    await batch.work(f"{postgres}#run", session=session, lease=3.0)
    state = await batch.status(f"{postgres}#run")
    assert state.counts[ItemState.DONE] == 10 == len(server.store.tasks)


@pytest.mark.parametrize("budget", [None, Decimal(40_000)])
async def test_a_connection_that_is_cut_again_and_again(
    launch, session_with, postgres, texts, budget
):
    """Statements are repeated, lost answers too: one task each, and exact money."""
    server = await launch(executor=ScriptedExecutor(default=SLOW))
    session = await session_with(server)
    async with TcpProxy("127.0.0.1", urlsplit(postgres).port or 5432) as proxy:
        cut = f"{through(postgres, proxy)}#run"
        await batch.enqueue(cut, texts(20), budget_cents=budget)
        working = asyncio.ensure_future(batch.work(cut, session=session, concurrency=5, lease=2.0))
        while not working.done():
            await asyncio.sleep(0.3)
            proxy.cut()
            await asyncio.sleep(0.05)
            proxy.heal()
            if len(server.store.tasks) == 20:
                break
        await working

    state = await batch.status(f"{postgres}#run")
    assert state.counts[ItemState.DONE] == 20 == len(server.store.tasks)
    assert (state.cost_cents, state.reserved_cents) == (20 * Decimal("3.5"), 0)

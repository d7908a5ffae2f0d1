"""Worker processes that are killed, stand still or are cut off: one task for each item."""

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from decimal import Decimal
from urllib.parse import urlsplit, urlunsplit

import attrs
import pytest

from browser_use_async import BatchItem, RunTaskRequest
from browser_use_async.batch import ItemState, LedgerView, read_ledger
from browser_use_async.batch.estimates import TaskPrice
from browser_use_async.batch.postgres.address import LedgerAddress
from browser_use_async.batch.postgres.enqueue import EnqueueOptions, enqueue
from browser_use_async.server import LocalServer
from browser_use_async.server.executors.scripted import Scenario, ScriptedExecutor
from browser_use_async.server.faults import Fault
from tests.batch.postgres.processes import Worker, Works
from tests.support.patience import until
from tests.support.postgres import PostgresServer
from tests.support.tcp_proxy import TcpProxy

LOST = Fault("lost_reply", "run_task", probability=0.05, seed=1)


@attrs.frozen
class Verdict:
    """What became of the items of a batch, as the server says.

    Attributes:
        lost: How many have no task that the ledger knows.
        twice: How many have more than one task.
        spent: What the ledger says was spent.
        billed: What the server's tasks cost.
    """

    lost: int
    twice: int
    spent: Decimal
    billed: Decimal


def items(count: int) -> Iterator[BatchItem]:
    """The input; several items share a text."""
    for number in range(count):
        key = f"item-{number}"
        yield BatchItem(RunTaskRequest(f"Task {number % 7}", metadata={"item": key}), key)


def judge(server: LocalServer, view: LedgerView, count: int) -> Verdict:
    """Compare the ledger with the server."""
    tasks = server.store.tasks
    per_item = Counter(task.metadata["item"] for task in tasks)
    known = {task.id for task in tasks}
    done = {row.key for row in view.rows() if row.state is ItemState.DONE and row.task_id in known}
    price = TaskPrice.of(RunTaskRequest("any"))
    return Verdict(
        lost=count - len(done),
        twice=sum(number > 1 for number in per_item.values()),
        spent=view.cost_cents,
        billed=sum((price.cents(len(task.steps)) for task in tasks), Decimal(0)),
    )


@pytest.fixture
async def server() -> AsyncIterator[LocalServer]:
    """A server in this process that loses some answers to run-task."""
    executor = ScriptedExecutor(default=Scenario(steps=("Look",), step_seconds=0.3))
    async with LocalServer(
        executor=executor, faults=[LOST], screenshots=False, recordings=False
    ) as started:
        yield started


async def begin(ledger: str, count: int, budget: Decimal | None = None) -> None:
    """Enqueue so many items."""
    options = EnqueueOptions(budget_cents=budget)
    await enqueue(items(count), LedgerAddress.parse(ledger), options, {})


@pytest.mark.parametrize(
    ("count", "processes", "kills"),
    [
        (40, 2, 2),
        pytest.param(2_000, 4, 20, marks=[pytest.mark.torture, pytest.mark.timeout(900)]),
    ],
)
async def test_killed_processes_lose_and_repeat_nothing(
    postgres: str,
    server: LocalServer,
    figure: Callable[[str], None],
    count: int,
    processes: int,
    kills: int,
) -> None:
    """SIGKILL at random moments: each item has one task, and what was spent is exact."""
    ledger, draw = f"{postgres}#kills", random.Random(20)
    # A budget, so that what is reserved has to survive, too.
    await begin(ledger, count, Decimal(count * 1000))
    works = Works(ledger, server.base_url, server.api_key, concurrency=max(5, count // 80))
    workers = [await Worker.start(works) for _ in range(processes)]
    try:
        for _kill in range(kills):
            # While tasks are created: a process that waits for work proves nothing.
            wanted = min(len(server.store.tasks) + 1, count)
            await until(lambda: len(server.store.tasks) >= wanted, 40)  # noqa: B023
            await asyncio.sleep(draw.uniform(0.0, 0.5))
            victim = draw.randrange(processes)
            await workers[victim].kill()
            workers[victim] = await Worker.start(works)
        codes = [await worker.end(1800 if count > 1000 else 50) for worker in workers]
    finally:
        for worker in workers:
            await worker.kill()

    verdict = judge(server, read_ledger(ledger), count)
    figure(f"{kills} kills, {count} items, {verdict.lost} lost, {verdict.twice} twice")
    assert codes == [0] * processes
    assert (verdict.lost, verdict.twice) == (0, 0)
    assert verdict.spent == verdict.billed
    assert await reserved(ledger) == 0


async def reserved(ledger: str) -> int:
    """What the ledger holds for tasks under way."""
    import psycopg

    address = LedgerAddress.parse(ledger)
    async with await psycopg.AsyncConnection.connect(address.conninfo) as connection:
        found = await connection.execute(f'SELECT reserved FROM "{address.schema}".batch')
        row = await found.fetchone()
    assert row is not None
    return int(row[0])


async def cut_off(
    server: LocalServer, postgres_server: PostgresServer, postgres: str, *, is_fenced: bool
) -> Verdict:
    """Let a process hear nothing of the database for longer than its lease, and then again."""
    parts = urlsplit(postgres)
    assert parts.port is not None
    count, ledger = 30, f"{postgres}#cut"
    await begin(ledger, count)
    works = Works(ledger, server.base_url, server.api_key, lease=1.0, settle_window=1.0)
    async with TcpProxy("127.0.0.1", parts.port) as proxy:
        through = urlunsplit(parts._replace(netloc=f"{parts.username}@127.0.0.1:{proxy.port}"))
        first = await Worker.start(
            attrs.evolve(works, ledger=f"{through}#cut", is_fenced=is_fenced)
        )
        others: list[Worker] = []
        try:
            await until(lambda: len(server.store.tasks) >= 2, 30)
            proxy.hold()
            others.append(await Worker.start(works))
            # The other one takes all over and ends, while the first one still waits.
            assert await others[0].end(50) == 0
            proxy.heal()
            await first.end(40)
        finally:
            for worker in (first, *others):
                await worker.kill()
    return judge(server, read_ledger(ledger), count)


async def test_a_process_that_was_cut_off_sends_nothing_more(
    server: LocalServer, postgres_server: PostgresServer, postgres: str
) -> None:
    """Its items are done by another one, and when it hears again it creates no task for them."""
    verdict = await cut_off(server, postgres_server, postgres, is_fenced=True)

    assert (verdict.lost, verdict.twice) == (0, 0)
    assert verdict.spent == verdict.billed


@pytest.mark.long
async def test_without_the_fence_a_process_that_was_cut_off_repeats(
    server: LocalServer, postgres_server: PostgresServer, postgres: str
) -> None:
    """The control: if statements do not ask for the owner, items get two tasks."""
    verdict = await cut_off(server, postgres_server, postgres, is_fenced=False)

    assert verdict.twice > 0

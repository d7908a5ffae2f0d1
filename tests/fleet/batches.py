"""Whether batches of several processes keep their promises: one task for each item, exact money.

python -m tests.fleet.batches --quick  # 1,000 items and 6 kills; without it 10,000 and 20
"""

import argparse
import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from decimal import Decimal
from urllib.parse import urlsplit

import attrs
import psycopg

from browser_use_async import RunTaskRequest
from browser_use_async.batch import ItemState, read_ledger
from browser_use_async.batch.options import BatchOptions
from browser_use_async.batch.postgres.address import LedgerAddress
from browser_use_async.batch.postgres.connection import connect
from browser_use_async.batch.postgres.enqueue import enqueue
from browser_use_async.money.amounts import TaskPrice
from browser_use_async.server import LocalServer
from browser_use_async.server.executors.scripted import Scenario, ScriptedExecutor
from browser_use_async.server.faults import Fault
from tests.batch.postgres.processes import Worker, Works
from tests.batch.program import items
from tests.model import rows
from tests.model.traces import TWO_PROCESSES
from tests.support.patience import until
from tests.support.postgres import PostgresServer, started_server
from tests.support.tcp_proxy import TcpProxy, through

__all__ = ["Row", "Verdict", "away", "begin", "cut_off", "killed", "run", "served"]

LOST = Fault("lost_reply", "run_task", probability=0.05, seed=1)
PROCESSES = 4


@attrs.frozen
class Row:
    """One figure of the table.

    Attributes:
        what: Its name.
        wanted: What it must be.
        seen: What it was.
        is_good: Whether that is so.
    """

    what: str
    wanted: str
    seen: str
    is_good: bool


@attrs.frozen
class Verdict:
    """The results of the items of a batch, by the server.

    Attributes:
        lost: How many have no task that the ledger knows.
        twice: How many have more than one task.
        spent: What the ledger says was spent.
        billed: What the server's tasks cost.
        forbidden: Events of items that the model of paying once does not allow.
    """

    lost: int
    twice: int
    spent: Decimal
    billed: Decimal
    forbidden: Sequence[str] = ()

    @property
    def is_exact(self) -> bool:
        """Whether each item has one task, which is paid for once."""
        return not (self.lost or self.twice or self.forbidden) and self.spent == self.billed

    def __str__(self) -> str:
        money = "exact" if self.spent == self.billed else f"{self.spent} of {self.billed}"
        text = f"{self.twice} twice, {self.lost} lost, spent {money}"
        if self.forbidden:
            text += f", {len(self.forbidden)} against the model"
        return text


def judge(server: LocalServer, ledger: str, count: int, window: float) -> Verdict:
    """Compare the ledger with the server, and the events with the model."""
    tasks, view = server.store.tasks, read_ledger(ledger)
    per_item = Counter(task.metadata["item"] for task in tasks)
    known = {task.id for task in tasks}
    done = {row.key for row in view.rows() if row.state is ItemState.DONE and row.task_id in known}
    price = TaskPrice.of(RunTaskRequest("any"))
    with connect(LedgerAddress.parse(ledger)) as connection:
        traces = rows.read(connection, tasks)
    # Processes of a batch ask about keys before they begin. Those of the model learn of them by an
    # answer about the one item that it has, so that with keys they can do less.
    has_keys = server.settings.submission_keys
    return Verdict(
        forbidden=() if has_keys else traces.problems(TWO_PROCESSES, window),
        lost=count - len(done),
        twice=sum(number > 1 for number in per_item.values()),
        spent=view.cost_cents,
        billed=sum((price.cents(len(task.steps)) for task in tasks), Decimal(0)),
    )


@asynccontextmanager
async def served(
    *faults: Fault, seconds: float = 0.3, keys: bool = False
) -> AsyncIterator[LocalServer]:
    """A server in this process whose tasks take so many seconds, and which may keep keys."""
    executor = ScriptedExecutor(default=Scenario(steps=("Look",), step_seconds=seconds))
    async with LocalServer(
        executor=executor,
        faults=faults,
        screenshots=False,
        recordings=False,
        submission_keys=keys,
    ) as started:
        yield started


async def begin(ledger: str, count: int, budget: Decimal | None = None) -> None:
    """Enqueue this many items."""
    options = BatchOptions(budget_cents=budget)
    address = LedgerAddress.parse(ledger)
    await enqueue(items(count), address, options, {})
    with connect(address) as connection:
        rows.install(connection)


async def figure(ledger: str, what: str) -> int:
    """A number from the ledger's tables."""
    address = LedgerAddress.parse(ledger)
    async with await psycopg.AsyncConnection.connect(
        address.conninfo, options=f"-c search_path={address.schema}"
    ) as connection:
        found = await connection.execute(what.encode())
        row = await found.fetchone()
    assert row is not None
    return int(row[0])


async def killed(
    server: LocalServer, ledger: str, count: int, kills: int, processes: int = PROCESSES
) -> Verdict:
    """Kill processes at random moments while others work on the same batch."""
    draw = random.Random(20)
    # A budget, so that reservations have to survive, too.
    await begin(ledger, count, Decimal(count * 1000))
    works = Works(ledger, server.base_url, server.api_key, concurrency=max(5, count // 80))
    workers = [await Worker.start(works) for _ in range(processes)]
    try:
        for kill in range(kills):
            # Spread over the batch, while tasks are created: a process that waits proves nothing.
            least = min(len(server.store.tasks) + 1, count)
            wanted = max(least, kill * count // (kills + 1))
            await until(lambda: len(server.store.tasks) >= wanted, 1800)  # noqa: B023
            await asyncio.sleep(draw.uniform(0.0, 0.5))
            victim = draw.randrange(processes)
            await workers[victim].kill()
            workers[victim] = await Worker.start(works)
        codes = [await worker.end(3600 if count > 100 else 50) for worker in workers]
    finally:
        for worker in workers:
            await worker.kill()
    assert codes == [0] * processes
    assert await figure(ledger, "SELECT reserved FROM batch") == 0
    return judge(server, ledger, count, works.settle_window)


def proxy_of(postgres: str) -> TcpProxy:
    """A proxy that can hold the connections to a database."""
    port = urlsplit(postgres).port
    assert port is not None
    return TcpProxy("127.0.0.1", port)


async def cut_off(server: LocalServer, postgres: str, *, is_fenced: bool) -> Verdict:
    """Keep the database from a process for longer than its lease, and give it back."""
    count, ledger = 30, f"{postgres}#cut"
    await begin(ledger, count)
    works = Works(ledger, server.base_url, server.api_key, lease=1.0, settle_window=1.0)
    async with proxy_of(postgres) as proxy:
        first = await Worker.start(
            attrs.evolve(works, ledger=f"{through(postgres, proxy)}#cut", is_fenced=is_fenced)
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
    return judge(server, ledger, count, works.settle_window)


SLOW = Fault("latency", "run_task", seconds=20.0, calls=range(1, 4))
"""Calls of run-task that are under way while the database is away, and are executed later."""


async def away(server: LocalServer, postgres: str, *, asks_for_contact: bool) -> Verdict:
    """Take the database away from two living processes, and return it to the idle one first."""
    count, ledger = 3, f"{postgres}#away"
    await begin(ledger, count)
    works = Works(
        *(ledger, server.base_url, server.api_key),
        lease=2.0,
        settle_window=0.5,
        timeout=60.0,
        concurrency=count,  # so that its own items do not come back to the busy one
        notices_outages=asks_for_contact,
    )
    async with proxy_of(postgres) as one, proxy_of(postgres) as other:
        busy, idle = [
            await Worker.start(
                attrs.evolve(works, ledger=f"{through(postgres, proxy)}#away", waits=True)
            )
            for proxy in (one, other)
        ]
        try:
            busy.begin()
            await until_figure(ledger, "SELECT count(*) FROM items WHERE state = 'intent'", count)
            idle.begin()
            await until_figure(ledger, "SELECT count(*) FROM workers", 2)
            # In contact for long enough to take over what a process leaves that has ended.
            await asyncio.sleep(2 * works.lease)
            for proxy in (one, other):
                proxy.hold()
            await asyncio.sleep(1.5 * works.lease)
            other.heal()
            await asyncio.sleep(0.5)
            one.heal()
            for worker in (busy, idle):
                await worker.end(50)
        finally:
            for worker in (busy, idle):
                await worker.kill()
    return judge(server, ledger, count, works.settle_window)


async def until_figure(ledger: str, what: str, wanted: int) -> None:
    """Wait until the ledger's tables have this figure."""
    ends = asyncio.get_running_loop().time() + 40
    while await figure(ledger, what) < wanted:
        assert asyncio.get_running_loop().time() < ends, what
        await asyncio.sleep(0.05)


async def run(quick: bool) -> list[Row]:
    """Run everything on a database of its own."""
    with started_server() as postgres:
        return await _rows(postgres, *((1_000, 6) if quick else (10_000, 20)))


async def _rows(postgres: PostgresServer, count: int, kills: int) -> list[Row]:
    table = []
    for keys in (False, True):
        with postgres.database() as database:
            async with served(LOST, keys=keys) as server:
                verdict = await killed(server, f"{database}#kills", count, kills)
        what = f"{count:,} items, {PROCESSES} processes, {kills} kills, 5 % of replies lost"
        table.append(_row(f"{what}, with keys" if keys else what, verdict, is_exact=True))
    for is_fenced in (True, False):
        with postgres.database() as database:
            async with served(LOST) as server:
                verdict = await cut_off(server, database, is_fenced=is_fenced)
        what = f"one process cut off, {'with' if is_fenced else 'without'} the owner fence"
        table.append(_row(what, verdict, is_exact=is_fenced))
    for has_rule in (True, False):
        with postgres.database() as database:
            async with served(SLOW) as server:
                verdict = await away(server, database, asks_for_contact=has_rule)
        what = f"the database away, {'with' if has_rule else 'without'} the rule of contact"
        table.append(_row(what, verdict, is_exact=has_rule))
    return table


def _row(what: str, verdict: Verdict, *, is_exact: bool) -> Row:
    wanted = "0 twice, 0 lost, spent exact" if is_exact else "items twice (control)"
    is_good = verdict.is_exact if is_exact else verdict.twice > 0
    if not is_good and verdict.forbidden:
        what += f": {verdict.forbidden[0]}"
    return Row(what, wanted, str(verdict), is_good)


def main() -> int:
    """Print the table; 1 if a figure is wrong."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer items and kills")
    table = asyncio.run(run(parser.parse_args().quick))
    widths = [max(len(getattr(row, name)) for row in table) for name in ("what", "wanted")]
    for row in table:
        mark = "ok  " if row.is_good else "FAIL"
        print(f"{mark} {row.what:<{widths[0]}}  {row.wanted:<{widths[1]}}  {row.seen}")
    return 0 if all(row.is_good for row in table) else 1


if __name__ == "__main__":
    raise SystemExit(main())

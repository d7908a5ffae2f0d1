"""Batches over several processes: how fast items are done and enqueued, on a PostgreSQL of its own.

python -m benchmarks.shared_batch work 10000 4     # so many items, by so many processes
python -m benchmarks.shared_batch work 400 4 20    # the same with tasks of so many seconds
python -m benchmarks.shared_batch enqueue 1000000  # how long, how much memory; claims

Without seconds there are two rows. Tasks of one second are shorter than those of a browser: 200 at
once begin and end 200 times a second, so that the CPU time of few cores limits them. The API and
the database use a part of it. Tasks of five seconds are the short ones of a browser.
"""

import asyncio
import contextlib
import math
import os
import resource
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from itertools import pairwise
from pathlib import Path
from statistics import quantiles

import attrs

from browser_use_async import BatchItem, RunTaskRequest
from browser_use_async.batch import read_ledger
from browser_use_async.batch.ledger.store import RunContext
from browser_use_async.batch.options import BatchOptions
from browser_use_async.batch.postgres.address import LedgerAddress
from browser_use_async.batch.postgres.connection import connect
from browser_use_async.batch.postgres.enqueue import enqueue
from browser_use_async.batch.postgres.store import PostgresStore
from browser_use_async.server import LocalServer
from browser_use_async.server.executors.scripted import Scenario, ScriptedExecutor
from tests.batch.postgres.processes import Worker, Works
from tests.support.postgres import PostgresServer, started_server

CORES = len(os.sched_getaffinity(0))
SLOTS = 50  # items at once in each process
TASK_SECONDS = (1.0, 5.0)
CALLS = 500  # that are timed
STEPS = 10  # at which the memory is read


def items(count: int) -> Iterator[BatchItem]:
    """The input, lazily."""
    for number in range(count):
        yield BatchItem(RunTaskRequest(f"Find the head office of company {number}"), str(number))


def cpu_of(server: PostgresServer) -> float:
    """Seconds of CPU that the processes of a database have used."""
    assert server.folder is not None
    root = int((server.folder / "postmaster.pid").read_text("utf-8").split()[0])
    return cpu_of_family(root)


def cpu_of_family(root: int) -> float:
    """Seconds of CPU that a process and its children have used."""
    ticks = 0
    for file in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            # Behind the name: state, parent, …; own and waited-for ticks are the 14th to 17th.
            fields = file.read_text("utf-8").rpartition(")")[2].split()
            if root in {int(file.parent.name), int(fields[1])}:
                ticks += sum(int(each) for each in fields[11:15])
    return ticks / os.sysconf("SC_CLK_TCK")


def cpu_of_machine() -> float:
    """Seconds of CPU that all processes have used."""
    line = Path("/proc/stat").read_text("utf-8").splitlines()[0]
    user, nice, system, _idle, _waiting, *others = (int(each) for each in line.split()[1:9])
    return (user + nice + system + sum(others)) / os.sysconf("SC_CLK_TCK")


def cpu_of_ended() -> float:
    """Seconds of CPU that the ended children of this process have used."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


@attrs.frozen
class Run:
    """The work of processes that began on a batch at the same moment.

    Attributes:
        count: Items.
        processes: How many.
        task_seconds: How long the service works on a task.
        starting: Seconds until all processes were ready; not included in the next figures.
        first: Seconds until the first task existed.
        seconds: From the first task's creation to the end of the last one, as the service says.
        cpu: Seconds of CPU, by whose they are.
        taken: Which part of the CPU other programs took meanwhile.
    """

    count: int
    processes: int
    task_seconds: float
    starting: float
    first: float
    seconds: float
    cpu: Mapping[str, float]
    taken: float

    def __str__(self) -> str:
        slots = SLOTS * self.processes
        # With all slots taken all the time, and nothing between the end of a task and the next one.
        ideal = math.ceil(self.count / slots) * self.task_seconds
        at_least = sum(self.cpu.values()) / CORES
        each = ", ".join(f"{name} {1000 * s / self.count:.1f}" for name, s in self.cpu.items())
        return (
            f"{self.count} items of {self.task_seconds:g} s, {self.processes} processes with "
            f"{SLOTS} at once: {self.seconds:.1f} s, {ideal / self.seconds:.2f} of ideal "
            f"({ideal:.1f} s)\n  ms of CPU an item, without the start of the processes: {each}; "
            f"all of it takes {at_least:.1f} s on {CORES} cores, of which other programs took "
            f"{100 * self.taken:.0f} %\n"
            f"  started in {self.starting:.1f} s, the first task after {self.first:.1f} s"
        )


async def work(
    server: PostgresServer, ledger: str, count: int, processes: int, task_seconds: float
) -> Run:
    """Let this many processes work on a batch."""
    await enqueue(items(count), LedgerAddress.parse(ledger), BatchOptions(), {})
    executor = ScriptedExecutor(default=Scenario(steps=("Look",), step_seconds=task_seconds))
    async with LocalServer(executor=executor, screenshots=False, recordings=False) as api:
        works = Works(
            *(ledger, api.base_url, api.api_key),
            concurrency=SLOTS,
            latency=0.5,
            lease=30.0,
            waits=True,
        )
        started = time.perf_counter()
        workers = await asyncio.gather(*(Worker.start(works) for _ in range(processes)))
        starting, database, own = time.perf_counter() - started, cpu_of(server), time.process_time()
        working = -cpu_of_ended() - sum(cpu_of_family(each.process.pid) for each in workers)
        began, machine = time.time(), cpu_of_machine()
        for worker in workers:
            worker.begin()
        for worker in workers:
            assert await worker.end(3600) == 0
        tasks = api.store.tasks
        first = min(task.created_at.timestamp() for task in tasks)
        last = max(task.finished_at.timestamp() for task in tasks if task.finished_at is not None)
        cpu = {
            "workers": working + cpu_of_ended(),
            "database": cpu_of(server) - database,
            "API": time.process_time() - own,
        }
        others = cpu_of_machine() - machine - sum(cpu.values())
        taken = max(others / CORES / (time.time() - began), 0.0)
    return Run(count, processes, task_seconds, starting, first - began, last - first, cpu, taken)


async def put(server: PostgresServer, address: str, count: int) -> None:
    """Print the time of an input, the memory after each tenth of it, and the time of a claim."""
    peaks: list[int] = []

    def watched() -> Iterator[BatchItem]:
        for number, item in enumerate(items(count)):
            if number % (count // STEPS) == 0:
                peaks.append(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
            yield item

    started, own, database = time.perf_counter(), time.process_time(), cpu_of(server)
    await enqueue(watched(), LedgerAddress.parse(address), BatchOptions(), {})
    seconds = time.perf_counter() - started
    own, database = time.process_time() - own, cpu_of(server) - database
    growth = max(after - before for before, after in pairwise(peaks[1:]))
    print(
        f"{count} items enqueued in {seconds:.1f} s, {count / seconds:.0f} a second; at most "
        f"{max(peaks) / 1024:.0f} MB, after the first tenth at most {growth} KB more per tenth"
    )
    print(
        f"us of CPU an item: this process {1e6 * own / count:.0f}, database "
        f"{1e6 * database / count:.0f}; load {os.getloadavg()[0]:.1f}"
    )
    print(f"the ledger has {read_ledger(address).total}")
    with contextlib.closing(connect(LedgerAddress.parse(address))) as connection:
        store = PostgresStore(connection, RunContext(owner="bench"), "")
        claims(store, "claims of one item", 0)
        for first in range(0, count // 5, 100):
            store.claim_next(100, first)
        claims(store, f"after {count // 5} claimed items, from the last one on", count // 5)
        claims(store, "from the first one on", 0)
        print(timed("SELECT 1", lambda: connection.execute("SELECT 1").fetchall()))


def claims(store: PostgresStore, name: str, first: int) -> None:
    """Print how long a process waits for the next item."""
    print(timed(name, lambda: store.claim_next(1, first)))


def timed(name: str, call: Callable[[], object]) -> str:
    """The percentiles of some calls, in milliseconds."""
    seconds = []
    for _ in range(CALLS):
        started = time.perf_counter()
        call()
        seconds.append(time.perf_counter() - started)
    at = quantiles(seconds, n=100)
    return f"{name}: p50 {1000 * at[49]:.2f} ms, p99 {1000 * at[98]:.2f} ms"


def main() -> None:
    """Measure what the arguments say."""
    action, count, *more = sys.argv[1:]
    with started_server() as server, server.database() as database:
        if action == "enqueue":
            asyncio.run(put(server, f"{database}#bench", int(count)))
            return
        lengths = [float(each) for each in more[1:]] or TASK_SECONDS
        for number, each in enumerate(lengths):
            ledger = f"{database}#bench-{number}"
            print(asyncio.run(work(server, ledger, int(count), int(more[0]), each)), flush=True)


if __name__ == "__main__":
    main()

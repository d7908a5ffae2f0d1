"""Batches over several processes: how fast items are done and enqueued, on a PostgreSQL of its own.

python -m benchmarks.shared_batch work 400 4       # items of a second, by so many processes
python -m benchmarks.shared_batch enqueue 1000000  # how long, and how much memory
"""

import asyncio
import resource
import sys
import time
from collections.abc import Iterator
from itertools import pairwise

from browser_use_async import BatchItem, RunTaskRequest
from browser_use_async.batch import read_ledger
from browser_use_async.batch.postgres.address import LedgerAddress
from browser_use_async.batch.postgres.enqueue import EnqueueOptions, enqueue
from browser_use_async.server import LocalServer
from browser_use_async.server.executors.scripted import Scenario, ScriptedExecutor
from tests.batch.postgres.processes import Worker, Works
from tests.support.postgres import started_server

SLOTS = 50  # items at once in each process
STEPS = 10  # at which the memory is looked at


def items(count: int) -> Iterator[BatchItem]:
    """The input, lazily."""
    for number in range(count):
        yield BatchItem(RunTaskRequest(f"Find the head office of company {number}"), str(number))


async def work(address: str, count: int, processes: int) -> None:
    """Print how long so many processes take."""
    await enqueue(items(count), LedgerAddress.parse(address), EnqueueOptions(), {})
    executor = ScriptedExecutor(default=Scenario(steps=("Look",), step_seconds=1.0))
    async with LocalServer(executor=executor, screenshots=False, recordings=False) as server:
        works = Works(
            address,
            server.base_url,
            server.api_key,
            concurrency=SLOTS,
            latency=0.5,
            lease=30.0,
        )
        workers = await asyncio.gather(*(Worker.start(works) for _ in range(processes)))
        for worker in workers:
            assert await worker.end(600) == 0
        tasks = server.store.tasks
        starts = [task.created_at.timestamp() for task in tasks]
        ends = [task.finished_at.timestamp() for task in tasks if task.finished_at is not None]
    seconds = max(ends) - min(starts)
    ideal = count / (SLOTS * processes)
    cpu = resource.getrusage(resource.RUSAGE_CHILDREN)
    print(
        f"{count} items, {processes} processes: {seconds:.1f} s, {count / seconds:.0f} a second, "
        f"{ideal / seconds:.2f} of ideal; CPU of workers and database "
        f"{1000 * (cpu.ru_utime + cpu.ru_stime) / count:.1f} ms an item"
    )


async def put(address: str, count: int) -> None:
    """Print how long an input takes, and the memory after each tenth of it."""
    peaks: list[int] = []

    def watched() -> Iterator[BatchItem]:
        for number, item in enumerate(items(count)):
            if number % (count // STEPS) == 0:
                peaks.append(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
            yield item

    started = time.perf_counter()
    await enqueue(watched(), LedgerAddress.parse(address), EnqueueOptions(), {})
    seconds = time.perf_counter() - started
    growth = max(after - before for before, after in pairwise(peaks[1:]))
    print(
        f"{count} items enqueued in {seconds:.1f} s, {count / seconds:.0f} a second; at most "
        f"{max(peaks) / 1024:.0f} MB, after the first tenth at most {growth} KB more per tenth"
    )
    print(f"the ledger has {read_ledger(address).total}")


def main() -> None:
    """Measure what the arguments say."""
    action, count, *more = sys.argv[1:]
    with started_server() as server, server.database() as database:
        address = f"{database}#bench"
        if action == "enqueue":
            asyncio.run(put(address, int(count)))
        else:
            asyncio.run(work(address, int(count), int(more[0])))


if __name__ == "__main__":
    main()

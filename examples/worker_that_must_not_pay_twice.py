"""A worker that loses answers and is killed twice, and still pays for each job once.

    python examples/worker_that_must_not_pay_twice.py

Needs no key: it uses the bundled server, which loses every third answer on purpose. This program
starts itself as the worker, kills it twice without a warning, and counts what was paid for.
"""

import asyncio
import os
import sys
import tempfile
from pathlib import Path

from browser_use_async import BrowserUseSession, PollPolicy
from browser_use_async.batch import BatchItem, ItemState, read_ledger
from browser_use_async.server import Fault, LocalServer

JOBS = [BatchItem(f"Pay invoice {number}", key=f"invoice-{number}") for number in range(20)]


async def work(ledger: str) -> None:
    """The worker. It does not know whether an earlier worker was killed, nor what that one did."""
    quick = PollPolicy(interval=0.1, latency_target=0.2)  # the server is on this machine
    async with BrowserUseSession(poll=quick) as session:
        batch = session.run_many(JOBS, concurrency=4, ledger=ledger)
        async with batch:
            async for result in batch:
                if not result.restored:  # an earlier worker has reported it
                    print(f"  {result.key} {result.status}", flush=True)


async def start_worker(server: LocalServer, ledger: Path) -> asyncio.subprocess.Process:
    """Start this program anew, as the worker."""
    return await asyncio.create_subprocess_exec(
        *(sys.executable, __file__, str(ledger)),
        env={
            **os.environ,
            "BROWSER_USE_API_KEY": server.api_key,
            "BROWSER_USE_BASE_URL": server.base_url,
        },
    )


async def main() -> None:
    """Start the worker, kill it twice, and count the tasks that were paid for."""
    lost = Fault("lost_reply", "run_task", probability=1 / 3, seed=4)
    with tempfile.TemporaryDirectory() as folder:
        ledger = Path(folder, "invoices.db")
        async with LocalServer(executor="scripted", faults=[lost]) as server:
            for killed_after in (4, 12):  # tasks
                worker = await start_worker(server, ledger)
                while server.tasks_created < killed_after:  # noqa: ASYNC110 - only a count shows it
                    await asyncio.sleep(0.01)
                worker.kill()
                await worker.wait()
                print(f"killed after {server.tasks_created} tasks", flush=True)
            worker = await start_worker(server, ledger)
            await worker.wait()
            done = read_ledger(ledger).counts[ItemState.DONE]
            print(f"{sum(server.faults_fired.values())} answers lost, 2 workers killed")
            print(f"{len(JOBS)} jobs, {done} done, {server.tasks_created} tasks paid for")


if __name__ == "__main__":
    asyncio.run(work(sys.argv[1]) if len(sys.argv) > 1 else main())

"""Run browser tasks as jobs of procrastinate, whose second attempts cost nothing.

    python examples/procrastinate_worker.py

Needs `pip install "browser-use-async[fleet]"` and PostgreSQL, whose address is in DATABASE_URL.
Uses BROWSER_USE_API_KEY and BROWSER_USE_BASE_URL; without both, the bundled server. A job that
fails, or whose worker dies, is done again by procrastinate. Each job has a ledger, so that its
second attempt gets the task of the first, and none is paid twice.
"""

import asyncio
import logging
import os
import tempfile
from pathlib import Path

from _target import reachable_api
from procrastinate import App, JobContext, PsycopgConnector, RetryStrategy

from browser_use_async import BrowserUseSession
from browser_use_async.batch import BatchItem

# In a program of yours the app stands in a module of its own, as procrastinate asks.
logging.getLogger("procrastinate.blueprints").setLevel(logging.ERROR)
app = App(connector=PsycopgConnector(conninfo=os.environ.get("DATABASE_URL", "")))
ledgers = Path(os.environ.get("LEDGERS") or tempfile.mkdtemp())  # a folder that outlives a worker


@app.task(queue="browser", retry=RetryStrategy(max_attempts=3, wait=0), pass_context=True)
async def browse(context: JobContext, text: str) -> None:
    """Run one task; what an earlier attempt of this job has paid for is not run again."""
    name = f"job-{context.job.id}"
    async with BrowserUseSession() as session:
        batch = session.run_many(
            [BatchItem(text, key=name)], concurrency=1, ledger=ledgers / f"{name}.db"
        )
        (result,) = await batch.collect()
    attempt = context.job.attempts + 1
    print(f"attempt {attempt}: {result.output or result.error}; restored: {result.restored}")
    if attempt == 1:
        raise ConnectionError("the database of the answers is away")  # after the task was paid


async def main() -> None:
    """Make the tables, give two jobs, and be a worker until there are no more."""
    async with reachable_api() as page, app.open_async():
        if not await app.check_connection_async():
            await app.schema_manager.apply_schema_async()
        for what in ("title", "headings"):
            await browse.defer_async(text=f"Open {page} and tell me its {what}")
        jobs = [*await app.job_manager.list_jobs_async(queue="browser")]
        # A worker that does not wait ends where nothing is due, as before a second attempt.
        while {"todo", "doing"} & {job.status for job in jobs}:
            await app.run_worker_async(queues=["browser"], concurrency=2, wait=False)
            jobs = [*await app.job_manager.list_jobs_async(queue="browser")]
        print("jobs:", sorted(job.status or "" for job in jobs))
        async with BrowserUseSession() as session:
            print("tasks paid for:", (await session.tasks.list()).total_count)


if __name__ == "__main__":
    asyncio.run(main())

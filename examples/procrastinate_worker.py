"""Run browser tasks as jobs of procrastinate, whose second attempts pay nothing.

    python examples/procrastinate_worker.py

Needs `pip install "browser-use-async[fleet]"` and PostgreSQL, whose address is in DATABASE_URL.
Needs no key: it uses the bundled server. This program starts itself as a worker, kills it while the
task runs, and starts it again: the job runs again, and gets the task of its first attempt by
its `key`, which is the id of the job.
"""

import asyncio
import logging
import os
import sys

from _killed_worker import killed_once
from procrastinate import App, JobContext, PsycopgConnector

from browser_use_async import BrowserUseSession

# In your program the app is in a module of its own, as procrastinate requires.
logging.getLogger("procrastinate").setLevel(logging.ERROR)
app = App(connector=PsycopgConnector(conninfo=os.environ.get("DATABASE_URL", "")))
SILENCE = 2.0  # seconds after which a worker without a heartbeat counts as dead; 30 by default


@app.task(queue="browser", pass_context=True)
async def browse(context: JobContext, text: str) -> None:
    """Run one task. All attempts of this job have one key, and so one task."""
    async with BrowserUseSession() as session:
        task = await session.run_and_wait(text, key=f"job-{context.job.id}")
    print(f"attempt {context.job.attempts + 1}: {task.output}", flush=True)


async def work() -> None:
    """The worker: it runs jobs of dead workers again, and ends when no jobs are left."""
    async with app.open_async():
        while jobs := [*await app.job_manager.list_jobs_async(queue="browser")]:
            if not {"todo", "doing"} & {job.status for job in jobs}:
                break
            for job in await app.job_manager.get_stalled_jobs(seconds_since_heartbeat=SILENCE):
                await app.job_manager.retry_job(job)
            await app.run_worker_async(queues=["browser"], wait=False)
            await asyncio.sleep(SILENCE / 10)


async def main() -> None:
    """Defer a job, kill its worker, start it again, and count the tasks that were paid for."""
    async with app.open_async():
        if not await app.check_connection_async():
            await app.schema_manager.apply_schema_async()
        await browse.defer_async(text="Pay invoice 7")
        async with killed_once(__file__):
            print("the job is given out anew", flush=True)
        jobs = await app.job_manager.list_jobs_async(queue="browser")
        print("jobs:", [job.status for job in jobs])


if __name__ == "__main__":
    asyncio.run(work() if "worker" in sys.argv else main())

"""Run browser tasks as steps of DBOS workflows, which continue after a crash and pay once.

    python examples/dbos_workflow.py

Needs `pip install dbos`. Needs no key: it uses the bundled server. This program starts itself as a
worker, kills it while the task runs, and starts it again: DBOS recovers the workflow, and the step,
whose result was not recorded, gets the task of the first attempt by its `key`.
"""

import asyncio
import os
import sys
import tempfile

from _killed_worker import killed_once
from dbos import DBOS, DBOSConfig, SetWorkflowID

from browser_use_async import BrowserUseSession


@DBOS.step()
async def browse(text: str) -> str:
    """Run one task. All attempts of this step have one key, and so one task."""
    key = f"{DBOS.workflow_id}/{DBOS.step_id}"
    async with BrowserUseSession() as session:
        task = await session.run_and_wait(text, key=key)
    return task.output or ""


@DBOS.workflow()
async def pay(number: int) -> str:
    """Pay an invoice; a workflow has as many steps as it needs."""
    return await browse(f"Pay invoice {number}")


async def work() -> None:
    """The worker. It does not know whether an earlier worker was killed."""
    address = f"sqlite:///{os.environ['DBOS_FOLDER']}/dbos.sqlite"  # or postgresql://…
    config: DBOSConfig = {"name": "invoices", "system_database_url": address}
    DBOS(config={**config, "console_log_level": "ERROR", "executor_id": "worker-1"})
    DBOS.launch()  # and recover the workflows of an earlier worker
    with SetWorkflowID("invoice-7"):  # the id of an invoice, so that it is one workflow
        handle = await DBOS.start_workflow_async(pay, 7)
    print("answer:", await handle.get_result())
    DBOS.destroy()


async def main() -> None:
    """Start the worker, kill it, start it again, and count the tasks that were paid for."""
    with tempfile.TemporaryDirectory() as folder:
        async with killed_once(__file__, DBOS_FOLDER=folder):
            print("DBOS recovers the workflow", flush=True)


if __name__ == "__main__":
    asyncio.run(work() if "worker" in sys.argv else main())

"""Lets examples of durable engines kill their worker between a submission and its result.

Your own program needs none of this: a deployment, a full disk or a power failure kills it there.
"""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from browser_use_async.server import LocalServer
from browser_use_async.server.executors.scripted import Scenario, ScriptedExecutor

__all__ = ["killed_once"]


@asynccontextmanager
async def killed_once(program: str, **variables: str) -> AsyncGenerator[None, None]:
    """Run a program as a worker, kill it once a task exists, and run it again to its end."""
    slow = Scenario(steps=("Open the page", "Pay"), step_seconds=0.5, output="Paid.")
    async with LocalServer(executor=ScriptedExecutor(default=slow)) as server:
        own = {"BROWSER_USE_API_KEY": server.api_key, "BROWSER_USE_BASE_URL": server.base_url}
        environment = {**os.environ, **own, **variables}

        async def start() -> asyncio.subprocess.Process:
            command = (sys.executable, program, "worker")
            return await asyncio.create_subprocess_exec(
                *command, env=environment, start_new_session=True
            )

        worker = await start()
        while not server.tasks_created:
            if worker.returncode is not None:
                raise RuntimeError("the worker ended before it had submitted anything")
            await asyncio.sleep(0.01)
        # The worker and the programs that it has started are killed without a warning.
        os.killpg(worker.pid, signal.SIGKILL)
        print("killed with exit code", await worker.wait(), flush=True)
        yield
        worker = await start()
        print("ended with exit code", await worker.wait())
        print("tasks paid for:", server.tasks_created)

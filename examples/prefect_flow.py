"""Run browser tasks as tasks of Prefect flows. A second run of the flow does not pay again.

    python examples/prefect_flow.py

Needs `pip install prefect`. Needs no key: it uses the bundled server. This program starts a Prefect
server and itself as a worker, kills the worker while the task runs, and starts it again: the new
run of the flow gets the task of the first one by its `key`, which is the cache key of Prefect, too.
"""

import asyncio
import os
import socket
import sys
import tempfile
from typing import Any

import aiohttp
from _killed_worker import killed_once

if "worker" in sys.argv:  # its imports take seconds
    from prefect import flow, task
    from prefect.context import TaskRunContext

    from browser_use_async import BrowserUseSession

    def key_of(context: TaskRunContext, parameters: dict[str, Any]) -> str:
        """The name of this work, in Prefect's cache and on the server."""
        return f"invoice-{parameters['number']}"

    @task(cache_key_fn=key_of, persist_result=True, retries=2)
    async def pay(number: int) -> str:
        """Pay an invoice. All attempts, in all runs of the flow, have one key and so one task."""
        async with BrowserUseSession() as session:
            paid = await session.run_and_wait(f"Pay invoice {number}", key=f"invoice-{number}")
        return paid.output or ""

    @flow
    async def pay_all(numbers: list[int]) -> list[str]:
        """Pay one invoice after the other."""
        return [await pay(number) for number in numbers]


async def start_prefect(port: int, folder: str) -> asyncio.subprocess.Process:
    """Start a Prefect server, and wait until it answers."""
    os.environ |= {
        "PREFECT_HOME": folder,
        "PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL": "ERROR",
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    }
    command = (*("-m", "prefect", "server", "start", "--no-services"), "--port", str(port))
    quiet = asyncio.subprocess.DEVNULL
    server = await asyncio.create_subprocess_exec(
        sys.executable, *command, stdout=quiet, stderr=quiet
    )
    os.environ["PREFECT_API_URL"] = f"http://127.0.0.1:{port}/api"
    async with asyncio.timeout(90), aiohttp.ClientSession() as http:
        while True:
            try:
                async with http.get(f"http://127.0.0.1:{port}/api/ready"):
                    return server
            except aiohttp.ClientError:
                await asyncio.sleep(0.1)


async def main() -> None:
    """Start the worker, kill it, start it again, and count the tasks that were paid for."""
    with socket.create_server(("127.0.0.1", 0)) as free, tempfile.TemporaryDirectory() as folder:
        port = free.getsockname()[1]
        free.close()
        server = await start_prefect(port, folder)
        async with killed_once(__file__):
            print("the flow is run anew", flush=True)
        server.terminate()
        await server.wait()


if __name__ == "__main__":
    if "worker" in sys.argv:
        print("answers:", asyncio.run(pay_all([7])))
    else:
        asyncio.run(main())

"""A server on a file, of whichever version of the package is on the path, that prints its CPU time.

`python -m benchmarks.servers.measured FILE KEY` prints its address, and a figure for each line that
it reads.
"""

import asyncio
import sys
import time

from browser_use_async.server import LocalServer
from browser_use_async.server.executors.scripted import Scenario, ScriptedExecutor


async def _serve(database: str, key: str) -> None:
    executor = ScriptedExecutor({"hang": Scenario(steps=(), hangs=True)})
    async with LocalServer(
        database=database, api_key=key, executor=executor, screenshots=False
    ) as server:
        print(server.base_url, flush=True)
        while await asyncio.to_thread(sys.stdin.readline):
            print(time.process_time(), flush=True)


if __name__ == "__main__":
    asyncio.run(_serve(*sys.argv[1:]))

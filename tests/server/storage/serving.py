"""A server in a process of its own, to be killed: `python -m tests.server.storage.serving FILE`."""

import asyncio
import json
import os
import sys

from browser_use_async.server import LocalServer
from browser_use_async.server.executors.scripted import Scenario, ScriptedExecutor

SCENARIOS = {
    "large": Scenario(step_seconds=0, files={"large.bin": os.urandom(1_000_000)}),
    "quick": Scenario(step_seconds=0, files={"report.csv": b"a,b\n1,2\n"}),
    "busy": Scenario(steps=[f"Step {number}" for number in range(1, 1000)], step_seconds=0.02),
}


async def _serve() -> None:
    executor = ScriptedExecutor(SCENARIOS)
    async with LocalServer(
        database=sys.argv[1],
        api_key="bu_test_of_storage",
        executor=executor,
        port=int(sys.argv[2]),
        webhook_retry_pauses=[0.5] * 5,
    ) as server:
        print(json.dumps({"base_url": server.base_url, "url": server.url}), flush=True)
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(_serve())

"""Record a task once, and replay it in tests: at any speed, without a key, and with faults.

    python examples/task_cassettes.py

Uses BROWSER_USE_API_KEY and BROWSER_USE_BASE_URL; without both, the bundled server. In pytest,
`@pytest.mark.browser_use_cassette("prices.json")` does the same; see docs/testing.md.
"""

import asyncio
import math
import tempfile
from pathlib import Path

from _target import reachable_api

from browser_use_async import BrowserUseSession, Task
from browser_use_async.testing import Cassette, Fault, LocalServer


async def read_title(session: BrowserUseSession, page: str) -> Task:
    """Takes the place of your own code."""
    return await session.run_and_wait(f"Open {page} and tell me its title", timeout=300)


async def main() -> None:
    """Record at one server, replay at another."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "title.json"
        async with reachable_api() as page, BrowserUseSession() as session:
            async with Cassette.record(session, path):
                task = await read_title(session, page)
            print("recorded:", task.output)
        cassette = Cassette.load(path)

    for each in cassette.tasks:
        statuses = " > ".join(status.status for status in each.statuses)
        print(f"contains: {len(each.steps)} steps, {each.cost_cents} cents, {statuses}")

    # At once, and the answer to run-task is lost: the code must not pay for a second task.
    faults = [Fault("lost_reply", "run_task", calls=1)]
    executor = cassette.executor(speed=math.inf)
    async with (
        LocalServer(executor=executor, faults=faults) as server,
        BrowserUseSession(server.api_key, base_url=server.base_url) as session,
    ):
        task = await read_title(session, page)
        print("replayed:", task.output)
        print("paid for:", server.tasks_created, "task")


if __name__ == "__main__":
    asyncio.run(main())

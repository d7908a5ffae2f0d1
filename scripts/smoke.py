"""Uses the installed wheel as a user without the checkout does.

Run with the checkout's path as the argument: the package must not come from there. The second
argument is the executor: `scripted` works in a bare installation, `plain` too.
"""

import asyncio
import sys
from pathlib import Path

import browser_use_async
from browser_use_async import BrowserUseSession, TaskStatus
from browser_use_async.server import LocalServer


async def main(executor: str) -> None:
    """Run one task on the bundled server."""
    async with (
        LocalServer(executor=executor) as server,
        BrowserUseSession(api_key=server.api_key, base_url=server.base_url) as session,
    ):
        await session.ping()
        task = await session.run_and_wait(f"Open {server.url} and tell me its title", timeout=20)
        assert task.status is TaskStatus.FINISHED, task
        print("a task on the bundled server:", task.output)


installed = Path(browser_use_async.__file__)
assert not installed.is_relative_to(Path(sys.argv[1]).resolve()), installed
assert installed.with_name("py.typed").exists()
asyncio.run(main(sys.argv[2]))

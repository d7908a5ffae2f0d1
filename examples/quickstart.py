"""Run one task and print its answer.

    python examples/quickstart.py

Uses BROWSER_USE_API_KEY and BROWSER_USE_BASE_URL; without both, the bundled server.
"""

import asyncio

from _target import reachable_api

from browser_use_async import BrowserUseSession, errors


async def main() -> None:
    """Open a page and ask for its title."""
    async with reachable_api() as page, BrowserUseSession() as session:
        try:
            task = await session.run_and_wait(
                f"Open {page} and tell me its title",
                max_agent_steps=10,
                timeout=300,
                on_timeout="stop",
            )
        except errors.TaskFailedError as error:
            print("it failed:", error.task.failure)
        else:
            print("status:", task.status)
            print("answer:", task.output)
            print("steps: ", len(task.steps), "in", round(task.duration or 0, 1), "s")
            print("cost:  ", session.cost(task), "cents")


if __name__ == "__main__":
    asyncio.run(main())

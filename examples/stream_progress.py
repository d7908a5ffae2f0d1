"""Submit a task, then follow it: its live page, its steps and its status.

    python examples/stream_progress.py

Uses BROWSER_USE_API_KEY and BROWSER_USE_BASE_URL; without both, the bundled server.
"""

import asyncio

from _target import reachable_api

from browser_use_async import BrowserUseSession, TaskHandle


async def show_steps(handle: TaskHandle) -> None:
    """Print each step once, in order."""
    async for step in handle.stream_steps():
        print(f"step {step.step}: {step.next_goal}  [{step.url}]")


async def show_status(handle: TaskHandle) -> None:
    """Print the current status, then each change."""
    async for status in handle.stream_status():
        print("status:", status)


async def main() -> None:
    """Follow one task in two ways at once. Both streams and the wait share their polls."""
    async with reachable_api() as page, BrowserUseSession() as session:
        handle = await session.submit(f"Open {page} and tell me its title")
        print("watch it at:", await handle.wait_for_live_url())
        print("to pick it up in another process, session.handle() takes:", handle.to_token())
        async with asyncio.TaskGroup() as group:
            group.create_task(show_steps(handle))
            group.create_task(show_status(handle))
            waiting = group.create_task(handle.wait(timeout=300))
        task = waiting.result()
        print("answer:", task.output)
        print("took:  ", round(task.duration or 0, 1), "s and", session.cost(task), "cents")


if __name__ == "__main__":
    asyncio.run(main())

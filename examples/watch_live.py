"""Watch a task in your browser and help it: pause it, use mouse and keyboard, resume it.

    python examples/watch_live.py

Open the printed page, or embed it in a page of your own.
Uses BROWSER_USE_API_KEY and BROWSER_USE_BASE_URL; without both, the bundled server.
"""

import asyncio
import sys
from html import escape

from _target import reachable_api

from browser_use_async import BrowserUseSession, TaskHandle, errors


def embedded(live_url: str) -> str:
    """The HTML that shows the live page within a page of your own."""
    source = escape(live_url, quote=True)
    return f'<iframe src="{source}" width="600" height="450" title="The task at work"></iframe>'


async def wait_for_a_person(handle: TaskHandle) -> None:
    """Pause the task until Enter is pressed here, if the program runs in a terminal."""
    if not sys.stdin.isatty():
        return
    try:
        await handle.pause()
    except errors.BadRequestError:
        return  # the task has ended already
    print("It is paused. Open the page, look around, and press Enter here to let it go on.")
    await asyncio.to_thread(sys.stdin.readline)
    if await handle.get_status() == "paused":  # the page has a button for it, too
        await handle.resume()


async def show_steps(handle: TaskHandle) -> None:
    """Print each step once, in order."""
    async for step in handle.stream_steps():
        print(f"step {step.step}: {step.next_goal}")


async def main() -> None:
    """Run one task with its live page. Everyone who has the live URL can steer the task."""
    async with reachable_api() as page, BrowserUseSession() as session:
        handle = await session.submit(
            f"Open {page} and tell me its title", enable_public_share=True
        )
        live_url = await handle.wait_for_live_url()
        print("watch and steer it at:", live_url)
        print("or embed it:", embedded(live_url or ""))
        await wait_for_a_person(handle)
        async with asyncio.TaskGroup() as group:
            group.create_task(show_steps(handle))
            waiting = group.create_task(handle.wait(timeout=300))
        task = waiting.result()
        print("for others, who can only watch:", task.public_share_url)
        print("answer:", task.output)


if __name__ == "__main__":
    asyncio.run(main())

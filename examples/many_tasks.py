"""Run many tasks at once with asyncio.TaskGroup, so that a failed one does not cancel the others.

    python examples/many_tasks.py

Uses BROWSER_USE_API_KEY and BROWSER_USE_BASE_URL; without both, the bundled server.
"""

import asyncio

from _target import reachable_api

from browser_use_async import BrowserUseSession, Task, errors

QUESTIONS = (
    "Open {page} and tell me its title",
    "Open {page} and tell me what it says",
    "Open {page} and click the link “Nowhere to be found”",
)


async def answer(
    session: BrowserUseSession, places: asyncio.Semaphore, question: str
) -> Task | errors.BrowserUseError:
    """Run one task. An error is a result here: in a TaskGroup it would cancel all others."""
    async with places:
        try:
            return await session.run_and_wait(question, timeout=300, on_timeout="stop")
        except errors.BrowserUseError as error:
            return error


async def main() -> None:
    """Ask all questions at once. All waits of a session share their polls, so this scales."""
    async with reachable_api() as page, BrowserUseSession() as session:
        places = asyncio.Semaphore(3)  # as many tasks at once as your plan allows
        async with asyncio.TaskGroup() as group:
            works = {
                question: group.create_task(answer(session, places, question))
                for question in (each.format(page=page) for each in QUESTIONS)
            }
        for question, work in works.items():
            result = work.result()
            if isinstance(result, Task):
                print(f"{question}\n    {result.output}\n    {session.cost(result)} cents\n")
            else:
                print(f"{question}\n    {type(result).__name__}: {result}\n")


if __name__ == "__main__":
    asyncio.run(main())

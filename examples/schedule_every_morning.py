"""Let the service run a task every morning: create a schedule, change it, delete it.

    python examples/schedule_every_morning.py

Uses BROWSER_USE_API_KEY and BROWSER_USE_BASE_URL; without both, the bundled server.
"""

import asyncio
from datetime import UTC, datetime, timedelta

from _target import reachable_api

from browser_use_async import BrowserUseSession


async def main() -> None:
    """Create, change, read and delete a schedule.

    Only runs cost money, and none becomes due here.
    """
    async with reachable_api() as page, BrowserUseSession() as session:
        created = await session.scheduled_tasks.create(
            f"Open {page} and tell me its title",
            schedule_type="cron",
            cron_expression="0 8 * * *",  # in UTC
            end_at=datetime.now(UTC) + timedelta(days=30),
            llm_model="gpt-4.1-mini",
        )
        try:
            schedule = await session.scheduled_tasks.get(created.id)
            print("first run:", schedule.next_run_at)

            schedule = await session.scheduled_tasks.update(
                created.id, cron_expression="30 6 * * 1-5"
            )
            print("on weekdays only:", schedule.next_run_at)

            schedule = await session.scheduled_tasks.update(created.id, is_active=False)
            print("active:", schedule.is_active)

            async for each in session.scheduled_tasks.iterate():
                print("there is:", each.id, each.cron_expression)
        finally:
            await session.scheduled_tasks.delete(created.id)
            print("deleted:", created.id)


if __name__ == "__main__":
    asyncio.run(main())

"""The first step of a task in a warm browser, and tasks per minute, beside bare Playwright.

python -m benchmarks.browser        # 15 rounds
python -m benchmarks.browser 40

Each round has both: the executor's own start of a task until its first step, the same over HTTP,
and the time of Playwright alone, in the same kind of browser, for a context, a page, its document
and a picture of it.
"""

import asyncio
import sys
import time
from contextlib import aclosing
from statistics import median

from playwright.async_api import Browser, async_playwright

from browser_use_async import BrowserUseSession
from browser_use_async.server import LocalServer
from browser_use_async.server.executors.browser.executor import ChromiumExecutor
from browser_use_async.server.executors.browser.locate import require_browser
from browser_use_async.server.executors.settings import ChromiumSettings
from browser_use_async.server.http.static_site import StaticSite, example_site_directory
from browser_use_async.server.records import Assignment, Step

ROUNDS = 15
PAUSE_SECONDS = 0.7  # as between tasks that people start; background work ends meanwhile
LOOK_SECONDS = 0.03
VIEWPORT = {"width": 1280, "height": 960}


class Running:
    """A task that is never paused."""

    def started(self) -> None:
        """Accept its start."""

    def doing(self, goal: str) -> None:
        """The benchmark ignores the current action."""

    async def checkpoint(self) -> None:
        """Let it run."""


async def with_playwright(browser: Browser, url: str) -> float:
    """Seconds until Playwright has a picture of a page."""
    begun = time.perf_counter()
    context = await browser.new_context(viewport=VIEWPORT)  # type: ignore[arg-type]
    page = await context.new_page()
    await page.goto(url)
    await page.screenshot()
    seconds = time.perf_counter() - begun
    await context.close()
    return seconds


async def in_executor(executor: ChromiumExecutor, url: str, name: str) -> float:
    """Seconds until a task's first step, without a server around the executor."""
    assignment = Assignment(name, f"Open {url} and return the title", takes_recording=False)
    begun, seconds = time.perf_counter(), 0.0
    async with aclosing(executor.run(assignment, Running())) as items:  # type: ignore[type-var]
        async for item in items:
            if isinstance(item, Step):
                seconds = seconds or time.perf_counter() - begun
    return seconds


async def over_http(session: BrowserUseSession, url: str) -> float:
    """Seconds until the first step can be read after `run-task`, with a recording in progress."""
    begun = time.perf_counter()
    handle = await session.submit(f"Open {url} and return the title")
    task = await session.tasks.get(handle.id)
    while not task.steps and not task.has_ended:
        await asyncio.sleep(LOOK_SECONDS)
        task = await session.tasks.get(handle.id)
    seconds = time.perf_counter() - begun
    await handle.wait()
    return seconds


async def tasks_per_minute(executor: ChromiumExecutor, url: str, count: int) -> float:
    """How many tasks are done in a minute, two at a time."""
    begun = time.perf_counter()
    for number in range(count // 2):
        pair = (in_executor(executor, url, f"pair{number}-{side}") for side in (0, 1))
        await asyncio.gather(*pair)
    return count // 2 * 2 * 60 / (time.perf_counter() - begun)


async def measure(rounds: int) -> None:
    """Print the figures."""
    settings = ChromiumSettings(allow_named_addresses=True)
    executor = ChromiumExecutor(settings)
    bare: list[float] = []
    direct: list[float] = []
    served: list[float] = []
    async with (
        StaticSite(example_site_directory()) as site,
        async_playwright() as playwright,
        LocalServer(executor="chromium", chromium=settings, balance_cents=10**9) as server,
        BrowserUseSession(server.api_key, base_url=server.base_url) as session,
    ):
        browser = await playwright.chromium.launch(executable_path=require_browser())
        for number in range(rounds + 1):  # the first one warms them up
            bare.append(await with_playwright(browser, site.url))
            await asyncio.sleep(PAUSE_SECONDS)
            direct.append(await in_executor(executor, site.url, f"task{number}"))
            await asyncio.sleep(PAUSE_SECONDS)
            served.append(await over_http(session, site.url))
            await asyncio.sleep(PAUSE_SECONDS)
        await browser.close()
        rate = await tasks_per_minute(executor, site.url, 2 * rounds)
    await executor.aclose()
    alone = median(bare[1:])
    print(f"Playwright alone, context to picture   {alone:.3f} s")
    for what, seconds in (("executor", direct), ("run-task over HTTP, recorded", served)):
        middle = median(seconds[1:])
        print(f"first step, {what:<27}{middle:.3f} s, {middle / alone:.2f} of it")
    print(f"tasks a minute, two at a time          {rate:.0f}")


if __name__ == "__main__":
    asyncio.run(measure(int(sys.argv[1]) if len(sys.argv) > 1 else ROUNDS))

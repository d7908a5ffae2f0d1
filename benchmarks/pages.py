"""How soon the list of 10,000 tasks is painted, and how smooth 1,000 rows at work are.

python -m benchmarks.pages        # 10 rounds
python -m benchmarks.pages 30

Each round is a new page of a real Chromium on the machine of the server. A `PerformanceObserver` in
it records every task of the page's thread over 50 ms, and the browser the first contentful paint.
The first frame after 50 rows are drawn records its time.
"""

import asyncio
import os
import sys
import tempfile
from pathlib import Path
from statistics import median

import attrs
from playwright.async_api import Browser, Page, async_playwright

from browser_use_async import BrowserUseSession
from browser_use_async.server import LocalServer
from browser_use_async.server.executors.browser.locate import require_browser
from browser_use_async.server.executors.scripted import Scenario, ScriptedExecutor
from tests.server.pages.many_tasks import CHANGING_ROWS, multiply_tasks

ROUNDS = 10
TASKS, REFRESHES = 10_000, 6

_OBSERVE = """
window.longTasks = [];
new PerformanceObserver((list) => longTasks.push(...list.getEntries().map((each) => each.duration)))
  .observe({ type: "longtask", buffered: true });
new MutationObserver((_, observer) => {
  if (document.querySelectorAll("#tasks tbody tr").length < 50) return;
  observer.disconnect();
  requestAnimationFrame(() => setTimeout(() => { window.rowsAt = performance.now(); }));
}).observe(document, { subtree: true, childList: true });
"""
_PAINTED = "performance.getEntriesByName('first-contentful-paint')[0]?.startTime"


@attrs.frozen
class Round:
    """The times of one page, in milliseconds."""

    first_paint: float
    rows: float  # until 50 rows are in a frame
    longest: float  # task of the page's thread while 1,000 rows change; 0 if none took 50 ms


async def make_database(path: Path) -> None:
    """A database with 10,000 tasks."""
    executor = ScriptedExecutor(default=Scenario(step_seconds=0, output="The answer"))
    async with (
        LocalServer(executor=executor, database=path) as server,
        BrowserUseSession(server.api_key, base_url=server.base_url) as session,
    ):
        await session.run_and_wait("Read the prices of the shop")
    await asyncio.to_thread(multiply_tasks, path, TASKS)


async def until(page: Page, condition: str) -> None:
    """Wait until an expression is true; the pages' policy forbids Playwright's own way."""
    async with asyncio.timeout(120):
        while not await page.evaluate(condition):  # noqa: ASYNC110
            await asyncio.sleep(0.05)


async def measure(browser: Browser, server: LocalServer) -> Round:
    """One round."""
    context = await browser.new_context(viewport={"width": 1280, "height": 860})
    page = await context.new_page()
    await page.add_init_script(_OBSERVE)
    await page.goto(f"{server.url}/#key={server.api_key}")
    await until(page, "window.rowsAt")
    await page.goto(f"{server.url}/?again")  # the key is in the tab; people open it so
    await until(page, f"window.rowsAt && {_PAINTED}")
    painted, rows = await page.evaluate(f"[{_PAINTED}, rowsAt]")
    longest = await longest_task(page)
    await context.close()
    return Round(painted, rows, longest)


async def longest_task(page: Page) -> float:
    """The longest task while 1,000 rows change several times."""
    await page.evaluate(CHANGING_ROWS)
    await page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    await until(page, "document.querySelectorAll('#tasks tbody tr').length === 1000")
    await until(page, "answers >= 2")
    await page.evaluate("longTasks.length = 0; window.first = answers")
    await until(page, f"answers >= first + {REFRESHES}")
    return float(await page.evaluate("Math.max(0, ...longTasks)"))


async def main(rounds: int) -> None:
    """Measure, and print medians and extremes."""
    with tempfile.TemporaryDirectory() as folder:
        database = Path(folder) / "tasks.db"
        await make_database(database)
        async with (
            LocalServer(executor="scripted", database=database) as server,
            async_playwright() as playwright,
        ):
            browser = await playwright.chromium.launch(executable_path=require_browser())
            found = [await measure(browser, server) for _ in range(rounds)]
            await browser.close()
    print(f"{rounds} rounds, load {os.getloadavg()[0]:.1f}; milliseconds: median (least to most)")
    for name, goal in (("first_paint", 300), ("rows", 300), ("longest", 100)):
        values = [getattr(each, name) for each in found]
        words = f"{median(values):.0f} ({min(values):.0f} to {max(values):.0f})"
        print(f"{name:12} {words:24} goal: at most {goal}")


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]) if len(sys.argv) > 1 else ROUNDS))

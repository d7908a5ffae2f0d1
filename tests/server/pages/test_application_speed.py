"""The requests and the drawing of the list with 10,000 tasks, and with 1,000 running ones.

The times are measured by `python -m benchmarks.pages`.
"""

import asyncio
from pathlib import Path

import pytest

from browser_use_async.server import LocalServer
from browser_use_async.server.executors.scripted import Scenario, ScriptedExecutor
from tests.server.calling import Caller
from tests.server.pages.application import open_page
from tests.server.pages.many_tasks import CHANGING_ROWS, multiply_tasks

_ROWS = "document.querySelectorAll('#tasks tbody tr').length"

# Records the rows in which anything is drawn.
_NOTING = """(() => {
  window.drawn = new Set();
  const list = document.getElementById("tasks");
  new MutationObserver((changes) => changes.forEach(({ target }) => {
    const row = (target.nodeType === 1 ? target : target.parentElement).closest("tr");
    if (row) drawn.add(row);
  })).observe(list, { subtree: true, childList: true, characterData: true });
})()"""


def _server(database: Path) -> LocalServer:
    executor = ScriptedExecutor(default=Scenario(step_seconds=0, output="The answer"))
    return LocalServer(executor=executor, database=database)


@pytest.mark.long
@pytest.mark.timeout(120)
async def test_ten_thousand_tasks_need_two_requests(browser, http, tmp_path):
    """Before the first paint nothing else is requested, and 50 rows are drawn."""
    database = tmp_path / "tasks.db"
    async with _server(database) as server:
        caller = Caller(server, http)
        await caller.reached(await caller.create("Read the prices"), "finished")
    await asyncio.to_thread(multiply_tasks, database, 10_000)
    async with _server(database) as server:
        caller = Caller(server, http)
        page = await open_page(browser, caller)
        counted = await page.text(".heading .note")
        await page.go(f"{server.url}/?again")
        await page.until(f"{_ROWS} === 50")
        await page.until("performance.getEntriesByName('first-contentful-paint').length === 1")
        # Rows request their pictures themselves, which is before the paint on a slow machine.
        asked = "performance.getEntriesByType('resource').filter((each) => each.startTime < "
        asked += "performance.getEntriesByName('first-contentful-paint')[0].startTime"
        asked += " && each.initiatorType !== 'img')"
        requests = await page.run(asked + ".map((each) => new URL(each.name).pathname)")
        data = [each for each in requests if not each.startswith("/assets/")]

    assert counted == "10,000 tasks"
    assert set(data) <= {"/admin/key", "/admin/overview", "/icon.svg"}


async def test_a_row_that_says_the_same_is_not_drawn_again(browser, http):
    """Of 1,000 rows only those that changed are drawn again."""
    async with LocalServer(executor="scripted") as server:
        page = await open_page(browser, Caller(server, http))
        changed = "number < 3 ? answers : 7"
        once = CHANGING_ROWS.replace("steps: answers", f"steps: {changed}")
        once = once.replace('"Read page " + answers', '"Read"')
        once = once.replace("finished_at: null", "finished_at: new Date(0).toISOString()")
        once = once.replace("Date.now() - 1000 * number", "1e12")
        await page.run(once)
        await page.run("document.dispatchEvent(new Event('visibilitychange'))")
        await page.until(f"{_ROWS} === 1000")
        await page.run(_NOTING)
        first = await page.run("answers")
        await page.until(f"answers >= {first + 2}")
        await page.until("document.querySelector('#tasks tbody tr').innerText.includes(answers)")

        assert await page.run("drawn.size") == 3


async def test_rows_out_of_sight_are_brought_up_to_date(browser, http):
    """A screen reader, or a search in the page, finds their present state."""
    async with LocalServer(executor="scripted") as server:
        page = await open_page(browser, Caller(server, http))
        await page.run(CHANGING_ROWS)
        await page.run("document.dispatchEvent(new Event('visibilitychange'))")
        await page.until(f"{_ROWS} === 1000")
        news = "[...document.querySelectorAll('#tasks .news')].at(-1).textContent"
        first = await page.run(news)
        await page.until(f"{news} !== '{first}'")

        assert await page.run("scrollY") == 0
        assert first.startswith("Read page ")

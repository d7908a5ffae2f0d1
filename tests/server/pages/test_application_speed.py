"""What the list costs the browser with 10,000 tasks, and with 1,000 rows at work.

In processor time of the page's thread, which a busy machine does not stretch as it does seconds.
"""

import asyncio
import sqlite3
from contextlib import closing
from pathlib import Path

import aiohttp
import pytest

from browser_use_async.server import LocalServer
from browser_use_async.server.executors.scripted import Scenario, ScriptedExecutor
from tests.browser.driver import Browser, Page, browser, browser_address
from tests.server.calling import Caller
from tests.server.pages.application import open_page

__all__ = ["browser", "browser_address"]

_ROWS = "document.querySelectorAll('#tasks li').length"

# Answers in place of the server: 1,000 rows, each of which changes each time.
_CHANGING = """(() => {
  const send = window.fetch;
  window.answers = 0;
  window.fetch = (path, sent) => {
    if (!path.startsWith("/admin/overview")) return send(path, sent);
    answers += 1;
    const tasks = Array.from({ length: 1000 }, (_, number) => ({
      id: "task-" + number, task: "Read the prices of shop " + number, status: "running",
      created_at: new Date(Date.now() - 1000 * number).toISOString(), finished_at: null,
      output: null, llm_model: "gpt-4.1", steps: answers, failure: null, cost_cents: "3.5",
      goal: "Read page " + answers, screenshot_url: null,
    }));
    const rest = { next: null, count: 1000, at_work: { running: 1000 } };
    return Promise.resolve(Response.json({ tasks, ...rest }));
  };
})()"""


async def _thread_seconds(page: Page) -> float:
    """The processor time that the page's thread has taken so far."""
    metrics = (await page.send("Performance.getMetrics"))["metrics"]
    return float({each["name"]: each["value"] for each in metrics}["ThreadTime"])


def _multiply(database: Path, times: int) -> None:
    """Copy the only task and its steps."""
    with closing(sqlite3.connect(database)) as connection, connection:
        columns = [row[1] for row in connection.execute("PRAGMA table_info(tasks)")]
        others = ", ".join(
            {
                "id": "printf('%08x', number) || substr(id, 9)",
                "live_token": "live_token || number",
                "position": "number",
            }.get(name, name)
            for name in columns
        )
        numbers = "WITH RECURSIVE numbers (number) AS (SELECT 2 UNION ALL SELECT number + 1 "
        numbers += f"FROM numbers WHERE number < {times})"  # a number of ours
        connection.execute(f"{numbers} INSERT INTO tasks SELECT {others} FROM tasks, numbers")
        connection.execute(
            "INSERT INTO steps SELECT tasks.id, steps.number, steps.id, "
            "steps.evaluation_previous_goal, steps.next_goal, steps.url, steps.drawing, "
            "steps.taken_at FROM steps, tasks WHERE tasks.position > 1"
        )
        connection.execute("UPDATE accounts SET tasks = ?", (times,))


def _server(database: Path) -> LocalServer:
    executor = ScriptedExecutor(default=Scenario(step_seconds=0, output="The answer"))
    return LocalServer(executor=executor, database=database)


@pytest.mark.long
@pytest.mark.timeout(120)
async def test_ten_thousand_tasks_are_listed_at_once(
    browser: Browser, http: aiohttp.ClientSession, tmp_path: Path
):
    """Two requests and less than 300 ms of the page's thread until 50 rows are there."""
    database = tmp_path / "tasks.db"
    async with _server(database) as server:
        api = Caller(server, http)
        await api.reached(await api.create("Read the prices"), "finished")
    await asyncio.to_thread(_multiply, database, 10_000)
    async with _server(database) as server:
        api = Caller(server, http)
        page = await open_page(browser, api)
        counted = await page.text(".heading .note")
        await page.send("Performance.enable")
        before = await _thread_seconds(page)
        await page.go(f"{server.url}/?again")
        await page.until(f"{_ROWS} === 50")
        taken = await _thread_seconds(page) - before
        asked = "performance.getEntriesByType('resource').filter((each) => each.startTime < "
        asked += "performance.getEntriesByName('first-contentful-paint')[0].startTime)"
        requests = await page.run(asked + ".map((each) => new URL(each.name).pathname)")

    assert counted == "10,000 tasks"
    assert set(requests) <= {"/admin/key", "/admin/overview", "/icon.svg"}
    assert taken <= 0.3


@pytest.mark.long
async def test_a_thousand_rows_at_work_stay_smooth(browser: Browser, http: aiohttp.ClientSession):
    """Reading, comparing and drawing 1,000 rows, all changed, takes less than 250 ms in all."""
    async with LocalServer(executor="scripted") as server:
        page = await open_page(browser, Caller(server, http))
        await page.run(_CHANGING)
        await page.run("document.dispatchEvent(new Event('visibilitychange'))")
        await page.until(f"{_ROWS} === 1000")
        await page.send("Performance.enable")
        first = await page.run("answers")
        before = await _thread_seconds(page)
        await page.until(f"answers >= {first + 5}")
        await page.until("document.querySelector('#tasks li').innerText.includes(answers)")
        taken = await _thread_seconds(page) - before
        refreshes = await page.run("answers") - first

    assert taken / refreshes <= 0.25, (taken, refreshes)

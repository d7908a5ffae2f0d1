"""How soon the list is there with 10,000 tasks, and that 1,000 rows at work do not hold it up."""

import asyncio
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import aiohttp
import pytest

from browser_use_async.server import LocalServer
from browser_use_async.server.executors.scripted import Scenario, ScriptedExecutor
from tests.browser.driver import Browser, browser, browser_address
from tests.server.calling import Caller
from tests.server.pages.application import open_page

__all__ = ["browser", "browser_address"]

_TRIES = 10
"""The machine may be busy, which makes nothing faster: the best of so many counts."""

_SHOWN = """new Promise((answer) => {
  const look = () => document.querySelectorAll("#tasks li").length >= 50
    ? requestAnimationFrame(() => answer(performance.now())) : requestAnimationFrame(look);
  look();
})"""


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
            "steps.evaluation_previous_goal, steps.next_goal, steps.url, steps.drawing "
            "FROM steps, tasks WHERE tasks.position > 1"
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
    """50 rows are painted within 300 ms of the request for the page."""
    database = tmp_path / "tasks.db"
    async with _server(database) as server:
        api = Caller(server, http)
        await api.reached(await api.create("Read the prices"), "finished")
    await asyncio.to_thread(_multiply, database, 10_000)
    times = []
    async with _server(database) as server:
        api = Caller(server, http)
        page = await open_page(browser, api)
        counted = await page.text(".heading .note")
        while len(times) < _TRIES and min(times, default=999) > 300:
            await page.go(f"{server.url}/?again={len(times)}")
            times.append(await page.run(_SHOWN))

    assert counted == "10,000 tasks"
    assert min(times) <= 300, times


def _changes(total: int) -> Iterator[str]:
    for number in range(total):
        yield f"Wait for {number}"


@pytest.mark.long
@pytest.mark.timeout(240)
async def test_a_thousand_rows_at_work_stay_smooth(browser: Browser, http: aiohttp.ClientSession):
    """No task of the page's thread is longer than 100 ms while all rows change."""
    hangs = Scenario(steps=("Look", "Wait"), step_seconds=0, hangs=True)
    async with LocalServer(
        executor=ScriptedExecutor({"Wait": hangs}), balance_cents=100_000
    ) as server:
        api = Caller(server, http)
        limit = asyncio.Semaphore(20)

        async def create(text: str) -> None:
            async with limit:
                await api.create(text)

        await asyncio.gather(*map(create, _changes(1000)))
        page = await open_page(browser, api)
        for number in range(100, 1001, 50):
            await page.run("window.scrollTo(0, document.body.scrollHeight)")
            await page.until(f"document.querySelectorAll('#tasks li').length >= {number}")
        await page.run(
            "(window.longest = [], new PerformanceObserver((list) => longest.push(...list"
            ".getEntries().map((each) => each.duration))).observe({type: 'longtask'}), 0)"
        )
        rounds = []
        while len(rounds) < _TRIES and min(rounds, default=999) > 100:
            before = await page.text("#tasks li:last-child .facts")
            await page.run("longest.length = 0; 0")
            for _ in range(3):
                await page.until(
                    f"document.querySelector('#tasks li:last-child .facts').innerText !== {before!r}"
                )
                before = await page.text("#tasks li:last-child .facts")
            rounds.append(await page.run("Math.max(0, ...longest)"))

    assert min(rounds) <= 100, rounds

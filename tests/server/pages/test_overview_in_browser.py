"""A person who reads the overview, a schedule's last run, and a task of many steps."""

import asyncio
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from browser_use_async.server import LocalServer
from browser_use_async.server.executors.scripted import Scenario, ScriptedExecutor
from tests.server.calling import Caller
from tests.server.pages.application import click_button, open_page
from tests.server.pages.test_application_in_browser import SCENARIOS


@pytest.fixture
def server_options():
    """Tasks end at once."""
    executor = ScriptedExecutor(SCENARIOS, default=Scenario(step_seconds=0, output="The answer"))
    return {"executor": executor}


@pytest.fixture
async def two_finished_and_one_failed(caller):
    """Three tasks."""
    for text, status in (("Read", "finished"), ("Fail it", "failed"), ("Look", "finished")):
        await caller.reached(await caller.create(text), status)


@pytest.mark.usefixtures("two_finished_and_one_failed")
async def test_the_overview_says_the_same_in_bars_and_as_a_table(browser, caller):
    """Sums, a bar for each day with tasks, the reason of the failure, and the link to its tasks."""
    page = await open_page(browser, caller, "/overview?days=7")
    await page.until("document.querySelectorAll('.bars').length === 4")
    totals = await page.run("[...document.querySelectorAll('.total')].map((it) => it.innerText)")
    days = await page.run("document.querySelectorAll('.bars')[0].querySelectorAll('g').length")
    names = await page.run("[...document.querySelectorAll('.bars')].map((it) => it.ariaLabel)")
    await click_button(page, "The same as a table")
    table = await page.text(".by-day tbody tr")
    reasons = await page.text(".reasons tbody")
    await page.click(".measure:nth-child(2) .total a")
    await page.until("document.querySelectorAll('#tasks tbody tr').length === 1")

    assert totals[0].startswith("3")
    assert totals[1].startswith("1")
    assert "33 %" in totals[1]
    assert days == 7
    assert names[0] == "Tasks by day, at most 3"
    assert table.split("\t")[1:5] == ["3", "2", "1", "0"]
    assert "No such page" in reasons
    assert "status=failed" in await page.run("location.search")
    assert page.complaints == []


@pytest.mark.usefixtures("two_finished_and_one_failed")
async def test_a_wrong_number_of_days_is_said(browser, caller):
    """The usual ones are shown."""
    page = await open_page(browser, caller, "/overview?days=8")
    await page.until("document.querySelectorAll('.bars').length === 4")

    assert "“8” is no number of days" in await page.text(".wrong-address")


@pytest.mark.usefixtures("two_finished_and_one_failed")
async def test_a_schedule_leads_to_its_tasks(browser, caller):
    """From its last run, with status and cost, to all of them."""
    body = {"task": "Fail it", "schedule_type": "interval", "interval_minutes": 60}
    await caller.post("/scheduled-task", json=body)
    page = await open_page(browser, caller, "/schedules")
    await page.until("document.querySelector('.last-run')?.innerText.includes('failed')")
    words = await page.text(".last-run")
    await page.click(".last-run span:last-child a")
    await page.until("document.querySelectorAll('#tasks tbody tr').length === 1")
    await click_button(page, "Show all tasks")
    await page.until("document.querySelectorAll('#tasks tbody tr').length === 4")

    assert "$0." in words
    assert "No such page" in words


@pytest.mark.long
@pytest.mark.timeout(120)
async def test_of_ten_thousand_steps_those_near_are_drawn(browser, http, server_options, tmp_path):
    """The one in the address is visible; at the end of the list the last one is."""
    database = tmp_path / "tasks.db"
    options = {**server_options, "database": database}
    async with LocalServer(**options) as server:
        caller = Caller(server, http)
        task_id = await caller.create("Read")
        await caller.reached(task_id, "finished")
    await asyncio.to_thread(_add_steps, database, 10_000)
    async with LocalServer(**options) as server:
        page = await open_page(browser, Caller(server, http), f"/tasks/{task_id}?step=5000")
        drawn = "document.querySelectorAll('.timeline button.step').length"
        await page.until(
            "document.querySelector('[aria-current=step] .goal')?.innerText === 'No 5000'"
        )
        first = await page.run(drawn)
        await page.run("document.querySelector('.timeline').scrollTop = 1e9")
        last = "[...document.querySelectorAll('.timeline .goal')].at(-1).innerText"
        await page.until(f"{last} === 'No 10000'")

        assert first <= 200
        assert await page.run(drawn) <= 200
        assert page.complaints == []


def _add_steps(database: Path, count: int) -> None:
    with closing(sqlite3.connect(database)) as connection, connection:
        connection.execute(
            "WITH RECURSIVE numbers (number) AS (SELECT 3 UNION ALL SELECT number + 1 "
            "FROM numbers WHERE number < ?) INSERT INTO steps (task_id, number, id, "
            "evaluation_previous_goal, next_goal, url, taken_at) SELECT task_id, "
            "numbers.number, id || numbers.number, 'Success', 'No ' || numbers.number, url, "
            "taken_at FROM steps, numbers WHERE steps.number = 2",
            (count,),
        )

"""The state of the application is in its address, and a wrong address is explained."""

import pytest

from browser_use_async.server.executors.scripted import Scenario, ScriptedExecutor
from tests.browser.driver import Page
from tests.server.pages.application import click_button, open_page, rows, type_into
from tests.server.pages.test_application_in_browser import SCENARIOS

_SHOWN = "[...document.querySelectorAll('#tasks tbody tr')].map((it) => it.dataset.status).join()"
_TITLES = "[...document.querySelectorAll('#tasks .row-title')].map((it) => it.innerText).join()"
_QUERY = "location.search"


@pytest.fixture
def server_options():
    """A finished, a failed and a long task."""
    steps = tuple(f"Part {number}" for number in range(1, 6))
    scenarios = {**SCENARIOS, "Long": Scenario(steps=steps, step_seconds=0, output="[1]")}
    default = Scenario(step_seconds=0, output="The answer")
    return {"executor": ScriptedExecutor(scenarios, default=default)}


@pytest.fixture(autouse=True)
async def some_tasks(caller):
    """Three tasks that have ended."""
    for text, status in (("Read it", "finished"), ("Fail it", "failed"), ("Long", "finished")):
        await caller.reached(await caller.create(text), status)


async def _pressed(page: Page) -> str:
    return await page.text(".filters [aria-pressed=true]")


async def test_a_link_narrows_the_list_and_back_widens_it(browser, caller):
    """A pasted filter, a reload, a choice, and Back."""
    page = await open_page(browser, caller, "/?status=failed")
    await page.until(f"{_SHOWN} === 'failed'")
    assert await _pressed(page) == "Failed"
    await page.send("Page.reload")
    await page.until(f"{_SHOWN} === 'failed'")
    await click_button(page, "Finished", ".filters")
    await page.until(f"{_SHOWN} === 'finished,finished'")
    assert await page.run(_QUERY) == "?status=finished"
    await page.click("#tasks .row-title a")
    await page.until("!!document.querySelector('.task-grid')")
    await page.run("history.back()")
    await page.until(f"{_SHOWN} === 'finished,finished'")
    await page.run("history.back()")
    await page.until(f"{_SHOWN} === 'failed'")

    assert await _pressed(page) == "Failed"
    assert page.complaints == []


async def test_what_is_sought_stands_in_the_address(browser, caller):
    """While it is typed; Back from another page restores it; an empty result can be cleared."""
    page = await open_page(browser, caller)
    await type_into(page, "#search", "fail")
    await page.until(f"{_QUERY} === '?text=fail' && {_SHOWN} === 'failed'")
    await click_button(page, "Schedules", ".nav")
    await page.until("document.querySelector('h1').innerText === 'Schedules'")
    await page.until("document.getElementById('search').value === ''")
    await page.run("history.back()")
    await page.until(f"{_SHOWN} === 'failed' && document.getElementById('search').value === 'fail'")
    await type_into(page, "#search", "zzzz")
    await page.until("!!document.querySelector('#tasks .empty')")
    words = await page.text("#tasks .empty")
    await click_button(page, "Clear all filters")
    await page.until(f"{_TITLES} === 'Long,Fail it,Read it'")
    await page.until("document.getElementById('search').value === ''")

    assert "No task with “zzzz” in it." in words


async def test_a_narrowed_list_says_how_many_of_all(browser, caller):
    """By a filter, in another order, without a match, and beyond the rows that are read."""
    page = await open_page(browser, caller, "/?status=finished")
    note = "document.querySelector('.heading .note')?.innerText"
    await page.until(f"{note} === '2 of 3 tasks'")
    await click_button(page, "Steps", "#tasks")
    await page.until(f"{_QUERY}.includes('sort=') && {note} === '2 of 3 tasks'")
    await type_into(page, "#search", "zzzz")
    await page.until(f"{note} === '0 of 3 tasks'")
    await click_button(page, "Clear all filters")
    await page.until(f"{note} === '3 tasks'")
    for _ in range(50):
        await caller.reached(await caller.create("Read on"), "finished")
    await page.run("window.IntersectionObserver = class { observe() {} disconnect() {} }")
    await type_into(page, "#search", "read")
    await page.until(f"{note} === 'at least 50 of 53 tasks' || {note} === '51 of 53 tasks'")

    assert page.complaints == []


async def test_wrong_filters_are_said_and_left_out(browser, caller):
    """All tasks are shown, with a message about each invalid filter."""
    page = await open_page(
        browser, caller, "/?status=done&sort=price&created=ever&before=x&since=soon"
    )
    await page.until(f"{_TITLES} === 'Long,Fail it,Read it'")
    words = await page.text(".wrong-address")
    await click_button(page, "Show all")
    await page.until("!document.querySelector('.wrong-address')")

    for each in (
        "“done” is no status",
        "“price” is no order",
        "“ever” is no time",
        "“soon”",
        "“x”",
    ):
        assert each in words
    assert await page.run(_QUERY) == ""
    assert page.complaints == []


async def test_the_table_is_sorted_by_its_columns(browser, caller):
    """A press puts the largest first, another one the smallest; the address has the order."""
    page = await open_page(browser, caller)
    await click_button(page, "Steps", "#tasks")
    await page.until(f"{_TITLES}.startsWith('Long')")
    await page.click("[aria-sort=descending] button")
    await page.until(f"{_TITLES}.endsWith('Long')")
    order = await page.run("document.querySelector('[aria-sort=ascending]').innerText")
    first = await rows(page)

    assert order.startswith("Steps")
    assert await page.run(_QUERY) == "?sort=steps"
    assert "Long" not in first[0]


async def test_a_step_and_a_view_stand_in_the_address(browser, caller):
    """A pasted link opens them; a missing step or view is explained."""
    task_id = (await caller.get(f"{caller.server.url}/admin/overview")).json["tasks"][0]["id"]
    page = await open_page(browser, caller, f"/tasks/{task_id}?step=2&output=text")
    current = "document.querySelector('[aria-current=step] .goal')?.innerText"
    await page.until(f"{current} === 'Part 2'")
    shown = await page.text("#output")
    await page.press("j")
    await page.press("j")
    await page.until(f"{current} === 'Part 2' && {_QUERY}.includes('step=2')")
    await page.go(f"{caller.server.url}/tasks/{task_id}?step=99&view=dream")
    await page.until("!!document.querySelector('.wrong-address')")
    words = await page.text(".wrong-address")

    assert "[\n  1\n]" in shown
    assert "“dream” is no view" in words
    assert "no step “99”: the task has 5 steps." in words
    assert "There is no trace of this step" in await page.text(".behind")


async def test_a_task_that_is_gone_has_a_page_that_says_so(browser, caller):
    """It has a link back to the list."""
    page = await open_page(browser, caller, "/tasks/nothing")
    await page.until("document.querySelector('h1').innerText === 'There is no such task'")

    assert "deleted because of its age" in await page.text("main")
    await click_button(page, "All tasks", "main")
    await page.until(f"{_TITLES} === 'Long,Fail it,Read it'")


async def test_single_keys_lead_through_the_list(browser, caller):
    """J and k from row to row, Enter opens, ? shows the keys, which can be turned off."""
    page = await open_page(browser, caller)
    await page.until(f"{_TITLES} !== ''")
    at = "document.activeElement.innerText"
    for key, title in (("j", "Long"), ("j", "Fail it"), ("j", "Read it"), ("k", "Fail it")):
        await page.press(key)
        assert await page.run(at) == title
    await page.press("?")
    await page.until("document.querySelector('dialog')?.open === true")
    words = await page.text("dialog")
    await page.click("dialog .check")
    await page.press("Escape")
    await page.until("!document.querySelector('dialog')")
    await page.press("j")
    still = await page.run(at)
    await page.press("Enter")
    await page.until("!!document.querySelector('.task-grid')")

    assert "Next row, or next step" in words
    assert still == "Fail it"
    assert page.complaints == []

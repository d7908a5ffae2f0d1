"""A person who filters the list of tasks, opens older ones, and reads files and load."""

import pytest

from browser_use_async.server.executors.scripted import ScriptedExecutor
from tests.server.pages.application import click_button, open_page, rows, type_into
from tests.server.pages.many_tasks import CHANGING_ROWS
from tests.server.pages.test_application_in_browser import SCENARIOS

_PRESS = (
    "[...document.querySelectorAll('main button')].find((it) => it.innerText === '%s')?.click()"
)
_ROWS = "document.querySelectorAll('#tasks tbody tr').length"


@pytest.fixture
def server_options():
    """A server without tasks."""
    return {"executor": ScriptedExecutor(SCENARIOS)}


async def test_tasks_are_found_by_metadata_and_time(browser, caller):
    """Each filter narrows the rest; clearing shows all again."""
    for shop in ("tern", "tide"):
        await caller.reached(
            await caller.create(f"Read {shop}", metadata={"shop": shop}), "finished"
        )
    page = await open_page(browser, caller)
    await page.until(f"{_ROWS} === 2")
    await type_into(page, "#metadata", "shop=tide")
    await page.until(f"{_ROWS} === 1")
    (found,) = await rows(page)
    choose = "(() => { const field = document.querySelector('[aria-label=Created]'); field.value ="
    choose += " '%s'; field.dispatchEvent(new Event('change', {bubbles: true})); })()"
    await page.run(choose % "hour")
    await page.until(f"{_ROWS} === 1")
    await page.run(choose % "between")
    await page.run(
        "(() => { const field = document.querySelector('[aria-label=\"Created before\"]');"
        " field.value = '2020-01-01T00:00'; field.dispatchEvent(new Event('input')); })()"
    )
    await page.until("document.getElementById('tasks').innerText.includes('Nothing matches')")
    await click_button(page, "Clear", ".narrow")
    await page.until(f"{_ROWS} === 2")

    assert "Read tide" in found
    assert page.complaints == []


async def test_the_search_leads_to_the_list_from_any_page(browser, caller):
    """After a search on another page, Enter shows the results in the list."""
    for text in ("Read the prices", "Check the news"):
        await caller.reached(await caller.create(text), "finished")
    page = await open_page(browser, caller, "/schedules")
    await page.press("/")
    await page.send("Input.insertText", text="NEWS")
    await page.press("Enter")
    await page.until(f"{_ROWS} === 1")

    assert "Check the news" in (await rows(page))[0]


async def test_the_operator_switches_between_owners(browser, caller):
    """The address has the owner; the list and a task are read only, and say so."""
    shop = await caller.with_new_key("shop")
    await caller.reached(await caller.create("Of the operator"), "finished")
    task_id = await shop.create("Wait for the shop")
    await shop.reached(task_id, "running", steps=2)
    team_page = await open_page(browser, shop)
    page = await open_page(browser, caller)
    await page.until(f"{_ROWS} === 1")
    choose = "(() => { const field = document.querySelector('[aria-label=Owner]'); field.value ="
    choose += " '%s'; field.dispatchEvent(new Event('change', {bubbles: true})); })()"
    offered = await page.run("[...document.querySelectorAll('[aria-label=Owner] option')].length")
    await page.run(choose % "shop")
    await page.until("document.getElementById('tasks').innerText.includes('Wait for the shop')")
    (one,) = await rows(page)
    composers = await page.run("document.querySelectorAll('main textarea').length")
    await page.run(choose % "all")
    await page.until(f"{_ROWS} === 2")
    both = await rows(page)
    await click_button(page, "Wait for the shop", "#tasks")
    await page.until("!!document.querySelector('.task-grid')")
    address = await page.run("location.pathname + location.search")
    note = await page.run("document.getElementById('of-owner').innerText")
    buttons = await page.run(
        "[...document.querySelectorAll('main button')].map((it) => it.innerText)"
    )

    assert await team_page.run("document.querySelectorAll('[aria-label=Owner]').length") == 0
    assert (offered, composers) == (4, 0)
    assert "of shop" in one
    assert len(both) == 2
    assert address == f"/tasks/{task_id}?owner=shop"
    assert note == "Tasks of shop: read only."
    assert not {"Stop", "Pause", "Run again"} & {*buttons}
    assert page.complaints == []


async def test_older_tasks_follow_the_thousand_that_are_kept_fresh(browser, caller):
    """From the position of the last one on, and back again."""
    page = await open_page(browser, caller)
    script = CHANGING_ROWS.replace("next: null", "next: 4711")
    script = script.replace("answers += 1;", "answers += 1; window.asked = path;")
    await page.run(script)
    await page.run("document.dispatchEvent(new Event('visibilitychange'))")
    await page.until(f"{_ROWS} === 1000")
    # Pressed by a script: rows that are drawn meanwhile move the buttons away from a pointer.
    await page.until(
        "window.scrollTo(0, 0), window.scrollTo(0, document.body.scrollHeight),"
        f" {_PRESS % 'Older tasks'}, asked.includes('before=4711')"
    )
    await page.until(f"{_PRESS % 'Back to the newest'}, !asked.includes('before')")


async def test_files_are_uploaded_found_and_deleted(browser, caller):
    """Uploads and files of tasks, with a link that downloads them."""
    task_id = await caller.create("Table of bicycles")
    await caller.reached(task_id, "finished")
    page = await open_page(browser, caller, "/files")
    await page.run(
        "(() => { const files = new DataTransfer(); files.items.add(new File(['a,b'], 'in.csv',"
        " {type: 'text/csv'})); const field = document.getElementById('upload');"
        " field.files = files.files; field.dispatchEvent(new Event('change')); })()"
    )
    await page.until("document.querySelectorAll('#uploads li').length === 1")
    (upload,) = await rows(page, "#uploads li")
    await page.until("document.querySelectorAll('#made li a').length === 2")
    content = await page.run(
        "fetch(document.querySelector('#made .chips a').href).then((answer) => answer.text())"
    )
    await click_button(page, "Delete in.csv")
    await click_button(page, "Delete", "dialog")
    await page.until("document.querySelectorAll('#uploads li').length === 0")

    assert "3 bytes" in upload
    assert content == "name,price"
    assert page.complaints == []

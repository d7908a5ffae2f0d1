"""The pages of batches in a real browser."""

import pytest

from browser_use_async import BrowserUseSession
from browser_use_async.server.executors.scripted import Scenario, ScriptedExecutor
from tests.browser.accessibility import barriers
from tests.server.pages.application import open_page, rows, violations
from tests.server.pages.test_application_in_browser import SCENARIOS

_ROWS = "document.querySelectorAll('#tasks tbody tr').length"


@pytest.fixture
def server_options():
    """Tasks end at once, unless their text says otherwise."""
    executor = ScriptedExecutor(SCENARIOS, default=Scenario(step_seconds=0, output="The answer"))
    return {"executor": executor}


@pytest.fixture
async def caller(caller, tmp_path):
    """A server with a batch of six tasks, of which one failed, and a task of no batch."""
    server = caller.server
    texts = [f"Read page {number}" for number in range(5)]
    async with BrowserUseSession(server.api_key, base_url=server.base_url) as session:
        batch = session.run_many(
            [*texts, "Fail it"], ledger=tmp_path / "run.db", key_prefix="orders/"
        )
        await batch.collect()
    await caller.reached(await caller.create("Alone"), "finished")
    return caller


@pytest.mark.parametrize("width", [390, 1440])
async def test_a_batch_leads_to_its_tasks(width, browser, caller):
    """From the list to one batch, to its failed tasks, and back to all of its tasks."""
    shape = {"width": width, "height": 900, "phone": width == 390}
    page = await open_page(browser, caller, "/batches", **shape)
    await page.until("document.querySelector('.items a')?.innerText === 'orders'")
    (listed,) = await rows(page, ".items .item")
    found = [*await violations(page), *await barriers(page)]
    await page.click(".items a")
    await page.until("document.querySelector('h1').innerText === 'orders'")
    await page.until("!!document.querySelector('.reasons tbody')")
    facts, reasons = await page.text("dl"), await page.text(".reasons tbody")
    found += [*await violations(page), *await barriers(page)]
    await page.click("dl a[href*=failed]")
    await page.until(f"{_ROWS} === 1")
    heading = await page.text(".heading")
    await page.click("[aria-pressed]:first-child")
    await page.until(f"{_ROWS} === 6")
    await page.click(".older button")
    await page.until(f"{_ROWS} === 7")

    assert "1 failed" in listed
    assert "6 tasks" in listed
    assert "$0.36" in facts  # $0.01 each, and $0.025 for each of two steps
    assert "no task is at work" in facts
    assert "No such page" in reasons
    assert "1 of 7 tasks" in heading
    assert found == []
    assert page.complaints == []


async def test_a_batch_that_is_not_there_is_said(browser, caller):
    """Also for a name of nonsense: one sentence, and a way back."""
    page = await open_page(browser, caller, "/batches?name=%25%00%22%3Cb%3E")
    await page.until("document.querySelector('h1').innerText === 'There is no such batch'")

    assert page.complaints == [] or all("422" in each for each in page.complaints)
    assert await page.run("!!document.querySelector('.crumbs a')")

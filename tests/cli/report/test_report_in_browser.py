"""The page of a batch in a real browser."""

import pytest

from browser_use_async.batch.report import write_report
from browser_use_async.server.http.static_site import StaticSite
from tests.browser.accessibility import barriers
from tests.browser.driver import Page
from tests.server.pages.application import violations

from .ledgers import item, write_ledger

HOSTILE = "</pre><script>document.title = 'taken over'</script><img src=x>"
LONG = "word" * 2000
ITEMS = [
    item("acme", seconds=31.0, steps=4, cost=11_000, output="Berlin"),
    item("fails", "failed", steps=2, cost=6_000, reason="No such page", error="TaskFailedError"),
    item("hostile", steps=1, cost=3_500, output=HOSTILE),
    item("long", steps=1, cost=3_500, output=LONG),
    *(item(f"more {number}", seconds=20.0 + number, output="Done.") for number in range(40)),
    item("bad", "dead letter", reason="the task is empty"),
]


@pytest.fixture
async def url(tmp_path):
    """The address of a report."""
    ledger = write_ledger(tmp_path / "run.db", ITEMS, budget_cents=500)
    folder = tmp_path / "site"
    folder.mkdir()
    await write_report(ledger, folder / "report.html")
    async with StaticSite(folder) as site:
        yield f"{site.url}/report.html"


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", [1920, 1024, 390])
async def test_everybody_can_read_it(browser, url, width, dark):
    """Contrast, names, headings and width are right, on a desktop and on a telephone."""
    page = await browser.open(url, width=width, dark=dark, phone=width == 390)

    assert await barriers(page) == []
    assert await violations(page) == []


async def test_what_needs_attention_leads_to_its_item(browser, url):
    """A click on a failed item scrolls to its row, which has the reason."""
    page = await browser.open(url)
    await page.click('a[href="#item-1"]')
    await page.until("location.hash === '#item-1'")
    box = "document.querySelector('#item-1').getBoundingClientRect()"

    assert await page.run(f"{box}.bottom > 0 && {box}.top < innerHeight")
    assert "No such page" in await page.text("#item-1")


async def test_what_agents_wrote_stays_text(browser, url):
    """Markup of an output is shown and not run, and nothing else is loaded for the page."""
    page = await browser.open(url)

    assert HOSTILE in await page.text("#item-2")
    assert await page.run("document.title") != "taken over"
    assert await page.run("document.scripts.length") == 1  # its own
    assert await page.run("performance.getEntriesByType('resource').length") == 0


async def _names(page: Page) -> list[str]:
    shown: list[str] = await page.run(
        "[...document.querySelectorAll('#items tbody tr:not([hidden]) .key')]"
        ".map((each) => each.firstChild.textContent)"
    )
    return shown


async def test_items_are_found_and_sorted(browser, url):
    """By state, by text, and by cost in either order, without a server; by the keyboard too."""
    page = await browser.open(url)
    await page.run("document.querySelector('.tools [aria-pressed=false]:nth-child(3)').focus()")
    await page.press("Enter")
    failed = await _names(page)
    await page.run("document.querySelector('.tools [aria-pressed=false]').focus()")
    await page.press("Enter")
    await page.click(".tools input")
    await page.send("Input.insertText", text="NO SUCH")
    await page.until("document.querySelector('.tools [role=status]').textContent === '1 of 45'")
    found = await _names(page)
    await page.run("document.activeElement.select()")
    await page.press("Backspace")
    await page.until("!document.querySelector('#items tr[hidden]')")
    await page.click("#items th:nth-child(6) button")
    cheapest = (await _names(page))[:2]
    await page.click("#items th:nth-child(6) button")
    dearest = (await _names(page))[:2]

    assert failed == found == ["fails"]
    assert cheapest == ["hostile", "long"]
    assert dearest == ["acme", "fails"]
    assert page.complaints == []

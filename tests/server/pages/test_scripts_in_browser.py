"""The pages of scripts in a real browser."""

from tests.browser.driver import Browser
from tests.server.calling import Caller
from tests.server.pages.application import click_button, open_page, type_into

TEXT = "script office\ninputs: company\n\nopen https://shop.example/{company}\n"


async def test_versions_stand_side_by_side_and_can_be_edited(
    browser: Browser, caller: Caller
) -> None:
    """Differences are marked; a text that is no script is refused in the dialog."""
    url = f"{caller.server.url}/admin/scripts/office"
    await caller.put(url, json={"text": TEXT})
    await caller.put(url, json={"text": f"{TEXT}click “Prices”\n    role: link\n"})
    page = await open_page(browser, caller, "/scripts")
    await page.until("document.querySelector('.items a')?.innerText === 'office'")
    await page.click(".items a")
    await page.until("document.querySelectorAll('.script .changed').length === 2")
    head = await page.text(".script thead")

    await click_button(page, "Edit")
    await type_into(page, "dialog textarea", f"{TEXT}clik “Prices”\n")
    await click_button(page, "Save as a new version", "dialog")
    await page.until("document.querySelector('dialog .alert') !== null")
    refused = await page.text("dialog .alert")
    await type_into(page, "dialog textarea", f"{TEXT}go back\n")
    await click_button(page, "Save as a new version", "dialog")
    await page.until("document.querySelectorAll('#versions .item').length === 3")
    await click_button(page, "Version 1")
    await page.until("document.querySelectorAll('.script thead th').length === 1")

    assert head.split() == "Version 1, edited by a person Version 2, edited by a person".split()
    assert "line 5: “clik “Prices”” is not understood" in refused
    versions = (await caller.get(url)).json["versions"]
    assert [each["version"] for each in versions] == [3, 2, 1]
    assert "go back" in (await caller.get(f"{url}/3")).json["text"]

    await click_button(page, "Delete")
    await click_button(page, "Delete", "dialog")
    await page.until("location.pathname === '/scripts'")
    assert (await caller.get(url)).status == 404

"""axe finds no violation on any page of the application, in each width, light and dark."""

import attrs
import pytest

from browser_use_async.server import LocalServer, Webhook
from browser_use_async.server.executors.scripted import ScriptedExecutor
from tests.browser.accessibility import barriers
from tests.browser.driver import Page
from tests.server.calling import Caller
from tests.server.pages.application import click_button, open_page, violations
from tests.server.pages.test_application_in_browser import SCENARIOS
from tests.server.webhooks.receiver import SECRET, receiving


@attrs.frozen
class Stocked:
    """A server with some content on each page.

    Attributes:
        caller: The server.
        paths: Where the pages are.
    """

    caller: Caller
    paths: list[str]


@pytest.fixture
async def stocked(http):
    """Tasks of each kind, a schedule, a profile, deliveries and a key."""
    async with receiving() as receiver:
        webhooks = [Webhook(receiver.url, SECRET)]
        executor = ScriptedExecutor(SCENARIOS)
        async with LocalServer(executor=executor, webhooks=webhooks) as server:
            caller = Caller(server, http)
            texts = (
                "Table of " + "long " * 120,
                "Fail it",
                "Wait for it",
                "https://a.b/" + "x" * 90,
            )
            batch = {"bu_async.batch": "orders/"}
            more = {"enable_public_share": True, "metadata": batch}
            ids = [await caller.create(text, **more) for text in texts]
            for task_id, status in zip(ids, ("finished", "failed", "running"), strict=False):
                await caller.reached(task_id, status, steps=1)
            await caller.post(
                "/scheduled-task",
                json={"task": "Read", "schedule_type": "cron", "cron_expression": "0 7 * * *"},
            )
            await caller.post("/browser-profiles", json={"profile_name": "shop"})
            await caller.with_new_key("shop", budget_cents="500")
            await caller.with_new_key("a-long-name-of-a-team-of-the-shop-in-the-north")
            tasks = [f"/tasks/{task_id}" for task_id in ids[:3]]
            upload = {"file_name": "prices.csv", "content_type": "text/csv"}
            link = (await caller.post("/uploads/presigned-url", json=upload)).json["upload_url"]
            kind = {"Content-Type": "text/csv"}
            await caller.put(link, key=False, data=b"name", headers=kind)
            paths = ["/", *tasks, "/schedules", "/profiles", "/files", "/webhooks", "/keys"]
            paths += ["/batches", "/batches?name=orders/", "/?batch=orders/"]
            paths += ["/overview", "/?status=done&sort=-cost", "/?owner=all", f"{tasks[0]}?step=99"]
            yield Stocked(caller, paths)


async def _found(page: Page) -> list[str]:
    return [*await violations(page), *await barriers(page)]


@pytest.mark.long
@pytest.mark.timeout(180)
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", [390, 1024, 1920])
async def test_everybody_can_use_each_page(width, dark, browser, stocked):
    """Names, contrast, sizes, order and landmarks; no page is wider than the window."""
    found = {}
    shape = {"width": width, "height": 900, "dark": dark, "phone": width == 390}
    for path in stocked.paths:
        page = await open_page(browser, stocked.caller, path, **shape)
        found[path] = await _found(page)
    live = (await stocked.caller.task(stocked.paths[3].rpartition("/")[2]))["live_url"]
    for path in ("/?signed-out", "/live/nothing", live.removeprefix(stocked.caller.server.url)):
        page = await browser.open(stocked.caller.server.url + path, **shape)
        await page.until("!!document.querySelector('h1')")
        found[path] = await _found(page)

    assert {path: each for path, each in found.items() if each} == {}


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
async def test_everybody_can_use_the_dialogs(dark, browser, stocked):
    """The composer with all options, the request as code, and the forms."""
    page = await open_page(browser, stocked.caller, dark=dark)
    await click_button(page, "Options", ".composer")
    found = await _found(page)
    await click_button(page, "As code", ".composer")
    found += await violations(page)
    await page.press("Escape")
    await page.until("!document.querySelector('dialog')")
    await page.click(".keys-button button")
    await page.until("document.querySelector('dialog')?.open === true")
    found += await violations(page)
    for path, button in (
        ("/schedules", "New schedule"),
        ("/keys", "New key"),
        ("/keys", "Revoke a key of shop"),
        ("/webhooks", "New webhook"),
        (stocked.paths[1], "Share"),
    ):
        page = await open_page(browser, stocked.caller, path, dark=dark)
        await click_button(page, button)
        await page.until("document.querySelector('dialog')?.open === true")
        found += await violations(page)

    assert found == []

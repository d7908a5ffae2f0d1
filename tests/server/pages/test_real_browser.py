"""A task's real browser, which a person watches and helps in another one."""

import asyncio
import json
import struct
from typing import Any

import pytest

from browser_use_async.server import ChromiumSettings
from browser_use_async.server.http.static_site import StaticSite
from tests.browser.driver import Browser, Page
from tests.server.calling import Caller
from tests.server.pages.opening import LIVE, SHOWN, STEERABLE
from tests.support.patience import PATIENCE

STEPS = "document.querySelectorAll('#steps li').length"

# Only a person can do this: no instruction of the task fills the field or presses the button.
_GATE = """<!doctype html><html lang="en"><title>Gate</title>
<style>body { margin: 0; font: 40px sans-serif } div { height: 200px; padding: 20px }
input, button { font: inherit; width: 600px; height: 100px }</style>
<div><label>Are you a person? <input id="code" autocomplete="off"></label></div>
<div><button onclick="if (document.getElementById('code').value === 'grün Ja1')
  document.body.innerHTML = '<h1>Welcome inside</h1>'">Enter</button></div>
</html>"""


@pytest.fixture
async def gate(tmp_path):
    """A site with a gate that no rule can pass."""
    await asyncio.to_thread((tmp_path / "index.html").write_text, _GATE, encoding="utf-8")
    async with StaticSite(tmp_path) as site:
        yield site


@pytest.fixture
def server_options(browser_path):
    """A server whose tasks run in a real browser."""
    chromium = ChromiumSettings(browser_path, allow_private_addresses=True)
    return {"executor": "chromium", "chromium": chromium}


async def _watched(
    caller: Caller, browser: Browser, gate: StaticSite
) -> tuple[dict[str, Any], Page]:
    """A task that waits at the gate, and its live page."""
    task_id = await caller.create(
        f'Open {gate.url}/. Wait for "Welcome inside".', enable_public_share=True
    )
    await caller.reached(task_id, "running")
    task: dict[str, Any] = await caller.task(task_id)
    page = await browser.open(task["live_url"])
    await page.until(f"{SHOWN} && {STEERABLE} && {STEPS} >= 1")
    return task, page


async def _press_in_page(page: Page, x: float, y: float) -> None:
    """Click a place of the task's page, in its own pixels, on its picture."""
    left, top, scale = await page.run(
        "(() => { const box = picture.getBoundingClientRect();"
        " return [box.left, box.top, box.width / picture.getAttribute('width')]; })()"
    )
    await page.click_at(left + x * scale, top + y * scale)


async def test_a_person_helps_through_a_gate(caller, browser, gate):
    """They see the page, pause the task, click, type and paste in it, and the task ends well."""
    task, page = await _watched(caller, browser, gate)
    await page.click("#pause")
    await page.until("document.getElementById('status').textContent === 'paused'")
    paused = caller.stored(task["id"]).status
    await page.click("#control")
    await _press_in_page(page, 700, 70)
    await page.click("#typing-text")
    await page.run("document.getElementById('typing-text').value = 'grün '")
    await page.press("Enter")
    await _press_in_page(page, 700, 70)
    await page.press("End")
    await page.type("Ja1")
    await _press_in_page(page, 300, 310)
    await page.click("#control")
    await page.click("#resume")
    await page.until("document.body.dataset.ended === 'true'")

    assert paused == "paused"
    assert (await caller.task(task["id"]))["status"] == "finished"
    assert await page.run(STEPS) >= 2
    assert page.complaints == []


async def test_the_picture_is_that_of_the_page(caller, browser, gate):
    """The frames are as large as the viewport, and change when the page does."""
    task, page = await _watched(caller, browser, gate)
    size = await page.run(f"{LIVE}.then(({{ page }}) => [page.width, page.height])")
    first = await page.run("picture.src")
    await page.click("#control")
    await _press_in_page(page, 700, 70)
    await page.type("a")
    await page.until(f"picture.src !== '{first}'")
    await page.click("#stop")
    await page.click("#stop-yes")
    await page.until("document.body.dataset.ended === 'true'")
    screenshots = (await caller.get(f"/task/{task['id']}/screenshots")).json["screenshots"]
    kept = await caller.get(screenshots[0], key=False)

    assert size == [1280, 960]
    assert struct.unpack(">II", kept.body[16:24]) == (1280, 960)
    assert (await caller.task(task["id"]))["status"] == "stopped"


async def _last_picture(page: Page) -> str:
    """The address of the picture once no newer one comes."""
    async with asyncio.timeout(PATIENCE):
        newest, last = str(await page.run("picture.src")), ""
        while newest != last:
            await asyncio.sleep(1)
            newest, last = str(await page.run("picture.src")), newest
    return last


async def test_a_viewer_without_control_changes_nothing(caller, browser, gate):
    """The shared page shows the same browser, and its clicks and keys do not reach it."""
    task, _ = await _watched(caller, browser, gate)
    shared = await browser.open(task["public_share_url"])
    await shared.until(f"{SHOWN} && picture.src.startsWith('blob:')")
    before = await _last_picture(shared)
    for message in (
        {"type": "pointer", "kind": "down", "x": 700, "y": 70, "button": "left", "clicks": 1},
        {"type": "text", "text": "grün Ja1"},
        {"type": "order", "name": "stop"},
    ):
        await shared.run(f"{LIVE}.then(({{ say }}) => say({json.dumps(message)}))")
    await shared.until("!document.getElementById('notice').hidden")
    await asyncio.sleep(0.3)

    assert await shared.run("picture.src") == before
    assert (await caller.task(task["id"]))["status"] == "running"

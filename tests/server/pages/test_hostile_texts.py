"""Texts of strangers, at every place of the pages that shows them: no script of them runs."""

from urllib.parse import quote

import attrs
import pytest

from browser_use_async.server import LocalServer, Webhook
from browser_use_async.server.executors.scripted import (
    Scenario,
    ScriptedExecutor,
    ScriptedStep,
)
from browser_use_async.server.http.static_site import StaticSite
from tests.browser.driver import Page
from tests.server.calling import Caller
from tests.server.pages.application import click_button, open_page
from tests.server.pages.hostile import PAYLOADS, TAKEN
from tests.server.webhooks.receiver import SECRET, receiving


@attrs.frozen
class Visited:
    """A server that shows a hostile text at every place.

    Attributes:
        caller: The server.
        tasks: One task that finished, one that failed, one at work.
    """

    caller: Caller
    tasks: list[str]


@pytest.fixture(params=PAYLOADS, ids=range(len(PAYLOADS)))
def payload(request):
    """One of the twenty texts."""
    text: str = request.param
    return text


def _executor(text: str) -> ScriptedExecutor:
    step = ScriptedStep(text, evaluation_previous_goal=text, url=text)
    rows = '[{"%s": "%s"}]' % ((text.replace("\\", "\\\\").replace('"', '\\"'),) * 2)
    scenarios = {
        "Rows": Scenario(steps=(step, step), step_seconds=0, output=rows),
        "Fail": Scenario(steps=(step,), step_seconds=0, outcome="failed", reason=text),
        "Wait": Scenario(
            steps=(step, attrs.evolve(step, seconds=3600.0)), step_seconds=0, output=text
        ),
    }
    executor = ScriptedExecutor(scenarios, default=Scenario(step_seconds=0, output=text))
    executor.name = text
    return executor


@pytest.fixture
async def visited(http, payload):
    """The text as task, step, address, output, failure, metadata, profile, schedule and name."""
    async with receiving() as receiver:
        webhooks = [Webhook(receiver.url, SECRET)]
        async with LocalServer(executor=_executor(payload), webhooks=webhooks) as server:
            caller = Caller(server, http)
            pairs = {payload: payload, "bu_async.batch": payload}
            more = {"metadata": pairs, "enable_public_share": True}
            ids = [
                await caller.create(f"{name} {payload}", **more)
                for name in ("Rows", "Fail", "Wait")
            ]
            for task_id, status in zip(ids, ("finished", "failed", "running"), strict=True):
                await caller.reached(task_id, status, steps=1)
            schedule = {"task": payload, "schedule_type": "interval", "interval_minutes": 60}
            await caller.post("/scheduled-task", json=schedule)
            profile = {"profile_name": payload, "description": payload}
            await caller.post("/browser-profiles", json=profile)
            await caller.post(f"{server.url}/admin/keys", json={"name": payload})
            yield Visited(caller, ids)


async def _check(page: Page, where: str) -> None:
    frames = "[...document.querySelectorAll('iframe')].map((each) => each.contentWindow)"
    untouched = (
        f"[globalThis, ...{frames}].every((each) => each.{TAKEN.removeprefix('globalThis.')})"
    )
    handlers = "[...document.querySelectorAll('*')].flatMap((each) => each.getAttributeNames())"
    assert await page.run(untouched), where
    assert not [each for each in await page.run(handlers) if each.startswith("on")], where
    assert not [each for each in page.complaints if "404" not in each], where


@pytest.mark.long
async def test_no_script_runs_in_any_page(browser, visited, payload):
    """In none of the application's pages and dialogs, nor of the live and public ones."""
    caller = visited.caller
    finished, _, running = visited.tasks
    paths = ["/", "/schedules", "/profiles", "/files", "/webhooks", "/keys"]
    paths += [f"/tasks/{each}" for each in visited.tasks]
    name = quote(payload, safe="")
    paths += ["/batches", f"/batches?name={name}", f"/?batch={name}"]
    for path in paths:
        page = await open_page(browser, caller, path)
        await page.run("document.querySelectorAll('details').forEach((each) => each.open = true)")
        await _check(page, path)
    page = await browser.open(f"{caller.server.url}/tasks/{quote(payload, safe='')}")
    await page.until("!!document.querySelector('h1')")
    await _check(page, "address")
    page = await open_page(browser, caller, f"/tasks/{finished}")
    for view in ("Tree", "Text"):
        await click_button(page, view, "main")
    await click_button(page, "As code", "main")
    await _check(page, "code")
    page = await open_page(browser, caller)
    await page.click("#search")
    await page.send("Input.insertText", text=payload)
    await page.until("!!document.querySelector('#tasks tbody tr, #tasks .empty')")
    await _check(page, "search")
    task = await caller.task(running)
    for link in ("live_url", "public_share_url"):
        await _check(await browser.open(task[link]), link)


async def test_the_payloads_take_over_a_careless_page(browser, tmp_path):
    """The control: most of them run where a page writes them as HTML and has no policy."""
    for number, text in enumerate(PAYLOADS):
        (tmp_path / f"{number}.html").write_text(f"<!doctype html><body>{text}", encoding="utf-8")
    ran = 0
    async with StaticSite(tmp_path) as site:
        for number in range(len(PAYLOADS)):
            page = await browser.open(f"{site.url}/{number}.html")
            ran += not await page.run(TAKEN)

    assert ran >= 10

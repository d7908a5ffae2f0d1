"""A person at the server's own page: the key, the lists, their pages, and what is said in words."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest

from browser_use_async.server import LocalServer, Webhook
from browser_use_async.server.executors.scripted import Scenario, ScriptedExecutor
from tests.browser.accessibility import barriers
from tests.browser.driver import Browser, Page, browser, browser_address
from tests.server.calling import Caller
from tests.server.webhooks.receiver import SECRET, receiving

__all__ = ["browser", "browser_address"]

LISTS = "!document.getElementById('lists').hidden"
READ = f"{LISTS} && document.getElementById('refreshed').textContent !== ''"
SCENARIOS = {
    "Wait": Scenario(steps=("Wait",), step_seconds=0, hangs=True),
    "Fail": Scenario(steps=("Try",), step_seconds=0, outcome="failed", reason="No such page"),
}


@pytest.fixture
async def api(http: aiohttp.ClientSession) -> AsyncIterator[Caller]:
    """A server with a little money, whose tasks end at once unless their text says otherwise."""
    executor = ScriptedExecutor(SCENARIOS, default=Scenario(step_seconds=0, output="The answer"))
    async with LocalServer(executor=executor, balance_cents=1000) as server:
        yield Caller(server, http)


async def _opened(browser: Browser, api: Caller, **shape: Any) -> Page:
    """The page with the key in the link, as `serve` prints it."""
    page = await browser.open(f"{api.server.url}/#key={api.server.api_key}", **shape)
    await page.until(READ)
    return page


async def _rows(page: Page, section: str) -> list[str]:
    script = f"[...document.querySelectorAll('#{section} li')].map((each) => each.innerText)"
    rows: list[str] = await page.run(script)
    return rows


async def test_a_key_is_typed_and_forgotten(browser: Browser, api: Caller):
    """A wrong one is said in words; the right one opens the lists, survives a reload, and goes."""
    page = await browser.open(api.server.url)
    asks = await page.run("!document.getElementById('key-form').hidden && " + LISTS)
    await page.click("#key")
    await page.type("wrong")
    await page.press("Enter")
    await page.until("!document.getElementById('problem').hidden")
    problem = await page.text("#problem")
    await page.run(f"document.getElementById('key').value = '{api.server.api_key}'")
    await page.click("#key-form button")
    await page.until(LISTS)
    await page.go(api.server.url + "/?again")
    await page.until(LISTS)
    await page.click("#forget")
    kept = await page.run("sessionStorage.length + localStorage.length")

    assert asks is False
    assert "does not know this key" in problem
    assert kept == 0
    assert await page.run("!document.getElementById('lists').hidden") is False
    # The wrong key was answered with 401, which browsers note; there is nothing else.
    assert all("401" in each for each in page.complaints)


async def test_nothing_is_asked_for_without_a_key(browser: Browser, api: Caller):
    """A key that is forgotten while the page reads its lists ends that reading."""
    page = await _opened(browser, api)
    await page.run(
        "(() => { const send = window.fetch; window.waiting = [];"
        " window.fetch = (...sent) => new Promise((answer) =>"
        " waiting.push(() => answer(send(...sent)))); })()"
    )
    await page.run("document.dispatchEvent(new Event('visibilitychange'))")
    await page.click("#forget")
    await page.run("waiting[0]()")
    await page.until("performance.getEntriesByType('resource').at(-1).name.endsWith('balance')")
    await page.run("new Promise((done) => setTimeout(done, 100))")

    assert await page.run("waiting.length") == 1
    assert await page.run("!document.getElementById('key-form').hidden") is True
    assert page.complaints == []


async def test_the_key_in_the_link_stays_in_the_browser(browser: Browser, api: Caller):
    """It leaves the address bar, is in no request but as a header, and in no cookie."""
    page = await _opened(browser, api)
    address = await page.run("location.href")
    cookies = await page.run("document.cookie")
    requested = await page.run("performance.getEntriesByType('resource').map((each) => each.name)")

    assert address == api.server.url + "/"
    assert cookies == ""
    assert requested
    assert not [each for each in requested if api.server.api_key in each]
    assert page.complaints == []


async def test_an_empty_server_says_how_to_begin(browser: Browser, api: Caller):
    """Each empty list names the command that fills it."""
    page = await _opened(browser, api)
    text = await page.text("#lists")

    assert "$10.00" in await page.text("#balance")
    for command in ("run", "schedules create", "serve --webhook"):
        assert f"browser-use-async {command}" in text
    assert len(await _rows(page, "profiles")) == 1


async def test_tasks_are_listed_as_they_come(browser: Browser, api: Caller):
    """Newest first, with status, cost, time, output and a link to watch, without a reload."""
    page = await _opened(browser, api)
    for text in ("First", "Fail it", "Wait for it"):
        task_id = await api.create(text)
    task = await api.reached(task_id, "running", steps=1)
    await page.until("document.querySelectorAll('#tasks .go').length === 3")
    await page.until("document.getElementById('tasks').innerText.includes('running')")
    rows = await _rows(page, "tasks")
    links = await page.run("[...document.querySelectorAll('#tasks a')].map((each) => each.href)")
    await page.until("document.getElementById('balance').textContent === '$9.845'")

    assert [row.split("\n")[0] for row in rows] == ["running", "failed", "finished"]
    assert [row.split("\n")[1] for row in rows] == ["Wait for it", "Fail it", "First"]
    assert "The answer" in rows[2]
    assert "cost $0.035" in rows[0]  # 1 ¢, and 2.5 ¢ for a step
    assert "cost $0.06" in rows[2]
    assert "took" in rows[2]
    assert links[0] == task["live_url"]
    assert page.complaints == []


async def test_more_tasks_than_fit(browser: Browser, api: Caller):
    """`Older` and `Newer` turn the pages, and the buttons end where the pages end."""
    for number in range(45):
        await api.create(f"Task {number}")
    page = await _opened(browser, api)
    firsts = []
    for button in ("Older", "Older", "Newer"):
        await page.run(
            f"[...document.querySelectorAll('#tasks button')]"
            f".find((each) => each.textContent === '{button}').click()"
        )
        await asyncio.sleep(0)
        place = {"Older": len(firsts) + 2, "Newer": 2}[button]
        await page.until(
            f"document.querySelector('#tasks .pager').innerText.includes('Page {place} of 3')"
        )
        firsts.append((await _rows(page, "tasks"))[0].split("\n")[1])
        if place == 3:
            rows = len(await _rows(page, "tasks"))
            ends = await page.run("document.querySelectorAll('#tasks button:disabled').length")

    assert firsts == ["Task 24", "Task 4", "Task 24"]
    assert (rows, ends) == (5, 1)
    assert await page.text("#tasks .count") == "(45)"


async def test_schedules_profiles_and_deliveries(browser: Browser, http: aiohttp.ClientSession):
    """When a schedule runs next, what a profile does, and what became of an event."""
    async with receiving() as receiver:
        webhooks = [Webhook(receiver.url, SECRET)]
        async with LocalServer(executor="scripted", webhooks=webhooks) as server:
            api = Caller(server, http)
            await api.post(
                "/scheduled-task",
                json={"task": "Read", "schedule_type": "cron", "cron_expression": "0 7 * * *"},
            )
            await api.post("/browser-profiles", json={"profile_name": "shop", "persist": False})
            await api.reached(await api.create("Now"), "finished")
            page = await _opened(browser, api)
            await page.until("document.querySelectorAll('#deliveries li').length >= 3")
            await page.until("!document.getElementById('deliveries').innerText.includes('pending')")
            (schedule,) = await _rows(page, "schedules")
            profiles = await _rows(page, "profiles")
            deliveries = await _rows(page, "deliveries")

    assert "0 7 * * * (UTC)" in schedule
    assert "next " in schedule
    assert any("shop" in each and "keeps nothing" in each for each in profiles)
    assert "finished, of task" in deliveries[0]
    assert "answered 200" in deliveries[0]


async def test_a_server_that_is_gone_is_said_in_words(
    browser: Browser, http: aiohttp.ClientSession
):
    """And found again when it is back, with the lists as they were meanwhile."""
    async with LocalServer(executor="scripted", api_key="bu_again_and_again") as server:
        page = await _opened(browser, Caller(server, http))
        port = int(server.url.rsplit(":")[-1])
    await page.until("document.getElementById('problem').innerText.includes('does not answer')")
    listed = await page.run(LISTS)
    async with LocalServer(executor="scripted", api_key="bu_again_and_again", port=port):
        await page.until("document.getElementById('problem').hidden")

    assert listed


async def test_hostile_texts_are_only_texts(browser: Browser, api: Caller):
    """Whatever stands in a task or an output, no tag comes of it and no script runs."""
    hostile = "<img src=x onerror=\"document.title='bad'\"><script>document.title='bad'</script>"
    await api.post("/browser-profiles", json={"profile_name": hostile, "description": hostile})
    await api.reached(await api.create(hostile), "finished")
    page = await _opened(browser, api)
    await page.until("document.querySelectorAll('#tasks li').length === 1")

    assert hostile in (await _rows(page, "tasks"))[0]
    assert await page.run("document.querySelectorAll('#lists img, #lists script').length") == 0
    assert await page.run("document.title") == "Browser tasks"
    assert page.complaints == []


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
async def test_everybody_can_use_it(dark: bool, browser: Browser, api: Caller):
    """Names, contrast, sizes and order, with the form and with the lists, wide and narrow."""
    for text in (
        "First " + "long " * 80,
        "Fail it",
        "Wait for it",
        "https://a.example/" + "x" * 90,
    ):
        await api.create(text)
    found = []
    for shape in ({"width": 1280, "height": 800}, {"width": 360, "height": 740, "phone": True}):
        page = await browser.open(f"{api.server.url}/?asks", **shape, dark=dark)
        found += await barriers(page)
        page = await _opened(browser, api, **shape, dark=dark)
        await page.until("document.querySelectorAll('#tasks li').length === 4")
        found += await barriers(page)
        page = await browser.open(f"{api.server.url}/docs", **shape, dark=dark)
        found += await barriers(page)

    assert found == []

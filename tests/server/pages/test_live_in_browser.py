"""A live page in a real browser."""

import asyncio
import json
from typing import Any

import pytest
from aiohttp import web

from browser_use_async.server.records import Finished
from tests.browser.accessibility import barriers
from tests.browser.driver import Page
from tests.server.pages.opening import LIVE, SHOWN, STEERABLE, open_live
from tests.server.pages.showing import drawn
from tests.server.pages.socket import running_task
from tests.support.patience import until

TWO_FRAMES = "requestAnimationFrame(() => requestAnimationFrame(done))"

# The socket of a page closes instead of sending its next message.
_CLOSES = (
    "(({ prototype }) => { const { send } = prototype; prototype.send = function () {"
    " prototype.send = send; this.close(); }; })(WebSocket)"
)


SHAPES: tuple[dict[str, Any], ...] = (
    {"width": 1280, "height": 800},
    {"width": 600, "height": 450},
    {"width": 360, "height": 740, "phone": True},
)


async def _is_page_blank(page: Page) -> bool:
    """Whether the picture has one colour only, as one that was not drawn has."""
    return bool(
        await page.run(
            """(() => {
              const canvas = document.createElement("canvas");
              const picture = document.getElementById("picture");
              [canvas.width, canvas.height] = [picture.naturalWidth, picture.naturalHeight];
              const context = canvas.getContext("2d");
              context.drawImage(picture, 0, 0);
              const data = context.getImageData(0, 0, canvas.width, canvas.height).data;
              return data.every((value, index) => value === data[index % 4]);
            })()"""
        )
    )


async def test_steps_arrive_and_the_browser_is_seen(browser, watched, showing):
    """While the task runs: each step with its goal, the newest frame, and then the output."""
    page, _ = await open_live(browser, watched, showing)
    for count, goal in enumerate(("Open the shop", "Read the prices"), 1):
        showing.step(goal, url="https://shop.example/")
        await page.until(f"document.querySelectorAll('#steps li').length === {count}")
        assert goal in await page.text("#steps")
        assert await page.text("#now") == f"Step {count}: {goal}"
    first = await page.run("document.getElementById('picture').src")
    await showing.show(drawn(2))
    shown = "document.getElementById('picture')"
    await page.until(f"{shown}.complete && {shown}.src !== {json.dumps(first)}")
    blank = await _is_page_blank(page)
    showing.items.put_nowait(Finished("The cheapest costs 299"))
    await page.until("document.body.dataset.ended === 'true'")

    assert not blank
    assert await page.text("#output") == "The cheapest costs 299"
    assert await page.run("document.title") == "finished: browser task"
    buttons = "[...document.querySelectorAll('button')].filter((each) => each.checkVisibility())"
    assert await page.run(f"{buttons}.length") == 0
    assert page.complaints == []


async def test_its_pause_button_pauses_the_task_and_resume_resumes_it(browser, watched, showing):
    """A paused task takes no step; the focus moves on to the other button."""
    page, task = await open_live(browser, watched, showing)
    await page.click("#pause")
    await page.until("document.getElementById('status').textContent === 'paused'")
    showing.step("Not yet")
    record = watched.stored(task["id"])
    paused = (record.status, len(record.steps))
    focus = await page.run("document.activeElement.id")
    await page.click("#resume")
    await page.until("document.querySelectorAll('#steps li').length === 1")

    assert paused == ("paused", 0)
    assert focus == "resume"
    assert watched.stored(task["id"]).status == "running"


async def test_stop_asks_first_and_stops(browser, watched, showing):
    """`No` and Escape change nothing; `Yes` ends the task."""
    page, task = await open_live(browser, watched, showing)
    await page.click("#stop")
    await page.click("#stop-no")
    await page.click("#stop")
    await page.press("Escape")
    await page.until("!document.getElementById('stop').hidden")
    before = watched.stored(task["id"]).status
    await page.click("#stop")
    await page.click("#stop-yes")
    await page.until("document.getElementById('status').textContent === 'stopped'")

    assert before == "running"
    assert watched.stored(task["id"]).status == "stopped"
    assert showing.ended == 1


async def test_the_shared_page_has_no_control(browser, watched, showing):
    """It shows the same, and a click or a key in it does nothing."""
    task = await running_task(watched)
    await showing.show(drawn(1))
    page = await browser.open(task["public_share_url"])
    await page.until(SHOWN)
    showing.step("Open the shop")
    await page.until("document.querySelectorAll('#steps li').length === 1")
    await page.click("#picture")
    await page.type("abc")
    await page.run(f"{LIVE}.then(({{ say }}) => say({{type: 'order', name: 'stop'}}))")
    await page.until("!document.getElementById('notice').hidden")

    assert "This page is for watching" in await page.text("#notice")
    assert await page.run("document.querySelectorAll('button, input').length") == 0
    assert showing.inputs == []
    assert (await watched.task(task["id"]))["status"] == "running"
    assert page.complaints == []


async def test_a_lost_connection_is_said_and_found_again(browser, watched, showing):
    """It shows every step once, also those of the meantime."""
    page, _ = await open_live(browser, watched, showing)
    showing.step("Before")
    await page.until("document.querySelectorAll('#steps li').length === 1")
    await page.send("Network.enable")
    notice = "document.getElementById('connection')"
    await page.run(
        f"new MutationObserver(() => {{ window.lost ||= !{notice}.hidden }})"
        f".observe({notice}, {{attributes: true}}); {_CLOSES};"
        f" {LIVE}.then(({{ say }}) => say({{}}))"
    )
    await page.until("window.lost")
    showing.step("Meanwhile")
    await page.until("document.getElementById('connection').hidden")
    await page.until("document.querySelectorAll('#steps li').length === 2")

    goals = "[...document.querySelectorAll('#steps .goal')].map((it) => it.innerText)"
    assert await page.run(goals) == ["Before", "Meanwhile"]
    facts = await page.text("#steps li:last-child .facts")
    assert facts.endswith(" s · $0.025")


async def test_it_works_in_a_frame_of_another_server(browser, watched, showing):
    """`<iframe width="600" height="450">` on a page of another site shows it, with its buttons."""
    task = await running_task(watched)
    await showing.show(drawn(1))

    async def embedding(request: web.Request) -> web.Response:
        frame = f'<iframe src="{task["live_url"]}" width="600" height="450"></iframe>'
        style = "<style>* {margin: 0; border: 0}</style>"
        text = f'<!doctype html><link rel="icon" href="data:,">{style}{frame}'
        return web.Response(text=text, content_type="text/html")

    # In a window of this size the button is where it is in the frame.
    alone = await browser.open(task["live_url"], width=600, height=450)
    await alone.until(f"{SHOWN} && {STEERABLE}")
    place = await alone.middle("#pause")
    application = web.Application()
    application.router.add_get("/", embedding)
    runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        host, port = runner.addresses[0][:2]
        page = await browser.open(f"http://{host}:{port}/")
        await until(lambda: showing.shown > 1)
        await showing.show(drawn(2))
        await until(lambda: showing.shown > 3)  # both have drawn the second one
        await page.run(f"new Promise((done) => {TWO_FRAMES})")  # input before that is dropped
        await page.click_at(*place)
        await watched.reached(task["id"], "paused")
    finally:
        await runner.cleanup()

    assert page.complaints == []


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
async def test_everybody_can_use_it(dark, browser, watched, showing):
    """Names, contrast, sizes and order: in each shape, in control, asked to stop, at the end."""
    page, _ = await open_live(browser, watched, showing, dark=dark)
    showing.step("Open the shop", url="https://shop.example/a-long-way/" + "x" * 200)
    showing.step("Read the prices", evaluation_previous_goal="Success")
    await page.until("document.querySelectorAll('#steps li').length === 2")
    found = []
    for shape in SHAPES:
        await page.look(**shape, dark=dark)
        for button in ("#control", "#control", "#stop", "#stop-no"):
            found += await barriers(page)
            await page.click(button)
    showing.items.put_nowait(RuntimeError("on fire"))
    await page.until("document.body.dataset.ended === 'true'")
    found += await barriers(page)

    assert found == []


async def test_the_whole_browser_is_seen_in_a_small_frame(browser, watched, showing):
    """In 600 by 450 the buttons, the whole picture and the goal need no scrolling."""
    task = await running_task(watched, "Compare " + "very long instructions " * 30)
    await showing.show(drawn(1))
    page = await browser.open(task["live_url"], width=600, height=450)
    showing.step("Open the shop")
    await page.until(f"{SHOWN} && {STEERABLE} && document.getElementById('now').textContent")
    lowest = await page.run("document.getElementById('now').getBoundingClientRect().bottom")
    width = await page.run("document.getElementById('picture').getBoundingClientRect().width")

    assert lowest <= 450
    assert width >= 400


@pytest.mark.parametrize(("width", "height"), [(1280, 800), (1024, 768), (600, 450), (390, 844)])
async def test_the_typing_field_is_in_view(width, height, browser, watched, showing):
    """It is visible in control without scrolling: the picture makes room."""
    page, _ = await open_live(browser, watched, showing, width=width, height=height)
    await page.click("#control")
    await page.until("!document.getElementById('typing').hidden")

    field = "document.getElementById('typing-form').getBoundingClientRect()"
    assert await page.run(f"scrollY === 0 && {field}.bottom <= innerHeight")


async def test_nothing_is_drawn_without_a_viewer(browser, watched, showing):
    """A hidden page gets no frames, and the newest one when it is visible again."""
    page, _ = await open_live(browser, watched, showing)
    hide = "Object.defineProperty(document, 'hidden', {value: %s, configurable: true})"
    picture = "document.getElementById('picture')"
    await page.until(f"{picture}.complete && {picture}.src.startsWith('blob:')")
    await page.run(f"new Promise((done) => {TWO_FRAMES})")  # and drawn
    await page.run(hide % "true")
    await showing.show(drawn(2))
    await until(lambda: showing.shown >= 2)
    for number in range(3, 8):
        await showing.show(drawn(number))
    await asyncio.sleep(0.2)
    hidden = showing.shown
    await page.run(hide % "false")
    await page.run("document.dispatchEvent(new Event('visibilitychange'))")
    await until(lambda: showing.shown > hidden)

    assert hidden <= 3
    assert showing.shown == hidden + 1

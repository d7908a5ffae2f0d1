"""What a live page is told and shown, and what it may do."""

import asyncio
import logging
from typing import Any

import aiohttp
import pytest
from aiohttp import WSCloseCode
from yarl import URL

from browser_use_async.server import LocalServer
from browser_use_async.server.executors.protocol import Failed, Finished
from browser_use_async.server.executors.viewing import KeyInput, PointerInput, TextInput
from browser_use_async.server.watching.messages import MAX_TEXT
from tests.hygiene import SECRET
from tests.server.calling import Caller
from tests.server.pages.showing import PAGE, Showing, drawn
from tests.server.pages.socket import live_socket
from tests.server.steering import FromQueue

CLICK = {"type": "pointer", "kind": "down", "x": 10, "y": 20.5, "button": "left", "clicks": 1}


async def _running(api: Caller, **fields: Any) -> dict[str, Any]:
    task_id = await api.create(enable_public_share=True, **fields)
    task: dict[str, Any] = await api.reached(task_id, "running")
    return task


@pytest.mark.parametrize("place", ["live_url", "public_share_url"])
async def test_steps_and_the_end_are_told_as_they_come(
    place: str, steered: Caller, queue: FromQueue, http: aiohttp.ClientSession
):
    """Each step once, in order, then the output, then the server hangs up."""
    task = await _running(steered)
    async with live_socket(http, task[place]) as page:
        await page.until(lambda: page.states)
        for goal in ("Open", "Read", "Note"):
            queue.step(goal)
            await page.until(lambda goal=goal: page.steps[-1:] == [goal])
        queue.items.put_nowait(Finished("Done"))
        await page.drain()

    assert page.steps == ["Open", "Read", "Note"]
    assert page.state["status"] == "finished"
    assert page.state["ended"] is True
    assert page.state["output"] == "Done"
    assert page.closed_with == WSCloseCode.OK


async def test_a_failure_is_told(steered: Caller, queue: FromQueue, http: aiohttp.ClientSession):
    """With its reason."""
    task = await _running(steered)
    async with live_socket(http, task["live_url"]) as page:
        queue.items.put_nowait(Failed("No such page"))
        await page.drain()

    assert (page.state["status"], page.state["failure"]) == ("failed", "No such page")


async def test_whoever_comes_late_misses_nothing(
    steered: Caller, queue: FromQueue, http: aiohttp.ClientSession
):
    """All steps, the newest picture and the output, also after the end."""
    task = await _running(steered)
    for goal in ("Open", "Read"):
        queue.step(goal)
    queue.items.put_nowait(Finished("Done"))
    await steered.reached(task["id"], "finished")
    async with live_socket(http, task["live_url"]) as page:
        await page.drain()

    assert page.steps == ["Open", "Read"]
    assert len(page.states) == len(page.images) == 1
    assert page.images[0].startswith(b"\x89PNG")
    assert (page.frames[0]["width"], page.frames[0]["height"]) == (1280, 960)


async def test_without_a_browser_each_step_brings_a_picture(
    steered: Caller, queue: FromQueue, http: aiohttp.ClientSession
):
    """Executors that have nothing to show are watched by their screenshots."""
    task = await _running(steered)
    async with live_socket(http, task["live_url"]) as page:
        for count in (1, 2):
            queue.step(f"Step {count}")
            await page.until(lambda count=count: len(page.images) == count)
        refused = await page.ask(**CLICK)

    assert page.images[0] != page.images[1]
    assert page.state["has_browser"] is False
    assert refused["status"] == 409


async def test_the_browser_is_shown(watched: Caller, showing: Showing, http: aiohttp.ClientSession):
    """Once there is one, each new frame; the page learns that it can be steered."""
    task = await _running(watched)
    async with live_socket(http, task["live_url"]) as page:
        await page.until(lambda: page.states)
        before = page.state["has_browser"]
        for number in (1, 2):
            await showing.show(drawn(number))
            await page.until(lambda number=number: len(page.images) == number)
        await page.until(lambda: page.state["has_browser"])

    assert before is False
    assert page.images == [drawn(1).image, drawn(2).image]
    assert (page.frames[0]["width"], page.frames[0]["height"]) == PAGE


async def test_a_slow_page_skips_frames(
    watched: Caller, showing: Showing, http: aiohttp.ClientSession
):
    """Until it has drawn one it gets no other, and then the newest; what is told is not held up."""
    task = await _running(watched)
    async with live_socket(http, task["live_url"]) as page:
        page.draws = False
        await showing.show(drawn(1))
        await page.until(lambda: page.images)
        for number in range(2, 30):
            await showing.show(drawn(number))
        showing.step("Go on")
        await page.until(lambda: page.steps == ["Go on"])
        held = len(page.images)
        page.draws = True
        await page.say(type="drawn")
        await page.until(lambda: page.images[-1] == drawn(29).image)

    assert held == 1
    assert len(page.images) == 2


async def test_several_watch(watched: Caller, showing: Showing, http: aiohttp.ClientSession):
    """One who does not draw holds up nobody else."""
    task = await _running(watched)
    async with (
        live_socket(http, task["live_url"]) as slow,
        live_socket(http, task["public_share_url"]) as quick,
    ):
        slow.draws = False
        for number in (1, 2, 3):
            await showing.show(drawn(number))
            await quick.until(lambda number=number: len(quick.images) == number)
        await slow.until(lambda: slow.images)

    assert len(slow.images) == 1


async def test_the_last_picture_is_the_newest_screenshot(
    watched: Caller, showing: Showing, http: aiohttp.ClientSession
):
    """When the browser has ended, what was kept of it stays."""
    task = await _running(watched)
    async with live_socket(http, task["live_url"]) as page:
        await showing.show(drawn(1))
        await page.until(lambda: page.images)
        showing.step("Look", screenshot=drawn(7).image)
        showing.items.put_nowait(Finished("Done"))
        await page.drain()

    assert page.images[-1] == drawn(7).image
    assert page.state["has_browser"] is False


async def test_buttons(watched: Caller, http: aiohttp.ClientSession):
    """Pause, resume and stop do what the API's calls do."""
    task = await _running(watched)
    async with live_socket(http, task["live_url"]) as page:
        for order, status in (("pause", "paused"), ("resume", "running"), ("stop", "stopped")):
            reply = await page.order(order)
            assert reply == {"type": "done", "order": order}
            assert (await watched.task(task["id"]))["status"] == status
        await page.drain()

    assert [state["status"] for state in page.states] == ["running", "paused", "running", "stopped"]


async def test_what_cannot_be_done_is_said(watched: Caller, http: aiohttp.ClientSession):
    """In the words of the API."""
    task = await _running(watched)
    async with live_socket(http, task["live_url"]) as page:
        running = await page.order("resume")
        await page.order("pause")
        paused = await page.order("pause")
        api = await watched.put(f"/pause-task?task_id={task['id']}")

    assert running["detail"] == "Agent session is not paused but running"
    assert (paused["status"], paused["order"]) == (api.status, "pause")
    assert paused["detail"] == api.json["detail"]


async def test_a_shared_page_only_watches(
    watched: Caller, showing: Showing, http: aiohttp.ClientSession
):
    """Whatever it sends, nothing happens to the task or its browser."""
    task = await _running(watched)
    async with live_socket(http, task["public_share_url"]) as page:
        await showing.show(drawn(1))
        await page.until(lambda: page.images)
        for message in (
            {"type": "order", "name": "stop"},
            {"type": "order", "name": "pause"},
            CLICK,
            {"type": "key", "kind": "down", "key": "a"},
            {"type": "text", "text": "hello"},
        ):
            reply = await page.ask(**message)
            assert (reply["type"], reply["status"]) == ("refused", 403)
            assert "watching" in reply["detail"]

    assert showing.inputs == []
    assert (await watched.task(task["id"]))["status"] == "running"


async def test_what_a_person_does_reaches_the_browser(
    watched: Caller, showing: Showing, http: aiohttp.ClientSession
):
    """Mouse, wheel, keys and text, in order and as they were."""
    task = await _running(watched)
    async with live_socket(http, task["live_url"]) as page:
        await showing.show(drawn(1))
        await page.until(lambda: page.images)
        await page.say(**CLICK)
        await page.say(type="pointer", kind="wheel", x=1, y=2, delta_y=120.5, modifiers=8)
        await page.say(type="key", kind="down", key="A", code="KeyA", modifiers=8)
        await page.say(type="text", text="grün 🎉")
        await page.order("pause")

    assert showing.inputs == [
        PointerInput("down", 10.0, 20.5, "left", 1),
        PointerInput("wheel", 1.0, 2.0, delta_y=120.5, modifiers=8),
        KeyInput("down", "A", "KeyA", 8),
        TextInput("grün 🎉"),
    ]


async def test_a_paused_task_takes_what_a_person_does(
    watched: Caller, showing: Showing, http: aiohttp.ClientSession
):
    """That is what people pause it for."""
    task = await _running(watched)
    async with live_socket(http, task["live_url"]) as page:
        await showing.show(drawn(1))
        await page.order("pause")
        await page.say(**CLICK)
        await page.order("resume")

    assert len(showing.inputs) == 1


async def test_a_browser_that_takes_nothing(
    watched: Caller,
    showing: Showing,
    http: aiohttp.ClientSession,
    caplog: pytest.LogCaptureFixture,
):
    """The person is told, the log has no word of what was typed, and the page goes on."""
    task = await _running(watched)
    showing.refuses = True
    async with live_socket(http, task["live_url"]) as page:
        await showing.show(drawn(1))
        await page.until(lambda: page.images)
        with caplog.at_level(logging.ERROR):
            reply = await page.ask(type="text", text=SECRET)
        still = await page.order("pause")

    assert (reply["type"], reply["status"]) == ("refused", 500)
    assert still["type"] == "done"
    assert "took no input" in caplog.text


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "1",
        '{"type":"unknown"}',
        '{"type":["drawn"]}',
        '{"type":"order","name":"explode"}',
        '{"type":"order"}',
        '{"type":"pointer","kind":"down","y":1}',
        '{"type":"pointer","kind":"down","x":1e9,"y":1}',
        '{"type":"pointer","kind":"down","x":NaN,"y":1}',
        '{"type":"pointer","kind":"down","x":true,"y":1}',
        '{"type":"pointer","kind":"down","x":1,"y":1,"button":"fourth"}',
        '{"type":"pointer","kind":"down","x":1,"y":1,"clicks":99}',
        '{"type":"pointer","kind":"down","x":1,"y":1,"modifiers":16}',
        '{"type":"key","kind":"press","key":"a"}',
        '{"type":"key","kind":"down","key":""}',
        '{"type":"text","text":""}',
        '{"type":"text","text":"' + "x" * (MAX_TEXT + 1) + '"}',
    ],
    ids=lambda text: text[:40],
)
async def test_nonsense_is_refused_in_words(
    text: str, watched: Caller, showing: Showing, http: aiohttp.ClientSession
):
    """And the page goes on."""
    task = await _running(watched)
    async with live_socket(http, task["live_url"]) as page:
        await showing.show(drawn(1))
        await page.until(lambda: page.images)
        await page.raw(text)
        await page.until(lambda: page.replies)
        still = await page.order("pause")

    assert (page.replies[0]["type"], page.replies[0]["status"]) == ("refused", 422)
    assert still["type"] == "done"
    assert showing.inputs == []


async def test_a_message_that_is_too_large_ends_the_connection(
    watched: Caller, http: aiohttp.ClientSession
):
    """The server does not read on."""
    task = await _running(watched)
    async with live_socket(http, task["live_url"]) as page:
        await page.raw("x" * 100_000)
        await page.drain()

    assert page.closed_with == WSCloseCode.MESSAGE_TOO_BIG


async def test_the_server_s_own_pages_connect(watched: Caller, http: aiohttp.ClientSession):
    """So do programs that are no browser, which say no origin."""
    task = await _running(watched)
    for headers in ({}, {"Origin": watched.server.url}):
        async with live_socket(http, task["live_url"], headers=headers) as page:
            await page.until(lambda: page.states)


@pytest.mark.parametrize(
    "origin", ["http://localhost:{port}", "https://evil.example", "http://127.0.0.1:1", "null", ""]
)
async def test_pages_of_other_servers_cannot_connect(
    origin: str, watched: Caller, http: aiohttp.ClientSession
):
    """Even if they know the token."""
    task = await _running(watched)
    headers = {"Origin": origin.format(port=URL(watched.server.url).port)}
    with pytest.raises(aiohttp.WSServerHandshakeError, match="403"):
        async with live_socket(http, task["live_url"], headers=headers):
            pass


async def test_whoever_came_by_another_name_is_at_home(
    watched: Caller, http: aiohttp.ClientSession
):
    """A page that was opened as `localhost` connects to `localhost`."""
    task = await _running(watched)
    here = f"localhost:{URL(watched.server.url).port}"
    headers = {"Origin": f"http://{here}", "Host": here}
    async with live_socket(http, task["live_url"], headers=headers) as page:
        await page.until(lambda: page.states)


@pytest.mark.parametrize("place", ["live", "share"])
async def test_a_wrong_token_opens_nothing(
    place: str, watched: Caller, http: aiohttp.ClientSession
):
    """Nor does that of the other page."""
    task = await _running(watched)
    other = task["public_share_url" if place == "live" else "live_url"].rsplit("/")[-1]
    for token in ("x", task["id"], other):
        with pytest.raises(aiohttp.WSServerHandshakeError, match="404"):
            async with live_socket(http, f"{watched.server.url}/{place}/{token}"):
                pass


async def test_a_server_that_closes_hangs_up(http: aiohttp.ClientSession):
    """At once, with the code on which pages look for it again."""
    async with LocalServer(executor=Showing()) as server:
        api = Caller(server, http)
        task = await _running(api)
        async with live_socket(http, task["live_url"]) as page:
            await page.until(lambda: page.states)
            async with asyncio.timeout(5):
                await asyncio.gather(server.aclose(), page.drain())

    assert page.closed_with in {WSCloseCode.GOING_AWAY, WSCloseCode.OK}


async def test_pages_that_go_away_leave_nothing(
    watched: Caller, showing: Showing, http: aiohttp.ClientSession
):
    """No coroutine of theirs lives on, whatever they were waiting for."""
    task = await _running(watched)
    await showing.show(drawn(1))
    async with live_socket(http, task["live_url"]) as page:
        page.draws = False
        await page.until(lambda: page.images)
        during = len(asyncio.all_tasks())
    async with asyncio.timeout(5):
        # The server hears of it in its own time.
        while len(asyncio.all_tasks()) > during - 2:  # noqa: ASYNC110
            await asyncio.sleep(0.01)

    assert (await watched.task(task["id"]))["status"] == "running"

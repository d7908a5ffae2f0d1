"""What a live page may do, and what no page may."""

import asyncio
import logging

import pytest
from aiohttp import WSCloseCode

from browser_use_async.server.executors.view import MAX_TEXT, KeyInput, PointerInput, TextInput
from tests.server.pages.showing import drawn
from tests.server.pages.socket import live_socket, running_task
from tests.support.hygiene import SECRET

CLICK = {"type": "pointer", "kind": "down", "x": 10, "y": 20.5, "button": "left", "clicks": 1}


async def test_buttons(watched, http):
    """Pause, resume and stop do the same as the API's calls."""
    task = await running_task(watched)
    async with live_socket(http, task["live_url"]) as page:
        for order, status in (("pause", "paused"), ("resume", "running"), ("stop", "stopped")):
            reply = await page.order(order)
            assert reply == {"type": "done", "order": order}
            assert (await watched.task(task["id"]))["status"] == status
        await page.drain()

    assert [state["status"] for state in page.states] == ["running", "paused", "running", "stopped"]


async def test_what_cannot_be_done_is_said(watched, http):
    """The refusal has the message of the API."""
    task = await running_task(watched)
    async with live_socket(http, task["live_url"]) as page:
        running = await page.order("resume")
        await page.order("pause")
        paused = await page.order("pause")
        caller = await watched.put(f"/pause-task?task_id={task['id']}")

    assert running["detail"] == "Agent session is not paused but running"
    assert (paused["status"], paused["order"]) == (caller.status, "pause")
    assert paused["detail"] == caller.json["detail"]


async def test_a_shared_page_only_watches(watched, showing, http):
    """Whatever it sends, nothing happens to the task or its browser."""
    task = await running_task(watched)
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


async def test_the_input_of_a_person_reaches_the_browser(watched, showing, http):
    """Mouse, wheel, keys and text, in order and unchanged."""
    task = await running_task(watched)
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


async def test_a_paused_task_accepts_input(watched, showing, http):
    """People pause it for that."""
    task = await running_task(watched)
    async with live_socket(http, task["live_url"]) as page:
        await showing.show(drawn(1))
        await page.order("pause")
        await page.say(**CLICK)
        await page.order("resume")

    assert len(showing.inputs) == 1


async def test_a_browser_that_accepts_no_input(watched, showing, http, caplog):
    """The person gets an error, the log has no typed text, and the page stays open."""
    task = await running_task(watched)
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
async def test_nonsense_is_refused_in_words(text, watched, showing, http):
    """The page stays open."""
    task = await running_task(watched)
    async with live_socket(http, task["live_url"]) as page:
        await showing.show(drawn(1))
        await page.until(lambda: page.images)
        await page.raw(text)
        await page.until(lambda: page.replies)
        still = await page.order("pause")

    assert (page.replies[0]["type"], page.replies[0]["status"]) == ("refused", 422)
    assert still["type"] == "done"
    assert showing.inputs == []


@pytest.mark.parametrize("place", ["live_url", "public_share_url"])
async def test_a_flood_of_messages_delays_no_other(place, watched, http):
    """Others are answered between two messages of a page, and not after all that have arrived."""
    task = await running_task(watched)
    async with live_socket(http, task[place]) as page:
        for _ in range(1000):
            await page.say(type="order", name="resume")
        reading = asyncio.create_task(page.until(lambda: len(page.replies) == 1000))
        assert (await watched.get("/ping")).status == 200
        replies_before = len(page.replies)
        await reading

    assert replies_before < 1000
    assert {reply["type"] for reply in page.replies} == {"refused"}


async def test_a_message_that_is_too_large_ends_the_connection(watched, http):
    """The server stops reading."""
    task = await running_task(watched)
    async with live_socket(http, task["live_url"]) as page:
        await page.raw("x" * 100_000)
        await page.drain()

    assert page.closed_with == WSCloseCode.MESSAGE_TOO_BIG

"""The messages and frames that a live page gets."""

import pytest
from aiohttp import WSCloseCode

from browser_use_async.server.records import Failed, Finished
from tests.server.pages.showing import PAGE, drawn
from tests.server.pages.socket import live_socket, running_task

CLICK = {"type": "pointer", "kind": "down", "x": 10, "y": 20.5, "button": "left", "clicks": 1}


@pytest.mark.parametrize("place", ["live_url", "public_share_url"])
async def test_steps_and_the_end_are_sent_as_they_come(place, steered, queue, http):
    """Each step once, in order, then the output, then the server closes the connection."""
    task = await running_task(steered)
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


async def test_a_failure_is_sent(steered, queue, http):
    """With its reason."""
    task = await running_task(steered)
    async with live_socket(http, task["live_url"]) as page:
        queue.items.put_nowait(Failed("No such page"))
        await page.drain()

    assert (page.state["status"], page.state["failure"]) == ("failed", "No such page")


async def test_a_late_viewer_misses_nothing(steered, queue, http):
    """It gets all steps, the newest picture and the output, also after the end."""
    task = await running_task(steered)
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


async def test_without_a_browser_each_step_brings_a_picture(steered, queue, http):
    """Executors without a browser show their screenshots."""
    task = await running_task(steered)
    async with live_socket(http, task["live_url"]) as page:
        for count in (1, 2):
            queue.step(f"Step {count}", screenshot=drawn(count).image)
            await page.until(lambda count=count: len(page.images) == count)
        refused = await page.ask(**CLICK)

    assert page.images[0] != page.images[1]
    assert page.state["has_browser"] is False
    assert refused["status"] == 409


async def test_the_browser_is_shown(watched, showing, http):
    """Once there is one, each new frame; the page learns that it can be steered."""
    task = await running_task(watched)
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


async def test_a_slow_page_skips_frames(watched, showing, http):
    """Until it has drawn one it gets no other, and then the newest; messages are not delayed."""
    task = await running_task(watched)
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


async def test_several_watch(watched, showing, http):
    """A viewer that does not draw delays no other."""
    task = await running_task(watched)
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


async def test_the_last_picture_is_the_newest_screenshot(watched, showing, http):
    """When the browser has ended, its last picture stays."""
    task = await running_task(watched)
    async with live_socket(http, task["live_url"]) as page:
        await showing.show(drawn(1))
        await page.until(lambda: page.images)
        showing.step("Look", screenshot=drawn(7).image)
        showing.items.put_nowait(Finished("Done"))
        await page.drain()

    assert page.images[-1] == drawn(7).image
    assert page.state["has_browser"] is False

"""The live view of an agent's browser: what people see, what they must not, and how many."""

import asyncio
import contextlib
import shutil
from collections.abc import AsyncIterator

import aiohttp
import pytest

from browser_use_async.server.executors.view import Frame, TextInput, View, Viewable
from tests.agent.processes import temporary_folders
from tests.agent.scripted_model import Reply, ScriptedModel, Silence, act, index_of
from tests.agent.stage import click, done, ended, screenshots
from tests.server.calling import Caller
from tests.server.pages.socket import live_socket
from tests.support.patience import PATIENCE


async def view_of(caller: Caller, model: ScriptedModel, task_id: str) -> View:
    """The task's browser, after the first question to its model."""
    executor = caller.server.executor
    assert isinstance(executor, Viewable)
    async with asyncio.timeout(60):
        while not model.asked:  # noqa: ASYNC110 - the model has nothing to wait on
            await asyncio.sleep(0.05)
    view = executor.view(task_id)
    assert view is not None
    return view


async def next_frame(frames: AsyncIterator[Frame]) -> Frame:
    """The next frame, in bounded time."""
    async with asyncio.timeout(20):
        return await anext(frames)


async def changed_frame(frames: AsyncIterator[Frame], before: Frame) -> Frame:
    """The next frame with another picture: a browser may send the same one more than once."""
    frame = before
    while frame.image == before.image:
        frame = await next_frame(frames)
    return frame


async def test_a_person_sees_and_helps(stage):
    """Frames come while the agent waits for its model; a person's typing reaches the page."""
    replies: list[Reply] = [
        lambda text: act("Focus", {"click": {"index": index_of("User name", text)}}),
        Silence(),
    ]
    model = await stage.model(replies)
    caller = await stage.server(model)
    task_id = await caller.create(
        f"Open {stage.shop.url}/login", browser_viewport_width=800, browser_viewport_height=600
    )
    view = await view_of(caller, model, task_id)
    async with asyncio.timeout(30):
        while len(model.asked) < 2:  # noqa: ASYNC110
            await asyncio.sleep(0.05)

    async with contextlib.aclosing(view.frames()) as frames:  # type: ignore[type-var]
        first = await next_frame(frames)
        await view.put(TextInput("ann was here"))
        second = await changed_frame(frames, first)
    await caller.put(f"/stop-task?task_id={task_id}")

    assert (first.width, first.height) == (800, 600)
    assert first.image.startswith(b"\xff\xd8")
    assert second.image != first.image


async def test_the_live_page_shows_it(stage):
    """The live page gets pictures of the agent's browser, and its stop button stops the agent."""
    model = await stage.model([Silence()])
    caller = await stage.server(model)
    task_id = await caller.create(f"Open {stage.shop.url}")
    await view_of(caller, model, task_id)
    url = (await caller.task(task_id))["live_url"]

    async with aiohttp.ClientSession() as http, live_socket(http, url) as page:
        async with asyncio.timeout(20):
            while not page.images:
                with contextlib.suppress(TimeoutError):
                    await page.until(lambda: page.images)
        await page.order("stop")

    assert page.images[0].startswith(b"\xff\xd8")
    assert (await ended(caller, task_id))["status"] == "stopped"


async def test_no_view_before_and_after(stage):
    """A task without a browser, or after its end, has no view."""
    model = await stage.model([done("Done")])
    caller = await stage.server(model)
    executor = caller.server.executor
    assert isinstance(executor, Viewable)

    task_id = await caller.create("Do it")
    before = executor.view(task_id)
    await ended(caller, task_id)
    async with asyncio.timeout(PATIENCE):
        while temporary_folders():  # noqa: ASYNC110 - no event for it
            await asyncio.sleep(0.05)

    assert before is None
    assert executor.view(task_id) is None


async def test_pictures_hide_secrets(stage):
    """Two tasks that type secrets of equal length into a plain field have the same pictures."""
    replies: list[Reply] = [
        lambda text: act(
            "Type",
            {"input": {"index": index_of("User name", text), "text": "<secret>name</secret>"}},
        ),
        done("Done"),
    ]
    last = []
    for secret in ("iiii-wwww", "wwww-iiii"):
        model = await stage.model(replies)
        caller = await stage.server(model)
        task_id = await caller.create(
            f"Open {stage.shop.url}/login",
            secrets={"name": secret},
            allowed_domains=["127.0.0.1"],
            highlight_elements=False,
        )
        await ended(caller, task_id)
        last.append((await screenshots(caller, task_id))[-1])

    assert last[0] == last[1]


async def test_more_tasks_than_places(stage):
    """Tasks beyond the number of browsers wait for their turn, and all are done."""
    model = await stage.model([done("Done")])
    caller = await stage.server(model, max_browsers=1)

    created = [await caller.create("Do it") for _ in range(2)]
    most = 0
    while len(model.asked) < 2:
        most = max(most, len(temporary_folders()))
        await asyncio.sleep(0.05)
    tasks = [await ended(caller, task_id) for task_id in created]

    assert [task["status"] for task in tasks] == ["finished"] * 2
    assert most == 1


async def test_the_current_action_is_shown(stage):
    """First the question to its model; then the goal of its running actions."""
    model = await stage.model([act("Wait for the prices", {"wait": {"seconds": 5}}), Silence()])
    caller = await stage.server(model)
    task_id = await caller.create("Look")
    deciding, shown = "Decide what to do next", list[str]()
    async with asyncio.timeout(60):
        while shown[-2:] != ["Wait for the prices", deciding]:
            answer = await caller.get(f"{caller.server.url}/admin/overview/{task_id}")
            doing = answer.json["doing"]
            if doing and shown[-1:] != [doing]:
                shown.append(doing)
            await asyncio.sleep(0.02)
    await caller.put(f"/stop-task?task_id={task_id}")
    await ended(caller, task_id)

    # The first time the model may have answered before the first read.
    assert shown in (["Wait for the prices", deciding], [deciding, "Wait for the prices", deciding])


@pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="there is no ffmpeg")
async def test_there_is_a_recording(stage):
    """With ffmpeg a task is recorded."""
    model = await stage.model([lambda text: click("Prices", text), done("Done")])
    caller = await stage.server(model)

    task_id = await caller.create(f"Open {stage.shop.url}")
    await ended(caller, task_id)
    media = await caller.get(f"/task/{task_id}/media")
    (url,) = media.json["recordings"]
    film = await caller.get(url, key=False)

    assert len(film.body) > 1000

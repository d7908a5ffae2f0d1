"""A person does a task on the live page, and the next tasks play it."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest

from browser_use_async.server import LocalServer
from browser_use_async.server.executors.view import (
    Input,
    KeyInput,
    PointerInput,
    TextInput,
    close_frames,
)
from browser_use_async.types import TaskStatus
from tests.server.browser.pages import Site, serve_pages
from tests.server.calling import Caller
from tests.server.scripts.test_playing import SCHEMA, register
from tests.server.scripts.test_served import OPEN, TASK_SECONDS, end_of, pairs
from tests.support.patience import until


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    """The register."""
    async with serve_pages(register()) as site:
        yield site


def _click(x: float, y: float) -> list[Input]:
    return [
        PointerInput("down", x, y, button="left", clicks=1),
        PointerInput("up", x, y, button="left", clicks=1),
    ]


async def test_what_a_person_shows_is_played(browser_path: str, site: Site) -> None:
    """Typing, a key and a click on the live page become the steps of the script."""
    async with (
        LocalServer(executor="chromium", chromium=OPEN, recordings=False) as server,
        aiohttp.ClientSession() as http,
    ):
        api = Caller(server, http)
        shown = await _create(api, site, "Blue Mill")
        await until(lambda: api.stored(shown).status is TaskStatus.PAUSED, TASK_SECONDS)
        step = (await api.task(shown))["steps"][-1]
        view = server.executor.view(shown)  # type: ignore[attr-defined]
        assert view is not None
        frames = view.frames()  # as on an open page
        await anext(frames)
        for event in [
            *_click(200, 77),  # the field
            TextInput("Blue "),
            TextInput("Mill"),
            KeyInput("down", "Enter", "Enter"),
            KeyInput("up", "Enter", "Enter"),
        ]:
            await view.put(event)
        await until(lambda: "/results" in site.asked, TASK_SECONDS)
        await asyncio.sleep(0.5)  # until it is drawn
        for event in _click(60, 75):  # the first link
            await view.put(event)
        await until(lambda: "/company/0" in site.asked, TASK_SECONDS)
        await close_frames(frames)
        await api.put(f"/resume-task?task_id={shown}")
        first = await end_of(api, shown)
        text = (await api.get(f"{server.url}/admin/scripts/office/1")).json["text"]
        second = await end_of(api, await _create(api, site, "Old Mill"))

    assert step["next_goal"].startswith("Ask a person (demonstration): Show how it is done")
    assert json.loads(first["output"]) == {"company": "Blue Mill", "city": "Bern"}
    assert 'fill "Company name" with "{company}"' in text
    assert "press Enter" in text
    assert 'click "{company}"' in text
    assert json.loads(second["output"]) == {"company": "Old Mill", "city": "Graz"}


async def _create(api: Caller, site: Site, name: str) -> str:
    task: dict[str, Any] = {
        "metadata": pairs(name),
        "structured_output_json": json.dumps(SCHEMA),
    }
    return await api.create(f"Look up {name} in the register at {site.url}/", **task)

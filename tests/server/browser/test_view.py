"""The live view of a task's browser: what a viewer sees, and the input that they can give."""

import asyncio
from collections.abc import Callable
from contextlib import aclosing

import pytest

from browser_use_async.server.executors.browser.executor import ChromiumExecutor
from browser_use_async.server.executors.view import (
    Frame,
    KeyInput,
    PointerInput,
    TextInput,
    View,
    Viewable,
)
from tests.server.browser.pages import Site, serve_pages
from tests.server.browser.running import START_SECONDS, browse
from tests.server.browser.test_screencast import jpeg_size
from tests.support.patience import until

PAGE = """
<title>Help me</title><style>body { margin: 0; height: 3000px }</style>
<button style="position: fixed; left: 100px; top: 100px; width: 200px; height: 50px"
        onclick="said.textContent += ' clicked'">Human</button>
<input style="position: fixed; left: 100px; top: 200px; width: 300px; height: 40px"
       onkeydown="if (event.key == 'Enter') said.textContent += ' entered ' + this.value">
<p id=said style="position: fixed; left: 100px; top: 300px"></p>
<script>
onscroll = () => { if (scrollY > 100) said.textContent += ' scrolled' }
// Input before the page is drawn is dropped.
requestAnimationFrame(() => requestAnimationFrame(() => fetch('/ready')))
</script>
"""


async def _view(executor: ChromiumExecutor) -> View:
    await until(lambda: executor.view("id") is not None, START_SECONDS)
    view = executor.view("id")
    assert view is not None
    return view


async def _click(view: View, x: float, y: float) -> None:
    await view.put(PointerInput("move", x, y))
    await view.put(PointerInput("down", x, y, button="left", clicks=1))
    await view.put(PointerInput("up", x, y, button="left", clicks=1))


async def _watch(view: View, on_frame: Callable[[Frame], None]) -> None:
    async with aclosing(view.frames()) as frames:
        async for frame in frames:
            on_frame(frame)


async def _help(executor: ChromiumExecutor, site: Site) -> list[Frame]:
    """Watch until the page is there, then do what only a person can do."""
    view = await _view(executor)
    seen: list[Frame] = []
    watching = asyncio.create_task(_watch(view, seen.append))
    await until(lambda: "/ready" in site.asked and seen, START_SECONDS)
    await _click(view, 200, 125)
    await _click(view, 200, 220)
    await view.put(TextInput("Ä"))
    for kind in ("down", "up"):
        await view.put(KeyInput("down" if kind == "down" else "up", "b", "KeyB"))
    # The task, and its view, end once the page was scrolled: after everything else was seen.
    await until(lambda: len(seen) >= 2 and seen[0].image != seen[-1].image, START_SECONDS)
    await view.put(KeyInput("down", "Enter", "Enter"))
    await view.put(PointerInput("wheel", 400, 400, delta_y=300))
    await watching
    await _click(view, 1, 1)  # nothing happens any more
    return seen


async def test_a_person_helps(chromium):
    """Frames arrive as the page changes, a person clicks, types and scrolls, the task goes on."""
    async with serve_pages({"/": PAGE}) as site:
        helping = asyncio.create_task(_help(chromium, site))
        task = f"Open {site.url}/. Wait for scrolled. Extract"
        done = await browse(chromium, task, viewport=(800, 600))
        seen = await helping

    assert isinstance(chromium, Viewable)
    for word in ("clicked", "entered Äb", "scrolled"):
        assert word in done.output
    assert {(frame.width, frame.height) for frame in seen} == {(800, 600)}
    assert jpeg_size(seen[-1].image) == (800, 600)
    assert seen[0].image != seen[-1].image


@pytest.mark.torture
async def test_several_watch(chromium, site):
    """A viewer that connects later receives a frame at once, and every viewer sees the end."""
    working = asyncio.create_task(browse(chromium, f"Open {site}/. Wait for rain"))
    watching = []
    for _ in range(2):
        seen: list[Frame] = []
        watching.append(asyncio.create_task(_watch(await _view(chromium), seen.append)))
        await until(lambda seen=seen: bool(seen), START_SECONDS)
    working.cancel()
    await asyncio.wait([working, *watching])

    assert [each.exception() for each in watching] == [None, None]
    assert chromium.view("id") is None

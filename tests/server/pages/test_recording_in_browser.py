"""The recording of an ended task, and the marks of its steps, by pointer and by keyboard."""

import asyncio
import json
import shutil
from datetime import datetime
from typing import Any

import pytest

from browser_use_async.server import LocalServer
from browser_use_async.server.executors.scripted import Scenario, ScriptedExecutor, ScriptedStep
from browser_use_async.server.records import Finished
from tests.browser.accessibility import barriers
from tests.browser.driver import Browser, Page
from tests.server.calling import Caller
from tests.server.pages.application import click_button, open_page, violations
from tests.server.steering import FromQueue

pytestmark = pytest.mark.skipif(
    shutil.which("ffmpeg") is None, reason="there is no ffmpeg on this machine"
)

GOALS = ("Open the shop", "Search for a bicycle", "Read its price")
FILM_SECONDS = 2
MARKS = ".film-marks button"
AT = "document.querySelector('video').currentTime"
SHOWN_MARK = "document.querySelector('.film-marks [aria-current]')?.innerText"
SHOWN_STEP = "document.querySelector('.timeline [aria-current] .goal')?.innerText"
CHOSEN_VIEW = "document.querySelector('[role=tab][aria-selected=true]').innerText"


@pytest.fixture
async def film(tmp_path):
    """A recording of two seconds, which shows the seconds."""
    file = tmp_path / "film.webm"
    process = await asyncio.create_subprocess_exec(
        *("ffmpeg", "-loglevel", "error", "-f", "lavfi"),
        *("-i", f"testsrc=duration={FILM_SECONDS}:size=320x240:rate=10", str(file)),
    )
    assert await process.wait() == 0
    return await asyncio.to_thread(file.read_bytes)


@pytest.fixture
def server_options(film):
    """A server whose tasks take three steps, and have that recording."""
    steps = [ScriptedStep(goal, "", "https://shop.example/", seconds=0.4) for goal in GOALS]
    scenario = Scenario(steps=steps, recordings={"webm": film}, recording_delay=0)
    return {"executor": ScriptedExecutor(default=scenario)}


async def _filmed(caller: Caller) -> tuple[str, list[float]]:
    """The page of an ended task, and the second of the recording at which each step begins."""
    task_id = await caller.create("Find it")
    await caller.reached(task_id, "finished")
    task: dict[str, Any] = (await caller.get(f"{caller.server.url}/admin/overview/{task_id}")).json
    began = datetime.fromisoformat(task["recorded_from"])
    ended = [datetime.fromisoformat(each["taken_at"]) for each in task["steps_more"]]
    return f"/tasks/{task_id}", [0.0, *((each - began).total_seconds() for each in ended[:-1])]


async def _opened(browser: Browser, caller: Caller, path: str, **shape: Any) -> Page:
    page = await open_page(browser, caller, path, **shape)
    await page.until(f"document.querySelectorAll('{MARKS}').length === {len(GOALS)}")
    await page.until("document.querySelector('video').readyState >= 1")
    return page


async def test_a_mark_seeks_the_film(browser, caller):
    """It moves to the beginning of its step, which both lists of steps then mark."""
    path, begins = await _filmed(caller)
    page = await _opened(browser, caller, path)
    seen = []
    for number in (3, 1, 2):
        await page.click(f"{MARKS}:nth-child({number})")
        await page.until(f"{SHOWN_MARK} === '{number}'")
        await page.until(f"{SHOWN_STEP} === {json.dumps(GOALS[number - 1])}")
        seen.append(await page.run(AT))

    assert seen == pytest.approx([begins[2], begins[0], begins[1]], abs=0.01)
    assert begins == sorted(begins)
    assert begins[1] > 0.3
    assert GOALS[1] in await page.text(".film-step")
    assert page.complaints == []


async def test_marks_have_names_and_one_stop_of_the_tab_key(browser, caller):
    """Arrows, Home and End move from one to the other, and Enter seeks."""
    path, begins = await _filmed(caller)
    page = await _opened(browser, caller, path)
    await page.run("document.querySelector('video').focus()")
    for _ in range(12):  # the recording's own controls come first
        await page.press("Tab")
        if await page.run(f"document.activeElement.matches('{MARKS}')"):
            break
    names = []
    for key in ("End", "Home", "ArrowRight"):
        await page.press(key)
        names.append(await page.run("document.activeElement.ariaLabel"))
    await page.press("Enter")
    await page.until(f"{SHOWN_MARK} === '2'")
    at = await page.run(AT)
    await page.press("Tab")

    assert names == [
        f"Step 3 at 0:00: {GOALS[2]}",
        f"Step 1 at 0:00: {GOALS[0]}",
        f"Step 2 at 0:00: {GOALS[1]}",
    ]
    assert at == pytest.approx(begins[1], abs=0.01)
    assert await page.run(f"document.activeElement.matches('{MARKS}')") is False
    assert await page.run("document.querySelector('.film-marks').getAttribute('role')") == "toolbar"


async def test_a_step_of_the_timeline_seeks_the_film(browser, caller):
    """By pointer and by Enter; the recording stays visible."""
    path, begins = await _filmed(caller)
    page = await _opened(browser, caller, path)
    await page.click(".timeline li:nth-child(2) button")
    await page.until(f"{SHOWN_MARK} === '2'")
    clicked = await page.run(AT)
    await page.run("document.querySelector('.timeline li:nth-child(3) button').focus()")
    await page.press("Enter")
    await page.until(f"{SHOWN_MARK} === '3'")

    assert [clicked, await page.run(AT)] == pytest.approx(begins[1:], abs=0.01)
    assert await page.run(CHOSEN_VIEW) == "Recording"


async def test_the_step_that_the_film_shows_is_marked_while_it_plays(browser, caller):
    """One after the other, and without scrolling for people who prefer no motion."""
    path, _ = await _filmed(caller)
    page = await _opened(browser, caller, path)
    motion = {"name": "prefers-reduced-motion", "value": "reduce"}
    await page.send("Emulation.setEmulatedMedia", features=[motion])
    await page.run(
        "window.seen = []; new MutationObserver(() => seen.push("
        f"[{SHOWN_MARK}, {SHOWN_STEP}].join(' '))).observe(document.querySelector('.film-marks'),"
        " {subtree: true, attributes: true, attributeFilter: ['aria-current']});"
        "const film = document.querySelector('video'); film.muted = true; film.play()"
    )
    await page.until(f"{SHOWN_STEP} === {json.dumps(GOALS[1])}")
    moving = await page.run("document.getAnimations().length")
    await page.until(f"{SHOWN_STEP} === {json.dumps(GOALS[2])}")
    await page.until("document.querySelector('video').ended")

    assert await page.run(SHOWN_MARK) == "3"
    assert moving == 0
    assert page.complaints == []


async def test_the_views_go_on_with_the_same_step(browser, caller):
    """From the recording to the picture of its step, and from a picture to its place there."""
    path, begins = await _filmed(caller)
    page = await _opened(browser, caller, path)
    await page.click(f"{MARKS}:nth-child(2)")
    await page.until(f"{SHOWN_MARK} === '2'")
    await click_button(page, "Steps", ".stage-card")
    await page.until("document.querySelector('.stage img')?.alt === 'The page at step 2'")
    await click_button(page, "Next step", ".stage-card")
    await page.until("document.querySelector('.stage img')?.alt === 'The page at step 3'")
    await click_button(page, "Recording", ".stage-card")
    await page.until(f"{AT} > 0 && {SHOWN_MARK} === '3'")

    assert await page.run(AT) == pytest.approx(begins[2], abs=0.01)


async def test_a_film_whose_beginning_is_not_known_has_no_marks(browser, http, film):
    """A step of the timeline shows its picture then."""
    executor = FromQueue()
    async with LocalServer(executor=executor) as server:
        caller = Caller(server, http)
        task_id = await caller.create("Find it")
        executor.step("Look")
        executor.items.put_nowait(Finished("Found", recordings={"webm": film}))
        await caller.reached(task_id, "finished")
        page = await open_page(browser, caller, f"/tasks/{task_id}")
        await page.until("!!document.querySelector('video')")
        marks = await page.run("!!document.querySelector('.film-marks')")
        await page.click(".timeline button")
        await page.until("document.querySelector('.stage img')?.alt === 'The page at step 1'")

    assert marks is False
    assert page.complaints == []


async def test_a_step_before_the_film_has_a_mark_at_its_beginning(browser, http, film):
    """It can be chosen and stays so until the film goes on; the next step is one mark away."""
    steps = [ScriptedStep(goal, seconds=0.4) for goal in GOALS]
    scenario = Scenario(steps=steps, recordings={"webm": film}, recording_delay=0.6)
    async with LocalServer(executor=ScriptedExecutor(default=scenario)) as server:
        caller = Caller(server, http)
        path, _ = await _filmed(caller)
        page = await _opened(browser, caller, path)
        first = await page.run(SHOWN_MARK)
        await page.click(f"{MARKS}:nth-child(3)")
        await page.until(f"{SHOWN_MARK} === '3' && {AT} > 0")
        await page.click(f"{MARKS}:nth-child(1)")
        await page.until(f"{SHOWN_MARK} === '1' && !document.querySelector('video').seeking")
        chosen, at = await page.run(SHOWN_STEP), await page.run(AT)
        await page.click(f"{MARKS}:nth-child(2)")
        await page.until(f"{SHOWN_MARK} === '2'")

    assert first == "1"
    assert (chosen, at) == (GOALS[0], 0)
    assert page.complaints == []


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", [390, 1440])
async def test_everybody_can_use_the_marks(width, dark, browser, caller):
    """Names, contrast and sizes, also of the current mark."""
    path, _ = await _filmed(caller)
    page = await _opened(
        browser, caller, path, width=width, height=900, dark=dark, phone=width == 390
    )
    await page.run(f"document.querySelectorAll('{MARKS}')[1].click()")
    await page.until(f"{SHOWN_MARK} === '2'")

    assert [*await violations(page), *await barriers(page)] == []

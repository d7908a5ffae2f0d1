"""A person's input on a live page, as the task's page receives it."""

import asyncio

import pytest
from playwright.async_api import Page

from browser_use_async.server.executors.browser.live_view import LiveView
from browser_use_async.server.executors.view import KeyInput, PointerInput, TextInput
from tests.server.browser.conftest import VIEWPORT
from tests.support.patience import PATIENCE

PAGE = """
<title>Help me</title><style>body { margin: 0; height: 3000px }
  button, input { position: fixed; left: 100px; width: 300px; height: 40px }</style>
<button style="top: 100px" onclick="said.push('clicked')"
  ondblclick="said.push('double')" oncontextmenu="said.push('menu')">Human</button>
<input id=name style="top: 200px">
<input id=other style="top: 300px">
<script>
  const said = [];
  onscroll = () => said.push('scrolled');
  onkeydown = event => said.push([event.key, event.code, event.keyCode, event.ctrlKey].join());
  onkeyup = event => said.push('up ' + event.key);
</script>
"""


@pytest.fixture
async def view(context, page):
    """The live view of a page with a button and two fields, drawn and ready for input."""
    await page.set_content(PAGE)
    # Input before the page is drawn is dropped.
    await page.evaluate("new Promise(done => requestAnimationFrame(() => setTimeout(done)))")
    view = LiveView(context, VIEWPORT)
    yield view
    await view.aclose()


async def click(view: LiveView, y: float, *, button: str = "left", clicks: int = 1) -> None:
    """Click in the middle of the element at a height."""
    await view.put(PointerInput("move", 250, y))
    for kind in ("down", "up"):
        await view.put(PointerInput(kind, 250, y, button, clicks))  # type: ignore[arg-type]


async def press(view: LiveView, key: str, code: str = "", modifiers: int = 0) -> None:
    """Press and release a key."""
    await view.put(KeyInput("down", key, code, modifiers))
    await view.put(KeyInput("up", key, code, modifiers))


async def becomes_true(page: Page, expression: str) -> None:
    """Wait until an expression is true in the page."""
    await page.wait_for_function(expression, timeout=PATIENCE * 1000)


async def test_mouse_and_wheel(view, page):
    """Clicks, double clicks, the right button and the wheel are events of the browser itself."""
    await click(view, 120)
    await click(view, 120, clicks=2)
    await click(view, 120, button="right")
    await view.put(PointerInput("wheel", 400, 400, delta_y=300))
    await becomes_true(page, "scrollY > 200")

    said = await page.evaluate("said")
    assert said[:4] == ["clicked", "clicked", "double", "menu"]


async def test_keys_and_text_go_where_the_focus_is(view, page):
    """Letters, text without a key, keys without text, and the events that the page gets."""
    await click(view, 220)
    await press(view, "a", "KeyA")
    await view.put(TextInput("grün 🎉"))
    await press(view, "Backspace", "Backspace")
    await press(view, "B", "KeyB", 8)
    await press(view, "Tab", "Tab")
    await press(view, "z")
    await becomes_true(page, "other.value === 'z'")

    assert await page.input_value("#name") == "agrün B"
    assert (await page.evaluate("said"))[:2] == ["a,KeyA,65,false", "up a"]


async def test_enter_submits_and_control_a_selects(view, page):
    """Enter sends its text, and editing keys edit."""
    await page.evaluate("void (other.onkeypress = event => said.push('pressed ' + event.keyCode))")
    await page.fill("#other", "old")
    await click(view, 320)
    await press(view, "a", "KeyA", 2)
    await view.put(TextInput("new"))
    await press(view, "Enter", "Enter")
    await becomes_true(page, "said.includes('pressed 13')")

    assert await page.input_value("#other") == "new"


async def test_copy_cut_and_paste(view, page):
    """They work within the task, and the page gets events of the keys."""
    await page.fill("#name", "words")
    await click(view, 220)
    await press(view, "a", "KeyA", 2)
    await press(view, "c", "KeyC", 2)
    await press(view, "x", "KeyX", 2)
    await becomes_true(page, "document.getElementById('name').value === ''")
    await press(view, "v", "KeyV", 2)
    await press(view, "v", "KeyV", 2)
    await becomes_true(page, "document.getElementById('name').value === 'wordswords'")

    assert "c,KeyC,0,true" in await page.evaluate("said")


async def test_the_clipboard_is_the_tasks_own(view, page, own_browser):
    """Text that is copied in one task is pasted in no other one, by key or middle button."""
    other_context = await own_browser.new_context()
    other_page = await other_context.new_page()
    await other_page.set_content(PAGE)
    await other_page.evaluate("new Promise(done => requestAnimationFrame(() => setTimeout(done)))")
    other = LiveView(other_context, VIEWPORT)
    await page.fill("#name", "private")
    await click(view, 220)
    await press(view, "a", "KeyA", 2)
    await press(view, "c", "KeyC", 2)
    await press(view, "v", "KeyV", 2)
    await press(view, "v", "KeyV", 2)
    await becomes_true(page, "document.getElementById('name').value === 'privateprivate'")
    await click(other, 220)
    await press(other, "v", "KeyV", 2)
    await click(other, 220, button="middle")
    await press(other, "e", "KeyE")
    await becomes_true(other_page, "document.getElementById('name').value.endsWith('e')")
    await other.aclose()

    assert await other_page.input_value("#name") == "e"


async def test_no_key_pastes_what_a_page_has_copied(view, page, own_browser):
    """Text that a page itself puts on the browser's clipboard is pasted in no other task."""
    await page.fill("#name", "private")
    await page.evaluate("document.getElementById('name').select(); document.execCommand('copy')")
    other_context = await own_browser.new_context()
    other_page = await other_context.new_page()
    await other_page.set_content(PAGE)
    await other_page.evaluate("new Promise(done => requestAnimationFrame(() => setTimeout(done)))")
    other = LiveView(other_context, VIEWPORT)
    await click(other, 220)
    await press(other, "Insert", "Insert", 8)
    await press(other, "v", "KeyV", 2)
    await press(other, "e", "KeyE")
    await becomes_true(other_page, "document.getElementById('name').value.endsWith('e')")
    shown = await other_page.input_value("#name")
    await other.aclose()
    # The control: the browser itself would paste it.
    await other_page.focus("#name")
    await other_page.keyboard.press("Shift+Insert")
    await becomes_true(other_page, "document.getElementById('name').value.includes('private')")

    assert shown == "e"


async def test_a_page_that_hangs_takes_no_input_and_delays_no_other(view, page):
    """Thousands of inputs return at once and are dropped; so are those after the end."""
    hanging = asyncio.create_task(page.evaluate("for (;;);"))
    async with asyncio.timeout(PATIENCE):
        for _ in range(3000):
            await view.put(PointerInput("move", 1, 1))
        await view.aclose()
    await view.put(TextInput("late"))
    await page.context.close()

    assert isinstance(*await asyncio.gather(hanging, return_exceptions=True), Exception)

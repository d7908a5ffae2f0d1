"""A person who takes control on a live page: real mouse, keys and fingers in a real browser."""

import pytest

from browser_use_async.server.executors.view import KeyInput, PointerInput, TextInput
from tests.server.pages.opening import open_live
from tests.server.pages.showing import PAGE
from tests.support.patience import until


async def test_the_mouse_acts_in_the_page(browser, watched, showing):
    """Places are those of the page, for any size of its picture; without control nothing acts."""
    page, _ = await open_live(browser, watched, showing, width=1000, height=500)
    await page.click("#picture")
    await page.click("#control")
    untouched = list(showing.inputs)
    await page.click("#picture")
    x, y = await page.middle("#picture")
    await page.mouse("mouseWheel", x, y, deltaX=0, deltaY=120)
    await until(lambda: any(each.kind == "wheel" for each in showing.inputs))  # type: ignore[union-attr]

    assert untouched == []
    down, up = (each for each in showing.inputs if getattr(each, "clicks", 0))
    assert isinstance(down, PointerInput)
    assert isinstance(up, PointerInput)
    assert (down.kind, down.button, down.clicks, up.kind) == ("down", "left", 1, "up")
    assert (down.x, down.y) == pytest.approx((PAGE[0] / 2, PAGE[1] / 2), abs=2)
    wheel = showing.inputs[-1]
    assert isinstance(wheel, PointerInput)
    assert (wheel.kind, wheel.delta_y) == ("wheel", 120)


async def test_keys_go_to_the_page_and_come_back(browser, watched, showing):
    """In control every key goes to the page, also Tab; Escape twice releases the keyboard."""
    page, _ = await open_live(browser, watched, showing)
    await page.click("#control")
    await page.type("aB")
    await page.press("Tab")
    await page.press("a", modifiers=2)
    await page.press("Escape")
    await page.press("Escape")
    await page.until("document.activeElement.id === 'control'")
    await page.press("Tab")
    await page.press("z")
    await until(lambda: sum(isinstance(each, KeyInput) for each in showing.inputs) >= 10)
    keys = [
        (each.key, each.modifiers)
        for each in showing.inputs
        if isinstance(each, KeyInput) and each.kind == "down"
    ]

    assert keys == [("a", 0), ("B", 0), ("Tab", 0), ("a", 2), ("Escape", 0)]
    assert await page.run("document.getElementById('control').ariaPressed") == "false"
    ups = [each for each in showing.inputs if isinstance(each, KeyInput) and each.kind == "up"]
    assert len(ups) == len(keys)


async def test_pasted_and_composed_text(browser, watched, showing):
    """A paste goes to the page, and so does the text of the field below it."""
    page, _ = await open_live(browser, watched, showing)
    await page.click("#control")
    await page.run(
        """(() => {
          const carried = new DataTransfer();
          carried.setData("text/plain", "pasted grün");
          document.activeElement.dispatchEvent(
            new ClipboardEvent("paste", { clipboardData: carried, bubbles: true }));
        })()"""
    )
    await page.click("#typing-text")
    await page.type("hello")
    await page.press("Enter")
    await page.click("[data-key=Enter]")
    await until(lambda: len(showing.inputs) >= 4)

    assert showing.inputs == [
        TextInput("pasted grün"),
        TextInput("hello"),
        KeyInput("down", "Enter", "Enter"),
        KeyInput("up", "Enter", "Enter"),
    ]
    assert await page.run("document.getElementById('typing-text').value") == ""


async def test_a_finger_taps_and_scrolls(browser, watched, showing):
    """On a telephone a tap is a click, and a drag scrolls the page."""
    page, _ = await open_live(browser, watched, showing, width=360, height=740, phone=True)
    await page.click("#control")
    x, y = await page.middle("#picture")
    await page.tap(x, y)
    await until(lambda: len(showing.inputs) >= 3)
    tap = [each.kind for each in showing.inputs if isinstance(each, PointerInput)]
    for kind, down in (("touchStart", 0), ("touchMove", 30), ("touchMove", 60)):
        points = [{"x": x, "y": y - down}]
        await page.send("Input.dispatchTouchEvent", type=kind, touchPoints=points)
    await page.send("Input.dispatchTouchEvent", type="touchEnd", touchPoints=[])
    await until(lambda: len(showing.inputs) >= 5)
    scrolled = sum(each.delta_y for each in showing.inputs if isinstance(each, PointerInput))

    assert tap == ["move", "down", "up"]
    assert scrolled == pytest.approx(60 * PAGE[0] / 336, rel=0.05)
    assert [each.kind for each in showing.inputs[3:]] == ["wheel", "wheel"]  # type: ignore[union-attr]

"""The screencast of a task's browser, as viewers get it."""

import asyncio
import base64
import struct
from contextlib import aclosing

from playwright.async_api import Page

from browser_use_async.server.executors.browser.live_view import Screencast
from browser_use_async.server.executors.view import Frame
from tests.server.browser.conftest import VIEWPORT
from tests.server.browser.pages import serve_pages
from tests.support.patience import PATIENCE, until


def jpeg_size(image: bytes) -> tuple[int, int]:
    """Width and height of a JPEG."""
    place = 2
    while True:
        marker, length = struct.unpack_from(">HH", image, place)
        if 0xFFC0 <= marker <= 0xFFC3:
            height, width = struct.unpack_from(">HH", image, place + 5)
            return width, height
        place += length + 2


async def watch(screencast: Screencast, seen: list[Frame]) -> None:
    """Record frames until there are no more."""
    async with aclosing(screencast.frames()) as frames:
        async for frame in frames:
            seen.append(frame)  # noqa: PERF401 - others look at it meanwhile


async def test_a_still_page_is_seen_at_once_and_each_change_of_it(context, page):
    """Frames are JPEGs of the viewport's size, new ones as the page changes, until the end."""
    await page.set_content("<h1>Still</h1>")
    screencast = Screencast(context, VIEWPORT)
    seen: list[Frame] = []
    watching = asyncio.create_task(watch(screencast, seen))
    await until(lambda: seen)
    before = len(seen)
    await page.evaluate("document.body.style.background = 'red'")
    await until(lambda: len(seen) > before)
    await screencast.aclose()
    async with asyncio.timeout(PATIENCE):
        await watching

    assert {jpeg_size(frame.image) for frame in seen} == {VIEWPORT}
    assert {(frame.width, frame.height) for frame in seen} == {VIEWPORT}
    assert seen[0].image != seen[-1].image


async def test_it_goes_on_in_the_next_document(context, page):
    """The next document is another site with a process of its own, and its frames arrive."""
    screencast = Screencast(context, VIEWPORT)
    seen: list[Frame] = []
    watching = asyncio.create_task(watch(screencast, seen))
    await until(lambda: seen)
    async with serve_pages({"/": "<h1>Here</h1>"}) as site:
        for url in (site.url, site.other_url):
            await page.goto(url)
            before = len(seen)
            await page.evaluate("document.body.style.background = 'red'")
            await until(lambda before=before: len(seen) > before)
    await screencast.aclose()
    await watching


async def _colour_of_newest(seen: list[Frame], page: Page) -> list[int]:
    """The colour of the newest frame's middle, read by a browser."""
    data = base64.b64encode(seen[-1].image).decode()
    colour: list[int] = await page.evaluate(
        """async data => {
          const image = new Image(); image.src = `data:image/jpeg;base64,${data}`;
          await image.decode();
          const canvas = new OffscreenCanvas(1, 1).getContext("2d");
          canvas.drawImage(image, -400, -300);
          return [...canvas.getImageData(0, 0, 1, 1).data].slice(0, 3);
        }""",
        data,
    )
    return [round(each / 255) for each in colour]


async def test_new_windows_are_followed_and_closed_ones_left(context, page):
    """The newest window is shown, and the one before it when it closes."""
    reader = await (await context.browser.new_context()).new_page()  # type: ignore[union-attr]
    await page.set_content("<body style='background: red'>")
    screencast = Screencast(context, VIEWPORT)
    seen: list[Frame] = []
    watching = asyncio.create_task(watch(screencast, seen))

    async def shows(*colour: int) -> None:
        async with asyncio.timeout(PATIENCE):
            while not seen or await _colour_of_newest(seen, reader) != [*colour]:  # noqa: ASYNC110 - a frame is asked
                await asyncio.sleep(0.05)

    await shows(1, 0, 0)
    async with page.expect_popup() as opening:
        await page.evaluate("open('about:blank', '', 'popup')")
    popup = await opening.value
    await popup.set_content("<body style='background: lime'>")
    await shows(0, 1, 0)
    assert screencast.page is popup
    await popup.close()
    await shows(1, 0, 0)
    assert screencast.page is page
    await screencast.aclose()
    await watching


async def test_without_viewers_no_frame_is_taken(context, page):
    """A later viewer gets a new frame and not an old one; two viewers see the same."""
    screencast = Screencast(context, VIEWPORT)
    first: list[Frame] = []
    watching = asyncio.create_task(watch(screencast, first))
    await until(lambda: first)
    watching.cancel()
    await asyncio.gather(watching, return_exceptions=True)
    noted = len(first)
    await page.set_content("<h1>Unseen</h1>")
    seen: tuple[list[Frame], list[Frame]] = ([], [])
    both = [asyncio.create_task(watch(screencast, each)) for each in seen]
    # The browser may paint the change after the first of these frames.
    await until(lambda: seen[1] and seen[0] and seen[0][-1].image != first[-1].image)
    await screencast.aclose()
    await asyncio.gather(*both)

    assert len(first) == noted
    assert seen[0][-1] is seen[1][-1]
    assert all(frame is not old for frame in seen[0] for old in first)


async def test_a_page_that_hangs_delays_no_other(context, page):
    """The next window is shown, and the screencast ends."""
    screencast = Screencast(context, VIEWPORT)
    hanging = asyncio.create_task(page.evaluate("for (;;);"))
    seen: list[Frame] = []
    watching = asyncio.create_task(watch(screencast, seen))
    other = await context.new_page()
    await other.set_content("<h1>Here</h1>")
    await until(lambda: seen)
    await screencast.aclose()
    async with asyncio.timeout(PATIENCE):
        await watching
    await context.close()

    assert screencast.page is None
    assert isinstance(*await asyncio.gather(hanging, return_exceptions=True), Exception)

"""Elements of a page that a task names by words, and what is done with them."""

import asyncio
import contextlib
from collections.abc import Callable, Generator

import attrs
from playwright.async_api import ElementHandle, FilePayload, Frame, Locator

from browser_use_async.server.executors.browser.launch import CommandFailedError, NoAnswerError
from browser_use_async.server.executors.browser.locators import SELECTORS, Kind, ways_by_words
from browser_use_async.server.executors.browser.page import ANSWER_SECONDS, FRAME_SECONDS, TaskPage
from browser_use_async.server.executors.protocol import CannotContinueError

_APPEAR_SECONDS = 3.0
_LOOK_SECONDS = 0.25
_CLICK_SECONDS = 2.0
_NAMED = 12
_ASKING = "a question to the page"

# Types of fields in which browsers replace an invalid value.
_PICKED = frozenset("color date datetime-local month range time week".split())
_NOTHING: dict[Kind, tuple[str, str]] = {
    "clickables": ("nothing to click", "What can be clicked"),
    "fields": ("no field", "Its fields"),
}
# Of the elements that can be seen their places, names, tags and types. Designers hide checkboxes
# and file inputs behind their labels. Links that lead to one place are one.
_READ = """elements => {
  const isShown = (element) => ["checkbox", "radio", "file"].includes(element.type)
    || element.checkVisibility({ visibilityProperty: true }) && element.getClientRects().length > 0;
  const nameOf = (element) => String(element.labels?.[0]?.innerText
    || element.getAttribute("aria-label") || element.innerText || element.placeholder
    || element.title || element.value || element.name || element.querySelector("[alt]")?.alt || "")
    .slice(0, 20000).replace(/\\s+/g, " ").trim().slice(0, 200);
  const found = new Map();
  elements.slice(0, 3000).forEach((element, place) => {
    const key = element.matches("a[href]") ? nameOf(element) + " " + element.href : element;
    if (found.has(key) || !isShown(element)) return;
    const type = (element.getAttribute("type") || "").toLowerCase();
    found.set(key, [place, nameOf(element), element.tagName.toLowerCase(), type]);
  });
  return [...found.values()];
}"""
_OPTIONS = """element => Array.from(element.options, (option) => [option.text.trim(), option.value,
  option.disabled, element.multiple && option.selected])"""


class ElementNotFoundError(CannotContinueError):
    """A page without such an element, or with several."""


@attrs.frozen
class Element:
    """An element of a page."""

    handle: ElementHandle
    name: str
    tag: str
    type: str


async def find(page: TaskPage, kind: Kind, phrase: str, *, patience: bool = True) -> Element:
    """Find the only element with a name; without a name, the field for files."""
    deadline = asyncio.get_running_loop().time() + (_APPEAR_SECONDS if patience else 0)
    while True:
        for way in ways_by_words(kind, phrase):
            if (found := await _only(page, way.locate, phrase)) is not None:
                return found
        if asyncio.get_running_loop().time() >= deadline:
            raise ElementNotFoundError(await _not_found(page, kind, phrase))
        await asyncio.sleep(_LOOK_SECONDS)


@contextlib.contextmanager
def _tolerate_changes(page: TaskPage, frame: Frame) -> Generator[None, None, None]:
    """Go on where a page has moved on, or where a frame of it hangs."""
    try:
        yield
    except CommandFailedError:
        return
    except NoAnswerError:
        if frame is page.page.main_frame:
            raise


async def _only(page: TaskPage, locate: Callable[[Frame], Locator], phrase: str) -> Element | None:
    """Find the only visible element in all frames, or None."""
    chosen: Element | None = None
    names: list[str] = []
    async for frame in page.frames():
        with _tolerate_changes(page, frame):
            seconds = ANSWER_SECONDS if frame is page.page.main_frame else FRAME_SECONDS
            found = await page.run(locate(frame).evaluate_all(_READ), _ASKING, seconds)
            names += [name for _, name, _, _ in found]
            for place, _, tag, kind in found[:1]:
                getting = locate(frame).nth(place).element_handle(timeout=seconds * 1000)
                chosen = Element(await page.run(getting, _ASKING, seconds), phrase, tag, kind)
    if len(names) > 1:
        shown = ", ".join(f"“{name}”" for name in names[:_NAMED])
        what = f"called “{phrase}”" if phrase else "for files"
        raise ElementNotFoundError(
            f"{page.document.url} has {len(names)} elements {what}: {shown}. "
            "Name one by more of its words."
        )
    return chosen


async def _not_found(page: TaskPage, kind: Kind, phrase: str) -> str:
    url = page.document.url
    if not phrase:
        return f"{url} has no field for files."
    names: list[str] = []
    async for frame in page.frames():
        with _tolerate_changes(page, frame):
            reading = frame.locator(SELECTORS[kind]).evaluate_all(_READ)
            names += [each[1] for each in await page.run(reading, _ASKING, FRAME_SECONDS)]
    nothing, others = _NOTHING[kind]
    named = ", ".join([*dict.fromkeys(filter(None, names))][:_NAMED]) or "none"
    return f"{url} has {nothing} called “{phrase}”. {others}: {named}."


async def click(page: TaskPage, element: Element, *, covered: bool = True) -> None:
    """Click with the mouse; or as a script does, where something lies over the element.

    Designers hide boxes to tick behind their labels, so that these are clicked in any case.
    """
    try:
        clicking = element.handle.click(timeout=_CLICK_SECONDS * 1000)
        await page.run(clicking, "a click")
    except (CommandFailedError, NoAnswerError) as error:
        # A click counts even if the page does not answer it in time.
        if "performing click" not in str(error.__cause__):
            if not covered and element.type not in {"checkbox", "radio"}:
                raise CannotContinueError(f"“{element.name}” cannot be clicked") from error
            await page.run(element.handle.evaluate("element => element.click()"), "a click")


async def check(page: TaskPage, element: Element, *, on: bool) -> None:
    """Tick a box, or take the tick away."""
    try:
        is_on = await page.run(element.handle.is_checked(), _ASKING)
    except CommandFailedError as error:
        raise CannotContinueError(f"The field “{element.name}” is no box to tick.") from error
    if is_on is not on:
        await click(page, element)


async def fill(page: TaskPage, element: Element, value: str, shown: str) -> None:
    """Give a field its value: an option's text for a list, yes or no for a box."""
    if element.type in {"checkbox", "radio"}:
        on = value.strip().casefold() in {"yes", "on", "true", "1", "x"}
        await check(page, element, on=on)
        return
    asking = element.handle.evaluate("element => element.disabled || element.readOnly || false")
    if await page.run(asking, _ASKING):
        raise CannotContinueError(f"The field “{element.name}” cannot be changed.")
    if element.tag == "select":
        await _select(page, element, value, shown)
        return
    misfit = f"The field “{element.name}” ({element.type}) does not take {shown}."
    try:
        filling = element.handle.fill(value, timeout=_CLICK_SECONDS * 1000)
        await page.run(filling, "filling in a field")
    except CommandFailedError as error:
        raise CannotContinueError(misfit) from error
    if element.type in _PICKED and await page.run(element.handle.input_value(), "a field") != value:
        raise CannotContinueError(misfit)


async def _select(page: TaskPage, element: Element, value: str, shown: str) -> None:
    options = await page.run(element.handle.evaluate(_OPTIONS), _ASKING)
    usable = [index for index, (_, _, is_disabled, _) in enumerate(options) if not is_disabled]
    wanted = " ".join(value.casefold().split())
    same = [index for index in usable if wanted in {each.casefold() for each in options[index][:2]}]
    has = [index for index in usable if wanted in options[index][0].casefold()]
    if not same and not has:
        names = ", ".join([options[index][0] for index in usable][:_NAMED])
        raise CannotContinueError(f"The list “{element.name}” has no {shown}. It has: {names}.")
    kept = [index for index, (*_, is_kept) in enumerate(options) if is_kept]
    # The form of the focused field is sent next.
    await page.run(element.handle.focus(), "a field")
    selecting = element.handle.select_option(index=[*kept, (same or has)[0]])
    await page.run(selecting, "selecting an option")


async def give_file(page: TaskPage, element: Element, file: FilePayload) -> None:
    """Give a file to a field that takes some."""
    try:
        await page.run(element.handle.set_input_files(file), "an upload")
    except CommandFailedError as error:
        raise CannotContinueError(f"The field “{element.name}” takes no files.") from error

"""Elements of a page, found by their words as a person would, and what is done with them."""

import asyncio
import contextlib
import re
from collections.abc import Generator, Iterator
from typing import Literal

import attrs
from playwright.async_api import ElementHandle, FilePayload, Frame, Locator

from browser_use_async.server.executors.browser.launch import CommandFailedError, NoAnswerError
from browser_use_async.server.executors.browser.page import ANSWER_SECONDS, FRAME_SECONDS, TaskPage
from browser_use_async.server.executors.protocol import CannotContinueError
from browser_use_async.server.html.words import singular

_APPEAR_SECONDS = 3.0
_LOOK_SECONDS = 0.25
_CLICK_SECONDS = 2.0
_NAMED = 12
_MOST_WORDS = 50
_ASKING = "a question to the page"

Kind = Literal["clickables", "fields"]
SELECTORS: dict[Kind, str] = {
    "clickables": ":is(a[href], area[href], button, summary, label, [onclick], [role=button],"
    " [role=link], [role=tab], [role=menuitem], [role=option], [role=checkbox], [role=radio],"
    " [role=switch], input:is([type=submit], [type=button], [type=image], [type=reset],"
    " [type=checkbox], [type=radio])):not(:disabled)",
    "fields": "input:not([type=hidden], [type=submit], [type=button], [type=image], [type=reset]),"
    ' textarea, select, [role=textbox], [role=combobox], [contenteditable=""],'
    " [contenteditable=true]",
}
# What browsers put something else into where a value is none.
_PICKED = frozenset("color date datetime-local month range time week".split())
_WORDS: dict[Kind, tuple[str, str]] = {
    "clickables": ("nothing to click", "What can be clicked"),
    "fields": ("no field", "Its fields"),
}
_READ = """const isShown = (element) =>
  // Designers hide checkboxes and file inputs behind their labels.
  ["checkbox", "radio", "file"].includes(element.type)
    || element.checkVisibility({ visibilityProperty: true }) && element.getClientRects().length > 0;
const nameOf = (element) => String(element.labels?.[0]?.innerText
  || element.getAttribute("aria-label") || element.innerText || element.placeholder || element.title
  || element.value || element.name || element.querySelector("[alt]")?.alt || "")
  .slice(0, 20000).replace(/\\s+/g, " ").trim();
"""
# The place of the one with the fewest words beside those that are looked for.
_CHOOSE = f"""(found, selector) => {{ {_READ}
  let chosen = -1, least = Infinity;
  found.slice(0, 3000).forEach((part, place) => {{
    const element = part.closest(selector);
    if (!element || !isShown(element) || nameOf(element).length >= least) return;
    [chosen, least] = [place, nameOf(element).length];
  }});
  return chosen;
}}"""
_NAMES = f"""elements => {{ {_READ}
  const shown = elements.slice(0, 3000).filter(isShown);
  return shown.map((element) => nameOf(element).slice(0, 200)).filter(Boolean);
}}"""
_KIND = "it => [it.tagName.toLowerCase(), (it.getAttribute('type') || '').toLowerCase()]"
_OPTIONS = """element => Array.from(element.options, (option) => [option.text.trim(), option.value,
  option.disabled, element.multiple && option.selected])"""


class ElementNotFoundError(CannotContinueError):
    """A page without such an element."""


@attrs.frozen
class Element:
    """An element of a page."""

    handle: ElementHandle
    name: str
    tag: str
    type: str


async def find(page: TaskPage, kind: Kind, phrase: str, *, patience: bool = True) -> Element:
    """The element that a person means; no words mean the first field that takes files."""
    deadline = asyncio.get_running_loop().time() + (_APPEAR_SECONDS if patience else 0)
    while True:
        async for frame in page.frames():
            for locator in _locators(frame, kind, phrase):
                with _tolerate_changes(page, frame):
                    element = await _choose(page, frame, locator, SELECTORS[kind])
                    if element is not None:
                        return Element(element[0], phrase, *element[1])
        if asyncio.get_running_loop().time() >= deadline:
            raise ElementNotFoundError(await _not_found(page, kind, phrase))
        await asyncio.sleep(_LOOK_SECONDS)


def _locators(frame: Frame, kind: Kind, phrase: str) -> Iterator[Locator]:
    """What is called by a phrase, then what has all of its words, then what has it for a name."""
    if not phrase:
        yield frame.locator("input[type=file]")
        return
    words = [
        _in_any_number(word)
        for word in (re.findall(r"\w+", phrase) or phrase.split())[:_MOST_WORDS]
    ]
    whole = r"^\W*" + r"\W+".join(words) + r"\W*$"
    some = "^" + "".join(rf"(?=[\s\S]*(?<![a-z\d]){word}(?![a-z\d]))" for word in words)
    for pattern in (whole, some):
        name = re.compile(pattern, re.IGNORECASE)
        called = frame.get_by_label(name).or_(frame.get_by_title(name))
        if kind == "clickables":
            yield called.or_(frame.get_by_text(name)).or_(frame.get_by_alt_text(name))
        else:
            yield called.or_(frame.get_by_placeholder(name))
    quoted = phrase.replace("\\", "").replace('"', "")
    yield frame.locator(f'[name="{quoted}" i], [id="{quoted}" i]')


def _in_any_number(word: str) -> str:
    stem = singular(word.casefold())
    end = "(?:y|ies)" if stem.endswith("y") else "(?:e?s)?"
    return re.escape(stem.removesuffix("y")) + end


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


async def _choose(
    page: TaskPage, frame: Frame, locator: Locator, selector: str
) -> tuple[ElementHandle, list[str]] | None:
    seconds = ANSWER_SECONDS if frame is page.page.main_frame else FRAME_SECONDS
    place = await page.run(locator.evaluate_all(_CHOOSE, selector), _ASKING, seconds)
    if place < 0:
        return None
    getting = locator.nth(place).evaluate_handle("(part, of) => part.closest(of)", selector)
    handle = (await page.run(getting, _ASKING, seconds)).as_element()
    if handle is None:
        return None
    kind: list[str] = await page.run(handle.evaluate(_KIND), _ASKING, seconds)
    return handle, kind


async def _not_found(page: TaskPage, kind: Kind, phrase: str) -> str:
    url = page.document.url
    if not phrase:
        return f"{url} has no field for files."
    names: list[str] = []
    async for frame in page.frames():
        with _tolerate_changes(page, frame):
            reading = frame.locator(SELECTORS[kind]).evaluate_all(_NAMES)
            names += await page.run(reading, _ASKING, FRAME_SECONDS)
    nothing, others = _WORDS[kind]
    named = ", ".join([*dict.fromkeys(names)][:_NAMED]) or "none"
    return f"{url} has {nothing} called “{phrase}”. {others}: {named}."


async def click(page: TaskPage, element: Element) -> None:
    """Click with the mouse; or as a script does, where something lies over the element."""
    try:
        clicking = element.handle.click(timeout=_CLICK_SECONDS * 1000)
        await page.run(clicking, "a click")
    except (CommandFailedError, NoAnswerError) as error:
        # One that has been made counts, even if the page does not answer it in time.
        if "performing click" not in str(error.__cause__):
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
    # The form that is sent next is the one of the field that has the keyboard.
    await page.run(element.handle.focus(), "a field")
    selecting = element.handle.select_option(index=[*kept, (same or has)[0]])
    await page.run(selecting, "selecting an option")


async def give_file(page: TaskPage, element: Element, file: FilePayload) -> None:
    """Give a file to a field that takes some."""
    try:
        await page.run(element.handle.set_input_files(file), "an upload")
    except CommandFailedError as error:
        raise CannotContinueError(f"The field “{element.name}” takes no files.") from error

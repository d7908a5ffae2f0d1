"""Elements of a page, and what is done with them."""

import attrs
from playwright.async_api import ElementHandle, FilePayload

from browser_use_async.server.executors.browser.launch import CommandFailedError, NoAnswerError
from browser_use_async.server.executors.browser.page import TaskPage
from browser_use_async.server.executors.protocol import CannotContinueError

_CLICK_SECONDS = 2.0
_NAMED = 12
_ASKING = "a question to the page"

# Types of fields in which browsers replace an invalid value.
_PICKED = frozenset("color date datetime-local month range time week".split())
_OPTIONS = """element => Array.from(element.options, (option) => [option.text.trim(), option.value,
  option.disabled, element.multiple && option.selected])"""


@attrs.frozen
class Element:
    """An element of a page."""

    handle: ElementHandle
    name: str
    tag: str
    type: str


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

"""Elements of a page, found by their words as a person would, and what is done with them."""

import asyncio
from collections.abc import Sequence
from typing import Any, Literal

import attrs
from playwright.async_api import ElementHandle, FilePayload

from browser_use_async.server.executors.browser.launch import CommandFailedError, NoAnswerError
from browser_use_async.server.executors.browser.page import TaskPage
from browser_use_async.server.executors.protocol import CannotContinueError
from browser_use_async.server.html.page import Link
from browser_use_async.server.html.words import choose_link

_APPEAR_SECONDS = 3.0
_LOOK_SECONDS = 0.25
_CLICK_SECONDS = 2.0
_NAMED = 12

Kind = Literal["clickables", "fields"]
_WORDS: dict[str, tuple[str, str]] = {
    "clickables": ("nothing to click", "What can be clicked"),
    "fields": ("no field", "Its fields"),
}


class ElementNotFoundError(CannotContinueError):
    """A page without such an element."""


@attrs.frozen
class Element:
    """An element of a page.

    Attributes:
        handle: What Playwright calls it.
        name: Its words.
        tag: The kind of element, such as `input`.
        type: The value of its attribute `type`.
    """

    handle: ElementHandle
    name: str
    tag: str
    type: str


async def find(page: TaskPage, kind: Kind, phrase: str, *, patience: bool = True) -> Element:
    """The element that a person means; no words mean the first field that takes files."""
    deadline = asyncio.get_running_loop().time() + (_APPEAR_SECONDS if patience else 0)
    while True:
        seen: list[dict[str, Any]] = []
        async for described, found in page.elements(kind):
            index = _chosen(described, phrase)
            if index is not None:
                element = await _element(page, described[index], found, index, phrase)
                if element is not None:
                    return element
            seen += described
        if asyncio.get_running_loop().time() >= deadline:
            raise ElementNotFoundError(_not_found(page.document.url, kind, phrase, seen))
        await asyncio.sleep(_LOOK_SECONDS)


async def click(page: TaskPage, element: Element) -> None:
    """Click with the mouse; or as a script does, where something lies over the element."""
    try:
        clicking = element.handle.click(timeout=_CLICK_SECONDS * 1000)
        await page.run(clicking, "a click")
    except (CommandFailedError, NoAnswerError) as error:
        # One that has been made counts, even if the page does not answer it in time.
        if "performing click" not in str(error.__cause__):
            await page.ask_element("click", element.handle)


async def check(page: TaskPage, element: Element, *, on: bool) -> None:
    """Tick a box, or take the tick away."""
    if await page.ask_element("isChecked", element.handle) is not on:
        await click(page, element)


async def fill(page: TaskPage, element: Element, value: str, shown: str) -> None:
    """Give a field its value: an option's text for a list, yes or no for a box."""
    if element.type in {"checkbox", "radio"}:
        on = value.strip().casefold() in {"yes", "on", "true", "1", "x"}
        await check(page, element, on=on)
        return
    answer: dict[str, Any] = await page.ask_element("prepare", element.handle, value)
    how = answer["how"]
    if how == "locked":
        raise CannotContinueError(f"The field “{element.name}” cannot be changed.")
    if how == "missing":
        options = ", ".join(answer["options"][:_NAMED])
        raise CannotContinueError(f"The list “{element.name}” has no {shown}. It has: {options}.")
    if how == "misfit":
        raise _misfit(element, shown)
    if how == "type":
        try:
            filling = element.handle.fill(value, timeout=_CLICK_SECONDS * 1000)
            await page.run(filling, "filling in a field")
        except CommandFailedError as error:
            raise _misfit(element, shown) from error


async def give_file(page: TaskPage, element: Element, file: FilePayload) -> None:
    """Give a file to a field that takes some."""
    try:
        await page.run(element.handle.set_input_files(file), "an upload")
    except CommandFailedError as error:
        raise CannotContinueError(f"The field “{element.name}” takes no files.") from error


def _misfit(element: Element, shown: str) -> CannotContinueError:
    return CannotContinueError(
        f"The field “{element.name}” ({element.type}) does not take {shown}."
    )


async def _element(
    page: TaskPage, one: dict[str, Any], found: Any, index: int, phrase: str
) -> Element | None:
    getting = found.evaluate_handle("(found, index) => found.elements[index]", index)
    handle = (await page.run(getting, "a question to the page")).as_element()
    if handle is None:
        return None
    return Element(handle, one["text"] or one["hint"] or phrase, one["tag"], one["type"])


def _chosen(found: Sequence[dict[str, Any]], phrase: str) -> int | None:
    if not phrase:
        return next((place for place, one in enumerate(found) if one["type"] == "file"), None)
    usable = [place for place, one in enumerate(found) if not one["disabled"]]
    links = [
        Link(found[place]["text"], found[place]["url"], found[place]["hint"]) for place in usable
    ]
    link = choose_link(links, phrase)
    return None if link is None else usable[links.index(link)]


def _not_found(url: str, kind: str, phrase: str, found: Sequence[dict[str, Any]]) -> str:
    if not phrase:
        return f"{url} has no field for files."
    nothing, others = _WORDS[kind]
    names = list(dict.fromkeys(one["text"] or one["hint"] for one in found))
    named = ", ".join(list(filter(None, names))[:_NAMED]) or "none"
    return f"{url} has {nothing} called “{phrase}”. {others}: {named}."

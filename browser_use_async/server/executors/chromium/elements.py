"""What can be clicked and filled in on a page, found by its words as a person would."""

import asyncio
from collections.abc import Sequence
from typing import Any, Literal

import attrs

from browser_use_async.server.executors.chromium.connection import CommandFailedError
from browser_use_async.server.executors.chromium.live import key_command
from browser_use_async.server.executors.chromium.tab import Tab
from browser_use_async.server.executors.viewing import KeyInput
from browser_use_async.server.html.page import Link
from browser_use_async.server.html.words import choose_link

_APPEAR_SECONDS = 3.0
_LOOK_SECONDS = 0.25
_NAMED = 12

Kind = Literal["clickables", "fields"]
_WORDS: dict[str, tuple[str, str]] = {
    "clickables": ("nothing to click", "What can be clicked"),
    "fields": ("no field", "Its fields"),
}


class ElementNotFoundError(Exception):
    """A page without such an element. Its text is a sentence for a person."""


class NotFillableError(Exception):
    """A field that does not take a value. Its text is a sentence for a person."""


@attrs.frozen
class Element:
    """An element of a page.

    Attributes:
        index: Its place in what was found last.
        name: Its words.
        tag: The kind of element, such as `input`.
        type: The value of its attribute `type`.
    """

    index: int
    name: str
    tag: str
    type: str


async def find(tab: Tab, kind: Kind, phrase: str, *, patience: bool = True) -> Element:
    """The element that a person means.

    Args:
        tab: The page.
        kind: Things to click, or fields.
        phrase: Words for it.
        patience: Whether to wait a little for a script to show it.

    Raises:
        ElementNotFoundError: There is none.
        DevToolsError: The page is gone or hangs.
    """
    deadline = asyncio.get_running_loop().time() + (_APPEAR_SECONDS if patience else 0)
    while True:
        found = await tab.ask(kind)
        element = _chosen(found, phrase)
        if element is not None:
            return element
        if asyncio.get_running_loop().time() >= deadline:
            raise ElementNotFoundError(_not_found(tab.document.url, kind, phrase, found))
        await asyncio.sleep(_LOOK_SECONDS)


async def click(tab: Tab, element: Element) -> None:
    """Click with the mouse; or as a script does, where something lies over the element.

    Args:
        tab: The page.
        element: What to click.

    Raises:
        DevToolsError: The page is gone or hangs.
    """
    place = await tab.ask("place", element.index)
    if place is None:
        await tab.ask("click", element.index)
        return
    left = {"button": "left", "clickCount": 1, **place}
    tab.session.post("Input.dispatchMouseEvent", type="mouseMoved", **place)
    tab.session.post("Input.dispatchMouseEvent", type="mousePressed", **left)
    await tab.take("Input.dispatchMouseEvent", type="mouseReleased", **left)


async def press(tab: Tab, key: str, code: str) -> None:
    """Press and release a key.

    Args:
        tab: The page.
        key: What the key means, as pages are told.
        code: Where it is on the keyboard, as pages are told.
    """
    tab.session.post("Input.dispatchKeyEvent", **key_command(KeyInput("down", key, code)))
    await tab.take("Input.dispatchKeyEvent", **key_command(KeyInput("up", key, code)))


async def check(tab: Tab, element: Element, *, on: bool) -> None:
    """Tick a box, or take the tick away.

    Args:
        tab: The page.
        element: The box or its label.
        on: Whether it shall be ticked.

    Raises:
        DevToolsError: The page is gone or hangs.
    """
    if await tab.ask("isChecked", element.index) is not on:
        await click(tab, element)


async def fill(tab: Tab, element: Element, value: str, shown: str) -> None:
    """Give a field a value, in place of the one that it has.

    Args:
        tab: The page.
        element: The field.
        value: The value: an option's text for a list, yes or no for a box.
        shown: How the value is called in errors.

    Raises:
        NotFillableError: The field does not take it.
        DevToolsError: The page is gone or hangs.
    """
    if element.type in {"checkbox", "radio"}:
        await check(tab, element, on=value.strip().casefold() in {"yes", "on", "true", "1", "x"})
        return
    answer: dict[str, Any] = await tab.ask("prepare", element.index, value)
    how = answer["how"]
    if how == "locked":
        raise NotFillableError(f"The field “{element.name}” cannot be changed.")
    if how == "misfit":
        raise NotFillableError(
            f"The field “{element.name}” ({element.type}) does not take {shown}."
        )
    if how == "missing":
        options = ", ".join(answer["options"][:_NAMED])
        raise NotFillableError(f"The list “{element.name}” has no {shown}. It has: {options}.")
    if how == "type":
        if value:
            await tab.session.send("Input.insertText", text=value)
        else:
            await press(tab, "Delete", "Delete")


async def offer_files(tab: Tab, element: Element, paths: Sequence[str]) -> None:
    """Give files to a field that takes some.

    Args:
        tab: The page.
        element: The field.
        paths: The files.

    Raises:
        NotFillableError: It takes none.
        DevToolsError: The page is gone or hangs.
    """
    handle = await tab.object("element", element.index)
    try:
        await tab.session.send("DOM.setFileInputFiles", files=list(paths), objectId=handle)
    except CommandFailedError as error:
        raise NotFillableError(f"The field “{element.name}” takes no files.") from error


def _chosen(found: Sequence[dict[str, Any]], phrase: str) -> Element | None:
    usable = [place for place, one in enumerate(found) if not one["disabled"]]
    links = [
        Link(found[place]["text"], found[place]["url"], found[place]["hint"]) for place in usable
    ]
    link = choose_link(links, phrase)
    if link is None:
        return None
    place = usable[links.index(link)]
    one = found[place]
    return Element(place, one["text"] or one["hint"] or phrase, one["tag"], one["type"])


def _not_found(url: str, kind: str, phrase: str, found: Sequence[dict[str, Any]]) -> str:
    nothing, others = _WORDS[kind]
    names = list(dict.fromkeys(one["text"] or one["hint"] for one in found))
    named = ", ".join(list(filter(None, names))[:_NAMED]) or "none"
    return f"{url} has {nothing} called “{phrase}”. {others}: {named}."

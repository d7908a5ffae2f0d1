"""Descriptions of pages and elements, by which an element is found and checked again."""

from typing import Any

import attrs
from playwright.async_api import ElementHandle, Frame

from browser_use_async.server.executors.browser.elements import Element
from browser_use_async.server.executors.browser.launch import CommandFailedError, PageLimitError
from browser_use_async.server.executors.browser.page import (
    MOST_URL_CHARACTERS,
    TaskPage,
    script,
)
from browser_use_async.server.executors.scripts.addresses import fits
from browser_use_async.server.executors.scripts.recorder import Snapshot
from browser_use_async.server.executors.scripts.script import (
    Description,
    Effect,
    ScriptStep,
    says_change,
)

_TELLING_NOTHING = frozenset({"", "text", "submit", "button"})  # types that many elements have
_ATTRIBUTES = ("test_id", "id", "field", "placeholder", "options")


@attrs.frozen
class SeenElement:
    """The current state of an element on its page."""

    description: Description
    is_disabled: bool = False


def problem_with(step: ScriptStep, seen: SeenElement) -> str:
    """Why a step may not be taken with an element, as a clause; empty if it may.

    A step that changes something needs all of its words and its place as they were. One that only
    reads may have another name where two other signs say that it is the same.
    """
    was, now = step.element, seen.description
    assert was is not None
    if now.role != was.role:
        return f"it is a {now.role or now.tag} and was a {was.role or was.tag}"
    if seen.is_disabled:
        return "it is disabled"
    has_name = now.name == was.name
    has_place = (now.heading, now.form) == (was.heading, was.form)
    if step.effect is Effect.CHANGES:
        if has_name and has_place and now.item == was.item:
            return ""
        place = f" of “{now.item}”" if now.item else ""
        under = f" under “{now.heading}”" if now.heading else ""
        return f"it is “{now.name}”{place}{under} now, and the step changes something"
    if not has_name and says_change(step.action, now.name):
        return f"it is called “{now.name}” now, which changes something"
    if was.item and now.item != was.item:
        return f"it belongs to “{now.item}” and not to “{was.item}”"
    signs = _signs(was, now) + has_name + has_place
    return "" if signs >= (1 if has_name else 2) else f"it is called “{now.name}” now"


def _signs(was: Description, now: Description) -> int:
    """The number of other properties that two descriptions share."""
    pairs = ((getattr(was, name), getattr(now, name)) for name in _ATTRIBUTES)
    same: int = sum(bool(one) and one == other for one, other in pairs)
    same += was.type == now.type and was.type not in _TELLING_NOTHING
    return same + (bool(was.href) and _path(was.href) == _path(now.href))


def _path(address: str) -> str:
    return address.partition("?")[0].partition("#")[0]


FOCUSED = "document.activeElement === document.body ? null : document.activeElement"
"""The expression of the element that has the keyboard."""

_ASKING = "a question to the page"
_MOST_CHARACTERS = 2_000_000  # of a page that is compared
_MOST_OPTIONS = 300
_DESCRIBED = {each.name for each in attrs.fields(Description)}


async def snapshot_of(page: TaskPage) -> Snapshot:
    """Take a snapshot of a page, once it has come to rest.

    Raises:
        PageLimitError: There is more than a script can compare.
    """
    await page.wait_for_rest()
    call = f"({script('describe')}).snapshot()"
    try:
        raw = await page.run(page.page.main_frame.evaluate(call), _ASKING)
    except CommandFailedError:  # the page has navigated meanwhile
        await page.wait_for_rest()
        raw = await page.run(page.page.main_frame.evaluate(call), _ASKING)
    return snapshot_from(raw)


def snapshot_from(raw: Any) -> Snapshot:
    """Read the snapshot of a page, whose answer may be anything.

    Raises:
        PageLimitError: It is no snapshot, or there is more than a script can compare.
    """
    left = [_MOST_CHARACTERS]
    try:
        url, kind = str(raw["url"])[:MOST_URL_CHARACTERS], str(raw["kind"])
        return Snapshot(url, _checked_tree(raw["tree"], left), kind)
    except (TypeError, KeyError, ValueError, RecursionError):
        raise PageLimitError("it has more in it than a script can compare") from None


def _checked_tree(raw: Any, left: list[int]) -> list[Any]:
    tag, attributes, content = raw
    kept = {str(name): str(value) for name, value in dict(attributes).items()}
    left[0] -= 20 + sum(map(len, kept.values()))
    inside: list[Any] = []
    for each in content:
        if isinstance(each, str):
            left[0] -= len(each)
            inside.append(each)
        else:
            inside.append(_checked_tree(each, left))
        if left[0] < 0:
            raise ValueError
    return [str(tag), kept, inside]


async def described(page: TaskPage, handle: ElementHandle) -> SeenElement:
    """Ask a page for the properties of an element."""
    asking = handle.evaluate(f"element => ({script('describe')}).describe(element)")
    return seen_element(await page.run(asking, _ASKING))


def element_of(handle: ElementHandle, description: Description) -> Element:
    """The element with a description, for the runner of actions."""
    return Element(handle, description.words, description.tag, description.type)


async def element_at(page: TaskPage, expression: str) -> Element | None:
    """Find an element by an expression, also one in a frame; None if it finds none."""
    finding = page.page.main_frame.evaluate_handle(expression)
    handle = (await page.run(finding, _ASKING)).as_element()
    while handle is not None:
        seen = (await described(page, handle)).description
        is_inside = seen.tag in {"iframe", "frame"}
        frame = await page.run(handle.content_frame(), _ASKING) if is_inside else None
        if frame is None:
            return element_of(handle, seen)
        handle = (await page.run(frame.evaluate_handle(expression), _ASKING)).as_element()
    return None


def seen_element(raw: Any) -> SeenElement:
    """Read the description of an element, for which a page may answer with anything."""
    given: dict[str, Any] = raw if isinstance(raw, dict) else {}
    texts = {
        name: " ".join(str(given.get(name) or "").split())[:MOST_URL_CHARACTERS]
        for name in _DESCRIBED - {"options"}
    }
    offered = given.get("options")
    options = tuple(map(str, offered[:_MOST_OPTIONS])) if isinstance(offered, list) else ()
    return SeenElement(Description(**texts, options=options), bool(given.get("disabled")))


def is_frame(frame: Frame, wanted: str) -> bool:
    """Whether a frame is the one of an element: by its address, or as the page itself."""
    is_page = frame.parent_frame is None
    return is_page if not wanted else not is_page and fits(frame.url, wanted)

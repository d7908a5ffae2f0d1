"""Finds elements, by one list of locators for the words of a task and for descriptions."""

import asyncio
import contextlib
import re
from collections.abc import Callable, Iterator
from functools import partial, reduce
from typing import Any, Literal, get_args

import attrs
from playwright.async_api import ElementHandle, Frame, Locator

from browser_use_async.server.executors.browser.elements import Element
from browser_use_async.server.executors.browser.launch import CommandFailedError, NoAnswerError
from browser_use_async.server.executors.browser.page import (
    ANSWER_SECONDS,
    FRAME_SECONDS,
    TaskPage,
    script,
)
from browser_use_async.server.executors.browser.page_description import described, is_frame
from browser_use_async.server.executors.protocol import CannotContinueError
from browser_use_async.server.executors.scripts.script import Description

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
_Role = Literal["button", "link", "tab", "menuitem", "option", "checkbox", "radio", "switch"]
_ROLES: tuple[_Role, ...] = get_args(_Role)
_ROWS = "li, tr, article, [role=listitem], [role=row]"
_BOXES = ":is([type=checkbox], [type=radio], [type=file])"
_APPEAR_SECONDS = 3.0
_LOOK_SECONDS = 0.25
_MOST_ALIKE = 50  # elements with the same words that are compared
_NAMED = 12
_ASKING = "a question to the page"
_NOTHING: dict[Kind, tuple[str, str]] = {
    "clickables": ("nothing to click", "What can be clicked"),
    "fields": ("no field", "Its fields"),
}
# The address of a link that leads somewhere, and does not only start a script.
_LEADS = re.compile(r"(?!#|javascript:).", re.IGNORECASE)


class ElementNotFoundError(CannotContinueError):
    """A page without such an element, or with several."""


@attrs.frozen
class Words:
    """What a task calls an element; without a phrase it is the field for files."""

    kind: Kind
    phrase: str


@attrs.frozen
class Way:
    """One way to find an element."""

    by: str  # in words, for people
    locate: Callable[[Frame], Locator]

    @property
    def has_words(self) -> bool:
        """Whether it goes by words that people read.

        Where these fit several elements, no attribute decides which of them is meant.
        """
        return self.by not in {"its test id", "its attribute"}


def ways(wanted: Words | Description) -> Iterator[Way]:
    """The ways to an element, the best one first. Its place among others is none of them."""
    for signs in _signs(wanted):
        for by, locator in _LOCATORS.items():
            if sign := signs.get(by):
                yield Way(by, partial(locator, sign))


def _signs(wanted: Words | Description) -> Iterator[dict[str, Any]]:
    """What is known of an element, by the ways to find it."""
    if isinstance(wanted, Description):
        role, name, item = wanted.role, wanted.name, wanted.item
        yield {
            "its row": role and name and item and (item, role, name),
            "its name": role and name and not item and ((role,), name, ""),
            "its test id": wanted.test_id,
            "its label": wanted.label,
            "its placeholder": wanted.placeholder,
        }
        for attribute, value in (("name", wanted.field), ("id", wanted.id)):
            if value and not set(value) & set('"\\\n'):
                yield {"its attribute": f'{wanted.tag or "*"}[{attribute}="{value}"]'}
    elif not wanted.phrase:
        yield {"its attribute": "input[type=file]"}
    else:
        among = SELECTORS[wanted.kind]
        words = r"\s+".join(map(re.escape, wanted.phrase.split()))
        for pattern in (rf"^\W*{words}\W*$", rf"(?<!\w){words}(?!\w)"):  # the whole, then a part
            called = re.compile(pattern, re.IGNORECASE)
            if wanted.kind == "fields":
                yield {"its words": called}
            else:
                yield {"its name": (_ROLES, called, among), "its text": called}
        quoted = wanted.phrase.replace("\\", "").replace('"', "")
        yield {"its attribute": f':is([name="{quoted}" i], [id="{quoted}" i]):is({among})'}


def _in_row(sign: tuple[str, Any, str], frame: Frame) -> Locator:
    item, role, name = sign
    rows = frame.locator(_ROWS).filter(has=frame.get_by_text(item, exact=True))
    return rows.get_by_role(role, name=name, exact=True)


def _with_role(sign: tuple[Any, Any, str], frame: Frame) -> Locator:
    """Links, buttons and the like by their accessible names."""
    roles, name, among = sign
    found = reduce(Locator.or_, (frame.get_by_role(role, name=name, exact=True) for role in roles))
    return found.and_(frame.locator(among)) if among else found


def _clickable(name: re.Pattern[str], frame: Frame) -> Locator:
    """Clickable elements without such a role, by their texts or tooltips."""
    clickables = frame.locator(SELECTORS["clickables"])
    return clickables.filter(has_text=name).or_(frame.get_by_title(name).and_(clickables))


def _field(name: re.Pattern[str], frame: Frame) -> Locator:
    called = frame.get_by_label(name).or_(frame.get_by_placeholder(name))
    return called.or_(frame.get_by_title(name)).and_(frame.locator(SELECTORS["fields"]))


# The list, in its order. Nothing else finds elements.
_LOCATORS: dict[str, Callable[[Any, Frame], Locator]] = {
    "its row": _in_row,
    "its name": _with_role,
    "its text": _clickable,
    "its words": _field,
    "its test id": lambda sign, frame: frame.get_by_test_id(sign),
    "its label": lambda sign, frame: frame.get_by_label(sign, exact=True),
    "its placeholder": lambda sign, frame: frame.get_by_placeholder(sign, exact=True),
    "its attribute": lambda sign, frame: frame.locator(sign),
}


async def matching(page: TaskPage, way: Way, frame: str | None = None) -> list[ElementHandle]:
    """The elements that a way finds: those that are seen, and boxes hidden behind a label.

    Args:
        page: The page.
        way: One way of the list.
        frame: The address of their frame, as in a description; None for all frames.
    """
    found: list[ElementHandle] = []
    async for each in page.frames():
        if frame is not None and not is_frame(each, frame):
            continue
        is_main = each is page.page.main_frame
        located = way.locate(each)
        shown = located.filter(visible=True).or_(located.and_(each.locator(_BOXES)))
        try:
            seconds = ANSWER_SECONDS if is_main else FRAME_SECONDS
            found += await page.run(shown.element_handles(), _ASKING, seconds)
        except CommandFailedError:
            continue  # the page has navigated
        except NoAnswerError:
            if is_main:
                raise
    return found


async def locate(page: TaskPage, kind: Kind, phrase: str, *, patience: bool = True) -> Element:
    """Find the only element that has the words of a task.

    Raises:
        ElementNotFoundError: There is none, or there are several.
    """
    deadline = asyncio.get_running_loop().time() + (_APPEAR_SECONDS if patience else 0)
    while True:
        with contextlib.suppress(CommandFailedError):  # the page has moved on
            for way in ways(Words(kind, phrase)):
                if found := await matching(page, way):
                    return await _only(page, found, phrase)
        if asyncio.get_running_loop().time() >= deadline:
            raise ElementNotFoundError(await _not_found(page, kind, phrase))
        await asyncio.sleep(_LOOK_SECONDS)


async def _only(page: TaskPage, found: list[ElementHandle], phrase: str) -> Element:
    """The only one of some elements. Links with one name that lead to one place are one."""
    distinct: dict[object, tuple[ElementHandle, Description]] = {}
    for handle in found[:_MOST_ALIKE]:
        seen = (await described(page, handle)).description
        key = (seen.name, seen.href) if _LEADS.match(seen.href) else handle
        distinct.setdefault(key, (handle, seen))
    count = len(distinct) + len(found[_MOST_ALIKE:])
    if count > 1:
        shown = ", ".join(f"“{seen.name}”" for _, seen in [*distinct.values()][:_NAMED])
        what = f"called “{phrase}”" if phrase else "for files"
        raise ElementNotFoundError(
            f"{page.document.url} has {count} elements {what}: {shown}. "
            "Name one by more of its words."
        )
    ((handle, seen),) = distinct.values()
    return Element(handle, phrase, seen.tag, seen.type)


async def _not_found(page: TaskPage, kind: Kind, phrase: str) -> str:
    url = page.document.url
    if not phrase:
        return f"{url} has no field for files."
    names: list[str] = []
    call = f"elements => ({script('describe')}).names(elements)"
    async for frame in page.frames():
        with contextlib.suppress(CommandFailedError, NoAnswerError):
            asking = frame.locator(SELECTORS[kind]).evaluate_all(call)
            said = await page.run(asking, _ASKING, FRAME_SECONDS)
            names += map(str, said if isinstance(said, list) else ())
    nothing, others = _NOTHING[kind]
    named = ", ".join([*dict.fromkeys(filter(None, names))][:_NAMED]) or "none"
    return f"{url} has {nothing} called “{phrase}”. {others}: {named}."

"""The ways to find an element, as Playwright's locators: by words, or by its description."""

import re
from collections.abc import Callable, Iterator
from functools import partial, reduce
from typing import Any, Literal, cast, get_args

import attrs
from playwright.async_api import Frame, Locator

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


@attrs.frozen
class Way:
    """One way to find an element."""

    by: str  # in words, for people
    locate: Callable[[Frame], Locator]
    # Whether it goes by words that people read: where these fit several elements, no attribute
    # decides which of them is meant
    has_words: bool = True


def ways_by_words(kind: Kind, phrase: str) -> Iterator[Way]:
    """The ways by the words of a task: the whole name, a part of it, the attribute.

    Without words it is the field for files.
    """
    if not phrase:
        yield Way("its type", lambda frame: frame.locator("input[type=file]"), has_words=False)
        return
    words = r"\s+".join(map(re.escape, phrase.split()))
    for pattern in (rf"^\W*{words}\W*$", rf"(?<!\w){words}(?!\w)"):
        name = re.compile(pattern, re.IGNORECASE)
        if kind == "fields":
            yield Way("its label", partial(_field, name=name))
        else:
            yield Way("its name", partial(_control, name=name))
            yield Way("its text", partial(_clickable, name=name))
    quoted = phrase.replace("\\", "").replace('"', "")
    selector = f':is([name="{quoted}" i], [id="{quoted}" i]):is({SELECTORS[kind]})'
    yield Way("its attribute", partial(Frame.locator, selector=selector), has_words=False)


def ways_by_description(element: Description) -> Iterator[Way]:
    """The ways by what was recorded of an element. Its place among others is none of them."""
    role, name, item = cast(Any, element.role), element.name, element.item
    if item and role and name:
        yield Way("its row", partial(_in_row, item=item, role=role, name=name))
    elif role and name:
        yield Way("its name", lambda frame: frame.get_by_role(role, name=name, exact=True))
    if element.test_id:
        yield Way(
            "its test id", lambda frame: frame.get_by_test_id(element.test_id), has_words=False
        )
    if element.label:
        yield Way("its label", lambda frame: frame.get_by_label(element.label, exact=True))
    if element.placeholder:
        yield Way(
            "its placeholder",
            lambda frame: frame.get_by_placeholder(element.placeholder, exact=True),
        )
    for attribute, value in (("name", element.field), ("id", element.id)):
        if value and not set(value) & set('"\\\n'):
            selector = f'{element.tag or "*"}[{attribute}="{value}"]'
            locate = partial(Frame.locator, selector=selector)
            yield Way(f"its attribute {attribute}", locate, has_words=False)


def _field(frame: Frame, name: re.Pattern[str]) -> Locator:
    called = frame.get_by_label(name).or_(frame.get_by_placeholder(name))
    return called.or_(frame.get_by_title(name)).and_(frame.locator(SELECTORS["fields"]))


def _control(frame: Frame, name: re.Pattern[str]) -> Locator:
    """Links, buttons and the like by their accessible names."""
    controls = [frame.get_by_role(role, name=name) for role in _ROLES]
    return reduce(Locator.or_, controls).and_(frame.locator(SELECTORS["clickables"]))


def _clickable(frame: Frame, name: re.Pattern[str]) -> Locator:
    """Clickable elements without such a role, by their texts or tooltips."""
    clickables = frame.locator(SELECTORS["clickables"])
    return clickables.filter(has_text=name).or_(frame.get_by_title(name).and_(clickables))


def _in_row(frame: Frame, item: str, role: Any, name: str) -> Locator:
    rows = frame.locator(_ROWS).filter(has=frame.get_by_text(item, exact=True))
    return rows.get_by_role(role, name=name, exact=True)

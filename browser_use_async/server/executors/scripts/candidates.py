"""The ways to find an element again, the best first, as Playwright's locators."""

from collections.abc import Callable, Iterator
from typing import Any, cast

import attrs
from playwright.async_api import Frame, Locator

from browser_use_async.server.executors.scripts.script import Description

_ROWS = "li, tr, article, [role=listitem], [role=row]"


@attrs.frozen
class Candidate:
    """One way to find an element."""

    by: str  # in words, for people
    locate: Callable[[Frame], Locator]
    # Whether it goes by words that people read: where these fit several elements, no attribute
    # decides which of them is meant
    has_words: bool = True


def candidates_of(element: Description) -> Iterator[Candidate]:
    """The ways to find an element. Its place among others is none of them."""
    role, name, item = cast(Any, element.role), element.name, element.item
    if item and role and name:
        yield Candidate("its row", lambda frame: _in_row(frame, item, role, name))
    elif role and name:
        yield Candidate("its name", lambda frame: frame.get_by_role(role, name=name, exact=True))
    if element.test_id:
        yield Candidate(
            "its test id", lambda frame: frame.get_by_test_id(element.test_id), has_words=False
        )
    if element.label:
        yield Candidate("its label", lambda frame: frame.get_by_label(element.label, exact=True))
    if element.placeholder:
        yield Candidate(
            "its placeholder",
            lambda frame: frame.get_by_placeholder(element.placeholder, exact=True),
        )
    for attribute, value in (("name", element.field), ("id", element.id)):
        if value and not set(value) & set('"\\\n'):
            selector = f'{element.tag or "*"}[{attribute}="{value}"]'
            yield Candidate(
                f"its attribute {attribute}",
                lambda frame, selector=selector: frame.locator(selector),  # type: ignore[misc]
                has_words=False,
            )


def _in_row(frame: Frame, item: str, role: Any, name: str) -> Locator:
    rows = frame.locator(_ROWS).filter(has=frame.get_by_text(item, exact=True))
    return rows.get_by_role(role, name=name, exact=True)

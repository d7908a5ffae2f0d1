"""What a page says of itself and of its elements, which may be anything: checked and bounded."""

from typing import Any

import attrs
from playwright.async_api import ElementHandle

from browser_use_async.server.executors.browser.launch import PageLimitError
from browser_use_async.server.executors.browser.page import (
    MOST_URL_CHARACTERS,
    TaskPage,
    script,
)
from browser_use_async.server.executors.scripts.guards import SeenElement
from browser_use_async.server.executors.scripts.recorder import Snapshot
from browser_use_async.server.executors.scripts.script import Description

_MOST_CHARACTERS = 2_000_000  # of a page that is compared
_MOST_OPTIONS = 300
_DESCRIBED = {each.name for each in attrs.fields(Description)}


async def snapshot_of(page: TaskPage) -> Snapshot:
    """What is to be seen of a page, once it has come to rest.

    Raises:
        PageLimitError: There is more than a script can compare.
    """
    await page.wait_for_rest()
    asking = page.page.main_frame.evaluate(f"({script('describe')}).snapshot()")
    return snapshot_from(await page.run(asking, "a question to the page"))


def snapshot_from(raw: Any) -> Snapshot:
    """The snapshot that a page has answered with, which may be anything.

    Raises:
        PageLimitError: It is none, or there is more than a script can compare.
    """
    left = [_MOST_CHARACTERS]
    try:
        return Snapshot(str(raw["url"])[:MOST_URL_CHARACTERS], _checked_tree(raw["tree"], left))
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


async def described_element(page: TaskPage, handle: ElementHandle) -> Description:
    """The properties that identify an element."""
    asking = handle.evaluate(f"element => ({script('describe')}).describe(element)")
    return seen_element(await page.run(asking, "a question to the page")).description


def seen_element(raw: Any) -> SeenElement:
    """The element that a page has described, which may answer with anything."""
    given: dict[str, Any] = raw if isinstance(raw, dict) else {}
    texts = {
        name: " ".join(str(given.get(name) or "").split())[:MOST_URL_CHARACTERS]
        for name in _DESCRIBED - {"options"}
    }
    offered = given.get("options")
    options = tuple(map(str, offered[:_MOST_OPTIONS])) if isinstance(offered, list) else ()
    url = str(given.get("url") or "")[:MOST_URL_CHARACTERS]
    return SeenElement(Description(**texts, options=options), url, bool(given.get("disabled")))

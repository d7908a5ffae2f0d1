"""What an agent did, as the actions of a script. Pure."""

import re
from collections.abc import Callable, Mapping
from pathlib import PurePosixPath
from typing import Any

from browser_use_async.server.executors.instructions.actions import (
    Action,
    Click,
    Fill,
    GoBack,
    OpenAddress,
    PressKey,
    Scroll,
    Upload,
)
from browser_use_async.server.executors.scripts.script import Description

# What only reads the page, or has nothing to do with it.
_READING = frozenset(
    "done dropdown_options extract find_elements find_text read_file replace_file save_as_pdf"
    " screenshot search_page switch wait write_file".split()
)
_SECRET = re.compile(r"<secret>(.*?)</secret>")

Params = Mapping[str, Any]


class UnplayableError(Exception):
    """Something that no script can do. Its text is a clause for a person."""


def action_of_agent(name: str, params: Params, element: Description | None) -> Action | None:
    """The action of a script that an agent's action was; None if it only read.

    Args:
        name: What browser-use calls the action.
        params: Its parameters.
        element: What it was done with.

    Raises:
        UnplayableError: There is no such action.
    """
    if name in _READING:
        return None
    make = _MAKERS.get(name)
    action = None if make is None else make(params, element)
    if action is None:
        raise UnplayableError(f"the agent used {name}, which a script cannot play")
    return action


def _open(params: Params, _: Description | None) -> Action | None:
    return OpenAddress(str(params.get("url", "")))


def _click(params: Params, element: Description | None) -> Action | None:
    if element is None:
        raise UnplayableError("the agent clicked at a place of the page and not on an element")
    return Click(_words(element))


def _input(params: Params, element: Description | None) -> Action | None:
    if element is None:
        return None
    text = str(params.get("text", ""))
    secret = _SECRET.fullmatch(text)
    if secret is not None:
        return Fill(_words(element), secret=secret[1])
    if params.get("clear") is False or _SECRET.search(text) is not None:
        raise UnplayableError("the agent added to what stood in a field")
    return Fill(_words(element), text)


def _select(params: Params, element: Description | None) -> Action | None:
    return None if element is None else Fill(_words(element), str(params.get("text", "")))


def _press(params: Params, _: Description | None) -> Action | None:
    keys = str(params.get("keys", ""))
    return PressKey(keys) if re.fullmatch(r"[A-Za-z]+\d{0,2}", keys) and len(keys) > 1 else None


def _scroll(params: Params, _: Description | None) -> Action | None:
    return Scroll("down" if params.get("down", True) else "up")


def _upload(params: Params, element: Description | None) -> Action | None:
    name = PurePosixPath(str(params.get("path", ""))).name
    return Upload(name, "" if element is None else _words(element))


_MAKERS: Mapping[str, Callable[[Params, Description | None], Action | None]] = {
    "navigate": _open,
    "click": _click,
    "input": _input,
    "select_dropdown": _select,
    "send_keys": _press,
    "scroll": _scroll,
    "go_back": lambda _params, _element: GoBack(),
    "upload_file": _upload,
}


def _words(element: Description) -> str:
    return element.name or element.label or element.placeholder or element.id or element.tag

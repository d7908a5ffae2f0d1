"""Actions of an agent as actions of a script. No I/O."""

import re
from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Any

from browser_use_async.server.executors.instructions import actions
from browser_use_async.server.executors.scripts.script import Description

# Actions that only read the page, or have nothing to do with it.
_READING = frozenset(
    "done dropdown_options extract find_elements find_text read_file replace_file save_as_pdf"
    " screenshot search_page switch wait write_file".split()
)
_SECRET = re.compile(r"<secret>(.*?)</secret>")


class UnplayableError(Exception):
    """An action that no script can play. The text is a clause for a person."""


def action_of_agent(  # noqa: C901 - one case for each action
    name: str, params: Mapping[str, Any], element: Description | None
) -> actions.Action | None:
    """The action of a script for an action of an agent; None for one that only reads.

    Args:
        name: The action's name in browser-use.
        params: Its parameters.
        element: Its element.

    Raises:
        UnplayableError: There is no such action.
    """
    words = "" if element is None else element.words
    match name:
        case _ if name in _READING:
            return None
        case "navigate":
            return actions.OpenAddress(str(params.get("url", "")))
        case "click" if element is None:
            raise UnplayableError("the agent clicked at a place of the page and not on an element")
        case "click":
            return actions.Click(words)
        case "input" if element is not None:
            return _fill(words, params)
        case "select_dropdown" if element is not None:
            return actions.Fill(words, str(params.get("text", "")))
        case "send_keys" if re.fullmatch(r"(?=..)[A-Za-z]+\d{0,2}", str(params.get("keys", ""))):
            return actions.PressKey(str(params["keys"]))
        case "scroll":
            return actions.Scroll("down" if params.get("down", True) else "up")
        case "go_back":
            return actions.GoBack()
        case "upload_file":
            return actions.Upload(PurePosixPath(str(params.get("path", ""))).name, words)
        case _:
            raise UnplayableError(f"the agent used {name}, which a script cannot play")


def _fill(words: str, params: Mapping[str, Any]) -> actions.Fill:
    text = str(params.get("text", ""))
    if (secret := _SECRET.fullmatch(text)) is not None:
        return actions.Fill(words, secret=secret[1])
    if params.get("clear") is False or _SECRET.search(text) is not None:
        raise UnplayableError("the agent added to what stood in a field")
    return actions.Fill(words, text)

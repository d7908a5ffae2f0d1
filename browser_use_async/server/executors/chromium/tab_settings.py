"""What all pages of a task have in common, and the scripts that run in them."""

import json
from collections.abc import Callable, Sequence
from functools import cache
from importlib.resources import files

import attrs

WORLD = "browser-use-async"
"""The scripts' own world, which pages cannot see."""


def mask_script(secrets: Sequence[str]) -> str:
    """The script that keeps secrets out of pictures; empty without secrets.

    Args:
        secrets: Their values.
    """
    return f"{script('mask')}({json.dumps(secrets)})" if secrets else ""


@cache
def script(name: str) -> str:
    """The text of one of the scripts.

    Args:
        name: Its name.
    """
    folder = files("browser_use_async.server.executors.browser")
    return folder.joinpath("scripts", f"{name}.js").read_text(encoding="utf-8").strip()


@attrs.frozen
class TabSettings:
    """What all pages of a task have in common.

    Attributes:
        viewport: Width and height in CSS pixels.
        mask: The script that keeps secrets out of pictures; empty without secrets.
        choose_files: What a page that asks for files gets: called with whether it takes several.
    """

    viewport: tuple[int, int]
    mask: str = attrs.field(default="", repr=False)
    choose_files: Callable[[bool], list[str]] = attrs.field(default=lambda _: [])

"""Checks of scripts: of texts of clients, and of a folder of the operator."""

from pathlib import Path

from browser_use_async.api.script_pairs import SCRIPT_NAME
from browser_use_async.errors import ConfigurationError
from browser_use_async.server.executors.scripts.notation import (
    MOST_CHARACTERS,
    ScriptRefusedError,
    parse,
)

ENDING = ".script"
"""The ending of files that are scripts."""


def problem_with(text: str, name: str) -> str:
    """The problem of a text as the script with a name; empty if there is none."""
    try:
        script = parse(text)
    except ScriptRefusedError as error:
        return str(error)
    if script.name != name:
        return f"line 1: the script is called {script.name}, and {name} was expected"
    return ""


def read_folder(folder: Path) -> dict[str, str]:
    """The texts of the scripts in a folder, by name.

    Raises:
        ConfigurationError: There is no such folder, or a file in it is no script.
    """
    if not folder.is_dir():
        raise ConfigurationError(f"there is no folder {folder} with scripts")
    texts: dict[str, str] = {}
    for path in sorted(folder.glob(f"*{ENDING}")):
        name = path.name.removesuffix(ENDING)
        if SCRIPT_NAME.fullmatch(name) is None:
            raise ConfigurationError(f"{path}: {name!r} is no name of a script")
        try:
            text = path.read_text(encoding="utf-8")
        except (OSError, ValueError) as error:
            raise ConfigurationError(f"{path} cannot be read: {error}") from error
        problem = problem_with(text[: MOST_CHARACTERS + 1], name)
        if problem:
            raise ConfigurationError(f"{path}: {problem}")
        texts[name] = text
    return texts

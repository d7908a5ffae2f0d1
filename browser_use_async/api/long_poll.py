"""The wire format of long polls: `Prefer: wait=N` (RFC 7240), and the lines of changes."""

# An extension of the bundled server, which it advertises; the rest of v1 is unchanged.

import re
from collections.abc import Iterable
from typing import Any, NamedTuple

from browser_use_async.api.json import JsonRefusedError, read_json
from browser_use_async.errors import ResponseDecodeError

# In list answers: the current cursor. In requests: the cursor from which changes are streamed.
CHANGES_HEADER = "Browser-Use-Changes"
# The content type of a stream of changes, one JSON object a line.
CHANGES_TYPE = "application/x-ndjson"
# The cursor of a client that has none.
FROM_NOW = "now"
# Seconds after which an empty line is sent if there is no change.
PULSE_SECONDS = 4.0
# The most bytes of a task in a line.
MAX_WHOLE = 64 * 1024
# The most bytes of a line.
MAX_LINE = MAX_WHOLE + 4096

# Commas and semicolons within quotes are no separators.
_PREFERENCE = re.compile(r'(?:[^,"]|"[^"]*"?)+')
# A cursor is sent back in a header, so it may have only characters of headers.
_CURSOR = re.compile("[!-~]{1,200}")
_PARAMETER = re.compile(r'(?:[^;"]|"[^"]*"?)+')


class Wait(NamedTuple):
    """How long the answer to a call may take."""

    seconds: int
    status: str | None = None  # the status that the client knows
    whole: bool = False  # whether the line of an end shall contain the whole task

    def __str__(self) -> str:
        known = "" if self.status is None else f"; status={self.status}"
        return f"wait={self.seconds}{known}{', return=representation' if self.whole else ''}"


def read_wait(headers: Iterable[str]) -> Wait | None:
    """The first `wait` in `Prefer` or `Preference-Applied` headers; others are ignored."""
    wait, whole = None, False
    for preference in _PREFERENCE.findall(",".join(headers)):
        pairs = [each.partition("=") for each in _PARAMETER.findall(preference)]
        values = {name.strip().lower(): value.strip().strip('"') for name, _, value in pairs}
        name = next(iter(values), "")
        if name == "wait" and wait is None and re.fullmatch("[0-9]{1,9}", values["wait"]):
            wait = Wait(int(values["wait"]), values.get("status") or None)
        elif name == "return":
            whole = values["return"] == "representation"
    return None if wait is None else wait._replace(whole=whole)


class Change(NamedTuple):
    """One line: a change of a task, or without a task only a cursor."""

    cursor: str  # from which the next call continues
    task_id: str | None = None
    status: str | None = None
    is_reset: bool = False  # whether changes before it were missed
    task: Any = None  # the task as get-task gives it, if it has ended and the line has it
    size: int = 0  # bytes of the line


def read_change(line: bytes) -> Change:
    """Read a line; raises `ResponseDecodeError` if it does not fit the contract."""
    try:
        value = read_json(line)
    except JsonRefusedError:
        value = None
    cursor = value.get("cursor") if isinstance(value, dict) else None
    if isinstance(value, dict) and isinstance(cursor, str) and _CURSOR.fullmatch(cursor):
        task_id, status, is_reset = value.get("id"), value.get("status"), value.get("reset")
        if isinstance(is_reset, bool):
            return Change(cursor, is_reset=is_reset)
        if isinstance(task_id, str) and isinstance(status, str):
            return Change(cursor, task_id, status, task=value.get("task"), size=len(line))
    # Raised here and not where it was caught: that exception contains the line.
    raise ResponseDecodeError(f"a line of {len(line)} bytes is no change of a task")

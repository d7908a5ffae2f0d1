"""The wire format of long polls: `Prefer: wait=N` (RFC 7240), and the lines of changes."""

# An extension of the bundled server, which it advertises; the rest of v1 is unchanged.

import re
from collections.abc import Iterable
from typing import NamedTuple

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
# The most bytes of a line.
MAX_LINE = 4096

# Commas and semicolons within quotes are no separators.
_PREFERENCE = re.compile(r'(?:[^,"]|"[^"]*"?)+')
# A cursor is sent back in a header, so it may have only characters of headers.
_CURSOR = re.compile("[!-~]{1,200}")
_PARAMETER = re.compile(r'(?:[^;"]|"[^"]*"?)+')


class Wait(NamedTuple):
    """How long the answer to a call may take."""

    seconds: int
    status: str | None = None  # the status that the client knows

    def __str__(self) -> str:
        known = "" if self.status is None else f"; status={self.status}"
        return f"wait={self.seconds}{known}"


def read_wait(headers: Iterable[str]) -> Wait | None:
    """The first `wait` in `Prefer` or `Preference-Applied` headers; others are ignored."""
    for preference in _PREFERENCE.findall(",".join(headers)):
        pairs = [each.partition("=") for each in _PARAMETER.findall(preference)]
        values = {name.strip().lower(): value.strip().strip('"') for name, _, value in pairs}
        name = next(iter(values), "")
        if name == "wait" and re.fullmatch("[0-9]{1,9}", values["wait"]):
            return Wait(int(values["wait"]), values.get("status") or None)
    return None


class Change(NamedTuple):
    """One line: a change of a task, or without a task only a cursor."""

    cursor: str  # from which the next call continues
    task_id: str | None = None
    status: str | None = None
    is_reset: bool = False  # whether changes before it were missed


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
            return Change(cursor, task_id, status)
    # Raised here and not where it was caught: that exception contains the line.
    raise ResponseDecodeError(f"a line of {len(line)} bytes is no change of a task")

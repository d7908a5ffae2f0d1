"""How values are stored in rows of both databases, and restored."""

import json
from collections.abc import Callable, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

from browser_use_async.api.scalars import format_timestamp
from browser_use_async.types import TaskStatus

_JSON = "\x01"  # in front of text that is written as JSON; such text is itself written so
_PER_CENT = 10**6

to_json = json.JSONEncoder(separators=(",", ":")).encode  # made once: `dumps` makes one each time
"""JSON in ASCII, which any database takes."""

_decode = json.JSONDecoder().raw_decode


def from_json(stored: str) -> Any:
    """The value of JSON that `to_json` has written."""
    # Half the time of `loads`, which looks for encodings and white space: rows have several.
    return _decode(stored)[0]


def to_text(text: str) -> str:
    """A text that any database takes: without halves of surrogate pairs, and without NUL."""
    if text.isprintable() or _is_storable(text):
        return text
    return _JSON + json.dumps(text)


def _is_storable(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return "\0" not in text and not text.startswith(_JSON)


def from_text(stored: str) -> str:
    """The text that was stored."""
    if stored[:1] != _JSON:
        return stored
    text: str = json.loads(stored[1:])
    return text


def beginning(column: str, characters: int) -> str:
    """In SQL, the first characters of a text; one that is written as JSON is whole."""
    cut = f"SUBSTR({column}, 1, {characters})"
    return f"CASE WHEN SUBSTR({column}, 1, 1) = '{_JSON}' THEN {column} ELSE {cut} END"


def to_moment(moment: datetime | None) -> str | None:
    """A moment as text of one length in UTC, so that texts compare as moments do."""
    return None if moment is None else format_timestamp(moment)


def to_micro(cents: Decimal) -> int:
    """An amount in whole millionths of a cent, so that the database adds without rounding."""
    return int(cents * _PER_CENT)


def from_micro(stored: int) -> Decimal:
    """The amount in cents."""
    return Decimal(stored) / _PER_CENT


_ENCODERS: dict[type, Callable[[Any], Any]] = {
    str: to_text,
    bool: int,
    datetime: format_timestamp,
    Decimal: to_micro,
    TaskStatus: str,
    **dict.fromkeys((dict, list, tuple), to_json),
}


def to_row(values: Mapping[str, Any]) -> dict[str, Any]:
    """Values as a row has them, each stored as its type is."""
    # One look for each: every call of the API waits for this.
    kinds = _ENCODERS
    return {
        name: encode(value) if (encode := kinds.get(type(value))) is not None else value
        for name, value in values.items()
    }

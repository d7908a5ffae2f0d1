"""How values are stored in rows of both databases, and restored."""

import json
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import datetime
from decimal import Decimal
from typing import Any

from browser_use_async.api.scalars import format_timestamp
from browser_use_async.types import TaskStatus

_JSON = "\x01"  # the prefix of text that is stored as JSON, as is text that begins with it
_ESCAPE = len(r"\u0000")  # the longest one
_PER_CENT = 10**6

to_json = json.JSONEncoder(separators=(",", ":")).encode  # `dumps` creates an encoder each time
"""Encodes JSON in ASCII, which every database accepts."""

_decode = json.JSONDecoder().raw_decode


def from_json(stored: str) -> Any:
    """Decode JSON that `to_json` has written."""
    # Twice as fast as `loads`, which checks encodings and white space; rows have several.
    return _decode(stored)[0]


def to_text(text: str) -> str:
    """Convert a text so that every database accepts it: no lone surrogates, and no NUL."""
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
    """Restore a text that `to_text` has converted, or what is whole of its beginning."""
    if stored[:1] != _JSON:
        return stored
    with suppress(ValueError):  # the text was cut
        return str(json.loads(stored[1:]))
    for end in range(len(stored), len(stored) - _ESCAPE, -1):
        with suppress(ValueError):  # within an escape
            return str(json.loads(stored[1:end] + '"'))
    return ""


def beginning(column: str, characters: int) -> str:
    """Return SQL for the first characters of a text, as it is stored."""
    return f"SUBSTR({column}, 1, {characters})"


def to_moment(moment: datetime | None) -> str | None:
    """Convert a time to UTC text of fixed length, so that texts sort like times."""
    return None if moment is None else format_timestamp(moment)


def to_micro(cents: Decimal) -> int:
    """Convert cents to whole millionths, so that the database adds without rounding."""
    return int(cents * _PER_CENT)


def from_micro(stored: int) -> Decimal:
    """Convert millionths of a cent to cents."""
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
    """Convert values to those of a row, each by its type."""
    # One dictionary look-up for each value, since every API call waits for this.
    kinds = _ENCODERS
    return {
        name: encode(value) if (encode := kinds.get(type(value))) is not None else value
        for name, value in values.items()
    }

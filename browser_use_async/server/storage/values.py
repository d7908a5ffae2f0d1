"""Values as both databases hold them: text, moments, amounts and JSON."""

import json
from datetime import datetime
from decimal import Decimal

from browser_use_async.api.scalars import format_timestamp

_JSON = "\x01"  # in front of text that is written as JSON; such text is itself written so
_PER_CENT = 10**6
_MOST = 2**62

to_json = json.JSONEncoder(separators=(",", ":")).encode  # made once: `dumps` makes one each time
"""JSON in ASCII, which any database takes."""


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
    if stored.startswith(_JSON):
        text: str = json.loads(stored[1:])
        return text
    return stored


def beginning(column: str, characters: int) -> str:
    """In SQL, the first characters of a text; one that is written as JSON is whole."""
    cut = f"SUBSTR({column}, 1, {characters})"
    return f"CASE WHEN SUBSTR({column}, 1, 1) = '{_JSON}' THEN {column} ELSE {cut} END"


def to_moment(moment: datetime | None) -> str | None:
    """A moment as text of one length in UTC, so that texts compare as moments do."""
    return None if moment is None else format_timestamp(moment)


def from_moment(stored: str | None) -> datetime | None:
    """The moment that was stored."""
    return None if stored is None else datetime.fromisoformat(stored)


def to_micro(cents: Decimal) -> int:
    """An amount in whole millionths of a cent, so that the database adds without rounding."""
    return int(cents * _PER_CENT)


def from_micro(stored: int) -> Decimal:
    """The amount in cents."""
    return Decimal(stored) / _PER_CENT


def offset(page: int, limit: int) -> int:
    """How many rows come before a page, as far as a database counts."""
    return min((page - 1) * limit, _MOST)

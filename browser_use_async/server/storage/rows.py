"""Rows of both databases: how values are stored in them, and how they become records."""

import json
from collections.abc import Callable, Mapping
from datetime import datetime
from decimal import Decimal
from functools import cache
from operator import attrgetter
from typing import Any, Generic, TypeVar

import attrs

from browser_use_async.api.scalars import format_timestamp
from browser_use_async.server.storage.database import Database, Row
from browser_use_async.types import TaskStatus

_JSON = "\x01"  # in front of text that is written as JSON; such text is itself written so
_PER_CENT = 10**6
_MOST = 2**62

RecordT = TypeVar("RecordT")

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


@attrs.frozen
class Codec:
    """How the values of a column are stored and restored; None is NULL in all of them."""

    encode: Callable[[Any], Any]
    decode: Callable[[Any], Any]


TEXT = Codec(to_text, from_text)
MOMENT = Codec(format_timestamp, datetime.fromisoformat)
FLAG = Codec(int, bool)
JSON = Codec(to_json, from_json)
STATUS = Codec(str, TaskStatus)


class Table(Generic[RecordT]):
    """The columns of a table that make a record, each stored as its field is.

    Args:
        name: The table's.
        record: Makes a record of the values of its fields.
        plain: The fields whose values any database takes as they are.
        renamed: The columns that are called otherwise than their fields, by field.
        codecs: How the values of the other fields are stored.
    """

    def __init__(
        self,
        name: str,
        record: Callable[..., RecordT],
        /,
        *plain: str,
        renamed: Mapping[str, str] | None = None,
        **codecs: Codec,
    ) -> None:
        self._fields = (*plain, *codecs)
        self._names = [(renamed or {}).get(field, field) for field in self._fields]
        self.columns = ", ".join(self._names)
        self._name = name
        self._record = record
        self._values_of = attrgetter(*self._fields)
        self._codecs = [
            (place, column, codecs[field])
            for place, (field, column) in enumerate(zip(self._fields, self._names, strict=True))
            if field in codecs
        ]
        self._decoders = [(place, codec.decode) for place, _column, codec in self._codecs]

    async def find(self, at: Database, condition: str, **values: Any) -> list[RecordT]:
        """The records of the rows for which a condition holds, and what follows it."""
        statement = f"SELECT {self.columns} FROM {self._name} WHERE {condition}"
        return [self.read(row) for row in await at.rows(statement, **values)]

    async def first(self, at: Database, condition: str, **values: Any) -> RecordT | None:
        """The record of the first such row, or None."""
        found = await self.find(at, condition, **values)
        return found[0] if found else None

    async def count(self, at: Database, condition: str, **values: Any) -> int:
        """How many such rows there are."""
        statement = f"SELECT COUNT(*) FROM {self._name} WHERE {condition}"
        return int(await at.value(statement, **values))

    async def insert(self, at: Database, record: RecordT, **more: Any) -> None:
        """Add the row of a record, with the values of columns that make no field of it."""
        await at.rows(_insertion(self._name, self.columns, *more), **self.values(record), **more)

    async def append(self, at: Database, record: RecordT) -> None:
        """Add the row of a record behind the others of its owner, whose account is locked."""
        marks = ", ".join(f":{column}" for column in self._names)
        await at.rows(
            f"INSERT INTO {self._name} ({self.columns}, position) SELECT {marks}, "
            f"COALESCE(MAX(position), 0) + 1 FROM {self._name} WHERE owner = :owner",
            **self.values(record),
        )

    async def update(self, at: Database, record: RecordT) -> None:
        """Write all values of a record."""
        changes = ", ".join(f"{column} = :{column}" for column in self._names)
        statement = f"UPDATE {self._name} SET {changes} WHERE id = :id"
        await at.rows(statement, **self.values(record))

    def read(self, row: Row) -> RecordT:
        """The record of a row with these columns."""
        # By places: each call of the API waits for this.
        values = [*row]
        for place, decode in self._decoders:
            if (value := values[place]) is not None:
                values[place] = decode(value)
        return self._record(**dict(zip(self._fields, values, strict=True)))

    def values(self, record: RecordT) -> dict[str, Any]:
        """The values of the columns of a record."""
        values = dict(zip(self._names, self._values_of(record), strict=True))
        for _place, column, codec in self._codecs:
            if values[column] is not None:
                values[column] = codec.encode(values[column])
        return values


@cache
def _insertion(table: str, columns: str, *more: str) -> str:
    names = [*columns.split(", "), *more]
    marks = ", ".join(f":{name}" for name in names)
    return f"INSERT INTO {table} ({', '.join(names)}) VALUES ({marks})"

"""Tables whose rows become records, and the rows of one owner.

The columns and their conversion are derived from the fields of the record class.
"""

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from enum import Enum
from operator import attrgetter
from types import NoneType, UnionType
from typing import Any, Generic, TypeVar, get_args, get_origin

import attrs

from browser_use_async.server.storage.account import lock_account
from browser_use_async.server.storage.database import Database, Owned, Row, equal
from browser_use_async.server.storage.rows import from_json, from_text, to_row
from browser_use_async.server.storage.secret_documents import Secrets

_DECODERS: dict[type, Callable[[Any], Any]] = {
    str: from_text,
    bool: bool,
    datetime: datetime.fromisoformat,
    dict: from_json,
    list: from_json,
    tuple: lambda stored: tuple(from_json(stored)),
}
MOST = 2**62  # within the integers of both databases

RecordT = TypeVar("RecordT")


@attrs.frozen
class Codec:
    """The conversion of a column whose type does not determine it."""

    encode: Callable[[Any], Any]
    decode: Callable[[Any], Any]


class Table(Generic[RecordT]):
    """The columns of a table that make a record, each stored by the type of its field.

    Args:
        name: The name of the table.
        record: The class whose fields are the columns, in their order.
        but: The last fields of the class that are no columns.
        renamed: The names of columns that differ from their fields, by field.
        make: Creates a record from the values, if the class itself does not.
        codecs: The conversions of other types, by field; None is always NULL.
    """

    def __init__(
        self,
        name: str,
        record: type[RecordT],
        /,
        *,
        but: Iterable[str] = (),
        renamed: Mapping[str, str] | None = None,
        make: Callable[..., RecordT] | None = None,
        **codecs: Codec,
    ) -> None:
        columns: Any = record
        kinds = {each.name: each.type for each in attrs.fields(columns)}
        self._fields = [field for field in {**kinds, **codecs} if field not in {"extra", *but}]
        self._names = [(renamed or {}).get(field, field) for field in self._fields]
        self.name = name
        self.columns = ", ".join(self._names)
        self._make = make or record
        self._values_of = attrgetter(*self._fields)
        named = dict(zip(self._fields, self._names, strict=True))
        self._encoders = [(named[field], codec.encode) for field, codec in codecs.items()]
        decoders = [
            codecs[field].decode if field in codecs else _decoder(kinds[field])
            for field in self._fields
        ]
        self._decoders = [(place, each) for place, each in enumerate(decoders) if each is not None]

    async def find(self, at: Database, condition: str = "", **values: Any) -> list[RecordT]:
        """Return the records with the given values, or for which a condition is true."""
        statement = f"SELECT {self.columns} FROM {self.name} WHERE {condition or equal(*values)}"
        return [self.read(row) for row in await at.rows(statement, **to_row(values))]

    async def first(self, at: Database, condition: str = "", **values: Any) -> RecordT | None:
        """Return the first such record, or None."""
        found = await self.find(at, condition, **values)
        return found[0] if found else None

    async def count(self, at: Database, **values: Any) -> int:
        """Return the number of rows with the given values."""
        statement = f"SELECT COUNT(*) FROM {self.name} WHERE {equal(*values)}"
        return int(await at.value(statement, **values))

    async def insert(self, at: Database, record: RecordT, then: str = "", **more: Any) -> list[Row]:
        """Add the row of a record, with the values of further columns."""
        return await at.insert(self.name, {**self.values(record), **more}, then)

    def read(self, row: Row) -> RecordT:
        """Create the record of a row."""
        # By position, since this is faster, and each API call waits for it.
        values = [*row]
        for place, decode in self._decoders:
            if (value := values[place]) is not None:
                values[place] = decode(value)
        return self._make(*values)

    def values(self, record: RecordT) -> dict[str, Any]:
        """Return the values of the columns of a record."""
        values = dict(zip(self._names, self._values_of(record), strict=True))
        for name, encode in self._encoders:
            if values[name] is not None:
                values[name] = encode(values[name])
        return values


def _decoder(kind: Any) -> Callable[[Any], Any] | None:
    """Return the function that restores values of a type; None if they are stored unchanged."""
    if isinstance(kind, UnionType):
        (kind,) = (each for each in get_args(kind) if each is not NoneType)
    kind = get_origin(kind) or kind
    return kind if issubclass(kind, Enum) else _DECODERS.get(kind)


class Collection(Owned, Generic[RecordT]):
    """The records of one owner, each with a sealed document, such as profiles and schedules.

    The order is that of creation, unless a subclass changes it.
    """

    order = "position"

    def __init__(
        self, database: Database, sealed: Secrets, table: Table[RecordT], kind: str
    ) -> None:
        self._database = database
        self._sealed = sealed
        self._table = table
        self._kind = kind

    async def count(self) -> int:
        """Return the number of records."""
        return await self._table.count(self._database, owner=self.owner)

    async def get(self, key: str, at: Database | None = None) -> RecordT | None:
        """Return the record with this id, or None; in a transaction, its row is locked."""
        condition = f"id = :id AND owner = :owner {'' if at is None else at.lock}"
        found = await self._read(at or self._database, condition, id=key)
        return found[0] if found else None

    async def page(self, page: int, limit: int, at: Database | None = None) -> list[RecordT]:
        """Return one page of records; empty past the end."""
        condition = f"owner = :owner ORDER BY {self.order} LIMIT :limit OFFSET :before"
        before = min((page - 1) * limit, MOST)
        return await self._read(at or self._database, condition, limit=limit, before=before)

    async def delete(self, key: str) -> None:
        """Delete a record with its sealed document and its submission key."""

        async def work(at: Database) -> None:
            await at.delete(self._table.name, id=key)
            await self._sealed.delete(at, self._kind, key)
            await at.delete("submission_keys", resource_id=key)

        await self._database.transact(work)

    async def _append(self, at: Database, record: RecordT) -> None:
        """Add a record at the end, in a transaction."""
        await lock_account(at, self.owner)
        statement = f"SELECT MAX(position) FROM {self._table.name} WHERE owner = :owner"
        last = await at.value(statement, owner=self.owner) or 0
        await self._table.insert(at, record, owner=self.owner, position=last + 1)

    async def _read(self, at: Database, condition: str, **values: Any) -> list[RecordT]:
        return await self._table.find(at, condition, owner=self.owner, **values)

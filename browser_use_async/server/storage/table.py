"""Tables whose rows become records, and the rows of one owner.

What reads and writes a row is made of the fields of its record.
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
MOST = 2**62  # as far as a database counts

RecordT = TypeVar("RecordT")


@attrs.frozen
class Codec:
    """How the values of a column are stored and restored, where their type does not say it."""

    encode: Callable[[Any], Any]
    decode: Callable[[Any], Any]


class Table(Generic[RecordT]):
    """The columns of a table that make a record, each stored as the type of its field says.

    Args:
        name: The table's.
        record: The class whose fields are the columns, in their order.
        but: The fields that are none, which are its last ones.
        renamed: The columns that are called otherwise than their fields, by field.
        make: What makes a record of the values, if it is not the class itself.
        codecs: How values of other types are stored; None is NULL in all of them.
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
        """The records of the rows that have some values, or for which a condition is true."""
        statement = f"SELECT {self.columns} FROM {self.name} WHERE {condition or equal(*values)}"
        return [self.read(row) for row in await at.rows(statement, **to_row(values))]

    async def first(self, at: Database, condition: str = "", **values: Any) -> RecordT | None:
        """The record of the first such row, or None."""
        found = await self.find(at, condition, **values)
        return found[0] if found else None

    async def count(self, at: Database, **values: Any) -> int:
        """How many rows have some values."""
        statement = f"SELECT COUNT(*) FROM {self.name} WHERE {equal(*values)}"
        return int(await at.value(statement, **values))

    async def insert(self, at: Database, record: RecordT, then: str = "", **more: Any) -> list[Row]:
        """Add the row of a record, with the values of columns that make no field of it."""
        return await at.insert(self.name, {**self.values(record), **more}, then)

    def read(self, row: Row) -> RecordT:
        """The record of a row with these columns."""
        # By places: each call of the API waits for this.
        values = [*row]
        for place, decode in self._decoders:
            if (value := values[place]) is not None:
                values[place] = decode(value)
        return self._make(*values)

    def values(self, record: RecordT) -> dict[str, Any]:
        """The values of the columns of a record."""
        values = dict(zip(self._names, self._values_of(record), strict=True))
        for name, encode in self._encoders:
            if values[name] is not None:
                values[name] = encode(values[name])
        return values


def _decoder(kind: Any) -> Callable[[Any], Any] | None:
    """What restores values of a type; None for those that are stored as they are."""
    if isinstance(kind, UnionType):
        (kind,) = (each for each in get_args(kind) if each is not NoneType)
    kind = get_origin(kind) or kind
    return kind if issubclass(kind, Enum) else _DECODERS.get(kind)


class Collection(Owned, Generic[RecordT]):
    """The records of one owner, each with a sealed document: profiles and schedules are such.

    They are in the order of their creation unless a class says otherwise.
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
        """How many there are."""
        return await self._table.count(self._database, owner=self.owner)

    async def get(self, key: str, at: Database | None = None) -> RecordT | None:
        """The record with this id, or None; locked in a transaction that changes it."""
        condition = f"id = :id AND owner = :owner {'' if at is None else at.lock}"
        found = await self._read(at or self._database, condition, id=key)
        return found[0] if found else None

    async def page(self, page: int, limit: int, at: Database | None = None) -> list[RecordT]:
        """One page; empty past the end."""
        condition = f"owner = :owner ORDER BY {self.order} LIMIT :limit OFFSET :before"
        before = min((page - 1) * limit, MOST)
        return await self._read(at or self._database, condition, limit=limit, before=before)

    async def delete(self, key: str) -> None:
        """Delete a record, what is sealed of it, and the submission key that made it."""

        async def work(at: Database) -> None:
            await at.delete(self._table.name, id=key)
            await self._sealed.delete(at, self._kind, key)
            await at.delete("submission_keys", resource_id=key)

        await self._database.transact(work)

    async def _append(self, at: Database, record: RecordT) -> None:
        """Add a record behind the others, in a transaction."""
        await lock_account(at, self.owner)
        statement = f"SELECT MAX(position) FROM {self._table.name} WHERE owner = :owner"
        last = await at.value(statement, owner=self.owner) or 0
        await self._table.insert(at, record, owner=self.owner, position=last + 1)

    async def _read(self, at: Database, condition: str, **values: Any) -> list[RecordT]:
        return await self._table.find(at, condition, owner=self.owner, **values)

"""What an owner has a list of, such as profiles and schedules, each with a sealed document."""

from typing import Any, Generic

from browser_use_async.server.storage.account import lock_account
from browser_use_async.server.storage.database import Database, Owned
from browser_use_async.server.storage.secret_documents import Secrets
from browser_use_async.server.storage.table import RecordT, Table

_MOST = 2**62  # as far as a database counts


class Collection(Owned, Generic[RecordT]):
    """The records of one owner, in the order of their creation unless it says otherwise."""

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
        before = min((page - 1) * limit, _MOST)
        return await self._read(at or self._database, condition, limit=limit, before=before)

    async def delete(self, key: str) -> None:
        """Delete a record, and what is sealed of it."""

        async def work(at: Database) -> None:
            await at.delete(self._table.name, id=key)
            await self._sealed.delete(at, self._kind, key)

        await self._database.transact(work)

    async def _append(self, at: Database, record: RecordT) -> None:
        """Add a record behind the others, in a transaction."""
        await lock_account(at, self.owner)
        statement = f"SELECT MAX(position) FROM {self._table.name} WHERE owner = :owner"
        last = await at.value(statement, owner=self.owner) or 0
        await self._table.insert(at, record, owner=self.owner, position=last + 1)

    async def _read(self, at: Database, condition: str, **values: Any) -> list[RecordT]:
        return await self._table.find(at, condition, owner=self.owner, **values)

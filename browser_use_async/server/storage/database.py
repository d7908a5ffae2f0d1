"""The interface of databases for the repositories: statements and transactions."""

import asyncio
import logging
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from copy import copy
from functools import cache
from typing import Any, Self, TypeVar

from browser_use_async.server.errors import StorageUnavailableError
from browser_use_async.server.records import DEFAULT_OWNER
from browser_use_async.server.storage.object_store import ObjectStore
from browser_use_async.server.storage.rows import to_row, to_text
from browser_use_async.types.base import Response

_logger = logging.getLogger(__name__)

_STORAGE_SECONDS = 1.0
"""Seconds until work is repeated that the database did not accept."""

Row = tuple[Any, ...]
ResultT = TypeVar("ResultT")
FindRows = Callable[[int, int, int], Awaitable[list[ResultT]]]
Claim = Callable[["Database", Response], Awaitable[None]]
"""Writes the reason of a creation in its transaction, or raises an error that prevents it.

It is called first of all, with the answer to the call that creates it.
"""


class Database(ABC):
    """Statements that SQLite and PostgreSQL both understand, and transactions of them.

    Each statement outside of a transaction, and each transaction, is durable when it returns,
    against the death of the process. What the database does not take is a StorageUnavailableError.
    """

    milliseconds = "CAST(ROUND((JULIANDAY({}) - 2440587.5) * 86400000) AS INTEGER)"
    """The SQL for the milliseconds since 1970 of a moment in a column; `{}` is the column."""
    lock = ""
    """The end of a SELECT whose rows the transaction changes."""
    is_shared = False
    """Whether other servers use it at the same time."""
    is_kept = True
    """Whether the data outlives the process."""
    place: str
    """Its address for people, without a password."""
    objects: ObjectStore | None = None
    """The object storage for the bytes of files."""

    @property
    def version(self) -> int | None:
        """A number that changes with each write; None if writes of others are not known at once."""
        return None

    @abstractmethod
    async def rows(self, statement: str, **values: Any) -> list[Row]:
        """Execute a statement with named parameters, `:name`, and return its rows."""

    @abstractmethod
    async def transact(self, work: Callable[["Database"], Coroutine[Any, Any, ResultT]]) -> ResultT:
        """Do all of some work or none of it.

        It is a function, so that it can be done again, and is given the database to work with. It
        must wait for nothing else: statements of others would become part of the transaction.
        """

    @property
    def joined(self) -> "Database":
        """The same for a read whose reader does not answer before its own transaction.

        It may show what is not committed yet, and is committed before that transaction or with it.
        """
        return self

    @abstractmethod
    async def announce(self, subject: str, news: str) -> None:
        """Notify all servers of the database, once the transaction is committed."""

    @abstractmethod
    async def defer(
        self, job: str, lock: str | None = None, *, behind: int = 0, **arguments: Any
    ) -> None:
        """Have one server do a job once the transaction is committed, after those of its lock.

        Jobs behind fewer others are done first.
        Nothing where there is one server, which looks itself for what is to be done.
        """

    async def exclusively(self, name: str, work: Callable[[], Awaitable[None]]) -> bool:
        """Do some work unless another server is doing it; returns whether it was done."""
        await work()
        return True

    async def newest(self, last: int, most: int, find: "FindRows[ResultT]") -> list[ResultT]:
        """At most so many of the rows up to a position, newest first.

        Args:
            last: The highest position.
            most: How many rows at most.
            find: Reads at most so many of those from one position to another.
        """
        return await find(1, last, most)

    async def first(self, statement: str, **values: Any) -> Row | None:
        """The first row of a statement, or None."""
        found = await self.rows(statement, **values)
        return found[0] if found else None

    async def value(self, statement: str, **values: Any) -> Any:
        """The first value of the first row of a statement, or None."""
        found = await self.rows(statement, **values)
        return found[0][0] if found else None

    async def by_id(self, table: str, columns: str, row_id: str) -> Row | None:
        """Some columns of the row with an id, or None, as of a moment after the call."""
        return await self.first(f"SELECT {columns} FROM {table} WHERE id = :id", id=to_text(row_id))

    async def insert(self, table: str, values: Mapping[str, Any], then: str = "") -> list[Row]:
        """Add a row; then may follow what is done if there is one, and what is returned."""
        return await self.rows(_insertion(table, then, *values), **to_row(values))

    async def put(self, table: str, key: str, values: Mapping[str, Any]) -> None:
        """Add a row, or change the one with the same values of some columns."""
        changes = ", ".join(f"{each} = excluded.{each}" for each in values)
        await self.insert(table, values, f"ON CONFLICT ({key}) DO UPDATE SET {changes}")

    async def update(self, table: str, changes: Mapping[str, Any], **where: Any) -> bool:
        """Change the rows that have some values; returns whether there are any."""
        values = {f"new_{name}": value for name, value in changes.items()} | where
        return bool(await self.rows(_change(table, *changes, where=tuple(where)), **to_row(values)))

    async def delete(self, table: str, **where: Any) -> bool:
        """Delete the rows that have some values; returns whether there were any."""
        statement = f"DELETE FROM {table} WHERE {equal(*where)} RETURNING 1"
        return bool(await self.rows(statement, **to_row(where)))


@cache
def equal(*names: str) -> str:
    """The condition that columns have the values of parameters with the same names."""
    return " AND ".join(f"{name} = :{name}" for name in names)


@cache
def _insertion(table: str, then: str, *names: str) -> str:
    marks = ", ".join(f":{name}" for name in names)
    return f"INSERT INTO {table} ({', '.join(names)}) VALUES ({marks}) {then}"


@cache
def _change(table: str, *names: str, where: tuple[str, ...]) -> str:
    changes = ", ".join(f"{name} = :new_{name}" for name in names)
    return f"UPDATE {table} SET {changes} WHERE {equal(*where)} RETURNING 1"


async def stored(work: Callable[[], Awaitable[ResultT]]) -> ResultT:
    """Do work on the database until it succeeds, since a task's actions are not repeated."""
    while True:
        try:
            return await work()
        except StorageUnavailableError as error:
            _logger.error("a task waits for the database: %s", error)  # noqa: TRY400 - it says all
            await asyncio.sleep(_STORAGE_SECONDS)


class Owned:
    """The rows of one kind that belong to an owner; others do not see them."""

    owner = DEFAULT_OWNER

    def of(self, owner: str) -> Self:
        """The rows of another owner."""
        view = copy(self)
        view.owner = owner
        return view


def immediate(coroutine: Coroutine[Any, Any, ResultT]) -> ResultT:
    """Run a coroutine that never suspends, such as any on SQLite, and return its result."""
    try:
        coroutine.send(None)
    except StopIteration as stop:
        result: ResultT = stop.value
        return result
    coroutine.close()
    raise RuntimeError("work on the database must wait for nothing but the database")

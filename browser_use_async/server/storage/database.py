"""The interface of databases for the repositories: statements and transactions."""

import asyncio
import logging
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from copy import copy
from functools import cache
from typing import Any, Self, TypeVar

from browser_use_async.server.errors import StorageUnavailableError
from browser_use_async.server.loops import log_waiting
from browser_use_async.server.records import DEFAULT_OWNER
from browser_use_async.server.storage.object_store import ObjectStore
from browser_use_async.server.storage.rows import to_row, to_text
from browser_use_async.types.base import Response

_logger = logging.getLogger(__name__)

_STORAGE_SECONDS = 1.0
"""Seconds until a failed transaction is repeated."""

DISK_FULL = "the disk of {place} is full, and nothing was written; make room on it, and try again"
HIDDEN_PLACE = "the server's database"
"""What clients are told in place of the path or the address of the database."""

Row = tuple[Any, ...]
ResultT = TypeVar("ResultT")
FindRows = Callable[[int, int, int], Awaitable[list[ResultT]]]
Count = Callable[[], Awaitable[int]]
Claim = Callable[["Database", Response], Awaitable[None]]
"""Writes the cause of a creation in its transaction, or raises an error that prevents it.

It is called first in the transaction, with the answer of the creating call.
"""


class Database(ABC):
    """Executes statements that SQLite and PostgreSQL both understand, and transactions.

    Each transaction, and each statement outside of one, is durable when it returns, even if the
    process dies. If the database cannot execute it, StorageUnavailableError is raised.
    """

    milliseconds = "CAST(ROUND((JULIANDAY({}) - 2440587.5) * 86400000) AS INTEGER)"
    """SQL for the milliseconds since 1970 of the time in a column; `{}` is the column."""
    lock = ""
    """The end of a SELECT whose rows the transaction changes."""
    is_kept = True
    """Whether the data outlives the process."""
    place: str
    """The address for messages, without a password."""
    objects: ObjectStore | None = None
    """The object storage for the bytes of files."""

    @property
    def version(self) -> int | None:
        """A number that changes with each write; None if other servers write too."""
        return None

    @abstractmethod
    async def rows(self, statement: str, **values: Any) -> list[Row]:
        """Execute a statement with named parameters, `:name`, and return its rows."""

    @abstractmethod
    async def transact(self, work: Callable[["Database"], Coroutine[Any, Any, ResultT]]) -> ResultT:
        """Call `work` in a transaction, which is committed or rolled back as a whole.

        `work` is called with the database of the transaction, and again if the transaction must
        be repeated. It must await nothing else, since other tasks' statements would then become
        part of the transaction.
        """

    async def transact_with_reserve(
        self, work: Callable[["Database"], Coroutine[Any, Any, ResultT]]
    ) -> ResultT:
        """Call `work` in a transaction that is possible though the disk is full, if it is small.

        It is for what an operator does against a client that has filled the disk.
        """
        return await self.transact(work)

    @property
    def joined(self) -> "Database":
        """The database for reads before a transaction of the same caller.

        Such a read may return uncommitted rows. They are committed before that transaction or
        with it, so the caller must not answer earlier.
        """
        return self

    @abstractmethod
    async def announce(self, subject: str, news: str) -> None:
        """Notify all servers of the database when the transaction is committed."""

    async def defer(  # noqa: B027 - a single server has no jobs
        self, job: str, lock: str | None = None, *, behind: Count | None = None, **arguments: Any
    ) -> None:
        """Add a job for one server, which starts after the commit and after jobs of its lock.

        Jobs behind fewer others start first. A single server needs no jobs: it reads the tables
        itself, and this method does nothing.
        """

    async def exclusively(self, name: str, work: Callable[[], Awaitable[None]]) -> bool:
        """Call `work` unless another server is doing it; returns whether it was called."""
        await work()
        return True

    async def newest(self, last: int, most: int, find: "FindRows[ResultT]") -> list[ResultT]:
        """Return rows up to a position, newest first.

        `find` reads a limited number of rows from one position to another.
        """
        return await find(1, last, most)

    async def first(self, statement: str, **values: Any) -> Row | None:
        """Return the first row of a statement, or None."""
        found = await self.rows(statement, **values)
        return found[0] if found else None

    async def value(self, statement: str, **values: Any) -> Any:
        """Return the first value of the first row of a statement, or None."""
        found = await self.rows(statement, **values)
        return found[0][0] if found else None

    async def by_id(self, table: str, columns: str, row_id: str) -> Row | None:
        """Return columns of the row with an id, read after the call, or None."""
        statement = f"SELECT {columns} FROM {table} WHERE id = :id"
        found = await self.rows(statement, id=to_text(row_id))
        return found[0] if found else None

    async def insert(self, table: str, values: Mapping[str, Any], then: str = "") -> list[Row]:
        """Add a row. `then` continues the statement, such as `ON CONFLICT` or `RETURNING`."""
        return await self.rows(_insertion(table, then, *values), **to_row(values))

    async def put(self, table: str, key: str, values: Mapping[str, Any]) -> None:
        """Add a row, or update the one with the same values of the `key` columns."""
        changes = ", ".join(f"{each} = excluded.{each}" for each in values)
        await self.insert(table, values, f"ON CONFLICT ({key}) DO UPDATE SET {changes}")

    async def update(self, table: str, changes: Mapping[str, Any], **where: Any) -> bool:
        """Change the rows with the given values; returns whether there were any."""
        values = {f"new_{name}": value for name, value in changes.items()} | where
        return bool(await self.rows(_change(table, *changes, where=tuple(where)), **to_row(values)))

    async def delete(self, table: str, **where: Any) -> bool:
        """Delete the rows with the given values; returns whether there were any."""
        statement = f"DELETE FROM {table} WHERE {equal(*where)} RETURNING 1"
        return bool(await self.rows(statement, **to_row(where)))


@cache
def equal(*names: str) -> str:
    """Return the condition that columns equal the parameters with their names."""
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
    """Repeat work on the database until it succeeds: a task's actions cannot be repeated."""
    while True:
        try:
            return await work()
        except StorageUnavailableError as error:
            log_waiting(_logger, "a task waits for the database", error)
            await asyncio.sleep(_STORAGE_SECONDS)


class Owned:
    """The rows of one kind that belong to an owner; other owners cannot read them."""

    owner = DEFAULT_OWNER

    def of(self, owner: str) -> Self:
        """Return the same store for another owner."""
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

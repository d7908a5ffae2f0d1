"""The database on PostgreSQL: tables, a pool, and transactions that survive lost connections."""

import asyncio
import logging
import re
import time
import uuid
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import AsyncExitStack, suppress
from functools import cache
from typing import Any, Generic, TypeVar

import attrs
import psycopg

from browser_use_async.errors import ConfigurationError
from browser_use_async.postgres.connection import PASSING, QuietPool, first_line, literal
from browser_use_async.postgres.jobs import create_engine, engine_problem
from browser_use_async.server.errors import (
    StorageAwayError,
    StorageFullError,
    StorageUnavailableError,
)
from browser_use_async.server.loops import BackgroundTasks
from browser_use_async.server.storage.database import DISK_FULL, HIDDEN_PLACE, Count, Database, Row
from browser_use_async.server.storage.postgres.connection import (
    CHANNEL,
    SCHEMA,
    Outage,
    check_server,
    connect,
    connection_parameters,
    shown,
)
from browser_use_async.server.storage.postgres.jobs import defer, new_app
from browser_use_async.server.storage.rows import to_json, to_text
from browser_use_async.server.storage.schema import SCHEMA_VERSION, TABLES, wrong_version

_logger = logging.getLogger(__name__)

_PATIENCE = 8.0  # seconds of retries before a call is answered with 503
_PAUSE = 0.2
_WRITERS = 10  # connections for transactions
_READERS = 3  # connections for statements outside of transactions
_NAMED = re.compile(r"(?<!:):(\w+)")

_DIALECT = {"blob": "BYTEA", "serial": "BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY"}

_COMMITS = (
    # The tokens of committed transactions, kept as long as a retry may ask for them.
    """CREATE TABLE commits (
        token UUID PRIMARY KEY, at TIMESTAMPTZ NOT NULL DEFAULT now()
    )""",
    "CREATE INDEX commits_by_time ON commits (at)",
)

ResultT = TypeVar("ResultT")


@cache
def _translated(statement: str) -> str:
    return _NAMED.sub(r"%(\1)s", statement)


@attrs.define(eq=False)
class _Attempts(Generic[ResultT]):
    """Work that is committed once, in one or more attempts.

    If the connection is lost during the commit, the outcome is unknown. So each transaction
    begins by writing a token: a later attempt waits there for an earlier one that is still open,
    and then finds whether it was committed.
    """

    work: Callable[[Database], Coroutine[Any, Any, ResultT]]
    token: uuid.UUID = attrs.field(factory=uuid.uuid4)
    results: list[ResultT] = attrs.field(factory=list)  # of attempts whose commit is uncertain


class PostgresDatabase(Database):
    """A PostgreSQL database that several servers share."""

    milliseconds = "CAST(EXTRACT(EPOCH FROM CAST({} AS TIMESTAMPTZ)) * 1000 AS BIGINT)"
    lock = "FOR UPDATE"

    def __init__(self, address: str) -> None:
        self.address = address
        self.place = shown(address)
        self.outage = Outage()
        self.jobs = new_app(connection_parameters(address))
        self._pool = _new_pool(address, _WRITERS)
        # A separate pool: heartbeats must not wait behind row locks, or a worker would assume
        # that the database is lost.
        self._readers = _new_pool(address, _READERS)
        self._look_ups = _LookUps(self._read_patiently)

    async def open(self) -> None:
        """Connect, and create the tables unless they exist.

        Raises:
            ConfigurationError: The server cannot be used, or its tables are of another version.
        """
        await check_server(self.address)
        await _make_tables(self.address)
        await self._pool.open()
        await self._readers.open()

    async def aclose(self) -> None:
        """Close all connections."""
        await self._look_ups.aclose()
        await self._pool.close(timeout=2.0)
        await self._readers.close(timeout=2.0)

    async def rows(self, statement: str, **values: Any) -> list[Row]:
        """Execute a statement."""
        if not statement.startswith("SELECT"):
            # In a transaction, since its outcome can be checked after a lost connection.
            return await self.transact(lambda at: at.rows(statement, **values))
        return await self._read_patiently(statement, values, time.monotonic() + _PATIENCE)

    async def by_id(self, table: str, columns: str, row_id: str) -> Row | None:
        """Return columns of the row with an id; concurrent reads share a statement."""
        return await self._look_ups.row(table, columns, to_text(row_id))

    async def transact(self, work: Callable[[Database], Coroutine[Any, Any, ResultT]]) -> ResultT:
        """Call `work` in a transaction."""
        attempts = _Attempts(work)
        ends = time.monotonic() + _PATIENCE
        return await self._patiently(lambda: self._attempt(attempts), ends)

    async def announce(self, subject: str, news: str) -> None:
        """Notify all servers now."""
        await self.transact(lambda at: at.announce(subject, news))

    async def defer(
        self, job: str, lock: str | None = None, *, behind: Count | None = None, **arguments: Any
    ) -> None:
        """Write a job."""
        await self.transact(lambda at: at.defer(job, lock, behind=behind, **arguments))

    async def exclusively(self, name: str, work: Callable[[], Awaitable[None]]) -> bool:
        """Call `work` under an advisory lock, unless another server has it."""
        async with AsyncExitStack() as stack:
            key = f"{SCHEMA}/{name}"
            try:
                connection = await stack.enter_async_context(self._pool.connection())
                cursor = await connection.execute(
                    "SELECT pg_try_advisory_lock(hashtextextended(%s, 0))", [key]
                )
                is_ours = (await cursor.fetchone() or (False,))[0]
            except PASSING as error:
                raise self._silent() from error
            if not is_ours:
                return False
            try:
                await work()
            finally:
                # A lost connection loses its locks.
                with suppress(*PASSING):
                    await connection.execute(
                        "SELECT pg_advisory_unlock(hashtextextended(%s, 0))", [key]
                    )
            return True

    async def _read(self, statement: str, values: dict[str, Any]) -> list[Row]:
        async with self._readers.connection() as connection:
            return await _Transaction(connection, self).rows(statement, **values)

    async def _attempt(self, attempts: _Attempts[ResultT]) -> ResultT:
        async with self._pool.connection() as connection:
            at = _Transaction(connection, self)
            await connection.execute("BEGIN")
            try:
                # First, before the transaction has locks for which others wait.
                if not await _write_token(connection, attempts.token):
                    await connection.execute("ROLLBACK")
                    return attempts.results[-1]
                result = await attempts.work(at)
            except BaseException:
                await _roll_back(connection)
                raise
            attempts.results.append(result)
            try:
                await connection.execute("COMMIT")
            except BaseException:
                # It may have been cancelled midway, so it must not be used again.
                await connection.close()
                raise
        return result

    async def _read_patiently(
        self, statement: str, values: dict[str, Any], ends: float
    ) -> list[Row]:
        return await self._patiently(lambda: self._read(statement, values), ends)

    async def _patiently(self, call: Callable[[], Awaitable[ResultT]], ends: float) -> ResultT:
        """Repeat a call after outages, deadlocks and serialization failures, until a deadline."""
        while True:
            try:
                return await call()
            except PASSING as error:
                if time.monotonic() > ends:
                    if isinstance(error, psycopg.errors.DiskFull):
                        raise StorageFullError(DISK_FULL.format(place=HIDDEN_PLACE)) from error
                    raise self._silent() from error
                _logger.debug("the database is asked again after %r", error)
            except psycopg.Error as error:
                _logger.error("the database %s refused: %s", self.place, first_line(error))  # noqa: TRY400 - the text says it
                detail = f"{HIDDEN_PLACE} refused, and nothing was written"
                raise StorageUnavailableError(detail) from error
            await asyncio.sleep(_PAUSE)
            with suppress(*PASSING):
                await self._pool.check()  # closes connections that a restart has ended
                await self._readers.check()

    def _silent(self) -> StorageUnavailableError:
        # Without the cause, which names the address.
        kind = StorageAwayError if self.outage.is_told else StorageUnavailableError
        return kind(f"{HIDDEN_PLACE} does not answer, and nothing was written; try again")


def _new_pool(address: str, size: int) -> QuietPool:
    return QuietPool(
        kwargs={**connection_parameters(address), "autocommit": True},
        min_size=1,
        max_size=size,
        open=False,
    )


class _LookUps:
    """Reads rows by their ids; ids that arrive during a read share the next statement.

    A separate statement would double the cost of a status call.
    """

    def __init__(self, read: Callable[[str, dict[str, Any], float], Awaitable[list[Row]]]) -> None:
        self._read = read
        self._reading = asyncio.Lock()  # one statement at a time, so that each reads many rows
        self._tasks = BackgroundTasks("reads rows for several readers at once")
        # The ids for the next statement, by table and columns.
        self._next: dict[tuple[str, str], tuple[set[str], asyncio.Task[dict[str, Row]]]] = {}

    async def row(self, table: str, columns: str, row_id: str) -> Row | None:
        """Return the columns of the row with an id, or None."""
        if (table, columns) not in self._next:
            ids: set[str] = set()
            self._next[table, columns] = ids, self._tasks.start(self._rows(table, columns, ids))
        ids, reading = self._next[table, columns]
        ids.add(row_id)
        # All waiting callers share the read, and each of them may be cancelled.
        return (await asyncio.shield(reading)).get(row_id)

    async def _rows(self, table: str, columns: str, ids: set[str]) -> dict[str, Row]:
        # From here on: while the database is away, those that waited before are in the way.
        ends = time.monotonic() + _PATIENCE
        async with self._reading:
            # A later caller may know of a change that this statement does not see.
            del self._next[table, columns]
            statement = f"SELECT id, {columns} FROM {table} WHERE id = ANY(:ids)"
            found = await self._read(statement, {"ids": [*ids]}, ends)
        return {row[0]: row[1:] for row in found}

    async def aclose(self) -> None:
        """Cancel pending reads."""
        await self._tasks.aclose()


async def _write_token(connection: psycopg.AsyncConnection, token: uuid.UUID) -> bool:
    """Write a token; returns False if a transaction with this token was committed."""
    cursor = await connection.execute(
        "INSERT INTO commits (token) VALUES (%s) ON CONFLICT DO NOTHING RETURNING token", [token]
    )
    return await cursor.fetchone() is not None


async def _roll_back(connection: psycopg.AsyncConnection) -> None:
    try:
        await connection.execute("ROLLBACK")
    except PASSING:
        await connection.close()


class _Transaction(Database):
    """A connection, used in a transaction or for one statement."""

    milliseconds = "CAST(EXTRACT(EPOCH FROM CAST({} AS TIMESTAMPTZ)) * 1000 AS BIGINT)"
    lock = "FOR UPDATE"

    def __init__(self, connection: psycopg.AsyncConnection, database: PostgresDatabase) -> None:
        self._connection = connection
        self._jobs = database.jobs
        self.place = database.place
        self.objects = database.objects

    async def rows(self, statement: str, **values: Any) -> list[Row]:
        cursor = await self._connection.execute(literal(_translated(statement)), values)
        return await cursor.fetchall() if cursor.description else []

    async def transact(self, work: Callable[[Database], Coroutine[Any, Any, ResultT]]) -> ResultT:
        return await work(self)

    async def announce(self, subject: str, news: str) -> None:
        text = to_json([subject, news])
        await self._connection.execute("SELECT pg_notify(%s, %s)", [CHANNEL, text])

    async def defer(
        self, job: str, lock: str | None = None, *, behind: Count | None = None, **arguments: Any
    ) -> None:
        number = 0 if behind is None else await behind()
        await defer(self._jobs, self._connection, job, lock, number, **arguments)


# --- tables ---------------------------------------------------------------------------------


async def _make_tables(address: str) -> None:
    """Create the tables, and the tables of jobs, unless they exist.

    Raises:
        ConfigurationError: They have another version, or cannot be created.
    """
    async with await connect(address) as connection:
        try:
            async with connection.transaction():
                await _make(connection, address)
        except psycopg.Error as error:
            raise ConfigurationError(
                f"the tables in {shown(address)} cannot be made: {first_line(error)}"
            ) from error


async def _make(connection: psycopg.AsyncConnection, address: str) -> None:
    # Servers that start together wait here for the first one.
    await connection.execute("SET LOCAL lock_timeout = 0")
    await connection.execute("SET LOCAL statement_timeout = 0")
    await connection.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 1))", [SCHEMA])
    await connection.execute(literal(f"CREATE SCHEMA IF NOT EXISTS {SCHEMA}"))
    await connection.execute("CREATE TABLE IF NOT EXISTS schema_version (version INTEGER)")
    cursor = await connection.execute("SELECT version FROM schema_version")
    found = await cursor.fetchone()
    if found is None:
        for statement in (*TABLES, *_COMMITS):
            await connection.execute(literal(statement.format(**_DIALECT)))
        await create_engine(connection)
        await connection.execute("INSERT INTO schema_version VALUES (%s)", [SCHEMA_VERSION])
    elif found[0] != SCHEMA_VERSION:
        raise wrong_version(f"the database {shown(address)}", found[0])
    if (problem := await engine_problem(connection)) is not None:
        raise ConfigurationError(f"the database {shown(address)} {problem}")

"""Reads a ledger in PostgreSQL without changing it, also while processes work on it."""

import asyncio
import contextlib
import itertools
import time
from collections.abc import AsyncIterator, Generator, Iterator
from typing import Any

import attrs
import psycopg
from psycopg import sql

from browser_use_async.batch.ledger.reader import Query
from browser_use_async.batch.ledger.row import COLUMNS, WITH_FORMER, LedgerRow, rows_of
from browser_use_async.batch.postgres import schema
from browser_use_async.batch.postgres.address import LedgerAddress
from browser_use_async.batch.postgres.connection import (
    as_ledger_error,
    connect,
    connection_parameters,
    ledger_errors,
)
from browser_use_async.batch.postgres.statements import IS_OVER
from browser_use_async.postgres.connection import PASSING, literal

LOOK_SECONDS = 5.0  # after which the ledger is read even without a notification
OVERLAP = 20.0  # seconds: a result is recorded a little before it is visible
_FETCHED = 1000  # rows at a time
_ENDED = f"""
SELECT {COLUMNS}, recorded_at FROM (
    SELECT * FROM items WHERE (recorded_at, position) > (%s, %s)
    ORDER BY recorded_at, position LIMIT {_FETCHED}
) AS items {WITH_FORMER} ORDER BY recorded_at, items.position, former.round
"""


@contextlib.contextmanager
def snapshot(address: LedgerAddress) -> Generator[Query, None, None]:
    """All statements inside of it read the same state."""

    def query(statement: str) -> Iterator[tuple[Any, ...]]:
        with connection.cursor(f"rows_{next(numbers)}") as cursor:
            cursor.itersize = _FETCHED
            yield from cursor.execute(literal(statement))

    numbers = itertools.count()
    with contextlib.closing(connect(address)) as connection, ledger_errors(address):
        schema.check(connection, address)
        # A reader may be slow: it has no lock that others wait for.
        connection.execute("SET idle_in_transaction_session_timeout = 0")
        connection.execute("SET statement_timeout = 0")
        connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        connection.read_only = True
        with connection.transaction():
            yield query


def exists(address: LedgerAddress) -> bool:
    """Whether there is such a ledger."""
    with contextlib.closing(connect(address)) as connection:
        return schema.exists(connection, address)


# --- results as they come --------------------------------------------------------------


async def follow_results(address: LedgerAddress, patience: float) -> AsyncIterator[LedgerRow]:
    """Each item that has ended or ends now, until the batch is over; a retried one again."""
    view, lost_at = _ResultCursor(), None
    while True:
        try:
            async with await _connect(address) as connection:
                async for row in view.rows(connection, address):
                    # The outage is over.
                    lost_at = None
                    yield row
            return
        except PASSING as error:
            lost_at = lost_at or time.monotonic()
            if time.monotonic() - lost_at > patience:
                raise as_ledger_error(error, address) from None
        except psycopg.Error as error:
            raise as_ledger_error(error, address) from None
        await asyncio.sleep(1.0)


@attrs.define
class _ResultCursor:
    """The results seen so far, also over lost connections."""

    since: float = 0.0  # when the latest result was recorded
    _seen: dict[int, float] = attrs.field(factory=dict)  # when, by the item's position

    async def rows(
        self, connection: psycopg.AsyncConnection, address: LedgerAddress
    ) -> AsyncIterator[LedgerRow]:
        # Before the first read, so that no end in between is missed.
        await connection.execute(sql.SQL("LISTEN {}").format(sql.Identifier(address.schema)))
        while True:
            # Asked first, so that the last results are read before the end.
            over = await (await connection.execute(literal(IS_OVER))).fetchone()
            async for row in self._new(connection):
                yield row
            if over is None or over[0]:
                return
            async for _notification in connection.notifies(timeout=LOOK_SECONDS, stop_after=1):
                pass

    async def _new(self, connection: psycopg.AsyncConnection) -> AsyncIterator[LedgerRow]:
        after, position = self.since - OVERLAP, -1
        while True:
            found = await connection.execute(literal(_ENDED), [after, position])
            rows = [*rows_of(await found.fetchall())]
            for row, (recorded_at,) in rows:
                after, position = recorded_at, row.index
                if self._seen.get(position) != recorded_at:
                    self._seen[position] = recorded_at
                    yield row
            if not rows:
                break
        self.since = max(self.since, after)
        # Results that will not be read again are forgotten.
        kept = {each: at for each, at in self._seen.items() if at > self.since - OVERLAP}
        self._seen = kept


async def _connect(address: LedgerAddress) -> psycopg.AsyncConnection:
    parameters: Any = connection_parameters(address)
    return await psycopg.AsyncConnection.connect(autocommit=True, **parameters)

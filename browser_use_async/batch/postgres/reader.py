"""Reads a ledger in PostgreSQL without changing it, also while processes work on it."""

import asyncio
import contextlib
import json
import time
from collections.abc import AsyncIterator, Generator, Iterator
from typing import Any

import attrs
import psycopg
from psycopg import sql

from browser_use_async.batch.ledger.reader import (
    ROW_COLUMNS,
    LedgerRow,
    LedgerView,
    ledger_orphan,
    ledger_row,
    moment,
)
from browser_use_async.batch.ledger.store import STATE_COUNTS, cents, counts_by_state
from browser_use_async.batch.postgres import schema
from browser_use_async.batch.postgres.address import LedgerAddress
from browser_use_async.batch.postgres.connection import (
    as_ledger_error,
    connect,
    connection_parameters,
    ledger_errors,
)
from browser_use_async.batch.postgres.statements import IS_OVER
from browser_use_async.errors import LedgerError
from browser_use_async.postgres.connection import PASSING, literal

LOOK_SECONDS = 5.0  # after which the ledger is read although no notification came
OVERLAP = 20.0  # seconds: a result is recorded a little before others can see it
_FETCHED = 1000  # rows at a time
_FORMER_TASKS = """(
    SELECT COALESCE(json_agg(
        json_build_array(task_id, status, steps, cost, error, reason) ORDER BY round
    ), '[]')
    FROM former_tasks WHERE former_tasks.position = items.position
)"""
_COLUMNS = f"{ROW_COLUMNS}, name, task, {_FORMER_TASKS}"
_ENDED = f"""
SELECT {_COLUMNS}, recorded_at FROM items
WHERE (recorded_at, position) > (%s, %s) ORDER BY recorded_at, position LIMIT {_FETCHED}
"""


@attrs.frozen(kw_only=True)
class PostgresLedgerView(LedgerView):
    """What a ledger in PostgreSQL says at one moment."""

    address: LedgerAddress

    def rows(self) -> Iterator[LedgerRow]:
        """Each item, in the order in which the input first named them."""
        statement = f"SELECT {_COLUMNS} FROM items ORDER BY position"
        with _snapshot(self.address) as connection, connection.cursor("rows") as cursor:
            cursor.itersize = _FETCHED
            for row in cursor.execute(literal(statement)):
                yield ledger_row(row)

    def item_keys(self) -> Iterator[str]:
        """The key of each item that was not refused, in the order of `rows()`."""
        with _snapshot(self.address) as connection, connection.cursor("keys") as cursor:
            cursor.itersize = _FETCHED
            for (key,) in cursor.execute(
                "SELECT key FROM items WHERE digest != '' ORDER BY position"
            ):
                yield key


def read(address: LedgerAddress) -> LedgerView:
    """Read what a ledger says."""
    with _snapshot(address) as connection:
        batch = connection.execute(
            "SELECT id, created_at, runs, budget, labels, spent FROM batch"
        ).fetchone()
        if batch is None:
            raise LedgerError(f"no batch has begun to use the ledger {address}: run one with it")
        orphans = connection.execute(
            "SELECT orphans.task_id, key, found_at, stopped, orphans.cost, name "
            "FROM orphans LEFT JOIN items USING (key)"
        ).fetchall()
        return PostgresLedgerView(
            address=address,
            path=address,
            id=batch[0],
            created_at=moment(batch[1]),
            runs=batch[2],
            labels=json.loads(batch[4]),
            budget_cents=None if batch[3] is None else cents(batch[3]),
            cost_cents=cents(batch[5]),
            counts=counts_by_state(connection.execute(STATE_COUNTS)),
            orphans=tuple(ledger_orphan(row) for row in orphans),
        )


@contextlib.contextmanager
def _snapshot(address: LedgerAddress) -> Generator[psycopg.Connection, None, None]:
    with contextlib.closing(connect(address)) as connection, ledger_errors(address):
        schema.check(connection, address)
        # A reader may be slow: it holds no lock that others wait for.
        connection.execute("SET idle_in_transaction_session_timeout = 0")
        connection.execute("SET statement_timeout = 0")
        connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        connection.read_only = True
        with connection.transaction():  # all statements read the same snapshot
            yield connection


def exists(address: LedgerAddress) -> bool:
    """Whether there is such a ledger."""
    with contextlib.closing(connect(address)) as connection:
        return schema.exists(connection, address)


# --- results as they come --------------------------------------------------------------


async def follow_results(address: LedgerAddress, patience: float) -> AsyncIterator[LedgerRow]:
    """Each item that has ended or ends now, until the batch is over; again if it is tried again."""
    view, lost_at = _ResultCursor(), None
    while True:
        try:
            async with await _connect(address) as connection:
                async for row in view.rows(connection, address):
                    # An outage that is over does not count any more.
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
    """What was seen, over lost connections."""

    since: float = 0.0  # when the latest result was recorded
    _seen: dict[int, float] = attrs.field(factory=dict)  # when, by the item's position

    async def rows(
        self, connection: psycopg.AsyncConnection, address: LedgerAddress
    ) -> AsyncIterator[LedgerRow]:
        # Before the first reading, so that what ends in between is told.
        await connection.execute(sql.SQL("LISTEN {}").format(sql.Identifier(address.schema)))
        while True:
            # Asked first: what ended before the batch was over is read afterwards.
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
            rows: list[tuple[Any, ...]] = await found.fetchall()
            for *columns, recorded_at in rows:
                after, position = recorded_at, columns[0]
                if self._seen.get(position) != recorded_at:
                    self._seen[position] = recorded_at
                    yield ledger_row(tuple(columns))
            if not rows:
                break
        self.since = max(self.since, after)
        # Those that will not be read again need not be remembered.
        kept = {each: at for each, at in self._seen.items() if at > self.since - OVERLAP}
        self._seen = kept


async def _connect(address: LedgerAddress) -> psycopg.AsyncConnection:
    parameters: Any = connection_parameters(address)
    return await psycopg.AsyncConnection.connect(autocommit=True, **parameters)

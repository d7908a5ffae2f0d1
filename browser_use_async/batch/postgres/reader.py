"""Reads a ledger in PostgreSQL without changing it, also while processes work on it."""

import contextlib
import json
from collections.abc import Generator, Iterator

import attrs
import psycopg

from browser_use_async.batch.ledger.reader import (
    ROW_COLUMNS,
    LedgerRow,
    LedgerView,
    ledger_orphan,
    ledger_row,
    moment,
)
from browser_use_async.batch.ledger.records import ItemState
from browser_use_async.batch.postgres import schema
from browser_use_async.batch.postgres.address import LedgerAddress
from browser_use_async.batch.postgres.connection import as_ledger_error, connect, literal
from browser_use_async.batch.postgres.store import cents
from browser_use_async.errors import LedgerError

_FETCHED = 1000  # rows at a time
FORMER_TASKS = """(
    SELECT COALESCE(json_agg(
        json_build_array(task_id, status, steps, cost, error, reason) ORDER BY round
    ), '[]')
    FROM former_tasks WHERE former_tasks.position = items.position
)"""


@attrs.frozen(kw_only=True)
class PostgresLedgerView(LedgerView):
    """What a ledger in PostgreSQL says at one moment."""

    address: LedgerAddress

    def rows(self) -> Iterator[LedgerRow]:
        """Each item, in the order in which the input first named them."""
        columns = f"{ROW_COLUMNS}, name, task, {FORMER_TASKS}"
        statement = f"SELECT {columns} FROM items ORDER BY position"
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
        counts = dict.fromkeys(ItemState, 0)
        for state, count in connection.execute("SELECT state, COUNT(*) FROM items GROUP BY state"):
            counts[ItemState(state)] = count
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
            counts=counts,
            orphans=tuple(ledger_orphan(row) for row in orphans),
        )


@contextlib.contextmanager
def _snapshot(address: LedgerAddress) -> Generator[psycopg.Connection, None, None]:
    with contextlib.closing(connect(address)) as connection:
        try:
            schema.check(connection, address)
            # A reader may be slow: it holds no lock that others wait for.
            connection.execute("SET idle_in_transaction_session_timeout = 0")
            connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
            connection.read_only = True
            with connection.transaction():  # all statements read the same snapshot
                yield connection
        except psycopg.Error as error:
            raise as_ledger_error(error, address) from None


def exists(address: LedgerAddress) -> bool:
    """Whether there is such a ledger."""
    with contextlib.closing(connect(address)) as connection:
        return schema.exists(connection, address)

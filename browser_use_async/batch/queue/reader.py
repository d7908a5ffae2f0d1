"""Reads a queue as a ledger is read, without changing it, also while processes work on it."""

import contextlib
from collections.abc import Callable, Generator, Iterator, Mapping
from decimal import Decimal
from typing import Any

import attrs
import psycopg
from psycopg.rows import dict_row

from browser_use_async.batch.ledger.reader import LedgerView
from browser_use_async.batch.ledger.records import ItemState
from browser_use_async.batch.ledger.row import LedgerRow
from browser_use_async.batch.queue import tables
from browser_use_async.batch.queue.address import QueueAddress
from browser_use_async.batch.queue.results import QueueStatus, row_of
from browser_use_async.batch.queue.store import (
    Columns,
    check_version,
    nothing_enqueued,
    parameters_of,
    queue_errors,
)
from browser_use_async.postgres.connection import connect, literal

# The rows of a statement about the queue.
Query = Callable[..., list[Columns]]


@attrs.frozen(kw_only=True)
class QueueView(LedgerView):
    """The content of a queue at one moment."""

    address: QueueAddress

    @property
    def name(self) -> str:
        """The address without its password."""
        return str(self.address)

    def rows(self) -> Iterator[LedgerRow]:
        """Each item, in the order in which they were enqueued, as it is when it is read."""
        after, index = 0, 0
        # No transaction stays open meanwhile: the server would end that of a slow reader.
        with _opened(self.address) as query:
            while found := query(tables.ALL_ITEMS, after=after):
                for row in found:
                    yield row_of(row, index)
                    index += 1
                after = found[-1]["position"]

    def item_keys(self) -> Iterator[str]:
        """The key of each item that was not refused, in the order of `rows()`."""
        return (row.key for row in self.rows() if row.digest)

    def _pace(self) -> tuple[Mapping[ItemState, int], Decimal, list[float]]:
        with _opened(self.address) as query:
            status = QueueStatus.of(self.address, _batch(self.address, query), query(tables.COUNTS))
            ends = sorted(row["finished_at"].timestamp() for row in query(tables.LATEST_ENDS))
        return status.counts, status.cost_cents, ends[::-1]


def read_queue(text: str) -> QueueView:
    """Read a queue; raises as `read_ledger` does."""
    address = QueueAddress.parse(text)
    with _opened(address) as query:
        batch = _batch(address, query)
        counts = query(tables.COUNTS)
    status = QueueStatus.of(address, batch, counts)
    return QueueView(
        path=None,
        address=address,
        id=batch["id"],
        created_at=batch["created_at"],
        runs=1,
        labels={},
        key_prefix=status.key_prefix,
        per_key=status.per_key,
        budget_cents=status.budget_cents,
        cost_cents=status.cost_cents,
        counts=status.counts,
        joined=status.joined,
        joined_failed=sum(row["joined"] for row in counts if row["state"] == ItemState.FAILED),
    )


def _batch(address: QueueAddress, query: Query) -> Columns:
    for batch in query(tables.BATCH):
        return batch
    raise nothing_enqueued(address)


@contextlib.contextmanager
def _opened(address: QueueAddress) -> Generator[Query]:
    with queue_errors(address), connect(parameters_of(address)) as connection:
        found = connection.execute(literal(tables.EXISTS)).fetchone()
        if found is None or not found[0]:
            raise nothing_enqueued(address)
        check_version(address, connection.execute(tables.VERSION_OF_TABLES).fetchone())
        cursor = psycopg.Cursor(connection, row_factory=dict_row)

        def query(statement: str, **values: Any) -> list[Columns]:
            return cursor.execute(literal(statement), {"batch": address.name, **values}).fetchall()

        yield query

"""Reads a ledger without changing it, also while a batch writes to it."""

import contextlib
import json
import os
import sqlite3
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import attrs

from browser_use_async.batch.forecast import Forecast
from browser_use_async.batch.ledger import schema
from browser_use_async.batch.ledger.file import refuse_other_places
from browser_use_async.batch.ledger.records import FINAL_STATES, ItemState
from browser_use_async.batch.ledger.row import (
    COLUMNS,
    FORMER_COSTS,
    IN_ORDER,
    STATE_COUNTS,
    WITH_FORMER,
    LedgerRow,
    cents_if_any,
    cost_of,
    counts_by_state,
    joined_by_state,
    moment,
    rows_of,
)
from browser_use_async.errors import LedgerCorruptError, LedgerError
from browser_use_async.money.amounts import plain_amounts
from browser_use_async.postgres.address import is_postgres, require_packages
from browser_use_async.prices import format_cents

# Executes a statement; the rows come a few at a time, so a large ledger is never all in memory.
Query = Callable[..., Iterable[tuple[Any, ...]]]

_BATCH = "id, created_at, runs, budget, labels, key_prefix, per_key"
# Few, so that a pause between two runs is seldom among them
_LATEST_ENDS = (
    "SELECT finished_at FROM items WHERE finished_at IS NOT NULL ORDER BY finished_at DESC "
    "LIMIT 100"
)


@attrs.frozen(kw_only=True, field_transformer=plain_amounts)
class LedgerView:
    """The content of a ledger at one moment."""

    path: Path | None  # None for a queue in PostgreSQL
    id: str  # the batch's id
    created_at: datetime  # when the batch was first run
    runs: int  # how many times it was run
    labels: Mapping[str, str]  # the caller's notes about the batch, such as its template
    key_prefix: str  # the beginning of the submission keys of its items: its id, or another one
    per_key: int | None  # the most items of one limit key under way at once, or None
    budget_cents: Decimal | None  # the budget of the last run in US cents, or None
    # What its tasks cost, from their steps and the published prices, in US cents
    cost_cents: Decimal
    counts: Mapping[ItemState, int]  # how many items are in each state; every state is there
    joined: int  # how many items have joined the task of an earlier run or of other code
    joined_failed: int  # how many of these tasks ended without success

    @property
    def name(self) -> str:
        """The name of the ledger for people."""
        return "" if self.path is None else self.path.name

    @property
    def total(self) -> int:
        """How many items it has."""
        return sum(self.counts.values())

    def rows(self) -> Iterator[LedgerRow]:
        """Each item, in the order in which the input first named them.

        Reads the ledger again, a few rows at a time, so that a large ledger is never all in memory.

        Raises:
            LedgerError: The ledger cannot be read, or is damaged.
        """
        with self._snapshot() as query:
            found = query(f"SELECT {COLUMNS} FROM items {WITH_FORMER} {IN_ORDER}")
            yield from rows_of(found)

    def to_rows(self) -> list[dict[str, Any]]:
        """Each item as a flat mapping of plain values, for a data frame.

        The columns are those of `LedgerRow` and `seconds`; of the former tasks there is only the
        number. Times are aware datetimes, and costs numbers of US cents.

        Raises:
            LedgerError: The ledger cannot be read, or is damaged.
        """
        return [row.to_row() for row in self.rows()]

    def about(self, total: int | None = None) -> Forecast | None:
        """About what the rest costs and takes, or None before 30 items have ended.

        It is the mean cost of the ended items and their latest pace. Reads the ledger again.

        Args:
            total: How many items the batch has. A ledger knows only items that a run has
                reached; with this number the others are of the rest, too.

        Raises:
            LedgerError: The ledger cannot be read, or is damaged.
        """
        counts, spent, times = self._pace()
        ends = sum(counts[state] for state in FINAL_STATES)
        # Items without a known task stay so until they are asked for.
        items = max(total or 0, sum(counts.values())) - ends - counts[ItemState.UNKNOWN]
        # From the first to the last of these times, one item fewer has ended.
        span = times[0] - times[-1] if times else 0.0
        seconds = span / (len(times) - 1) * items if span > 0 else None
        left = None if self.budget_cents is None else self.budget_cents - spent
        return Forecast.of(items, ends, spent, seconds, left)

    def _pace(self) -> tuple[Mapping[ItemState, int], Decimal, list[float]]:
        """How many items are in each state, the cost, and when the latest ended, latest first."""
        with self._snapshot() as query:
            counts = [*query(STATE_COUNTS)]
            spent = cost_of(counts, query(FORMER_COSTS))
            return counts_by_state(counts), spent, [time for (time,) in query(_LATEST_ENDS)]

    def find(self, keys: Sequence[str]) -> dict[str, LedgerRow]:
        """The rows of some hundred items of a file by their keys; unknown ones are left out.

        Raises:
            LedgerError: The ledger cannot be read, or is damaged.
        """
        chosen = f"WHERE items.key IN ({', '.join('?' * len(keys))})"
        with self._snapshot() as query:
            found = query(f"SELECT {COLUMNS} FROM items {WITH_FORMER} {chosen} {IN_ORDER}", keys)
            return {row.key: row for row in rows_of(found)}

    def item_keys(self) -> Iterator[str]:
        """The key of each item that was not refused, in the order of `rows()`."""
        with self._snapshot() as query:
            for (key,) in query("SELECT key FROM items WHERE length(digest) > 0 ORDER BY position"):
                yield key

    def _repr_html_(self) -> str:
        """The HTML for notebooks: states, costs and labels. Makes no call, and reads no file."""
        from browser_use_async.types.notebook import table  # noqa: PLC0415

        figures: dict[str, object] = {
            **{str(state): count for state, count in self.counts.items() if count},
            **({"joined": self.joined} if self.joined else {}),
            "cost": format_cents(self.cost_cents),
        }
        if self.budget_cents is not None:
            figures["budget"] = format_cents(self.budget_cents)
        figures |= {"begun": f"{self.created_at:%Y-%m-%d %H:%M:%S %Z}", "runs": self.runs}
        # After the figures, whose names labels may have, too.
        about = [*self.labels.items(), ("id", self.id), ("key_prefix", self.key_prefix)]
        return table(f"Ledger {self.name}: {self.total} items", [*figures.items(), *about])

    def _snapshot(self) -> contextlib.AbstractContextManager[Query]:
        assert self.path is not None
        return _snapshot(self.path)


def read_ledger(path: str | os.PathLike[str]) -> LedgerView:
    """Read a ledger without locking it, also while a batch is running.

    Args:
        path: The file, or the address of a queue, `postgresql://user@host/database#name`, which
            needs the extra `fleet`.

    Raises:
        LedgerError: There is no such ledger, it cannot be read, or no batch has begun to use it.
        LedgerCorruptError: It is no ledger, or is damaged.
        LedgerVersionError: Another version of this package wrote it, in another format.
    """
    if is_postgres(path):
        require_packages("a queue", "psycopg", "psycopg_pool", "procrastinate")
        # Needs the extra.
        from browser_use_async.batch.queue.reader import read_queue  # noqa: PLC0415

        return read_queue(path)
    file = Path(path)
    with _snapshot(file) as query:
        found = query(f"SELECT {_BATCH} FROM batch")
        batch = next(iter(found), None)
        if batch is None:
            raise _not_begun(file)
        counts = [*query(STATE_COUNTS)]
        joined = joined_by_state(counts)
        return LedgerView(
            path=file,
            id=batch[0],
            created_at=moment(batch[1]),
            runs=batch[2],
            labels=json.loads(batch[4]),
            key_prefix=batch[5],
            per_key=batch[6],
            budget_cents=cents_if_any(batch[3]),
            cost_cents=cost_of(counts, query(FORMER_COSTS)),
            counts=counts_by_state(counts),
            joined=sum(joined.values()),
            joined_failed=joined.get(ItemState.FAILED, 0),
        )


@contextlib.contextmanager
def _snapshot(file: Path) -> Generator[Query, None, None]:
    """All statements that are executed inside of it read the same state."""
    refuse_other_places(file)
    if not os.path.isfile(file):  # noqa: PTH113 - false for a name that is too long, too
        raise LedgerError(
            f"there is no ledger {file}; name the file that a batch was given with --ledger or "
            "run_many(ledger=...)"
        )
    try:
        # mode=ro: SQLite would create a missing file.
        address = f"{file.resolve().as_uri()}?mode=ro"
        with contextlib.closing(sqlite3.connect(address, uri=True, timeout=5)) as connection:
            connection.execute("BEGIN")
            if not connection.execute("SELECT COUNT(*) FROM sqlite_schema").fetchone()[0]:
                raise _not_begun(file)
            schema.check(connection, str(file))
            yield connection.execute
    # OperationalError is a DatabaseError, too, but the file is whole: busy or not readable.
    except sqlite3.OperationalError as error:
        raise LedgerError(f"the ledger {file} cannot be read: {error}") from None
    except (sqlite3.DatabaseError, ValueError) as error:
        raise LedgerCorruptError(f"{file} is no ledger, or is damaged: {error}") from None


def _not_begun(file: Path) -> LedgerError:
    return LedgerError(f"no batch has begun to use the ledger {file}: run one with it first")

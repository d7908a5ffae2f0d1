"""Reads a ledger without changing it, also while a batch writes to it."""

import contextlib
import json
import os
import re
import sqlite3
from collections.abc import Generator, Iterator, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import attrs

from browser_use_async.batch.ledger import schema
from browser_use_async.batch.ledger.records import FormerTask, ItemState, Orphan
from browser_use_async.batch.ledger.store import STATE_COUNTS, SUM_OF_COSTS, counts_by_state
from browser_use_async.batch.postgres.address import LedgerAddress
from browser_use_async.errors import LedgerCorruptError, LedgerError
from browser_use_async.postgres.address import is_postgres, require_packages


@attrs.frozen(kw_only=True)
class LedgerRow:
    """One item, as the ledger has it."""

    index: int  # its place among all items that the ledger has seen, counted from 0
    key: str
    state: ItemState  # how far it has come
    attempts: int  # how many times run-task was, or was about to be, sent
    doubted: bool  # whether it was sent again after an answer that was lost
    task_id: str | None  # the task's id, once it is known
    status: str | None  # the task's last status
    steps: int | None  # how many steps the task took, once it has ended
    cost_cents: Decimal | None  # what it cost, from its steps and the published prices, in US cents
    error: str | None  # the class of the error with which it ended, such as `TaskFailedError`
    reason: str | None  # the error in words
    entered_at: datetime  # when the item was first read
    sent_at: datetime | None  # when run-task was last about to be sent
    created_at: datetime | None  # when the task was created, as the service says
    finished_at: datetime | None  # when the task ended, as the service says
    output_bytes: int | None  # the size of the task's answer
    # The task's answer; None if there is none, or if it is too large to be kept here
    output: str | None = attrs.field(repr=False)
    name: str | None = None  # what the item is called, if that is not its key
    # The beginning of the text of its task, or None in a ledger of an early version
    task: str | None = attrs.field(default=None, repr=False)
    former_tasks: tuple[FormerTask, ...] = ()  # those that failed before it was tried again

    @property
    def title(self) -> str:
        """What people are shown: its name, its key, or the text of its task."""
        if self.name is not None:
            return self.name
        looks_like_digest = re.fullmatch("[0-9a-f]{32}", self.key) is not None
        return self.task if looks_like_digest and self.task is not None else self.key

    @property
    def total_cents(self) -> Decimal | None:
        """What its tasks cost together, in US cents; None if nothing is known of any."""
        costs = [each.cost_cents for each in self.former_tasks] + [self.cost_cents]
        known = [cost for cost in costs if cost is not None]
        return sum(known, Decimal(0)) if known else None

    @property
    def seconds(self) -> float | None:
        """How long the task took, by the service's clock; None if that is not known."""
        if self.created_at is None or self.finished_at is None:
            return None
        return (self.finished_at - self.created_at).total_seconds()


@attrs.frozen(kw_only=True)
class LedgerView:
    """What a ledger says at one moment."""

    path: Path | LedgerAddress
    id: str  # the batch's id
    created_at: datetime  # when the batch was first run
    runs: int  # how many times it was run
    labels: Mapping[str, str]  # what the caller wrote down about the batch, such as its template
    budget_cents: Decimal | None  # the budget of the last run in US cents, or None
    # What its tasks cost, from their steps and the published prices, in US cents
    cost_cents: Decimal
    counts: Mapping[ItemState, int]  # how many items are in each state; every state is there
    orphans: tuple[Orphan, ...]  # duplicate tasks

    @property
    def name(self) -> str:
        """What people call the ledger: the name of its file, or its address."""
        return self.path.name if isinstance(self.path, Path) else str(self.path)

    @property
    def total(self) -> int:
        """How many items it has."""
        return sum(self.counts.values())

    def rows(self) -> Iterator[LedgerRow]:
        """Each item, in the order in which the input first named them.

        Reads anew, and a few rows at a time, so that a large ledger is not held in memory.

        Raises:
            LedgerError: The file cannot be read, or is damaged.
        """
        assert isinstance(self.path, Path)
        with _snapshot(self.path) as connection:
            columns = ", ".join((ROW_COLUMNS, *_later_columns(connection)))
            for row in connection.execute(f"SELECT {columns} FROM items ORDER BY position"):
                yield ledger_row((*row[:-1], json.loads(row[-1])))

    def to_rows(self) -> list[dict[str, Any]]:
        """Each item as a flat mapping of plain values, for a data frame.

        The columns are those of `LedgerRow` but for the former tasks, of which there is the number,
        and `seconds`; times are aware datetimes, and costs numbers of US cents.

        Raises:
            LedgerError: The file cannot be read, or is damaged.
        """
        return [
            {
                **attrs.asdict(row, recurse=False),
                "state": str(row.state),
                "cost_cents": None if row.cost_cents is None else float(row.cost_cents),
                "total_cents": None if row.total_cents is None else float(row.total_cents),
                "former_tasks": len(row.former_tasks),
                "seconds": row.seconds,
            }
            for row in self.rows()
        ]

    def item_keys(self) -> Iterator[str]:
        """The key of each item that was not refused, in the order of `rows()`."""
        assert isinstance(self.path, Path)
        with _snapshot(self.path) as connection:
            found = connection.execute(
                "SELECT key FROM items WHERE digest != x'' ORDER BY position"
            )
            yield from (key for (key,) in found)


def read_ledger(path: str | os.PathLike[str]) -> LedgerView:
    """Read what a ledger says, without owning it: a batch may be running.

    Args:
        path: The file, or the address of a ledger in PostgreSQL.

    Raises:
        LedgerError: There is no such ledger, it cannot be read, or no batch has begun to use it.
        InvalidRequestError: It is an address that names no batch.
        ConfigurationError: It is an address, and the extra `fleet` is not installed.
        LedgerCorruptError: It is no ledger, or is damaged.
        LedgerVersionError: A newer version of this package wrote it.
    """
    if is_postgres(path):
        return _read_postgres(str(path))
    file = Path(path)
    with _snapshot(file) as connection:
        found = connection.execute("SELECT id, created_at, runs, budget, labels FROM batch")
        batch = found.fetchone()
        if batch is None:
            raise _not_begun(file)
        has_retries = schema.has_retries(connection)
        total = SUM_OF_COSTS if has_retries else "SELECT COALESCE(SUM(cost), 0) FROM items"
        cost = connection.execute(total).fetchone()[0]
        name = "name" if "name" in schema.item_columns(connection) else "NULL"
        orphans = connection.execute(
            "SELECT orphans.task_id, key, found_at, orphans.stopped, orphans.cost, "
            f"{name} FROM orphans LEFT JOIN items USING (key)"
        )
        return LedgerView(
            path=file,
            id=batch[0],
            created_at=moment(batch[1]),
            runs=batch[2],
            labels=json.loads(batch[4]),
            budget_cents=_cents(batch[3]),
            cost_cents=Decimal(cost) / schema.MILLICENTS,
            counts=counts_by_state(connection.execute(STATE_COUNTS)),
            orphans=tuple(ledger_orphan(row) for row in orphans),
        )


def _read_postgres(text: str) -> LedgerView:
    address = LedgerAddress.parse(text)
    require_packages("a ledger", "psycopg")
    # Loaded by those who use it.
    from browser_use_async.batch.postgres.reader import read  # noqa: PLC0415

    return read(address)


@contextlib.contextmanager
def _snapshot(file: Path) -> Generator[sqlite3.Connection, None, None]:
    if not os.path.isfile(file):  # noqa: PTH113 - false for a name that is too long, too
        raise LedgerError(
            f"there is no ledger {file}; name the file that a batch was given with --ledger or "
            "run_many(ledger=...)"
        )
    try:
        # mode=ro: SQLite would create a missing file.
        address = f"{file.resolve().as_uri()}?mode=ro"
        with contextlib.closing(sqlite3.connect(address, uri=True, timeout=5)) as connection:
            connection.execute("BEGIN")  # all statements read the same snapshot
            if not connection.execute("SELECT COUNT(*) FROM sqlite_schema").fetchone()[0]:
                raise _not_begun(file)
            schema.check(connection, str(file))
            yield connection
    # OperationalError is a DatabaseError, but the file is whole: it is busy or not readable.
    except sqlite3.OperationalError as error:
        raise LedgerError(f"the ledger {file} cannot be read: {error}") from None
    except (sqlite3.DatabaseError, ValueError) as error:
        raise LedgerCorruptError(f"{file} is no ledger, or is damaged: {error}") from None


def _not_begun(file: Path) -> LedgerError:
    return LedgerError(f"no batch has begun to use the ledger {file}: run one with it first")


ROW_COLUMNS = ", ".join(
    "position key state attempts doubted task_id status steps cost error reason entered_at sent_at "
    "created_at finished_at output_bytes output".split()
)


# A query for each row, but a fast one: the former tasks are ordered by the row's position.
_FORMER_TASKS = """(
    SELECT json_group_array(json_array(task_id, status, steps, cost, error, reason))
    FROM (SELECT * FROM former_tasks WHERE position = items.position ORDER BY round)
)"""


def _later_columns(connection: sqlite3.Connection) -> tuple[str, ...]:
    """The columns that ledgers of early versions lack; nothing stands for these there."""
    has_names = "name" in schema.item_columns(connection)
    former = _FORMER_TASKS if schema.has_retries(connection) else "'[]'"
    return (*(("name", "task") if has_names else ("NULL", "NULL")), former)


def ledger_row(row: tuple[Any, ...]) -> LedgerRow:
    """An item, from its columns."""
    return LedgerRow(
        index=row[0],
        key=row[1],
        state=ItemState(row[2]),
        attempts=row[3],
        doubted=bool(row[4]),
        task_id=row[5],
        status=row[6],
        steps=row[7],
        cost_cents=_cents(row[8]),
        error=row[9],
        reason=row[10],
        entered_at=moment(row[11]),
        sent_at=_moment_if_any(row[12]),
        created_at=_moment_if_any(row[13]),
        finished_at=_moment_if_any(row[14]),
        output_bytes=row[15],
        output=row[16],
        name=row[17],
        task=row[18],
        former_tasks=tuple(_former_task(each) for each in row[19]),
    )


def _former_task(values: list[Any]) -> FormerTask:
    task_id, status, steps, cost, error, reason = values
    return FormerTask(
        task_id=task_id,
        status=status,
        steps=steps,
        cost_cents=_cents(cost),
        error=error,
        reason=reason,
    )


def ledger_orphan(row: tuple[Any, ...]) -> Orphan:
    """A duplicate task, from its columns."""
    return Orphan(
        task_id=row[0],
        key=row[1],
        found_at=moment(row[2]),
        stopped=bool(row[3]),
        cost_cents=_cents(row[4]),
        name=row[5],
    )


def moment(seconds: float) -> datetime:
    """A time as a ledger has it, in UTC."""
    return datetime.fromtimestamp(seconds, UTC)


def _moment_if_any(seconds: float | None) -> datetime | None:
    return None if seconds is None else moment(seconds)


def _cents(millicents: int | None) -> Decimal | None:
    return None if millicents is None else Decimal(millicents) / schema.MILLICENTS

"""The SQL statements of a ledger. Not thread-safe; none of them begins or ends a transaction."""

import json
import sqlite3
import uuid
from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

import attrs

from browser_use_async.batch.inputs import Item
from browser_use_async.batch.ledger.records import (
    FINAL_STATES,
    MAX_KEPT_TASK,
    Intent,
    ItemState,
    LedgerTotals,
)
from browser_use_async.batch.ledger.row import (
    COLUMNS,
    FORMER_COSTS,
    IN_ORDER,
    STATE_COUNTS,
    WITH_FORMER,
    LedgerRow,
    cents,
    cost_of,
    counts_by_state,
    joined_by_state,
    millicents,
    mismatch,
    moment,
    other_prefix,
    rows_of,
)
from browser_use_async.batch.result import BatchResult
from browser_use_async.errors import LedgerCorruptError

# Characters of output that are stored; a longer output is fetched from the service again.
MAX_KEPT_OUTPUT = 1_000_000

Columns = tuple[Any, ...]

_TASK = "state = ?, task_id = ?, joined = ?"
# A former task of the item itself does not count as its task, either.
_ELSEWHERE = (
    "(EXISTS (SELECT 1 FROM items WHERE task_id = ? AND position != ?) "
    "OR EXISTS (SELECT 1 FROM former_tasks WHERE task_id = ?))"
)
_OUTCOMES = (
    "state status steps cost joined error reason created_at finished_at output_bytes output"
).split()
_OUTCOME = ", ".join(f"{name} = ?" for name in _OUTCOMES)
_FORMER = "task_id, status, steps, cost, error, reason, created_at, finished_at"
_FORGOTTEN = (
    "task_id = NULL, status = NULL, steps = NULL, cost = NULL, error = NULL, reason = NULL, "
    "keyed = FALSE, joined = FALSE, token = NULL, "
    "created_at = NULL, finished_at = NULL, output = NULL, output_bytes = NULL"
)


class LedgerStore:
    """The statements that a batch executes on its ledger."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self.connection = connection
        self._run = 0  # the number of this run
        self._round: int | None = None  # in which failed items are tried again

    # --- a run ----------------------------------------------------------------------------

    def begin_run(
        self,
        now: float,
        budget_cents: Decimal | None,
        labels: Mapping[str, str],
        *,
        key_prefix: str | None = None,
        retry_failed: bool = False,
        per_key: int | None = None,
    ) -> LedgerTotals:
        """Record that a run begins, and return the totals of the earlier ones."""
        before = self.key_prefix()
        if before is not None and key_prefix not in {None, before}:
            raise other_prefix(before, str(key_prefix))
        budget = millicents(budget_cents)
        found = self._one(
            "UPDATE batch SET runs = runs + 1, budget = ?, per_key = ? RETURNING runs, labels",
            (budget, per_key),
        )
        if found is None:
            found, batch_id = (1, "{}"), str(uuid.uuid4())
            self._do(
                "INSERT INTO batch (id, created_at, runs, budget, labels, key_prefix, per_key) "
                "VALUES (?, ?, 1, ?, '{}', ?, ?)",
                (batch_id, now, budget, key_prefix or f"{batch_id}/", per_key),
            )
        self._run = found[0]
        merged = {**json.loads(found[1]), **labels}
        self._do("UPDATE batch SET labels = ?", (json.dumps(merged),))
        if retry_failed:
            self._begin_round(now)
        return self.totals()

    def key_prefix(self) -> str | None:
        """The prefix of the items' submission keys, or None if no run has begun."""
        row = self._one("SELECT key_prefix FROM batch")
        return None if row is None else str(row[0])

    def totals(self) -> LedgerTotals:
        """The totals of the ledger: items by state, and costs."""
        counts = self._all(STATE_COUNTS)
        return LedgerTotals(
            counts=counts_by_state(counts),
            joined=joined_by_state(counts),
            key_prefix=str(self.key_prefix()),
            cost_cents=cost_of(counts, self._all(FORMER_COSTS)),
            reserved_cents=cents(sum(row[4] for row in counts)),
            has_open_round=self._open_round() is not None,
        )

    # A round of retries is recorded before its first item is sent, and ends with the run that has
    # read the whole input. After a crash the next run continues the round, so that no item is tried
    # twice in it.

    def _begin_round(self, now: float) -> None:
        self._round = self._open_round()
        if self._round is None:
            self._round = self._required(
                "INSERT INTO retry_rounds SELECT COALESCE(MAX(round), 0) + 1, ?, NULL "
                "FROM retry_rounds RETURNING round",
                (now,),
            )[0]

    def _open_round(self) -> int | None:
        row = self._one("SELECT round FROM retry_rounds WHERE ended_at IS NULL")
        return None if row is None else int(row[0])

    def end_round(self, now: float) -> None:
        """Record that all failed items of the input were tried again."""
        self._do("UPDATE retry_rounds SET ended_at = ? WHERE ended_at IS NULL", (now,))

    # --- an item --------------------------------------------------------------------------

    def begin_item(self, item: Item, now: float, *, revive: bool = False) -> LedgerRow:
        """The row of an item that this run has reached; inserted if it is new."""
        key = str(_storable(item.key))  # as stored, to be found again
        statement = f"SELECT {COLUMNS} FROM items {WITH_FORMER} WHERE key = ? {IN_ORDER}"
        row = next(rows_of(self._all(statement, (key,))), None)
        if row is None:
            return self._insert(key, item, now)
        row = self._for_this_run(row, item, revive=revive)
        if not row.repeated:
            self._do(
                "UPDATE items SET run = ?, name = ?, task = ? WHERE position = ?",
                (self._run, *_shown(item), row.index),
            )
        return row

    def _insert(self, key: str, item: Item, now: float) -> LedgerRow:
        position = self._required(
            "INSERT INTO items (key, digest, run, state, entered_at, name, task, position) "
            "SELECT ?, ?, ?, ?, ?, ?, ?, COALESCE(MAX(position) + 1, 0) FROM items "
            "RETURNING position",
            (key, item.digest, self._run, ItemState.NEW, now, *_shown(item)),
        )[0]
        return LedgerRow(index=position, key=key, entered_at=moment(now), digest=item.digest)

    def _for_this_run(self, row: LedgerRow, item: Item, *, revive: bool) -> LedgerRow:
        """A row that is there, with what this run does with it."""
        repeated, is_dead = row.run == self._run, row.state is ItemState.DEAD
        if row.digest != item.digest and (repeated or not is_dead):
            raise mismatch(row.key, repeated=repeated)
        if repeated:
            return attrs.evolve(row, repeated=True)
        is_wanted = (revive or row.digest != item.digest) and item.problem is None
        if is_dead and is_wanted:
            # A dead letter has no task, so a corrected or retried item starts again.
            self._do(
                "UPDATE items SET digest = ?, state = ?, attempts = 0, error = NULL, "
                "reason = NULL WHERE position = ?",
                (item.digest, ItemState.NEW, row.index),
            )
            return attrs.evolve(row.afresh(), attempts=0, revived=True)
        may_retry = row.state is ItemState.FAILED and self._admits_retry(row)
        return attrs.evolve(row, may_retry=True) if may_retry else row

    def _admits_retry(self, row: LedgerRow) -> bool:
        """Whether a failed item may be tried again in this round."""
        current = self._round
        return current is not None and all(each.round != current for each in row.former_tasks)

    def begin_send(self, row: LedgerRow, intent: Intent) -> None:
        """Record that run-task is about to be sent, and archive an item's failed task."""
        # In the same transaction as the intent: a crash loses both or neither.
        if self._round is not None:
            self._archive(row)
        self._update(
            row,
            "state = ?, token = ?, keyed = ?, attempts = attempts + 1, sent_at = ?, reserved = ?",
            (
                *(ItemState.INTENT, str(intent.token), intent.keyed, intent.at),
                millicents(intent.maximum_cents),
            ),
        )

    def _archive(self, row: LedgerRow) -> None:
        """Move the task of a failed item to the history; no effect on other items."""
        where = f"position = ? AND state = '{ItemState.FAILED}'"
        self._do(
            f"INSERT INTO former_tasks (position, round, {_FORMER}) "
            f"SELECT position, ?, {_FORMER} FROM items WHERE {where}",
            (self._round, row.index),
        )
        self._do(
            f"UPDATE items SET state = '{ItemState.NEW}', {_FORGOTTEN} WHERE {where}",
            (row.index,),
        )

    def mark_not_sent(self, row: LedgerRow) -> None:
        """Record that the request of an intent created nothing."""
        self._update(row, f"state = '{ItemState.NEW}', reserved = 0", ())

    def record_task(self, row: LedgerRow, task_id: str) -> None:
        """Record the item's task."""
        self._update(row, _TASK, (ItemState.SUBMITTED, task_id, False))

    def claim_task(self, row: LedgerRow, task_id: str, *, joined: bool = False) -> bool:
        """Record the item's new task; False if it belongs to another item."""
        if self._required(f"SELECT {_ELSEWHERE}", (task_id, row.index, task_id))[0]:
            return False
        self._update(row, _TASK, (ItemState.SUBMITTED, task_id, joined))
        return True

    def record_outcome(self, row: LedgerRow, result: BatchResult[Any]) -> None:
        """Record how the item ended."""
        # An unknown item keeps its reservation: it may have a task.
        freed = ", reserved = 0" if result.state in FINAL_STATES else ""
        self._update(row, f"{_OUTCOME}{freed}", self._outcome_values(result))

    def _outcome_values(self, result: BatchResult[Any]) -> Columns:
        """The values of `_OUTCOME`."""
        task, error, output = result.task, result.error, result.output
        is_kept = output is not None and not len(output) > MAX_KEPT_OUTPUT
        values: dict[str, Any] = {
            "state": result.state,
            "status": None if result.status is None else str(result.status),
            "steps": result.steps,
            # A task that may exist has an unknown cost, which is not zero.
            "cost": None if task is None else millicents(result.cost_cents),
            "joined": result.joined,
            "error": None if error is None else type(error).__name__,
            "reason": None if error is None else _storable(str(error)),
            "created_at": None if task is None else _seconds(task.created_at),
            "finished_at": None if task is None else _seconds(task.finished_at),
            # "surrogatepass": JSON may contain lone surrogates, which have no UTF-8.
            "output_bytes": None
            if output is None
            else len(output.encode("utf-8", "surrogatepass")),
            "output": _storable(output) if is_kept else None,
        }
        return tuple(values[name] for name in _OUTCOMES)

    # --- statements -----------------------------------------------------------------------

    def _all(self, statement: str, values: Columns = ()) -> list[Columns]:
        return self.connection.execute(statement, values).fetchall()

    def _one(self, statement: str, values: Columns = ()) -> Columns | None:
        return next(iter(self._all(statement, values)), None)

    def _required(self, statement: str, values: Columns = ()) -> Columns:
        return self._all(statement, values)[0]

    def _do(self, statement: str, values: Columns = ()) -> int:
        return self.connection.execute(statement, values).rowcount

    def _update(self, row: LedgerRow, assignments: str, values: Columns) -> None:
        statement = f"UPDATE items SET {assignments} WHERE position = ?"
        if self._do(statement, (*values, row.index)) != 1:
            raise LedgerCorruptError(f"the ledger has lost its row {row.index}")


def _shown(item: Item) -> tuple[str | None, str | None]:
    """An item's name and the beginning of its task, in the stored form."""
    return _storable(item.name), _storable(item.task and item.task[:MAX_KEPT_TASK])


def _storable(text: str | None) -> str | None:
    """The text without lone surrogates, which are valid in JSON and not in databases."""
    return None if text is None else text.encode("utf-8", "replace").decode()


def _seconds(moment: datetime | None) -> float | None:
    return None if moment is None else moment.timestamp()

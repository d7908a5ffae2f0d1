"""The SQL statements of a ledger. Not thread-safe; none of them begins or ends a transaction."""

import json
import sqlite3
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
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
    IN_ORDER,
    WITH_FORMER,
    Claim,
    LedgerRow,
    cents,
    millicents,
    mismatch,
    moment,
    other_prefix,
    rows_of,
)
from browser_use_async.batch.ledger.statements import (
    ELSEWHERE,
    FORGOTTEN,
    FORMER,
    OUTCOME,
    OUTCOMES,
    STATE_COUNTS,
    SUM_OF_COSTS,
    SUM_RESERVED,
    TASK,
    counts_by_state,
    joined_by_state,
)
from browser_use_async.batch.results import BatchResult
from browser_use_async.errors import LedgerCorruptError

# Characters of output that are stored; a longer output is fetched from the service again.
MAX_KEPT_OUTPUT = 1_000_000

Columns = tuple[Any, ...]


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
            cost_cents=cents(self._required(SUM_OF_COSTS)[0]),
            reserved_cents=cents(self._required(SUM_RESERVED)[0]),
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

    def claim(self, items: Sequence[Item], now: float, *, revive: bool = False) -> list[Claim]:
        """Claim the rows of items, inserted if they are new, as reached by this run."""
        keys = [str(_storable(item.key)) for item in items]  # as stored, to be found again
        by_key: dict[str, Item] = {}
        for key, item in zip(keys, items, strict=True):
            if by_key.setdefault(key, item).digest != item.digest:
                raise mismatch(key, repeated=True)
        claims: dict[str, Claim] = {}
        found = [*self._rows_of_keys(list(by_key))]
        for row in found:  # before anything is written
            self._refuse_changed(row, by_key[row.key])
        for row in found:
            claims[row.key] = self._claim_known(row, by_key[row.key], revive=revive)
        for key, claim in claims.items():
            if not claim.repeated:
                self._do(
                    "UPDATE items SET run = ?, name = ?, task = ? WHERE position = ?",
                    (self._run, *_shown(by_key[key]), claim.position),
                )
        new = {key: item for key, item in by_key.items() if key not in claims}
        for position, (key, item) in zip(self._insert(new, now), new.items(), strict=True):
            row = LedgerRow(index=position, key=key, entered_at=moment(now), digest=item.digest)
            claims[key] = Claim(row=row, known=False)
        return [*self._in_order(keys, claims)]

    def _in_order(self, keys: Iterable[str], claims: Mapping[str, Claim]) -> Iterator[Claim]:
        seen = set[str]()
        for key in keys:
            claim = claims[key]
            yield attrs.evolve(claim, repeated=True) if key in seen else claim
            seen.add(key)

    def _rows_of_keys(self, keys: Sequence[str]) -> Iterator[LedgerRow]:
        marks = ", ".join("?" * len(keys))
        return rows_of(
            self._all(
                f"SELECT {COLUMNS} FROM items {WITH_FORMER} WHERE key IN ({marks}) {IN_ORDER}",
                tuple(keys),
            )
        )

    def _insert(self, items: Mapping[str, Item], now: float) -> range:
        """Insert items by their keys; returns their positions."""
        first = self._required("SELECT COALESCE(MAX(position) + 1, 0) FROM items")[0]
        self.connection.executemany(
            "INSERT INTO items "
            "(position, key, digest, run, state, entered_at, name, task) "
            "VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            [
                (position, key, item.digest, self._run, ItemState.NEW, now, *_shown(item))
                for position, (key, item) in enumerate(items.items(), first)
            ],
        )
        return range(first, first + len(items))

    def _is_repeated(self, row: LedgerRow) -> bool:
        """Whether this run has reached a row before."""
        return row.run == self._run

    def _refuse_changed(self, row: LedgerRow, item: Item) -> None:
        repeated = self._is_repeated(row)
        if row.digest != item.digest and (repeated or row.state is not ItemState.DEAD):
            raise mismatch(row.key, repeated=repeated)

    def _claim_known(self, row: LedgerRow, item: Item, *, revive: bool) -> Claim:
        """Claim a row that is there."""
        repeated = self._is_repeated(row)
        is_wanted = (revive or row.digest != item.digest) and item.problem is None
        if row.state is ItemState.DEAD and is_wanted and not repeated:
            # A dead letter has no task, so a corrected or retried item starts again.
            self._do(
                "UPDATE items SET digest = ?, state = ?, attempts = 0, error = NULL, "
                "reason = NULL WHERE position = ?",
                (item.digest, ItemState.NEW, row.index),
            )
            return Claim(row=attrs.evolve(row.afresh(), attempts=0), revived=True)
        may_retry = row.state is ItemState.FAILED and not repeated and self._admits_retry(row)
        return Claim(row=row, repeated=repeated, may_retry=may_retry)

    def _admits_retry(self, row: LedgerRow) -> bool:
        """Whether a failed item may be tried again in this round."""
        current = self._round
        return current is not None and all(each.round != current for each in row.former_tasks)

    def begin_send(self, claim: Claim, intent: Intent) -> None:
        """Record that run-task is about to be sent, and archive an item's failed task."""
        # In the same transaction as the intent: a crash loses both or neither.
        if self._round is not None:
            self._archive(claim)
        self._update(
            claim,
            "state = ?, token = ?, keyed = ?, attempts = attempts + 1, sent_at = ?, reserved = ?",
            (
                *(ItemState.INTENT, str(intent.token), intent.keyed, intent.at),
                millicents(intent.maximum_cents),
            ),
        )

    def _archive(self, claim: Claim) -> None:
        """Move the task of a failed item to the history; no effect on other items."""
        where = f"position = ? AND state = '{ItemState.FAILED}'"
        self._do(
            f"INSERT INTO former_tasks (position, round, {FORMER}) "
            f"SELECT position, ?, {FORMER} FROM items WHERE {where}",
            (self._round, claim.position),
        )
        self._do(
            f"UPDATE items SET state = '{ItemState.NEW}', {FORGOTTEN} WHERE {where}",
            (claim.position,),
        )

    def mark_not_sent(self, claim: Claim) -> None:
        """Record that the request of an intent created nothing."""
        self._update(claim, f"state = '{ItemState.NEW}', reserved = 0", ())

    def record_task(self, claim: Claim, task_id: str) -> None:
        """Record the item's task."""
        self._update(claim, TASK, (ItemState.SUBMITTED, task_id, False))

    def claim_task(self, claim: Claim, task_id: str, *, joined: bool = False) -> bool:
        """Record the item's new task; False if it belongs to another item."""
        if self._required(f"SELECT {ELSEWHERE}", (task_id, claim.position, task_id))[0]:
            return False
        self._update(claim, TASK, (ItemState.SUBMITTED, task_id, joined))
        return True

    def record_outcome(self, claim: Claim, result: BatchResult[Any]) -> None:
        """Record how the item ended."""
        # An item that is in doubt keeps its reservation: it may have a task.
        freed = ", reserved = 0" if result.state in FINAL_STATES else ""
        self._update(claim, f"{OUTCOME}{freed}", self._outcome_values(result))

    def _outcome_values(self, result: BatchResult[Any]) -> Columns:
        """The values of `OUTCOME`."""
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
        return tuple(values[name] for name in OUTCOMES)

    # --- statements -----------------------------------------------------------------------

    def _all(self, statement: str, values: Columns = ()) -> list[Columns]:
        return self.connection.execute(statement, values).fetchall()

    def _one(self, statement: str, values: Columns = ()) -> Columns | None:
        return next(iter(self._all(statement, values)), None)

    def _required(self, statement: str, values: Columns = ()) -> Columns:
        return self._all(statement, values)[0]

    def _do(self, statement: str, values: Columns = ()) -> int:
        return self.connection.execute(statement, values).rowcount

    def _update(self, claim: Claim, assignments: str, values: Columns) -> None:
        statement = f"UPDATE items SET {assignments} WHERE position = ?"
        if self._do(statement, (*values, claim.position)) != 1:
            raise LedgerCorruptError(f"the ledger has lost its row {claim.position}")


def _shown(item: Item) -> tuple[str | None, str | None]:
    """An item's name and the beginning of its task, in the stored form."""
    return _storable(item.name), _storable(item.task and item.task[:MAX_KEPT_TASK])


def _storable(text: str | None) -> str | None:
    """The text without lone surrogates, which are valid in JSON and not in databases."""
    return None if text is None else text.encode("utf-8", "replace").decode()


def _seconds(moment: datetime | None) -> float | None:
    return None if moment is None else moment.timestamp()

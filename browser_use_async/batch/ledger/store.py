"""The SQL statements of a ledger. Not aware of threads."""

import json
import sqlite3
import uuid
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from browser_use_async.api.submission_token import SubmissionToken
from browser_use_async.batch.ledger.records import (
    DuplicateSuspect,
    ItemOutcome,
    ItemRecord,
    ItemState,
    LedgerTotals,
    Orphan,
)
from browser_use_async.batch.ledger.retries import RetryRounds
from browser_use_async.batch.ledger.schema import MILLICENTS
from browser_use_async.errors import LedgerCorruptError, LedgerMismatchError

MAX_KEPT_OUTPUT = 1_000_000
"""Characters of output that are stored; a longer one is fetched from the service again."""

MAX_KEPT_TASK = 200
"""Characters of a task's text that are stored, to show people which item a row is."""

MAX_RECENT = 16
"""Tasks of earlier runs whose steps the next run learns from: too few to be sure of anything."""


class Store:
    """The statements that a batch executes. None of them commits; the caller decides when."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self.connection = connection
        self._run = 0
        self._retries = RetryRounds(connection)

    # --- a run ----------------------------------------------------------------------------

    def begin_run(
        self,
        now: float,
        budget_cents: Decimal | None,
        labels: Mapping[str, str],
        *,
        retry_failed: bool = False,
    ) -> LedgerTotals:
        """Record that a run begins, and return the totals of the earlier ones."""
        found = self._one("SELECT runs, labels FROM batch")
        if found is None:
            self.connection.execute(
                "INSERT INTO batch (id, created_at, runs, budget, labels) VALUES (?, ?, 1, ?, ?)",
                (str(uuid.uuid4()), now, _millicents(budget_cents), json.dumps(dict(labels))),
            )
            self._run = 1
        else:
            self._run = found[0] + 1
            merged = json.dumps({**json.loads(found[1]), **labels})
            self.connection.execute(
                "UPDATE batch SET runs = ?, budget = ?, labels = ?",
                (self._run, _millicents(budget_cents), merged),
            )
        if retry_failed:
            self._retries.begin(now)
        return self._totals()

    def end_round(self, now: float) -> None:
        """Record that all failed items of the input were tried again."""
        self._retries.end(now)

    def _totals(self) -> LedgerTotals:
        counts = dict.fromkeys(ItemState, 0)
        for state, count in self.connection.execute(
            "SELECT state, COUNT(*) FROM items GROUP BY state"
        ):
            counts[ItemState(state)] = count
        cost = self._one(SUM_OF_COSTS) or (0,)
        recent = self.connection.execute(
            "SELECT steps FROM items WHERE steps IS NOT NULL "
            "ORDER BY finished_at DESC, position DESC LIMIT ?",
            (MAX_RECENT,),
        ).fetchall()
        return LedgerTotals(
            counts=counts,
            cost_cents=Decimal(cost[0]) / MILLICENTS,
            recent_steps=[steps for (steps,) in reversed(recent)],
            has_open_round=self._retries.is_open,
        )

    # --- an item --------------------------------------------------------------------------

    def claim(
        self,
        key: str,
        digest: bytes,
        now: float,
        *,
        revive: bool = False,
        name: str | None = None,
        task: str | None = None,
    ) -> ItemRecord:
        """Return an item's record, insert it if it is new, and mark it as reached by this run."""
        shown = (_storable_if_any(name), None if task is None else _storable(task[:MAX_KEPT_TASK]))
        row = self._one(f"SELECT {_RECORD_COLUMNS} FROM items WHERE key = ?", (key,))  # noqa: S608
        if row is None:
            made = self.connection.execute(
                "INSERT INTO items (key, digest, run, state, entered_at, name, task, position) "
                "VALUES (?, ?, ?, ?, ?, ?, ?, (SELECT COALESCE(MAX(position) + 1, 0) FROM items))",
                (key, digest, self._run, ItemState.NEW, now, *shown),
            )
            return ItemRecord(position=made.lastrowid or 0, known=False)
        record = self._claim_known(key, digest, row, revive=revive)
        if not record.repeated:
            self._update(record.position, "run = ?, name = ?, task = ?", (self._run, *shown))
        return record

    def _claim_known(
        self, key: str, digest: bytes, row: tuple[Any, ...], *, revive: bool
    ) -> ItemRecord:
        position, state, repeated = row[0], ItemState(row[1]), row[2] == self._run
        changed = row[3] != digest
        if changed and (repeated or state is not ItemState.DEAD):
            raise LedgerMismatchError(
                f"the item {key!r} is not what it was: this key stands for another request "
                f"{'earlier in the input' if repeated else 'in the ledger'}. Nothing was sent for "
                "it. Give it another key, or restore its content"
            )
        if state is ItemState.DEAD and (changed or revive) and not repeated:
            # A dead letter has no task, so a corrected or retried item starts afresh.
            self._update(
                position,
                "digest = ?, state = ?, attempts = 0, error = NULL, reason = NULL",
                (digest, ItemState.NEW),
            )
            return ItemRecord(
                position=position, revived=True, former_cost_cents=_cents(row[_FORMER_COST])
            )
        may_retry = state is ItemState.FAILED and not repeated and self._retries.admits(position)
        return _item_record(row, repeated=repeated, may_retry=may_retry)

    def begin_send(self, position: int, token: SubmissionToken, now: float) -> None:
        """Record that run-task is about to be sent, and what an item's failed task was."""
        # In the same transaction as the intent: a crash loses neither or both.
        self._retries.archive(position)
        self._update(
            position,
            # Sent again although an earlier request may have created a task: there may be two.
            f"doubted = doubted OR state IN ('{ItemState.INTENT}', '{ItemState.UNKNOWN}'), "
            "state = ?, mark = ?, token = ?, attempts = attempts + 1, sent_at = ?",
            (ItemState.INTENT, token.mark, str(token), now),
        )

    def mark_not_sent(self, position: int) -> None:
        """Record that the last request provably created nothing."""
        self._update(position, "state = ?", (ItemState.NEW,))

    def record_task(self, position: int, task_id: str) -> None:
        """Record the item's task."""
        self._update(position, "state = ?, task_id = ?", (ItemState.SUBMITTED, task_id))

    def belongs_to_other(self, position: int, task_id: str) -> bool:
        """Whether a task belongs to another item."""
        # A task that the item itself had before is not its task now, either.
        found = self._one(
            "SELECT 1 FROM items WHERE task_id = ? AND position != ? "
            "UNION ALL SELECT 1 FROM former_tasks WHERE task_id = ?",
            (task_id, position, task_id),
        )
        return found is not None

    def record_outcome(self, position: int, outcome: ItemOutcome) -> None:
        """Record how the item ended."""
        output = outcome.output
        # "surrogatepass": JSON may hold lone surrogates, which have no UTF-8.
        size = None if output is None else len(output.encode("utf-8", "surrogatepass"))
        kept = None if output is None or len(output) > MAX_KEPT_OUTPUT else _storable(output)
        self._update(
            position,
            "state = ?, status = ?, steps = ?, cost = ?, error = ?, reason = ?, created_at = ?, "
            "finished_at = ?, output_bytes = ?, output = ?",
            (
                outcome.state,
                outcome.status,
                outcome.steps,
                _millicents(outcome.cost_cents),
                outcome.error,
                _storable_if_any(outcome.reason),
                outcome.created_at,
                outcome.finished_at,
                size,
                kept,
            ),
        )

    # --- duplicate tasks ------------------------------------------------------------------

    def duplicate_suspects(self) -> list[DuplicateSuspect]:
        """The items that may have more than one task."""
        found = self.connection.execute(
            "SELECT key, token, task_id, steps, cost, name FROM items WHERE doubted "
            "UNION ALL SELECT key, former.token, former.task_id, former.steps, former.cost, name "
            "FROM former_tasks AS former JOIN items USING (position) WHERE former.doubted"
        )
        return [
            DuplicateSuspect(
                key=key,
                token=SubmissionToken.parse(token),
                task_id=task_id,
                steps=steps,
                cost_cents=_cents(cost),
                name=name,
            )
            for key, token, task_id, steps, cost, name in found
        ]

    def record_orphan(self, orphan: Orphan) -> None:
        """Record a duplicate task, or what has changed about it."""
        self.connection.execute(
            "INSERT INTO orphans VALUES (?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET "
            "stopped = stopped OR excluded.stopped, cost = excluded.cost",
            (
                orphan.task_id,
                orphan.key,
                orphan.found_at.timestamp(),
                orphan.stopped,
                _millicents(orphan.cost_cents),
            ),
        )

    # --- statements -----------------------------------------------------------------------

    def _one(self, statement: str, values: tuple[Any, ...] = ()) -> tuple[Any, ...] | None:
        row: tuple[Any, ...] | None = self.connection.execute(statement, values).fetchone()
        return row

    def _update(self, position: int, assignments: str, values: tuple[Any, ...]) -> None:
        done = self.connection.execute(
            f"UPDATE items SET {assignments} WHERE position = ?",  # noqa: S608
            (*values, position),
        )
        if done.rowcount != 1:
            raise LedgerCorruptError(f"the ledger has lost its row {position}")


SUM_OF_COSTS = (
    "SELECT COALESCE((SELECT SUM(cost) FROM items), 0) + "
    "COALESCE((SELECT SUM(cost) FROM former_tasks), 0)"
)

_RECORD_COLUMNS = (
    "position, state, run, digest, attempts, token, task_id, status, steps, cost, error, reason, "
    "output, output_bytes, "
    "(SELECT SUM(cost) FROM former_tasks WHERE former_tasks.position = items.position)"
)
_FORMER_COST = 14


def _item_record(row: tuple[Any, ...], *, repeated: bool, may_retry: bool) -> ItemRecord:
    return ItemRecord(
        position=row[0],
        state=ItemState(row[1]),
        repeated=repeated,
        may_retry=may_retry,
        attempts=row[4],
        token=None if row[5] is None else SubmissionToken.parse(row[5]),
        task_id=row[6],
        status=row[7],
        steps=row[8],
        cost_cents=_cents(row[9]),
        former_cost_cents=_cents(row[_FORMER_COST]),
        error=row[10],
        reason=row[11],
        output=row[12],
        output_bytes=row[13],
    )


def _cents(millicents: int | None) -> Decimal:
    return Decimal(millicents or 0) / MILLICENTS


def _millicents(cents: Decimal | None) -> int | None:
    return None if cents is None else round(cents * MILLICENTS)


def _storable_if_any(text: str | None) -> str | None:
    return None if text is None else _storable(text)


def _storable(text: str) -> str:
    """The text without lone surrogates, which JSON may hold and SQLite does not take."""
    return text.encode("utf-8", "replace").decode()

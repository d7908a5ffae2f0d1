"""The SQL statements of a ledger in PostgreSQL. The connection is in autocommit mode.

What happens to an item once is one statement where it can be: each round trip waits for the event
loop's thread. All may be executed twice, because the answer to a commit can be lost: what the same
call has written is not written again.
"""

import hashlib
import json
import uuid
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

import attrs
import psycopg

from browser_use_async.api.submission_token import SubmissionToken
from browser_use_async.batch.ledger.records import (
    FINAL_STATES,
    DuplicateSuspect,
    ItemOutcome,
    ItemRecord,
    ItemState,
    LedgerTotals,
    Orphan,
)
from browser_use_async.batch.ledger.schema import MILLICENTS
from browser_use_async.batch.ledger.store import MAX_KEPT_OUTPUT, MAX_KEPT_TASK, MAX_RECENT
from browser_use_async.batch.postgres.connection import literal
from browser_use_async.batch.postgres.schema import AT_REST
from browser_use_async.errors import LeaseLostError, LedgerMismatchError

Values = Sequence[Any] | Mapping[str, Any]


@attrs.define(kw_only=True)
class RunContext:
    """What the stores of one process know of its run."""

    owner: str  # of the items that this process works on
    is_worker: bool = False  # whether jobs say which items these are, and not an input
    run: int = 0
    round: int | None = None  # in which failed items are tried again


@attrs.frozen
class PostgresStore:
    """The statements that a batch executes."""

    connection: psycopg.Connection
    context: RunContext
    call: str  # the same when a transaction is executed again

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
        with self.connection.transaction():
            self._begin_run(now, millicents(budget_cents), labels)
            if retry_failed:
                self._begin_round(now)
            return self.totals()

    def _begin_run(self, now: float, budget: int | None, labels: Mapping[str, str]) -> None:
        context = self.context
        found = self._one("SELECT runs, labels FROM batch FOR UPDATE")
        if found is None:
            context.run = 1
            self._do(
                "INSERT INTO batch (id, created_at, runs, budget, labels) "
                "VALUES (%s, %s, 1, %s, %s)",
                (str(uuid.uuid4()), now, budget, json.dumps(dict(labels))),
            )
            return
        context.run = found[0] + 1
        merged = json.dumps({**json.loads(found[1]), **labels})
        self._do(
            "UPDATE batch SET runs = %s, budget = %s, labels = %s", (context.run, budget, merged)
        )

    def totals(self) -> LedgerTotals:
        """What the ledger holds."""
        counts = dict.fromkeys(ItemState, 0)
        for state, count in self._all("SELECT state, COUNT(*) FROM items GROUP BY state"):
            counts[ItemState(state)] = count
        spent = self._one("SELECT spent FROM batch") or (0,)
        return LedgerTotals(
            counts=counts,
            cost_cents=cents(spent[0]),
            recent_steps=self.recent_steps(),
            has_open_round=self._open_round() is not None,
        )

    def recent_steps(self) -> Sequence[int]:
        """The steps of the tasks that ended last, the latest last."""
        recent = self._all(
            "SELECT steps FROM items WHERE finished_at IS NOT NULL AND steps IS NOT NULL "
            "ORDER BY finished_at DESC LIMIT %s",
            (MAX_RECENT,),
        )
        return [steps for (steps,) in reversed(recent)]

    def end_round(self, now: float) -> None:
        """Record that all failed items of the input were tried again."""
        self._do("UPDATE retry_rounds SET ended_at = %s WHERE ended_at IS NULL", (now,))

    def _begin_round(self, now: float) -> None:
        self.context.round = self._open_round()
        if self.context.round is None:
            self.context.round = self._required(
                "INSERT INTO retry_rounds SELECT COALESCE(MAX(round), 0) + 1, %s, NULL "
                "FROM retry_rounds RETURNING round",
                (now,),
            )[0]

    def _open_round(self) -> int | None:
        row = self._one("SELECT round FROM retry_rounds WHERE ended_at IS NULL")
        return None if row is None else int(row[0])

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
        """Return an item's record, insert it if it is new, and make it this process's own."""
        # What is stored and read again has the same digest.
        key = str(storable(key))
        if self.context.is_worker:
            return self._claim_known(key, digest, self._taken(key), revive=revive)
        shown = storable(name), storable(None if task is None else task[:MAX_KEPT_TASK])
        row = self._one(
            f"SELECT {_RECORD_COLUMNS} FROM items WHERE key_digest = %s", (key_digest(key),)
        )
        if row is None:
            return ItemRecord(position=self._insert(key, digest, now, shown), known=False)
        record = self._claim_known(key, digest, row, revive=revive)
        if not record.repeated:
            self._do(
                "UPDATE items SET owner = %s, claim = %s, run = %s, name = %s, task = %s "
                "WHERE position = %s",
                (self.context.owner, self.call, self.context.run, *shown, record.position),
            )
        # The answer to the insertion was lost: the item is still one that this run has made.
        is_own = row[_CLAIM] == self.call and row[_RUN] == self.context.run
        return attrs.evolve(record, known=False) if is_own and record.attempts == 0 else record

    def _taken(self, key: str) -> tuple[Any, ...]:
        """Make an item this process's own: its former owner can write nothing more for it."""
        return self._required(
            "UPDATE items SET owner = %s, claim = %s WHERE key_digest = %s "
            f"RETURNING {_RECORD_COLUMNS}",
            (self.context.owner, self.call, key_digest(key)),
        )

    def _insert(
        self, key: str, digest: bytes, now: float, shown: tuple[str | None, str | None]
    ) -> int:
        position: int = self._required(
            "WITH next AS (UPDATE batch SET items = items + 1 RETURNING items - 1 AS position) "
            "INSERT INTO items (position, key, key_digest, digest, run, state, entered_at, name, "
            "task, owner, claim) SELECT position, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s FROM next "
            "RETURNING position",
            (
                *(key, key_digest(key), digest, self.context.run, ItemState.NEW, now, *shown),
                *(self.context.owner, self.call),
            ),
        )[0]
        return position

    def _claim_known(
        self, key: str, digest: bytes, row: tuple[Any, ...], *, revive: bool
    ) -> ItemRecord:
        context, state = self.context, ItemState(row[1])
        repeated = not context.is_worker and row[_RUN] == context.run and row[_CLAIM] != self.call
        changed = bytes(row[3]) != digest
        if changed and (repeated or state is not ItemState.DEAD):
            raise LedgerMismatchError(
                f"the item {key!r} is not what it was: this key stands for another request "
                f"{'earlier in the input' if repeated else 'in the ledger'}. Nothing was sent for "
                "it. Give it another key, or restore its content"
            )
        if state is ItemState.DEAD and (changed or revive) and not repeated:
            # A dead letter has no task, so a corrected or retried item starts afresh.
            self._do(
                "UPDATE items SET digest = %s, state = %s, attempts = 0, error = NULL, "
                "reason = NULL WHERE position = %s",
                (digest, ItemState.NEW, row[0]),
            )
            former = cents(row[_FORMER_COST])
            return ItemRecord(position=row[0], revived=True, former_cost_cents=former)
        may_retry = state is ItemState.FAILED and not repeated and self._admits_retry(row[0])
        return _item_record(row, repeated=repeated, may_retry=may_retry)

    def _admits_retry(self, position: int) -> bool:
        """Whether a failed item may be tried again in this round."""
        open_round = self._open_round() if self.context.is_worker else self.context.round
        if open_round is None:
            return False
        self.context.round = open_round
        found = self._one(
            "SELECT 1 FROM former_tasks WHERE position = %s AND round = %s", (position, open_round)
        )
        return found is None

    def begin_send(self, position: int, token: SubmissionToken, now: float) -> None:
        """Record that run-task is about to be sent, and what an item's failed task was."""
        # The same token at the same moment: it is this very statement, executed twice. Sent again
        # although an earlier request may have created a task: there may be two.
        assignments = (
            "doubted = doubted OR (state = ANY(%s) AND (token, sent_at) IS DISTINCT FROM (%s, %s)),"
            " attempts = attempts + CASE WHEN (token, sent_at) IS DISTINCT FROM (%s, %s) "
            "THEN 1 ELSE 0 END, state = %s, mark = %s, token = %s, sent_at = %s"
        )
        values = (
            *([ItemState.INTENT, ItemState.UNKNOWN], str(token), now, str(token), now),
            *(ItemState.INTENT, token.mark, str(token), now),
        )
        if self.context.round is None:
            self._update(position, assignments, values)
            return
        with self.connection.transaction():
            # In the same transaction as the intent: a crash loses neither or both.
            self._archive(position)
            self._update(position, assignments, values)

    def _archive(self, position: int) -> None:
        """Move the task of a failed item to the history; without effect on any other item."""
        where = (position, ItemState.FAILED, self.context.owner)
        condition = "position = %s AND state = %s AND owner = %s"
        self._do(
            f"INSERT INTO former_tasks (position, round, {_FORMER}) "
            f"SELECT position, %s, {_FORMER} FROM items WHERE {condition}",
            (self.context.round, *where),
        )
        self._do(
            f"UPDATE items SET state = %s, {_FORGOTTEN} WHERE {condition}", (ItemState.NEW, *where)
        )

    def mark_not_sent(self, position: int) -> None:
        """Record that the last request provably created nothing."""
        self._update(position, "state = %s", (ItemState.NEW,))

    def record_task(self, position: int, task_id: str) -> None:
        """Record the item's task."""
        self._update(position, "state = %s, task_id = %s", (ItemState.SUBMITTED, task_id))

    def belongs_to_other(self, position: int, task_id: str) -> bool:
        """Whether a task belongs to another item."""
        found = self._one(
            "SELECT 1 FROM items WHERE task_id = %s AND position != %s "
            "UNION ALL SELECT 1 FROM former_tasks WHERE task_id = %s LIMIT 1",
            (task_id, position, task_id),
        )
        return found is not None

    def record_outcome(self, position: int, outcome: ItemOutcome) -> None:
        """Record how the item ended, and what was spent, in one statement."""
        output = outcome.output
        size = None if output is None else len(output.encode("utf-8", "surrogatepass"))
        kept = None if output is None or len(output) > MAX_KEPT_OUTPUT else storable(output)
        cost = millicents(outcome.cost_cents)
        written = self._required(
            _RECORD_OUTCOME,
            {
                "position": position,
                "owner": self.context.owner,
                "state": outcome.state,
                "status": outcome.status,
                "steps": outcome.steps,
                "cost": cost,
                "spent": cost or 0,
                "error": outcome.error,
                "reason": storable(outcome.reason),
                "created_at": outcome.created_at,
                "finished_at": outcome.finished_at,
                "size": size,
                "output": kept,
                # An item that is in doubt keeps its reservation: it may have a task.
                "is_over": outcome.state in FINAL_STATES,
            },
        )[0]
        if not written:
            raise self._lease_lost(position)

    # --- duplicate tasks ------------------------------------------------------------------

    def duplicate_suspects(self) -> list[DuplicateSuspect]:
        """The items that may have more than one task."""
        found = self._all(
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
                cost_cents=cents(cost),
                name=name,
            )
            for key, token, task_id, steps, cost, name in found
        ]

    def record_orphan(self, orphan: Orphan) -> None:
        """Record a duplicate task, or what has changed about it."""
        self._do(
            "INSERT INTO orphans VALUES (%s, %s, %s, %s, %s) ON CONFLICT (task_id) DO UPDATE SET "
            "stopped = orphans.stopped OR excluded.stopped, cost = excluded.cost",
            (
                *(orphan.task_id, storable(orphan.key), orphan.found_at.timestamp()),
                *(orphan.stopped, millicents(orphan.cost_cents)),
            ),
        )

    # --- statements -----------------------------------------------------------------------

    def _do(self, statement: str, values: Values = ()) -> int:
        return self.connection.execute(literal(statement), values).rowcount

    def _one(self, statement: str, values: Values = ()) -> tuple[Any, ...] | None:
        return self.connection.execute(literal(statement), values).fetchone()

    def _required(self, statement: str, values: Values = ()) -> tuple[Any, ...]:
        row = self._one(statement, values)
        assert row is not None
        return row

    def _all(self, statement: str, values: Values = ()) -> list[tuple[Any, ...]]:
        return self.connection.execute(literal(statement), values).fetchall()

    def _update(self, position: int, assignments: str, values: Sequence[Any]) -> None:
        """Write to an item that is this process's own."""
        done = self._do(
            f"UPDATE items SET {assignments} WHERE position = %s AND owner = %s",
            (*values, position, self.context.owner),
        )
        if done != 1:
            raise self._lease_lost(position)

    def _lease_lost(self, position: int) -> LeaseLostError:
        return LeaseLostError(
            f"item {position} of the batch was taken over by another process, which brings it to "
            "its end; nothing more is sent for it here"
        )


# The difference of the costs: 0 if the same was committed before. One statement, so that the row of
# the batch, which all processes share, is locked for no longer than the server needs.
_RECORD_OUTCOME = f"""
WITH before AS (
    SELECT position, COALESCE(cost, 0) AS cost, expected FROM items
    WHERE position = %(position)s AND owner = %(owner)s FOR UPDATE
), ended AS (
    UPDATE items SET state = %(state)s, status = %(status)s, steps = %(steps)s, cost = %(cost)s,
        error = %(error)s, reason = %(reason)s, created_at = %(created_at)s,
        finished_at = %(finished_at)s, output_bytes = %(size)s, output = %(output)s,
        expected = CASE WHEN %(is_over)s THEN 0 ELSE before.expected END, feed = {AT_REST},
        recorded_at = extract(epoch FROM clock_timestamp())
    FROM before WHERE items.position = before.position RETURNING 1
), paid AS (
    UPDATE batch SET spent = spent + %(spent)s - before.cost,
        reserved = reserved - CASE WHEN %(is_over)s THEN before.expected ELSE 0 END
    FROM before
    WHERE before.cost != %(spent)s OR (%(is_over)s AND before.expected != 0) RETURNING 1
)
SELECT (SELECT COUNT(*) FROM ended), pg_notify(current_schema(), '')
"""
_FORMER = "task_id, status, steps, cost, error, reason, doubted, token, created_at, finished_at"
_FORGOTTEN = (
    "task_id = NULL, status = NULL, steps = NULL, cost = NULL, error = NULL, reason = NULL, "
    "doubted = false, mark = NULL, token = NULL, created_at = NULL, finished_at = NULL, "
    "output = NULL, output_bytes = NULL, recorded_at = NULL"
)
_RECORD_COLUMNS = (
    "position, state, run, digest, attempts, token, task_id, status, steps, cost, error, reason, "
    "output, output_bytes, "
    "(SELECT SUM(cost) FROM former_tasks WHERE former_tasks.position = items.position), claim"
)
_RUN, _FORMER_COST, _CLAIM = 2, 14, 15


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
        cost_cents=cents(row[9]),
        former_cost_cents=cents(row[_FORMER_COST]),
        error=row[10],
        reason=row[11],
        output=row[12],
        output_bytes=row[13],
    )


def key_digest(key: str) -> bytes:
    """What an item is found by: keys may be longer than an index takes."""
    return hashlib.sha256(key.encode()).digest()


def storable(text: str | None) -> str | None:
    """The text without what PostgreSQL does not take: NUL and lone surrogates."""
    if text is None:
        return None
    return text.encode("utf-8", "replace").decode().replace("\0", "�")


def cents(amount: int | None) -> Decimal:
    """An amount of the ledger in US cents."""
    return Decimal(amount or 0) / MILLICENTS


def millicents(amount: Decimal | None) -> int | None:
    """An amount in US cents as the ledger stores it."""
    return None if amount is None else round(amount * MILLICENTS)

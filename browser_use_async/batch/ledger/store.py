"""The SQL statements of a ledger, for SQLite and PostgreSQL alike. Not aware of threads."""

# The parameters are written as psycopg takes them.

import json
import uuid
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from decimal import Decimal
from typing import Any

import attrs

from browser_use_async.api.submission_token import SubmissionToken
from browser_use_async.batch.ledger.records import (
    Claim,
    DuplicateSuspect,
    ItemOutcome,
    ItemRecord,
    ItemState,
    LedgerTotals,
    Orphan,
)
from browser_use_async.batch.ledger.schema import MILLICENTS
from browser_use_async.errors import LedgerError, LedgerMismatchError

# Characters of output that are stored; a longer one is fetched from the service again.
MAX_KEPT_OUTPUT = 1_000_000

# Characters of a task's text that are stored, to show people which item a row is.
MAX_KEPT_TASK = 200

# Tasks of earlier runs whose steps the next run learns from: too few to be sure of anything.
MAX_RECENT = 16

Values = Sequence[Any] | Mapping[str, Any]
Row = tuple[Any, ...]
Shown = tuple[str | None, str | None]  # an item's name and the beginning of its task


@attrs.define(kw_only=True)
class RunContext:
    """What the stores of one process know of its run."""

    owner: str = ""  # of the items that this process works on, in a ledger that several share
    lease: float = 0.0  # seconds of silence after which others may have its items
    run: int = 0
    round: int | None = None  # in which failed items are tried again


class LedgerStore(ABC):
    """The statements that a batch executes. None of them begins or ends a thread's transaction."""

    record_columns = (
        "position, state, run, digest, attempts, token, task_id, status, steps, cost, error, "
        "reason, output, output_bytes, "
        "(SELECT SUM(cost) FROM former_tasks WHERE former_tasks.position = items.position)"
    )

    def __init__(self, context: RunContext, call: str | None = None) -> None:
        self.context = context
        self.call = call  # what a claim of this store is known by

    # --- what the kinds of ledgers differ in ------------------------------------------------

    @abstractmethod
    def _all(self, statement: str, values: Values = ()) -> list[Row]:
        """Execute a statement that gives rows."""

    @abstractmethod
    def _do(self, statement: str, values: Values = ()) -> int:
        """Execute a statement, and give the number of rows that it wrote."""

    @abstractmethod
    def _transaction(self) -> AbstractContextManager[object]:
        """Make several statements one, unless they are anyway."""

    @abstractmethod
    def _find(self, key: str) -> Row | None:
        """The columns of the item with a key."""

    @abstractmethod
    def _insert(self, key: str, digest: bytes, now: float, shown: Shown) -> int:
        """Insert an item, and give its position."""

    @abstractmethod
    def _take(self, position: int, shown: Shown) -> None:
        """Mark an item as reached by this run."""

    @abstractmethod
    def _own(self, claim: Claim) -> tuple[str, Row]:
        """The condition that a row is still claimed so, and its values."""

    @abstractmethod
    def _lost(self, position: int) -> LedgerError:
        """The error of an item that is no longer this process's."""

    @abstractmethod
    def record_outcome(self, claim: Claim, outcome: ItemOutcome) -> None:
        """Record how the item ended."""

    def _is_repeated(self, row: Row) -> bool:
        return bool(row[_RUN] == self.context.run)

    def _is_known(self, row: Row, now: float) -> bool:
        """Whether a row was there before this call."""
        return True

    def _storable(self, text: str | None) -> str | None:
        """The text without lone surrogates, which JSON may hold and no database takes."""
        return None if text is None else text.encode("utf-8", "replace").decode()

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
        with self._transaction():
            budget = millicents(budget_cents)
            found = self._one(
                "UPDATE batch SET runs = runs + 1, budget = %s RETURNING runs, labels", (budget,)
            )
            if found is None:
                found = 1, "{}"
                self._do(
                    "INSERT INTO batch (id, created_at, runs, budget, labels) "
                    "VALUES (%s, %s, 1, %s, '{}')",
                    (str(uuid.uuid4()), now, budget),
                )
            self.context.run = found[0]
            merged = {**json.loads(found[1]), **labels}
            self._do("UPDATE batch SET labels = %s", (json.dumps(merged),))
            if retry_failed:
                self._begin_round(now)
            return self.totals()

    def totals(self) -> LedgerTotals:
        """What the ledger holds."""
        recent = self._all(
            "SELECT steps FROM items WHERE steps IS NOT NULL "
            "ORDER BY finished_at DESC NULLS LAST, position DESC LIMIT %s",
            (MAX_RECENT,),
        )
        return LedgerTotals(
            counts=counts_by_state(self._all(STATE_COUNTS)),
            cost_cents=cents(self._required(SUM_OF_COSTS)[0]),
            recent_steps=[steps for (steps,) in reversed(recent)],
            has_open_round=self._open_round() is not None,
        )

    # A round of retries is recorded before the first item of it is sent, and ends with the run
    # that has read the whole input. A run that goes on after a crash joins it, so that no item is
    # tried twice in it.

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

    def end_round(self, now: float) -> None:
        """Record that all failed items of the input were tried again."""
        self._do("UPDATE retry_rounds SET ended_at = %s WHERE ended_at IS NULL", (now,))

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
        key = str(self._storable(key))  # what is stored and read again is found again
        shown = self._storable(name), self._storable(task and task[:MAX_KEPT_TASK])
        row = self._find(key)
        if row is None:
            position = self._insert(key, digest, now, shown)
            return ItemRecord(position=position, call=self.call, known=False)
        record = self._claim_known(key, digest, row, repeated=self._is_repeated(row), revive=revive)
        if not record.repeated:
            self._take(record.position, shown)
        return attrs.evolve(record, known=self._is_known(row, now))

    def _claim_known(
        self, key: str, digest: bytes, row: Row, *, repeated: bool, revive: bool
    ) -> ItemRecord:
        position, state = row[0], ItemState(row[1])
        changed = bytes(row[3]) != digest
        if changed and (repeated or state is not ItemState.DEAD):
            raise mismatch(key, repeated=repeated)
        if state is ItemState.DEAD and (changed or revive) and not repeated:
            # A dead letter has no task, so a corrected or retried item starts afresh.
            self._do(
                "UPDATE items SET digest = %s, state = %s, attempts = 0, error = NULL, "
                "reason = NULL WHERE position = %s",
                (digest, ItemState.NEW, position),
            )
            former = cents(row[_FORMER_COST])
            return ItemRecord(
                position=position, call=self.call, revived=True, former_cost_cents=former
            )
        may_retry = state is ItemState.FAILED and not repeated and self._admits_retry(position)
        return _item_record(row, self.call, repeated=repeated, may_retry=may_retry)

    def _admits_retry(self, position: int) -> bool:
        """Whether a failed item may be tried again in this round."""
        if self.context.round is None:
            return False
        tried = "SELECT 1 FROM former_tasks WHERE position = %s AND round = %s"
        return self._one(tried, (position, self.context.round)) is None

    def begin_send(self, claim: Claim, token: SubmissionToken, now: float) -> None:
        """Record that run-task is about to be sent, and what an item's failed task was."""
        if self.context.round is None:
            self._record_intent(claim, token, now)
            return
        # In the same transaction as the intent: a crash loses neither or both.
        with self._transaction():
            self._archive(claim)
            self._record_intent(claim, token, now)

    def _record_intent(self, claim: Claim, token: SubmissionToken, now: float) -> None:
        self._update(
            claim,
            # Sent again although an earlier request may have created a task: there may be two.
            f"doubted = doubted OR state IN ('{ItemState.INTENT}', '{ItemState.UNKNOWN}'), "
            "state = %s, mark = %s, token = %s, attempts = attempts + 1, sent_at = %s",
            (ItemState.INTENT, token.mark, str(token), now),
        )

    def _archive(self, claim: Claim) -> None:
        """Move the task of a failed item to the history; without effect on any other item."""
        condition, values = self._own(claim)
        where = f"{condition} AND state = '{ItemState.FAILED}'"
        self._do(
            f"INSERT INTO former_tasks (position, round, {_FORMER}) "
            f"SELECT position, %s, {_FORMER} FROM items WHERE {where}",
            (self.context.round, *values),
        )
        self._do(f"UPDATE items SET state = '{ItemState.NEW}', {_FORGOTTEN} WHERE {where}", values)

    def mark_not_sent(self, claim: Claim) -> None:
        """Record that the last request provably created nothing."""
        self._update(claim, "state = %s", (ItemState.NEW,))

    def record_task(self, claim: Claim, task_id: str) -> None:
        """Record the item's task."""
        self._update(claim, _TASK, (ItemState.SUBMITTED, task_id))

    def claim_task(self, claim: Claim, task_id: str) -> bool:
        """Record the item's new task; False if it belongs to another item."""
        condition, own = self._own(claim)
        elsewhere = (task_id, claim.position, task_id)
        statement = f"UPDATE items SET {_TASK} WHERE {condition} AND NOT {_ELSEWHERE}"
        if self._do(statement, (ItemState.SUBMITTED, task_id, *own, *elsewhere)) == 1:
            return True
        if self._required(f"SELECT {_ELSEWHERE}", elsewhere)[0]:
            return False
        raise self._lost(claim.position)

    def _outcome_values(self, position: int, outcome: ItemOutcome) -> dict[str, Any]:
        """The values of `OUTCOME`."""
        output = outcome.output
        is_kept = output is not None and not len(output) > MAX_KEPT_OUTPUT
        return {
            **attrs.asdict(outcome, filter=attrs.filters.exclude("cost_cents")),
            "position": position,
            "cost": millicents(outcome.cost_cents),
            "reason": self._storable(outcome.reason),
            # "surrogatepass": JSON may hold lone surrogates, which have no UTF-8.
            "output_bytes": None
            if output is None
            else len(output.encode("utf-8", "surrogatepass")),
            "output": self._storable(output) if is_kept else None,
        }

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
                orphan.task_id,
                self._storable(orphan.key),
                orphan.found_at.timestamp(),
                orphan.stopped,
                millicents(orphan.cost_cents),
            ),
        )

    # --- statements -----------------------------------------------------------------------

    def _one(self, statement: str, values: Values = ()) -> Row | None:
        return next(iter(self._all(statement, values)), None)

    def _required(self, statement: str, values: Values = ()) -> Row:
        return self._all(statement, values)[0]

    def _update(self, claim: Claim, assignments: str, values: Row) -> None:
        """Write to an item of this process."""
        condition, own = self._own(claim)
        if self._do(f"UPDATE items SET {assignments} WHERE {condition}", (*values, *own)) != 1:
            raise self._lost(claim.position)


_TASK = "state = %s, task_id = %s"
# A task that the item itself had before is not its task now, either.
_ELSEWHERE = (
    "(EXISTS (SELECT 1 FROM items WHERE task_id = %s AND position != %s) "
    "OR EXISTS (SELECT 1 FROM former_tasks WHERE task_id = %s))"
)
STATE_COUNTS = "SELECT state, COUNT(*) FROM items GROUP BY state"
SUM_OF_COSTS = (
    "SELECT COALESCE((SELECT SUM(cost) FROM items), 0) + "
    "COALESCE((SELECT SUM(cost) FROM former_tasks), 0) + "
    "COALESCE((SELECT SUM(cost) FROM orphans), 0)"
)
OUTCOME = ", ".join(
    f"{name} = %({name})s"
    for name in "state status steps cost error reason created_at finished_at output_bytes "
    "output".split()
)
_FORMER = "task_id, status, steps, cost, error, reason, doubted, token, created_at, finished_at"
_FORGOTTEN = (
    "task_id = NULL, status = NULL, steps = NULL, cost = NULL, error = NULL, reason = NULL, "
    "doubted = FALSE, mark = NULL, token = NULL, created_at = NULL, finished_at = NULL, "
    "output = NULL, output_bytes = NULL"
)
_RUN, _FORMER_COST = 2, 14  # in `record_columns`


def _item_record(row: Row, call: str | None, *, repeated: bool, may_retry: bool) -> ItemRecord:
    return ItemRecord(
        position=row[0],
        call=call,
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


def counts_by_state(rows: Iterable[Row]) -> dict[ItemState, int]:
    """How many items are in each state, from the rows of `STATE_COUNTS`; every state is there."""
    return dict.fromkeys(ItemState, 0) | {ItemState(state): count for state, count in rows}


def mismatch(key: str, *, repeated: bool) -> LedgerMismatchError:
    """The error of a key that stands for another request than before."""
    return LedgerMismatchError(
        f"the item {key!r} is not what it was: this key stands for another request "
        f"{'earlier in the input' if repeated else 'in the ledger'}. Nothing was sent for it. Give "
        "it another key, or restore its content"
    )


def cents(amount: Decimal | int | None) -> Decimal:
    """An amount of a ledger in US cents."""
    return Decimal(amount or 0) / MILLICENTS


def millicents(amount: Decimal | None) -> int | None:
    """An amount in US cents as a ledger stores it."""
    return None if amount is None else round(amount * MILLICENTS)

"""The SQL statements of a ledger, for SQLite and PostgreSQL. Not thread-safe."""

# Parameters have psycopg's notation.

import json
import uuid
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import datetime
from decimal import Decimal
from typing import Any

import attrs

from browser_use_async.batch.inputs import Item
from browser_use_async.batch.ledger.records import (
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
    IS_FINAL,
    STATE_COUNTS,
    SUM_OF_COSTS,
    SUM_RESERVED,
    TASK,
    counts_by_state,
    joined_by_state,
)
from browser_use_async.batch.results import BatchResult
from browser_use_async.errors import LedgerError

# Characters of output that are stored; a longer output is fetched from the service again.
MAX_KEPT_OUTPUT = 1_000_000

Values = Sequence[Any] | Mapping[str, Any]
Columns = tuple[Any, ...]


@attrs.define(kw_only=True)
class RunContext:
    """The context of a run, which all stores of a process share."""

    owner: str = ""  # this process, as the owner of items in a shared ledger
    lease: float = 0.0  # seconds after which others may take its items over
    run: int = 0
    round: int | None = None  # in which failed items are tried again


class LedgerStore(ABC):
    """The statements that a batch executes. None of them begins or ends a thread's transaction."""

    columns = COLUMNS
    # The column of the call that claimed a row last
    last_call = "NULL"
    # The columns to reset after a request that created nothing
    freed = ", reserved = 0"

    def __init__(self, context: RunContext, call: str | None = None) -> None:
        self.context = context
        self.call = call  # identifies the claims of this store

    # --- different in each kind of ledger ---------------------------------------------------

    @abstractmethod
    def _all(self, statement: str, values: Values = ()) -> list[Columns]:
        """Execute a statement that returns rows."""

    @abstractmethod
    def _do(self, statement: str, values: Values = ()) -> int:
        """Execute a statement; returns the number of rows that it wrote."""

    @abstractmethod
    def _transaction(self) -> AbstractContextManager[object]:
        """A transaction for several statements, unless there is one already."""

    @abstractmethod
    def _find(self, keys: Sequence[str]) -> tuple[str, Columns]:
        """The condition of the items with these keys, and its values."""

    @abstractmethod
    def _insert(self, items: Mapping[str, Item], now: float) -> list[int]:
        """Insert items by their keys; returns their positions."""

    @abstractmethod
    def _take(self, claims: Sequence[tuple[Claim, Item]]) -> None:
        """Mark existing items as reached by this run."""

    @abstractmethod
    def _own(self, claim: Claim) -> tuple[str, Columns]:
        """The condition that a row still has this claim, and its values."""

    @abstractmethod
    def _lost(self, position: int) -> LedgerError:
        """The error of an item that this process has lost."""

    @abstractmethod
    def record_outcome(self, claim: Claim, result: BatchResult[Any]) -> None:
        """Record how the item ended."""

    @abstractmethod
    def hand_back(self, claim: Claim, *, waits: bool) -> None:
        """Give an item back: to any process, or to the next run."""

    def _is_repeated(self, row: LedgerRow, call: str | None) -> bool:
        """Whether this run has reached a row before, which was claimed by that call."""
        return row.run == self.context.run

    def _is_known(self, row: LedgerRow, call: str | None, now: float) -> bool:
        """Whether a row existed before this call."""
        return True

    def _storable(self, text: str | None) -> str | None:
        """The text without lone surrogates, which are valid in JSON and not in databases."""
        return None if text is None else text.encode("utf-8", "replace").decode()

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
        with self._transaction():
            before = self.key_prefix()
            if before is not None and key_prefix not in {None, before}:
                raise other_prefix(before, str(key_prefix))
            budget = millicents(budget_cents)
            found = self._one(
                "UPDATE batch SET runs = runs + 1, budget = %s, per_key = %s "
                "RETURNING runs, labels",
                (budget, per_key),
            )
            if found is None:
                found, batch_id = (1, "{}"), str(uuid.uuid4())
                self._do(
                    "INSERT INTO batch "
                    "(id, created_at, runs, budget, labels, key_prefix, per_key) "
                    "VALUES (%s, %s, 1, %s, '{}', %s, %s)",
                    (batch_id, now, budget, key_prefix or f"{batch_id}/", per_key),
                )
            self.context.run = found[0]
            merged = {**json.loads(found[1]), **labels}
            self._do("UPDATE batch SET labels = %s", (json.dumps(merged),))
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

    def claim(self, items: Sequence[Item], now: float, *, revive: bool = False) -> list[Claim]:
        """Claim the rows of items, inserted if they are new, as reached by this run."""
        keys = [str(self._storable(item.key)) for item in items]  # as stored, to be found again
        by_key: dict[str, Item] = {}
        for key, item in zip(keys, items, strict=True):
            if by_key.setdefault(key, item).digest != item.digest:
                raise mismatch(key, repeated=True)
        claims: dict[str, Claim] = {}
        known = [
            (row, last_call, self._is_repeated(row, last_call))
            for row, (last_call,) in self._rows(*self._find(list(by_key)))
        ]
        for row, _last_call, repeated in known:  # before anything is written
            self._refuse_changed(row, by_key[row.key], repeated=repeated)
        for row, last_call, repeated in known:
            claim = self._claim_known(row, by_key[row.key], repeated=repeated, revive=revive)
            is_known = self._is_known(row, last_call, now)
            claims[row.key] = claim if is_known else attrs.evolve(claim, known=False)
        self._take([(each, by_key[key]) for key, each in claims.items() if not each.repeated])
        if len(claims) < len(by_key):
            new = {key: item for key, item in by_key.items() if key not in claims}
            for position, (key, item) in zip(self._insert(new, now), new.items(), strict=True):
                row = LedgerRow(index=position, key=key, entered_at=moment(now), digest=item.digest)
                claims[key] = Claim(row=row, call=self.call, known=False)
        return [*self._in_order(keys, claims)]

    def _in_order(self, keys: Iterable[str], claims: Mapping[str, Claim]) -> Iterator[Claim]:
        seen = set[str]()
        for key in keys:
            claim = claims[key]
            yield attrs.evolve(claim, repeated=True) if key in seen else claim
            seen.add(key)

    def _rows(self, condition: str, values: Columns) -> Iterator[tuple[LedgerRow, Columns]]:
        """The rows of some items, each with the call of its last claim."""
        columns = f"{self.columns}, {self.last_call}"
        statement = f"SELECT {columns} FROM items {WITH_FORMER} WHERE {condition} {IN_ORDER}"
        return rows_of(self._all(statement, values))

    def _refuse_changed(self, row: LedgerRow, item: Item, *, repeated: bool) -> None:
        if row.digest != item.digest and (repeated or row.state is not ItemState.DEAD):
            raise mismatch(row.key, repeated=repeated)

    def _claim_known(
        self, row: LedgerRow, item: Item | None, *, repeated: bool = False, revive: bool = False
    ) -> Claim:
        """Claim a row that is there; of an item that was not read again it is what it was."""
        changed = item is not None and row.digest != item.digest
        is_valid = item is not None and item.problem is None
        if row.state is ItemState.DEAD and (changed or revive) and is_valid and not repeated:
            assert item is not None
            # A dead letter has no task, so a corrected or retried item starts again.
            self._do(
                "UPDATE items SET digest = %s, state = %s, attempts = 0, error = NULL, "
                "reason = NULL WHERE position = %s",
                (item.digest, ItemState.NEW, row.index),
            )
            afresh = attrs.evolve(row.afresh(), attempts=0)
            return Claim(row=afresh, call=self.call, revived=True)
        may_retry = row.state is ItemState.FAILED and not repeated and self._admits_retry(row)
        return Claim(row=row, call=self.call, repeated=repeated, may_retry=may_retry)

    def _admits_retry(self, row: LedgerRow) -> bool:
        """Whether a failed item may be tried again in this round."""
        current = self.context.round
        return current is not None and all(each.round != current for each in row.former_tasks)

    def _shown(self, item: Item) -> tuple[str | None, str | None]:
        """An item's name and the beginning of its task, in the stored form."""
        return self._storable(item.name), self._storable(item.task and item.task[:MAX_KEPT_TASK])

    def begin_send(self, claim: Claim, intent: Intent) -> None:
        """Record that run-task is about to be sent, and archive an item's failed task."""
        if self.context.round is None:
            self._record_intent(claim, intent)
            return
        # In the same transaction as the intent: a crash loses both or neither.
        with self._transaction():
            self._archive(claim)
            self._record_intent(claim, intent)

    def _record_intent(self, claim: Claim, intent: Intent) -> None:
        self._update(
            claim,
            "state = %s, mark = %s, token = %s, keyed = %s, attempts = attempts + 1, "
            "sent_at = %s, reserved = %s",
            (
                *(ItemState.INTENT, intent.token.mark),
                *(str(intent.token), intent.keyed, intent.at, millicents(intent.maximum_cents)),
            ),
        )

    def _archive(self, claim: Claim) -> None:
        """Move the task of a failed item to the history; no effect on other items."""
        condition, values = self._own(claim)
        where = f"{condition} AND state = '{ItemState.FAILED}'"
        self._do(
            f"INSERT INTO former_tasks (position, round, {FORMER}) "
            f"SELECT position, %s, {FORMER} FROM items WHERE {where}",
            (self.context.round, *values),
        )
        self._do(f"UPDATE items SET state = '{ItemState.NEW}', {FORGOTTEN} WHERE {where}", values)

    # A statement whose connection broke is executed again, and the first one may still arrive
    # later: it must not overwrite later values.

    def mark_not_sent(self, claim: Claim, sent_at: float) -> bool:
        """Record that the request of an intent created nothing; False if it is not the last one."""
        condition, own = self._own(claim)
        statement = (
            f"UPDATE items SET state = '{ItemState.NEW}'{self.freed} "
            f"WHERE {condition} AND state = '{ItemState.INTENT}' AND sent_at = %s"
        )
        return self._do(statement, (*own, sent_at)) == 1

    def record_task(self, claim: Claim, task_id: str) -> None:
        """Record the item's task."""
        self._update(claim, TASK, (ItemState.SUBMITTED, task_id, False), f"NOT {IS_FINAL}")

    def claim_task(self, claim: Claim, task_id: str, *, joined: bool = False) -> bool:
        """Record the item's new task; False if it belongs to another item."""
        condition, own = self._own(claim)
        elsewhere = (task_id, claim.position, task_id)
        statement = (
            f"UPDATE items SET {TASK} WHERE {condition} AND NOT {IS_FINAL} AND NOT {ELSEWHERE}"
        )
        if self._do(statement, (ItemState.SUBMITTED, task_id, joined, *own, *elsewhere)) == 1:
            return True
        if self._required(f"SELECT {ELSEWHERE}", elsewhere)[0]:
            return False
        raise self._lost(claim.position)

    def _outcome_values(self, position: int, result: BatchResult[Any]) -> dict[str, Any]:
        """The values of `OUTCOME`."""
        task, error, output = result.task, result.error, result.output
        is_kept = output is not None and not len(output) > MAX_KEPT_OUTPUT
        return {
            "position": position,
            "state": result.state,
            "status": None if result.status is None else str(result.status),
            "steps": result.steps,
            # A task that may exist has an unknown cost, which is not zero.
            "cost": None if task is None else millicents(result.cost_cents),
            "joined": result.joined,
            "error": None if error is None else type(error).__name__,
            "reason": None if error is None else self._storable(str(error)),
            "created_at": None if task is None else _seconds(task.created_at),
            "finished_at": None if task is None else _seconds(task.finished_at),
            # "surrogatepass": JSON may contain lone surrogates, which have no UTF-8.
            "output_bytes": None
            if output is None
            else len(output.encode("utf-8", "surrogatepass")),
            "output": self._storable(output) if is_kept else None,
        }

    # --- statements -----------------------------------------------------------------------

    def _one(self, statement: str, values: Values = ()) -> Columns | None:
        return next(iter(self._all(statement, values)), None)

    def _required(self, statement: str, values: Values = ()) -> Columns:
        return self._all(statement, values)[0]

    def _update(
        self, claim: Claim, assignments: str, values: Columns, condition: str = "TRUE"
    ) -> None:
        """Write to an item of this process."""
        is_own, own = self._own(claim)
        statement = f"UPDATE items SET {assignments} WHERE {is_own} AND {condition}"
        if self._do(statement, (*values, *own)) != 1:
            raise self._lost(claim.position)


def _seconds(moment: datetime | None) -> float | None:
    return None if moment is None else moment.timestamp()

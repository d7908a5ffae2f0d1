"""The SQL statements of a ledger in PostgreSQL. The connection is in autocommit mode.

A write for an item is one statement if possible, since each round trip takes time. Each statement
may be executed twice, because the answer to a commit can be lost: what the same call has written is
not written again.
"""

import hashlib
import json
from collections.abc import Collection, Mapping, Sequence
from contextlib import AbstractContextManager
from decimal import Decimal
from enum import Enum
from typing import Any

import attrs
import psycopg

from browser_use_async.batch.inputs import Item
from browser_use_async.batch.ledger.records import (
    FINAL_STATES,
    MAY_COST,
    Intent,
    ItemState,
)
from browser_use_async.batch.ledger.row import Claim, LedgerRow, cents, millicents, moment, rows_of
from browser_use_async.batch.ledger.store import (
    Columns,
    LedgerStore,
    RunContext,
    Values,
)
from browser_use_async.batch.ledger.writer import ItemEnds, SendBegins, TaskFound
from browser_use_async.batch.postgres import statements
from browser_use_async.batch.postgres.schema import (
    AT_REST,
    HANDED_OUT,
    WAITING,
    WAITS_FOR_KEY,
)
from browser_use_async.batch.results import BatchResult
from browser_use_async.errors import LeaseLostError
from browser_use_async.money import NO_LIMIT, BudgetAmounts
from browser_use_async.postgres.connection import literal


class Reservation(Enum):
    """The answer of a ledger to a reservation."""

    MADE = "made"
    FULL = "full"  # the rest is reserved for tasks that processes work on
    LEFT = "left"  # the rest is reserved for items that wait for a process
    REFUSED = "refused"  # it does not fit, and no begun item will make room


class PostgresStore(LedgerStore):
    """The statements of a batch; `call` is the same when they are executed again."""

    last_call = "claim"
    freed = ""  # reservations are released by `release`, which counts them

    def __init__(self, connection: psycopg.Connection, context: RunContext, call: str) -> None:
        super().__init__(context, call)
        self.connection = connection

    def _all(self, statement: str, values: Values = ()) -> list[Columns]:
        return self.connection.execute(literal(statement), values).fetchall()

    def _do(self, statement: str, values: Values = ()) -> int:
        return self.connection.execute(literal(statement), values).rowcount

    def _transaction(self) -> AbstractContextManager[object]:
        return self.connection.transaction()

    def _storable(self, text: str | None) -> str | None:
        return storable(text)

    # --- an item --------------------------------------------------------------------------

    def _find(self, keys: Sequence[str]) -> tuple[str, Columns]:
        # In binary, because thousands of digests take long to write as text.
        return "key_digest = ANY(%b)", ([key_digest(key) for key in keys],)

    def _is_repeated(self, row: LedgerRow, call: str | None) -> bool:
        # This call has marked it if the answer to its first commit was lost.
        return super()._is_repeated(row, call) and call != self.call

    def _is_known(self, row: LedgerRow, call: str | None, now: float) -> bool:
        # If the answer to the insertion was lost, the item is still new.
        return (call, row.entered_at) != (self.call, moment(now))

    def _insert(self, items: Mapping[str, Item], now: float) -> list[int]:
        return [
            self._required(
                "WITH next AS "
                "(UPDATE batch SET items = items + 1 RETURNING items - 1 AS position) "
                "INSERT INTO items (position, key, key_digest, digest, run, state, entered_at, "
                "name, task, request, limit_key, owner, claim, queue_state) "
                "SELECT position, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s FROM next "
                "RETURNING position",
                (
                    *(key, key_digest(key), item.digest, self.context.run, ItemState.NEW, now),
                    *(*self._shown(item), storable(item.content), item.limit_key),
                    *(self.context.owner, self.call, HANDED_OUT),
                ),
            )[0]
            for key, item in items.items()
        ]

    def _take(self, claims: Sequence[tuple[Claim, Item]]) -> None:
        for claim, item in claims:
            self._do(
                "UPDATE items SET owner = %s, claim = %s, run = %s, name = %s, task = %s, "
                "request = %s, limit_key = %s, queue_state = %s WHERE position = %s",
                (
                    *(self.context.owner, self.call, self.context.run, *self._shown(item)),
                    *(storable(item.content), item.limit_key),
                    *(HANDED_OUT if waits(claim, item) else AT_REST, claim.position),
                ),
            )

    def _own(self, claim: Claim) -> tuple[str, Columns]:
        # Not only for the process: a write for an earlier claim of the row may come after the
        # process has claimed it again.
        return "position = %s AND claim = %s", (claim.position, claim.call)

    def _lost(self, position: int) -> LeaseLostError:
        return LeaseLostError(
            f"item {position} of the batch was taken over, because this process was silent for "
            "longer than its lease; the process that has it now finishes it, and nothing more is "
            "sent for it here"
        )

    # The statements for many items return the positions that they have written. Any other row has
    # another owner, or another state.

    def _write_all(self, statement: str, rows: Sequence[Mapping[str, Any]]) -> set[int]:
        found = self._all(statement, (json.dumps(rows, ensure_ascii=False),))
        return {columns[0] for columns in found}

    def begin_sends(self, sends: Sequence[SendBegins]) -> set[int]:
        """Record that run-task is about to be sent for items that are not retried."""
        if self.context.round is not None:
            return set()
        return self._record_intents([(each.claim, each.intent) for each in sends])

    def _record_intents(self, intents: Sequence[tuple[Claim, Intent]]) -> set[int]:
        return self._write_all(
            statements.RECORD_INTENTS,
            [
                {
                    "position": claim.position,
                    "call": claim.call,
                    "mark": intent.token.mark,
                    "token": str(intent.token),
                    "is_keyed": intent.keyed,
                    "moment": intent.at,
                    "maximum": millicents(intent.maximum_cents),
                }
                for claim, intent in intents
            ],
        )

    def _record_intent(self, claim: Claim, intent: Intent) -> None:
        if not self._record_intents([(claim, intent)]):
            raise self._lost(claim.position)

    def claim_tasks(self, tasks: Sequence[TaskFound]) -> set[int]:
        """Record the new tasks of items, unless other items have them."""
        # If two name the same task, the later one is refused by itself.
        by_task = {each.task_id: each for each in reversed(tasks)}
        return self._write_all(
            statements.CLAIM_TASKS,
            [
                {
                    "position": each.claim.position,
                    "call": each.claim.call,
                    "task": each.task_id,
                    "is_joined": each.joined,
                }
                for each in by_task.values()
            ],
        )

    def record_outcomes(self, ends: Sequence[ItemEnds]) -> set[int]:
        """Record how items ended, and what was spent, in one statement."""
        return self._write_all(
            statements.RECORD_OUTCOMES, [self._outcome(each.claim, each.result) for each in ends]
        )

    def _outcome(self, claim: Claim, result: BatchResult[Any]) -> dict[str, Any]:
        values = self._outcome_values(claim.position, result)
        values["spent"] = values["cost"] or 0
        values["call"] = claim.call
        # An item in doubt keeps its reservation: it may have a task.
        values["is_over"] = result.state in FINAL_STATES
        return values

    def release(self, claim: Claim) -> None:
        """Release the reservation for an item of this process without a task."""
        condition, own = self._own(claim)
        self._do(
            "WITH before AS (SELECT position, reserved AS freed FROM items "
            f"WHERE {condition} AND reserved > 0 FOR UPDATE), "
            "item AS (UPDATE items SET reserved = 0 FROM before "
            "WHERE items.position = before.position) "
            "UPDATE batch SET reserved = reserved - freed FROM before",
            own,
        )

    def record_outcome(self, claim: Claim, result: BatchResult[Any]) -> None:
        """Record how the item ended, and what was spent."""
        if not self.record_outcomes([ItemEnds(claim, result)]):
            raise self._lost(claim.position)

    # --- the batch ------------------------------------------------------------------------

    def budget(self) -> BudgetAmounts | None:
        """The budget of all processes of the batch, or None if nothing was enqueued."""
        row = self._one("SELECT budget, spent, reserved FROM batch")
        return None if row is None else _amounts(*row)

    # --- handing out items ----------------------------------------------------------------

    def claim_next(self, count: int, first: int = 0, *, only_begun: bool = False) -> list[Claim]:
        """Claim waiting items: those that are begun, then others from a position on.

        Earlier claims of these items can write nothing more.
        """
        new = 0 if only_begun else count
        values = {"count": count, "new": new, "first": first, "call": self.call, **self._beat()}
        found = rows_of(self._all(statements.CLAIM_NEXT, values))
        return [self._claimed(row, *request) for row, request in found]

    def claim_limited(self, count: int, after: str = "") -> tuple[list[Claim], str]:
        """Claim items with a limit key that have room.

        Begins after a limit key; also returns the last key that it reached, or an empty text if it
        reached all.
        """
        values = {"count": count, "after": after, "call": self.call, **self._beat()}
        with self.connection.transaction():
            self._one(statements.LOCK_KEYS)
            found = [*rows_of(self._all(statements.CLAIM_LIMITED, values))]
        last = max((limit_key for _row, (_request, limit_key) in found), default="")
        claims = [self._claimed(row, request) for row, (request, _limit_key) in found]
        return claims, last if len(claims) == count else ""

    def has_limited(self) -> bool:
        """Whether items wait for room under their limit keys."""
        return bool(self._required(f"SELECT EXISTS (SELECT 1 FROM items WHERE {WAITS_FOR_KEY})")[0])

    def _claimed(self, row: LedgerRow, request: str | None) -> Claim:
        if row.state is ItemState.FAILED:
            self.context.round = self._open_round()
        claim = self._claim_known(row, None)
        return attrs.evolve(claim, fields=None if request is None else json.loads(request))

    def hand_back(self, claim: Claim, *, waits: bool) -> None:
        """Give an item of this process back, to be handed out again or not in this run."""
        condition, own = self._own(claim)
        self._do(
            f"UPDATE items SET queue_state = %s WHERE {condition} AND queue_state = {HANDED_OUT}",
            (WAITING if waits else AT_REST, *own),
        )

    def give_back(self, positions: Collection[int]) -> None:
        """Give items of this process back, to be handed out again."""
        self._do(
            f"UPDATE items SET queue_state = {WAITING} "
            f"WHERE position = ANY(%s) AND owner = %s AND queue_state = {HANDED_OUT}",
            (list(positions), self.context.owner),
        )

    # --- the processes --------------------------------------------------------------------

    def _beat(self) -> dict[str, Any]:
        return {"owner": self.context.owner, "lease": self.context.lease}

    def record_heartbeat(self) -> tuple[set[int], float]:
        """Renew the lease of this process; returns its items, and the shortest lease of all."""
        held = {position for (position,) in self._all(statements.HELD, self._beat())}
        shortest = "SELECT LEAST(MIN(lease), %s) FROM workers"
        return held, self._required(shortest, (self.context.lease,))[0]

    def leave(self) -> None:
        """Delete the lease of this process, so that its items are handed out again."""
        self._do("DELETE FROM workers WHERE owner = %s", (self.context.owner,))

    def rescue(self, longest: float) -> list[int]:
        """Take the items of processes whose leases have expired back, to be handed out again.

        Only leases of at most `longest` seconds are checked.
        """
        return sorted(
            position for (position,) in self._all(statements.RESCUE, {"longest": longest})
        )

    # --- the end of the batch -------------------------------------------------------------

    def is_over(self) -> bool:
        """Whether all enqueued items have been handed out and finished."""
        row = self._one(statements.IS_OVER)
        return row is not None and bool(row[0])

    def is_settled(self) -> bool:
        """Whether no begun item waits for a process, or is worked on."""
        return bool(self._required(statements.IS_SETTLED)[0])

    def finish(self, now: float) -> None:
        """End the round of retries once the batch is over."""
        with self.connection.transaction():
            # The lock prevents a new round from beginning meanwhile.
            self._one("SELECT 1 FROM batch FOR UPDATE")
            if self.is_over():
                self.end_round(now)

    # --- money ----------------------------------------------------------------------------

    def reserve(
        self, claim: Claim, maximum_cents: Decimal, limit: Decimal = NO_LIMIT
    ) -> tuple[Reservation, BudgetAmounts]:
        """Reserve the most that a task can cost, if the budget of the whole batch has room.

        Also returns the previous budget, with `limit` as its limit if that is lower.
        """
        values = {
            "position": claim.position,
            "call": claim.call,
            "maximum": millicents(maximum_cents),
            "limit": None if limit == NO_LIMIT else millicents(limit),
        }
        made = self._one(statements.RESERVE, values)
        if made is not None:
            budget = _amounts(*made)
            budget.limit_cents = min(budget.limit_cents, limit)
            return Reservation.MADE, budget
        return self._reserve_later(claim, maximum_cents, limit)

    def _reserve_later(
        self, claim: Claim, maximum_cents: Decimal, limit: Decimal
    ) -> tuple[Reservation, BudgetAmounts]:
        """Return why there was no room, unless there is room by now."""
        with self.connection.transaction():
            # Locks the row of the batch, too: nothing else can make room until this is decided.
            condition, values = self._own(claim)
            row = self._one(
                "SELECT items.reserved, budget, spent, batch.reserved FROM items, batch "
                f"WHERE {condition} FOR UPDATE",
                values,
            )
            if row is None:
                raise self._lost(claim.position)
            budget = _amounts(*row[1:])
            budget.limit_cents = min(budget.limit_cents, limit)
            if row[0]:
                return Reservation.MADE, budget  # by the process that had the item before
            if budget.admits(maximum_cents):
                self._set_aside(claim.position, maximum_cents)
                return Reservation.MADE, budget
            # Only items that end can release their reservations.
            handed_out, waiting = self._required(statements.HOLDERS)
        if handed_out:
            return Reservation.FULL, budget
        return (Reservation.LEFT if waiting else Reservation.REFUSED), budget

    def _set_aside(self, position: int, maximum_cents: Decimal) -> None:
        amount = millicents(maximum_cents)
        self._do("UPDATE batch SET reserved = reserved + %s", (amount,))
        self._do("UPDATE items SET reserved = %s WHERE position = %s", (amount, position))

    def reserve_known(self, claim: Claim, maximum_cents: Decimal) -> None:
        """Reserve for a task that already exists, if there is no reservation."""
        condition, own = self._own(claim)
        amount = millicents(maximum_cents)
        self._do(
            "WITH item AS (UPDATE items SET reserved = %s "
            f"WHERE {condition} AND reserved = 0 RETURNING 1) "
            "UPDATE batch SET reserved = reserved + %s FROM item",
            (amount, *own, amount),
        )


def _amounts(limit: int | None, spent: int, reserved: int) -> BudgetAmounts:
    return BudgetAmounts(NO_LIMIT if limit is None else cents(limit), cents(spent), cents(reserved))


def waits(claim: Claim, item: Item) -> bool:
    """Whether an item is to be worked on."""
    if item.problem is not None:
        return claim.row.state in MAY_COST  # an existing task is finished
    return claim.row.state not in FINAL_STATES or claim.may_retry


def key_digest(key: str) -> bytes:
    """The digest by which an item is found: keys may be too long for an index."""
    return hashlib.sha256(key.encode()).digest()


def storable(text: str | None) -> str | None:
    """The text without NUL and lone surrogates, which PostgreSQL does not accept."""
    if text is None or (text.isascii() and "\0" not in text):
        return text
    return text.encode("utf-8", "replace").decode().replace("\0", "\N{REPLACEMENT CHARACTER}")

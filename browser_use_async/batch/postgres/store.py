"""The SQL statements of a ledger in PostgreSQL. The connection is in autocommit mode.

What happens to an item once is one statement where it can be: each round trip waits for the event
loop's thread. All may be executed twice, because the answer to a commit can be lost: what the same
call has written is not written again.
"""

import hashlib
import json
from collections.abc import Collection
from contextlib import AbstractContextManager
from decimal import Decimal
from enum import Enum
from typing import Any

import attrs
import psycopg

from browser_use_async.api.submission_token import SubmissionToken
from browser_use_async.batch.ledger.records import (
    FINAL_STATES,
    Claim,
    ItemOutcome,
    ItemRecord,
    ItemState,
    Orphan,
)
from browser_use_async.batch.ledger.store import (
    LedgerStore,
    Row,
    RunContext,
    Shown,
    Values,
    cents,
    millicents,
)
from browser_use_async.batch.postgres.schema import (
    HANDED_OUT,
    IN_DOUBT,
    WAITING,
)
from browser_use_async.batch.postgres.statements import (
    CLAIM_NEXT,
    END_DOUBTS,
    HELD,
    HOLDERS,
    IS_OVER,
    IS_SETTLED,
    RECORD_COLUMNS,
    RECORD_OUTCOME,
    RESCUE,
    RESERVE,
)
from browser_use_async.errors import LeaseLostError
from browser_use_async.postgres.connection import literal


class PostgresStore(LedgerStore):
    """The statements that a batch executes; `call` is the same when they are executed again."""

    record_columns = RECORD_COLUMNS

    def __init__(self, connection: psycopg.Connection, context: RunContext, call: str) -> None:
        super().__init__(context, call)
        self.connection = connection

    def _all(self, statement: str, values: Values = ()) -> list[Row]:
        return self.connection.execute(literal(statement), values).fetchall()

    def _do(self, statement: str, values: Values = ()) -> int:
        return self.connection.execute(literal(statement), values).rowcount

    def _transaction(self) -> AbstractContextManager[object]:
        return self.connection.transaction()

    def _storable(self, text: str | None) -> str | None:
        return storable(text)

    # --- an item --------------------------------------------------------------------------

    def _find(self, key: str) -> Row | None:
        return self._one(
            f"SELECT {self.record_columns} FROM items WHERE key_digest = %s", (key_digest(key),)
        )

    def _is_repeated(self, row: Row) -> bool:
        # Marked by this very call if the answer to its first commit was lost.
        return super()._is_repeated(row) and row[_CLAIM] != self.call

    def _is_known(self, row: Row, now: float) -> bool:
        # The answer to the insertion was lost: the item is still one that this run has made.
        return (row[_CLAIM], row[_ENTERED_AT]) != (self.call, now)

    def _insert(self, key: str, digest: bytes, now: float, shown: Shown) -> int:
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

    def _take(self, position: int, shown: Shown) -> None:
        self._do(
            "UPDATE items SET owner = %s, claim = %s, run = %s, name = %s, task = %s "
            "WHERE position = %s",
            (self.context.owner, self.call, self.context.run, *shown, position),
        )

    def _own(self, claim: Claim) -> tuple[str, Row]:
        # And not only for the process: what it was about to write for an earlier claim of the row
        # may be written after it has claimed the row again.
        return "position = %s AND claim = %s", (claim.position, claim.call)

    def _lost(self, position: int) -> LeaseLostError:
        return LeaseLostError(
            f"item {position} of the batch was taken over by another process, or by this one anew "
            "after a silence; who has it brings it to its end, and nothing more is sent for it here"
        )

    def _record_intent(self, claim: Claim, token: SubmissionToken, now: float) -> None:
        # The same token at the same moment: it is this very statement, executed twice. Sent again
        # although an earlier request may have created a task: there may be two.
        is_new = "(token, sent_at) IS DISTINCT FROM (%s, %s)"
        again = (str(token), now)
        condition, own = self._own(claim)
        written = self._do(
            f"UPDATE items SET doubted = doubted OR (state IN {IN_DOUBT} AND {is_new}), "
            f"attempts = attempts + CASE WHEN {is_new} THEN 1 ELSE 0 END, "
            "state = %s, mark = %s, token = %s, sent_at = %s "
            # Never over a task or an end, which come after it.
            f"WHERE {condition} AND (state = '{ItemState.NEW}' OR state IN {IN_DOUBT})",
            (*again, *again, ItemState.INTENT, token.mark, *again, *own),
        )
        if written != 1:
            raise self._lost(claim.position)

    def record_outcome(self, claim: Claim, outcome: ItemOutcome) -> None:
        """Record how the item ended, and what was spent, in one statement."""
        values = self._outcome_values(claim.position, outcome)
        values["spent"] = values["cost"] or 0
        values["call"] = claim.call
        # An item that is in doubt keeps its reservation: it may have a task.
        values["is_over"] = outcome.state in FINAL_STATES
        if not self._required(RECORD_OUTCOME, values)[0]:
            raise self._lost(claim.position)


_CLAIM, _ENTERED_AT = 15, 16  # in `RECORD_COLUMNS`


class Reservation(Enum):
    """What a ledger says when money is to be set aside."""

    MADE = "made"
    FULL = "full"  # tasks that processes work on hold what is left
    LEFT = "left"  # items that wait for a process hold what is left
    REFUSED = "refused"  # it does not fit, and nothing that is begun will make room


@attrs.frozen(kw_only=True)
class Amounts:
    """What a task may cost, in thousandths of a cent."""

    expected: int  # in all likelihood
    at_most: int  # if it takes all the steps that it may
    alone: int  # what must remain for it if no other task runs


@attrs.frozen(kw_only=True)
class BatchTerms:
    """What all processes of a batch keep to."""

    budget_cents: Decimal | None
    is_strict: bool


@attrs.frozen(kw_only=True)
class ClaimedItem:
    """An item as it was enqueued, and how far it has come."""

    key: str
    name: str | None
    digest: bytes
    record: ItemRecord
    is_begun: bool  # whether it has a task, may have one, or holds money
    # The fields of its request, with the names of its secrets, or None if none was stored
    fields: dict[str, Any] | None = attrs.field(repr=False)


class WorkerStore(PostgresStore):
    """The statements of a process that works on items which the ledger hands out."""

    def terms(self) -> BatchTerms | None:
        """What the batch was enqueued with, or None if it was not."""
        row = self._one("SELECT budget, is_strict FROM batch")
        if row is None:
            return None
        budget = None if row[0] is None else cents(row[0])
        return BatchTerms(budget_cents=budget, is_strict=row[1])

    # --- handing out items ----------------------------------------------------------------

    def claim_next(
        self, count: int, first: int = 0, *, only_begun: bool = False
    ) -> list[ClaimedItem]:
        """Make items that wait this process's own: those that are begun, then from a position on.

        What was claimed before can write nothing more for them.
        """
        new = 0 if only_begun else count
        values = {"count": count, "new": new, "first": first, "call": self.call, **self._beat()}
        return [self._claimed(*row) for row in self._all(CLAIM_NEXT, values)]

    def _claimed(
        self, key: str, name: str | None, request: str | None, is_begun: bool, *columns: Any
    ) -> ClaimedItem:
        if columns[1] == ItemState.FAILED:
            self.context.round = self._open_round()
        digest = bytes(columns[3])
        record = self._claim_known(key, digest, columns, repeated=False, revive=False)
        fields = None if request is None else json.loads(request)
        return ClaimedItem(
            key=key, name=name, digest=digest, fields=fields, record=record, is_begun=is_begun
        )

    def set_queue_state(self, claim: Claim, queue_state: int) -> None:
        """Let an item of this process be handed out again, or not in this run."""
        condition, own = self._own(claim)
        self._do(
            f"UPDATE items SET queue_state = %s WHERE {condition} AND queue_state = {HANDED_OUT}",
            (queue_state, *own),
        )

    def give_back(self, positions: Collection[int]) -> None:
        """Let items of this process be handed out again."""
        self._do(
            f"UPDATE items SET queue_state = {WAITING} "
            f"WHERE position = ANY(%s) AND owner = %s AND queue_state = {HANDED_OUT}",
            (list(positions), self.context.owner),
        )

    # --- the processes --------------------------------------------------------------------

    def _beat(self) -> dict[str, Any]:
        return {"owner": self.context.owner, "lease": self.context.lease}

    def record_heartbeat(self) -> tuple[set[int], float]:
        """Say that this process lives; gives what is handed out to it, and the shortest lease."""
        held = {position for (position,) in self._all(HELD, self._beat())}
        shortest = "SELECT LEAST(MIN(lease), %s) FROM workers"
        return held, self._required(shortest, (self.context.lease,))[0]

    def leave(self) -> None:
        """Say that this process works no more, so that what it holds is handed out again."""
        self._do("DELETE FROM workers WHERE owner = %s", (self.context.owner,))

    def rescue(self, longest: float) -> list[int]:
        """Let be handed out again what processes hold that were silent for their lease.

        Of one with a longer lease than `longest` seconds that is not known.
        """
        return sorted(position for (position,) in self._all(RESCUE, {"longest": longest}))

    # --- the end of the batch -------------------------------------------------------------

    def is_over(self) -> bool:
        """Whether all that was enqueued has been handed out and worked on."""
        row = self._one(IS_OVER)
        return row is not None and bool(row[0])

    def is_settled(self) -> bool:
        """Whether no item that was begun waits for a process, or is worked on by one."""
        return bool(self._required(IS_SETTLED)[0])

    def finish(self, now: float) -> bool:
        """End the round of retries, and tell one process that it looks for duplicates."""
        with self.connection.transaction():
            # The lock keeps a new round from beginning meanwhile.
            self._one("SELECT 1 FROM batch FOR UPDATE")
            if not self.is_over():
                return False
            self.end_round(now)
            return self._do("UPDATE batch SET swept_run = runs WHERE swept_run < runs") == 1

    # --- money ----------------------------------------------------------------------------

    def reserve(self, claim: Claim, amounts: Amounts) -> Reservation:
        """Set money aside for an item, if the budget of the whole batch has room.

        Tasks beside each other may expect to fit, as long as their maxima come to twice the budget
        at most. With nothing set aside for any other one it is enough if `alone` fits.
        """
        with self.connection.transaction():
            # The row of the batch, too: whatever makes room waits for it, so that what follows is
            # one decision.
            condition, values = self._own(claim)
            own = self._one(
                f"SELECT items.at_most FROM items, batch WHERE {condition} FOR UPDATE", values
            )
            if own is None:
                raise self._lost(claim.position)
            if own[0]:
                return Reservation.MADE  # by the process that had the item before
            if self._do(RESERVE, attrs.asdict(amounts)):
                self._do(
                    "UPDATE items SET expected = %s, at_most = %s WHERE position = %s",
                    (amounts.expected, amounts.at_most, claim.position),
                )
                return Reservation.MADE
            # Of what is held, only that of items which come to their end can be given back.
            handed_out, waiting = self._required(HOLDERS)
        if handed_out:
            return Reservation.FULL
        return Reservation.LEFT if waiting else Reservation.REFUSED

    def reserve_known(self, claim: Claim, amounts: Amounts) -> None:
        """Set money aside for a task that exists already, if none is."""
        condition, own = self._own(claim)
        each = (amounts.expected, amounts.at_most)
        self._do(
            "WITH item AS (UPDATE items SET expected = %s, at_most = %s "
            f"WHERE {condition} AND at_most = 0 AND doubt = 0 RETURNING 1) "
            "UPDATE batch SET reserved = reserved + %s, at_most = at_most + %s FROM item",
            (*each, *own, *each),
        )

    def doubt(self, claim: Claim) -> None:
        """Keep what is set aside for an item for the requests of it whose answers were lost."""
        condition, own = self._own(claim)
        self._do(
            "WITH before AS (SELECT position, expected, at_most FROM items "
            f"WHERE {condition} AND at_most > 0 FOR UPDATE), "
            "item AS (UPDATE items SET doubt = doubt + before.at_most, expected = 0, at_most = 0 "
            "FROM before WHERE items.position = before.position) "
            "UPDATE batch SET reserved = reserved + before.at_most - before.expected FROM before",
            own,
        )

    def end_doubts(self) -> None:
        """Give back what is kept for lost requests of items that have ended.

        Called when the tasks that these have made were looked for.
        """
        self._do(END_DOUBTS)

    def record_orphan(self, orphan: Orphan) -> None:
        """Record a duplicate task, or what has changed about it, and what was spent."""
        with self.connection.transaction():
            self._do(
                "UPDATE batch SET spent = spent + %s - "
                "COALESCE((SELECT cost FROM orphans WHERE task_id = %s), 0)",
                (millicents(orphan.cost_cents) or 0, orphan.task_id),
            )
            super().record_orphan(orphan)

    def release(self, claim: Claim) -> None:
        """Give back what was set aside for an item of this process that has no task."""
        condition, own = self._own(claim)
        self._do(
            "WITH before AS (SELECT position, expected, at_most FROM items "
            f"WHERE {condition} AND at_most > 0 FOR UPDATE), "
            "item AS (UPDATE items SET expected = 0, at_most = 0 FROM before "
            "WHERE items.position = before.position) "
            "UPDATE batch SET reserved = reserved - before.expected, "
            "at_most = batch.at_most - before.at_most FROM before",
            own,
        )


def key_digest(key: str) -> bytes:
    """What an item is found by: keys may be longer than an index takes."""
    return hashlib.sha256(key.encode()).digest()


def storable(text: str | None) -> str | None:
    """The text without what PostgreSQL does not take: NUL and lone surrogates."""
    if text is None or (text.isascii() and "\0" not in text):
        return text
    return text.encode("utf-8", "replace").decode().replace("\0", "\N{REPLACEMENT CHARACTER}")

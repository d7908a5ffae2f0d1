"""The statements of a process that works on items which a ledger hands out."""

import json
from collections.abc import Collection, Mapping
from decimal import Decimal
from enum import Enum
from typing import Any

import attrs

from browser_use_async.batch.ledger.records import FINAL_STATES, ItemState
from browser_use_async.batch.postgres.schema import AT_REST, HANDED_OUT, WAITING
from browser_use_async.batch.postgres.store import PostgresStore, cents


class Reservation(Enum):
    """What a ledger says when money is to be set aside."""

    MADE = "made"
    FULL = "full"  # other tasks hold what is left
    REFUSED = "refused"  # it does not fit, and nothing under way will make room


@attrs.frozen(kw_only=True)
class BatchTerms:
    """What all processes of a batch keep to."""

    budget_cents: Decimal | None
    is_strict: bool
    labels: Mapping[str, str]


@attrs.frozen(kw_only=True)
class StoredItem:
    """An item as it was enqueued."""

    key: str
    name: str | None
    digest: bytes
    state: ItemState
    # The fields of its request, with the names of its secrets, or None if none was stored
    fields: dict[str, Any] | None = attrs.field(repr=False)


class WorkerStore(PostgresStore):
    """The statements of a worker process, beside those of every batch."""

    def terms(self) -> BatchTerms | None:
        """What the batch was enqueued with, or None if it was not."""
        row = self._one("SELECT budget, is_strict, labels FROM batch")
        if row is None:
            return None
        return BatchTerms(
            budget_cents=None if row[0] is None else cents(row[0]),
            is_strict=row[1],
            labels=json.loads(row[2]),
        )

    def stored_item(self, position: int) -> StoredItem | None:
        """The item at a position."""
        row = self._one(
            "SELECT key, name, digest, state, request FROM items WHERE position = %s", (position,)
        )
        if row is None:
            return None
        return StoredItem(
            key=row[0],
            name=row[1],
            digest=bytes(row[2]),
            state=ItemState(row[3]),
            fields=None if row[4] is None else json.loads(row[4]),
        )

    # --- handing out items ----------------------------------------------------------------

    def set_feed(self, position: int, feed: int) -> None:
        """Let an item of this process be handed out again, or not in this run."""
        self._do(
            "UPDATE items SET feed = %s WHERE position = %s AND owner = %s AND feed = %s",
            (feed, position, self.context.owner, HANDED_OUT),
        )

    def put_ended_to_rest(self, position: int) -> None:
        """Hand an item out no more that has come to its end, whoever brought it there."""
        self._do(
            "UPDATE items SET feed = %s WHERE position = %s AND state = ANY(%s)",
            (AT_REST, position, [str(state) for state in FINAL_STATES]),
        )

    def handed_out(self) -> set[int]:
        """The positions of all items that are handed out."""
        found = self._all("SELECT position FROM items WHERE feed = %s", (HANDED_OUT,))
        return {position for (position,) in found}

    def hand_out_again(self, positions: Collection[int]) -> None:
        """Let items be handed out again whose jobs were lost."""
        self._do(
            "UPDATE items SET feed = %s WHERE position = ANY(%s) AND feed = %s",
            (WAITING, list(positions), HANDED_OUT),
        )

    # --- the end of the batch -------------------------------------------------------------

    def is_over(self) -> bool:
        """Whether all that was enqueued has been handed out and worked on."""
        row = self._one(
            "SELECT is_complete AND NOT EXISTS (SELECT 1 FROM items WHERE feed = %s) "
            "AND NOT EXISTS (SELECT 1 FROM items WHERE feed = %s) FROM batch",
            (WAITING, HANDED_OUT),
        )
        return row is not None and bool(row[0])

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

    def reserve(self, position: int, amount: int, needed: int) -> Reservation:
        """Set money aside for an item, if the budget of the whole batch has room.

        With nothing set aside for any other one it is enough if `needed` fits.
        """
        with self.connection.transaction():
            own = self._one(
                "SELECT expected FROM items WHERE position = %s AND owner = %s FOR UPDATE",
                (position, self.context.owner),
            )
            if own is None:
                raise self._lease_lost(position)
            if own[0]:
                return Reservation.MADE  # by the process that had the item before
            done = self._do(
                "UPDATE batch SET reserved = reserved + %s WHERE budget IS NULL "
                "OR spent + reserved + %s <= budget OR (reserved = 0 AND spent + %s <= budget)",
                (amount, amount, needed),
            )
            if done:
                self._do("UPDATE items SET expected = %s WHERE position = %s", (amount, position))
                return Reservation.MADE
        # Of what is held, only that of items under way can be given back.
        held = self._one(
            "SELECT 1 FROM items WHERE feed = %s AND expected > 0 LIMIT 1", (HANDED_OUT,)
        )
        return Reservation.REFUSED if held is None else Reservation.FULL

    def reserve_known(self, position: int, amount: int) -> None:
        """Set money aside for a task that exists already, if none is."""
        self._do(
            "WITH item AS (UPDATE items SET expected = %s WHERE position = %s AND owner = %s "
            "AND expected = 0 RETURNING 1) "
            "UPDATE batch SET reserved = reserved + %s FROM item",
            (amount, position, self.context.owner, amount),
        )

    def release(self, position: int) -> None:
        """Give back what was set aside for an item of this process that has no task."""
        self._do(
            "WITH before AS (SELECT position, expected FROM items WHERE position = %s "
            "AND owner = %s AND expected > 0 FOR UPDATE), "
            "item AS (UPDATE items SET expected = 0 FROM before "
            "WHERE items.position = before.position) "
            "UPDATE batch SET reserved = reserved - before.expected FROM before",
            (position, self.context.owner),
        )

"""Hands the items of a batch out to the processes that work on it.

Who works on an item stands in its row and nowhere else, so that no job can be lost or doubled: a
process claims as many rows as it has room for in one statement. It says regularly that it lives;
what a silent one holds is handed out again.
"""

import asyncio
import time
from collections.abc import Collection

import attrs

from browser_use_async.batch.postgres.store import ClaimedItem, WorkerStore
from browser_use_async.batch.postgres.writer import PostgresWriter
from browser_use_async.logs import LOGGER

CONTACT = 1.5
"""Of its leases of unbroken contact before a silent process is believed to have ended.

While the database is away, no process can report that it is alive.
"""

MOST_BETWEEN = 0.75
"""Of the shortest lease between two answers of the database that are one contact."""

_BEATS = 6  # in the shortest lease: an outage that is long for one process is seen by all
_MOST_CLAIMED = 100  # in one statement, whose answer has their requests


@attrs.define(eq=False)
class ItemQueue:
    """The items of one batch that wait, as one process sees them."""

    writer: PostgresWriter[WorkerStore]
    lease: float  # the shortest one, in seconds after which a silent process has lost its items
    _first: int = 0  # no item before this position waits, as far as is known
    _contact_since: float | None = None  # when the database answered first since it last did not
    _answered_at: float = 0.0  # when it answered last
    _unknown: set[int] = attrs.field(factory=set)  # items that nobody here works on, once seen

    async def claim(self, room: int) -> list[ClaimedItem]:
        """Make up to so many items that wait this process's own, the first ones first."""
        taken: list[ClaimedItem] = []
        while len(taken) < room:
            count, first = min(room - len(taken), _MOST_CLAIMED), self._first
            more = await self.writer.transact(lambda store: store.claim_next(count, first))  # noqa: B023
            taken += more
            # The index has claimed rows before it until a vacuum; most claims need not pass them.
            self._first = max((each.record.position + 1 for each in more), default=first)
            if len(more) < count:
                self._first = 0
                if not first:
                    break
        return taken

    async def is_over(self) -> bool:
        """Whether all that was enqueued has come to its end, or rests."""
        return await self.writer.transact(lambda store: store.is_over())

    def leave(self) -> None:
        """Say that this process works no more."""
        self.writer.put(lambda store: store.leave())

    # --- the supervision ------------------------------------------------------------------

    async def supervise(self, known: Collection[int]) -> None:
        """Say that this process, at work on `known`, lives, and rescue what ended ones hold."""
        while True:
            await asyncio.sleep(self.lease / _BEATS)
            held, self.lease = await self.writer.transact_first(
                lambda store: store.record_heartbeat()
            )
            # Those that were given back since, too.
            self._first = 0
            await self._give_back(held - set(known))
            await self._rescue(self._contact() / CONTACT)

    async def _give_back(self, unknown: set[int]) -> None:
        """Items are claimed and the answer lost: seen twice, nobody works on them."""
        lost, self._unknown = unknown & self._unknown, unknown
        if lost:
            await self.writer.transact_first(lambda store: store.give_back(lost))

    def _contact(self) -> float:
        """For how many seconds the database has answered, so that living processes could beat."""
        now = time.monotonic()
        # Statements wait for a database that is away: a round that took long says that it was.
        if self._contact_since is None or now - self._answered_at > MOST_BETWEEN * self.lease:
            self._contact_since = now
        self._answered_at = now
        return now - self._contact_since

    async def _rescue(self, longest: float) -> None:
        for position in await self.writer.transact_first(lambda store: store.rescue(longest)):
            LOGGER.warning(
                "the process of item %d was silent for too long, so the item is worked on again",
                position,
            )

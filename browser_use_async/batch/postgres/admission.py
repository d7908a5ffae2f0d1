"""The admission of tasks to a budget that many processes share: reservations in the ledger."""

import asyncio
import random
from collections.abc import Callable
from decimal import Decimal

import attrs

from browser_use_async.batch.admission import Admission
from browser_use_async.batch.ledger.row import Claim, LedgerRow
from browser_use_async.batch.ledger.writer import LedgerWriter
from browser_use_async.batch.postgres.store import Reservation, WorkerStore
from browser_use_async.logs import LOGGER
from browser_use_async.money import NO_LIMIT, TaskPrice
from browser_use_async.types import RunTaskRequest

PAUSE = 1.0  # seconds between two attempts to get money that other processes hold


class PlaceNeededError(Exception):
    """The budget has room once items have ended that wait for a process: they need the place."""


@attrs.define(eq=False, repr=False)
class SharedAdmission(Admission):
    """Admits a task once the ledger has a reservation for it."""

    # An item's index is its position in the ledger.

    _writer: LedgerWriter[WorkerStore] = attrs.field(kw_only=True, alias="writer")
    _rng: random.Random = attrs.field(kw_only=True, alias="rng")
    _is_stopped: Callable[[], bool] = attrs.field(kw_only=True, alias="is_stopped")
    # One of them asks, the others stand behind it.
    _line: asyncio.Lock = attrs.field(factory=asyncio.Lock, init=False)
    _is_short: bool = attrs.field(default=False, init=False)  # whether that was said once
    _settled: set[int] = attrs.field(factory=set, init=False)  # that are not released yet
    # Of the items that this process works on, by their positions
    claims: dict[int, Claim] = attrs.field(factory=dict, init=False)

    async def admit(self, index: int, request: RunTaskRequest) -> bool:
        """Reserve what a task can cost at most, as soon as the budget has room.

        Raises:
            PlaceNeededError: What would make room waits for a process.
        """
        price = TaskPrice.of(request)
        if self.budget.limit != NO_LIMIT:
            async with self._line:
                # Other processes, too, make room: only the ledger knows.
                while (answer := await self._reserve(index, price)) is Reservation.FULL:
                    self._say_short_of(price)
                    await asyncio.sleep(PAUSE * self._rng.uniform(0.5, 1.0))
                    if self._is_stopped():
                        return False
            if answer is Reservation.LEFT:
                raise PlaceNeededError
            if answer is Reservation.REFUSED:
                self.refuse(price)
                LOGGER.warning("%s", self.note)
                return False
            self.short_of = None
        self.reserve(index, price.maximum_cents)
        return True

    def _say_short_of(self, price: TaskPrice) -> None:
        self.short_of = price
        if not self._is_short:
            self._is_short = True
            LOGGER.warning("%s", self.note)

    async def _reserve(self, index: int, price: TaskPrice) -> Reservation:
        claim, most = self.claims[index], price.maximum_cents
        answer, self.budget = await self._writer.run(
            lambda store: store.reserve(claim, most), durable=False
        )
        return answer

    def follow(self, index: int, request: RunTaskRequest, row: LedgerRow) -> None:
        """Make a reservation for a task that exists, or may exist, if the ledger has none."""
        claim, most = self.claims[index], TaskPrice.of(request).maximum_cents
        self._writer.post(lambda store: store.reserve_known(claim, most))
        self.reserve(index, most)

    async def admit_again(self, index: int, request: RunTaskRequest) -> bool:
        """Reserve for one more request of an item, whose earlier ones may have made a task."""
        claim = self.claims[index]
        self._writer.post(lambda store: store.doubt(claim))
        super().abandon(index)
        return await self.admit(index, request)

    def release(self, index: int) -> None:
        """Give back what the ledger has set aside for an item, if anything: it has no task."""
        if index in self._settled:
            self._settled.remove(index)  # its end has given that back
        else:
            claim = self.claims[index]
            self._writer.post(lambda store: store.release(claim))
        super().release(index)

    def settle(self, index: int, cost: Decimal) -> None:
        """Record that a task has ended, as its row says by now."""
        self._settled.add(index)
        super().settle(index, cost)

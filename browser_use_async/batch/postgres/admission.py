"""The admission of tasks to a budget that many processes share: reservations in the ledger."""

import asyncio
import random
from collections.abc import Callable

import attrs

from browser_use_async.batch.budget import Admission
from browser_use_async.batch.estimates import TaskPrice
from browser_use_async.batch.ledger.records import Claim
from browser_use_async.batch.ledger.store import millicents
from browser_use_async.batch.postgres.store import Amounts, Reservation, WorkerStore
from browser_use_async.batch.postgres.writer import PostgresWriter
from browser_use_async.types import RunTaskRequest

PAUSE = 1.0  # seconds between two attempts to get money that other processes hold


class PlaceNeededError(Exception):
    """The budget has room once items have ended that wait for a process: they need the place."""


@attrs.define(eq=False, repr=False)
class SharedAdmission(Admission):
    """Admits a task once the ledger has a reservation for it."""

    # What a task is expected to cost is estimated by this process, from the tasks that ended last.
    # An item's index is its position in the ledger.

    _writer: PostgresWriter[WorkerStore]
    _rng: random.Random
    _is_stopped: Callable[[], bool]
    # One of them asks, the others stand behind it.
    _line: asyncio.Lock = attrs.field(factory=asyncio.Lock)
    # Of the items that this process works on, by their positions
    claims: dict[int, Claim] = attrs.field(factory=dict)

    async def admit(self, index: int, request: RunTaskRequest) -> bool:
        """Reserve what a task is expected to cost, as soon as the budget has room.

        Raises:
            PlaceNeededError: What would make room waits for a process.
        """
        price = TaskPrice.of(request)
        if self.budget.limit_cents is not None:
            async with self._line:
                # Other processes, too, make room: only the ledger knows.
                while (answer := await self._reserve(index, price)) is Reservation.FULL:
                    await asyncio.sleep(PAUSE * self._rng.uniform(0.5, 1.0))
                    if self._is_stopped():
                        return False
            if answer is Reservation.LEFT:
                raise PlaceNeededError
            if answer is Reservation.REFUSED:
                self.budget.refuse(price)
                return False
        self.budget.reserve(index, price)
        return True

    async def _reserve(self, index: int, price: TaskPrice) -> Reservation:
        amounts, claim = self._amounts(price), self.claims[index]
        return await self._writer.transact(lambda store: store.reserve(claim, amounts))

    def _amounts(self, price: TaskPrice) -> Amounts:
        budget = self.budget
        costs = budget.estimate(price), price.maximum_cents, budget.needed_alone(price)
        expected, at_most, alone = (millicents(cost) or 0 for cost in costs)
        return Amounts(expected=expected, at_most=at_most, alone=alone)

    def follow(self, index: int, request: RunTaskRequest) -> None:
        """Make a reservation for a task that exists, or may exist, if the ledger has none."""
        price = TaskPrice.of(request)
        if self.budget.limit_cents is not None:
            amounts, claim = self._amounts(price), self.claims[index]
            self._writer.put(lambda store: store.reserve_known(claim, amounts))
        self.budget.reserve(index, price)

    async def admit_again(self, index: int, request: RunTaskRequest) -> bool:
        """Reserve for one more request of an item, whose earlier ones may have made a task."""
        claim = self.claims[index]
        self._writer.put(lambda store: store.doubt(claim))
        super().release(index)
        return await self.admit(index, request)

    def release(self, index: int) -> None:
        """Give back what the ledger has set aside for an item, if anything: it has no task."""
        if self.budget.limit_cents is not None:
            claim = self.claims[index]
            self._writer.put(lambda store: store.release(claim))
        super().release(index)

    def abandon(self, index: int) -> None:
        """Leave the reservation in the ledger, for the process that takes the item over."""
        super().release(index)

"""The admission of tasks to a budget that many processes share: reservations in the ledger."""

import asyncio
import random
from collections.abc import Callable
from decimal import Decimal

import attrs

from browser_use_async.batch.budget import Admission
from browser_use_async.batch.estimates import TaskPrice
from browser_use_async.batch.ledger.store import millicents
from browser_use_async.batch.postgres.store import Amounts, Reservation, WorkerStore
from browser_use_async.batch.postgres.writer import PostgresWriter
from browser_use_async.types import RunTaskRequest

PAUSE = 1.0  # seconds between two attempts to get money that other processes hold


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
    _held: set[int] = attrs.field(factory=set)  # items with a reservation that is not settled

    async def admit(self, index: int, request: RunTaskRequest) -> bool:
        """Reserve what a task is expected to cost, as soon as the budget has room."""
        price = TaskPrice.of(request)
        if self.budget.limit_cents is not None:
            async with self._line:
                # Other processes, too, make room: only the ledger knows.
                while (answer := await self._reserve(index, price)) is Reservation.FULL:
                    await asyncio.sleep(PAUSE * self._rng.uniform(0.5, 1.0))
                    if self._is_stopped():
                        return False
            if answer is Reservation.REFUSED:
                self.budget.refuse(price)
                return False
            self._held.add(index)
        self.budget.reserve(index, price)
        return True

    async def _reserve(self, index: int, price: TaskPrice) -> Reservation:
        amounts = self._amounts(price)
        return await self._writer.transact(lambda store: store.reserve(index, amounts))

    def _amounts(self, price: TaskPrice) -> Amounts:
        budget = self.budget
        costs = budget.estimate(price), price.maximum_cents, budget.needed_alone(price)
        expected, at_most, alone = (millicents(cost) or 0 for cost in costs)
        return Amounts(expected=expected, at_most=at_most, alone=alone)

    def follow(self, index: int, request: RunTaskRequest) -> None:
        """Make a reservation for a task that exists, or may exist, if the ledger has none."""
        price = TaskPrice.of(request)
        if self.budget.limit_cents is not None:
            amounts = self._amounts(price)
            self._writer.put(lambda store: store.reserve_known(index, amounts))
            self._held.add(index)
        self.budget.reserve(index, price)

    def settle(self, index: int, steps: int) -> Decimal:
        """Record that a task ended; the ledger settles it with the item's outcome."""
        self._held.discard(index)
        return super().settle(index, steps)

    def release(self, index: int) -> None:
        """Give a reservation back, if there is one: no task was created."""
        if index in self._held:
            self._held.discard(index)
            self._writer.put(lambda store: store.release(index))
        super().release(index)

    def abandon(self, index: int) -> None:
        """Leave the reservation in the ledger, for the process that takes the item over."""
        self._held.discard(index)
        super().release(index)

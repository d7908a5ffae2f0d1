"""Admission of tasks to a budget in PostgreSQL, which many processes share."""

import asyncio
import contextlib
import random
from collections.abc import Callable
from decimal import Decimal

import attrs

from browser_use_async.batch.admission import Admission
from browser_use_async.batch.ledger.row import Claim
from browser_use_async.batch.ledger.writer import LedgerWriter
from browser_use_async.batch.postgres.store import PostgresStore, Reservation
from browser_use_async.logs import LOGGER
from browser_use_async.money import NO_LIMIT, BudgetAmounts, TaskPrice
from browser_use_async.types import RunTaskRequest

PAUSE = 1.0  # seconds between two attempts to reserve money that other processes use


class PlaceNeededError(Exception):
    """The budget has no room until waiting items have ended: these need this process."""


@attrs.define(eq=False, repr=False)
class LedgerAdmission(Admission):
    """Admits a task once the ledger has a reservation for it."""

    _writer: LedgerWriter[PostgresStore] = attrs.field(alias="writer")
    # The upper limit of the budget, whatever the ledger says
    _limit: Decimal = attrs.field(init=False)
    # One item asks at a time; the others wait.
    _line: asyncio.Lock = attrs.field(factory=asyncio.Lock, init=False)

    def __attrs_post_init__(self) -> None:
        self._limit = self.budget.limit_cents

    async def admit(self, claim: Claim, request: RunTaskRequest) -> bool:
        """Reserve the most that a task can cost, once the budget has room."""
        price = TaskPrice.of(request)
        if self._limit != NO_LIMIT:
            async with self._line:
                while (answer := await self._reserve(claim, price)) is Reservation.FULL:
                    self.short_of = price
                    if not await self._may_ask_again():
                        return False
                self.short_of = None
            if answer is not Reservation.MADE:
                self._refuse(price, answer)
                return False
        self.reserve(claim, price.maximum_cents)
        return True

    async def _may_ask_again(self) -> bool:
        """Wait until there may be room; False if it is no longer needed."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(PAUSE):
                await self._changed.wait()
        return True

    def _refuse(self, price: TaskPrice, answer: Reservation) -> None:
        self._leave_out(price)

    async def _reserve(self, claim: Claim, price: TaskPrice) -> Reservation:
        most, limit = price.maximum_cents, self._limit
        self._changed.clear()
        answer, budget = await self._writer.run(
            lambda store: store.reserve(claim, most, limit), durable=False
        )
        self._record_amounts(budget)
        return answer

    def _record_amounts(self, budget: BudgetAmounts) -> None:
        """Record the amounts in the ledger's answer."""
        # Nothing to do: no other process changes them. So this process knows them at least as well
        # as the answer, which may arrive after that of a later statement on another connection.

    def follow(self, claim: Claim, request: RunTaskRequest) -> None:
        """Reserve for a task that exists, or may exist, if the ledger has no reservation."""
        most = TaskPrice.of(request).maximum_cents
        self._writer.post(lambda store: store.reserve_known(claim, most))
        super().follow(claim, request)

    def release(self, claim: Claim) -> None:
        """Release the ledger's reservation for an item, if any: it has no task."""
        self._writer.post(lambda store: store.release(claim))
        super().release(claim)


@attrs.define(eq=False, repr=False)
class SharedAdmission(LedgerAdmission):
    """The admission of a process that works together with others."""

    _rng: random.Random = attrs.field(kw_only=True, alias="rng")
    _is_stopped: Callable[[], bool] = attrs.field(kw_only=True, alias="is_stopped")
    _is_short: bool = attrs.field(default=False, init=False)  # whether the lack of room was logged

    def _record_amounts(self, budget: BudgetAmounts) -> None:
        self.budget = budget  # includes the costs of other processes

    async def _may_ask_again(self) -> bool:
        if not self._is_short:
            self._is_short = True
            LOGGER.warning("%s", self.note)
        # Other processes make room, too, which only the ledger knows.
        await asyncio.sleep(PAUSE * self._rng.uniform(0.5, 1.0))
        return not self._is_stopped()

    def _refuse(self, price: TaskPrice, answer: Reservation) -> None:
        if answer is Reservation.LEFT:
            raise PlaceNeededError
        self._leave_out(price)
        LOGGER.warning("%s", self.note)

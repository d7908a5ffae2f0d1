"""The admission of tasks to a budget that a ledger in PostgreSQL keeps, for many processes."""

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

PAUSE = 1.0  # seconds between two attempts to get money that other processes hold


class PlaceNeededError(Exception):
    """The budget has room once items have ended that wait for a process: they need the place."""


@attrs.define(eq=False, repr=False)
class LedgerAdmission(Admission):
    """Admits a task once the ledger has a reservation for it."""

    _writer: LedgerWriter[PostgresStore] = attrs.field(alias="writer")
    # What may be spent at most, whatever the ledger says
    _limit: Decimal = attrs.field(init=False)
    # One item asks, the others stand behind it.
    _line: asyncio.Lock = attrs.field(factory=asyncio.Lock, init=False)

    def __attrs_post_init__(self) -> None:
        self._limit = self.budget.limit_cents

    async def admit(self, claim: Claim, request: RunTaskRequest) -> bool:
        """Reserve what a task can cost at most, as soon as the budget has room."""
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
        """Record the amounts that the ledger had when it was asked."""
        # No other process changes them. So what this one knows is never older than the answer,
        # which may come after that of a later statement on another connection.

    def follow(self, claim: Claim, request: RunTaskRequest) -> None:
        """Make a reservation for a task that exists, or may exist, if the ledger has none."""
        most = TaskPrice.of(request).maximum_cents
        self._writer.post(lambda store: store.reserve_known(claim, most))
        super().follow(claim, request)

    async def admit_again(self, claim: Claim, request: RunTaskRequest) -> bool:
        """Reserve for one more request of an item, whose earlier ones may have made a task."""
        self._writer.post(lambda store: store.doubt(claim))
        return await super().admit_again(claim, request)

    def release(self, claim: Claim) -> None:
        """Give back what the ledger has set aside for an item, if anything: it has no task."""
        self._writer.post(lambda store: store.release(claim))
        super().release(claim)


@attrs.define(eq=False, repr=False)
class SharedAdmission(LedgerAdmission):
    """The admission of a process that works beside others."""

    _rng: random.Random = attrs.field(kw_only=True, alias="rng")
    _is_stopped: Callable[[], bool] = attrs.field(kw_only=True, alias="is_stopped")
    _is_short: bool = attrs.field(default=False, init=False)  # whether that was said once

    def _record_amounts(self, budget: BudgetAmounts) -> None:
        self.budget = budget  # with what others have spent

    async def _may_ask_again(self) -> bool:
        if not self._is_short:
            self._is_short = True
            LOGGER.warning("%s", self.note)
        # Other processes, too, make room: only the ledger knows.
        await asyncio.sleep(PAUSE * self._rng.uniform(0.5, 1.0))
        return not self._is_stopped()

    def _refuse(self, price: TaskPrice, answer: Reservation) -> None:
        if answer is Reservation.LEFT:
            raise PlaceNeededError
        self._leave_out(price)
        LOGGER.warning("%s", self.note)

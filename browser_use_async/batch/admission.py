"""Which task of a batch may start: the queue for its budget, and the reservations."""

import asyncio
import math
from decimal import Decimal

import attrs

from browser_use_async.batch.ledger.row import LedgerRow
from browser_use_async.errors import InvalidRequestError
from browser_use_async.money.amounts import NO_LIMIT, BudgetAmounts, TaskPrice
from browser_use_async.prices import TASK_START_CENTS, format_cents
from browser_use_async.types import RunTaskRequest


@attrs.define(eq=False, repr=False)
class Admission:
    """A first-in, first-out queue for a budget, in which each task reserves its maximum."""

    budget: BudgetAmounts
    _concurrency: int
    # Whether it is an error if there is no room for the first task
    _is_first: bool
    # The price of the task that has no room now, or that was left out
    short_of: TaskPrice | None = attrs.field(default=None, init=False)
    # The maximum of the task that was left out
    refused_cents: Decimal | None = attrs.field(default=None, init=False)
    _reserved: dict[int, Decimal] = attrs.field(factory=dict, init=False)  # by the item's position
    # The items among them whose end this run waits for
    _followed: set[int] = attrs.field(factory=set, init=False)
    # asyncio locks are fair: first in, first out
    _queue: asyncio.Lock = attrs.field(factory=asyncio.Lock, init=False)
    _changed: asyncio.Event = attrs.field(factory=asyncio.Event, init=False)

    async def admit(self, row: LedgerRow, request: RunTaskRequest) -> bool:
        """Reserve the most that a task can cost, once there is room; False if there never is."""
        price = TaskPrice.of(request)
        async with self._queue:
            while not self.budget.admits(price.maximum_cents):
                # Without a running task nothing can change, so waiting would never end.
                if not self._followed:
                    self._leave_out(price)
                    return False
                self.short_of = price
                self._changed.clear()
                try:
                    await self._changed.wait()
                finally:
                    self.short_of = None
            self.reserve(row, price.maximum_cents)
            return True

    def _leave_out(self, price: TaskPrice) -> None:
        if self._is_first and price.maximum_cents > self.budget.limit_cents:
            raise nothing_would_run(price, self.budget.limit_cents)
        self.refuse(price)

    def refuse(self, price: TaskPrice) -> None:
        """Record that a task is left out."""
        self.short_of, self.refused_cents = price, price.maximum_cents

    def reserve(self, row: LedgerRow, cents: Decimal) -> None:
        """Reserve an amount for an item whose end this run waits for."""
        self._is_first = False
        self.budget.reserve(cents)
        self._reserved[row.index] = cents
        self._followed.add(row.index)

    def follow(self, row: LedgerRow, request: RunTaskRequest) -> None:
        """Wait for a task that an earlier run created, or may have created."""
        reserved = row.reserved_cents
        # The budget already has the reservations of the ledger.
        self.budget.release(reserved)
        self.reserve(row, reserved or TaskPrice.of(request).maximum_cents)

    def settle(self, row: LedgerRow, cost: Decimal) -> None:
        """Record that a task has ended, and what it cost."""
        self.budget.settle(self._forget(row), cost)

    def release(self, row: LedgerRow) -> None:
        """Release a reservation, if there is one: no task was created."""
        self.budget.release(self._forget(row))

    def abandon(self, row: LedgerRow) -> None:
        """Keep a reservation, if there is one, for a task that this run does not wait for."""
        self._forget(row)

    def _forget(self, row: LedgerRow) -> Decimal:
        self._followed.discard(row.index)
        self._changed.set()
        return self._reserved.pop(row.index, Decimal(0))

    @property
    def note(self) -> str | None:
        """One line about a budget without room for the next task; None while it has room."""
        price = self.short_of
        if price is None:
            return None
        if self.refused_cents is not None:
            return _left_out(price, self.budget)
        budget = format_cents(self.budget.limit_cents)
        text = (
            f"{len(self._followed):,} of {self._concurrency:,} tasks run at once, because each "
            f"reserves up to {_maximum(price)} of the budget of {budget} until it ends"
        )
        fitting = price.steps_within(
            (self.budget.limit_cents - self.budget.spent_cents) / self._concurrency
        )
        if 1 <= fitting < price.max_steps:
            text += f"; max_agent_steps={fitting} lets {self._concurrency:,} run at once"
        return text


def _left_out(price: TaskPrice, budget: BudgetAmounts) -> str:
    """Why a task is left out, and how it could run."""
    text = f"the next task may cost up to {_maximum(price)}, "
    if budget.limit_cents == NO_LIMIT:
        return f"{text}for which the budget around the batch has no room"
    left = max(budget.remaining_cents, Decimal(0))
    fitting = price.steps_within(left)
    advice = f"lower max_agent_steps to {fitting} or fewer, or " if fitting >= 1 else ""
    return (
        f"{text}and {format_cents(left)} of the budget of {format_cents(budget.limit_cents)} are "
        f"left: {advice}give a larger budget"
    )


def nothing_would_run(price: TaskPrice, limit: Decimal) -> InvalidRequestError:
    """The error of a budget that is too small for a single task."""
    fitting = price.steps_within(limit)
    advice = f", or lower max_agent_steps to {fitting} or fewer" if fitting >= 1 else ""
    least = math.ceil(price.maximum_cents)
    return InvalidRequestError(
        f"budget_cents: a task may cost up to {_maximum(price)}, and no more than "
        f"{format_cents(limit)} may be spent, so nothing would run; nothing was sent. Give at "
        f"least {least} cents ({format_cents(least)}){advice}",
        field="budget_cents",
    )


def _maximum(price: TaskPrice) -> str:
    return (
        f"{format_cents(price.maximum_cents)} ({format_cents(TASK_START_CENTS)} for its start and "
        f"{price.max_steps} steps of {format_cents(price.step_cents)})"
    )

"""What one paying call has set aside in each budget that it was made in. Pure."""

from decimal import Decimal
from typing import TYPE_CHECKING

import attrs

from browser_use_async.batch.estimates import TaskPrice
from browser_use_async.types import Task

if TYPE_CHECKING:
    from browser_use_async.budget.budget import Budget


@attrs.define(eq=False)
class Charge:
    """A reservation, until the cost is known."""

    budgets: tuple["Budget", ...]  # from the innermost to the outermost
    cents: Decimal  # what is reserved: the most that it can cost
    price: TaskPrice | None = None  # of a task; None for a search, which costs what is reserved
    task_id: str | None = None  # None until it is known
    seen_at: float | None = None  # the loop time at which the task was last looked at

    def settle(self, cents: Decimal) -> None:
        """Replace the reservation by the cost."""
        for budget in self.budgets:
            budget.settle(self, cents)

    def settle_with(self, task: Task) -> None:
        """Replace the reservation by what a task that has ended cost."""
        assert self.price is not None
        self.settle(self.price.cents(self.price.paid_steps(task)))

    def release(self) -> None:
        """Give back all that is reserved: provably nothing was created."""
        self.settle(Decimal(0))

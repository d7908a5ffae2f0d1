"""The price of a task, and the arithmetic of budgets, in US cents. No I/O."""

from decimal import Decimal
from typing import Any

import attrs

from browser_use_async.prices import TASK_START_CENTS, step_cents
from browser_use_async.types import RunTaskRequest, Task, TaskStatus
from browser_use_async.types.enums import price_terms

NO_LIMIT = Decimal("Infinity")


@attrs.frozen
class TaskPrice:
    """The price of one task."""

    step_cents: Decimal  # what each step costs, in US cents
    max_steps: int  # how many steps it may take

    @classmethod
    def of(cls, request: RunTaskRequest) -> "TaskPrice":
        """The price of a request."""
        return cls.of_terms(request.max_agent_steps, request.llm_model)

    @classmethod
    def of_terms(cls, max_steps: object, model: object) -> "TaskPrice":
        """The price by two fields of a request; a missing one is the service's default."""
        most, of_model = price_terms(max_steps, model)
        return cls(step_cents(of_model), most)

    def cents(self, steps: int) -> Decimal:
        """The cost of so many steps."""
        return TASK_START_CENTS + steps * self.step_cents

    def steps_within(self, cents: Decimal) -> int:
        """How many steps an amount pays for; below 1 if it pays for none."""
        return int((cents - TASK_START_CENTS) // self.step_cents)

    def cost(self, task: Task) -> Decimal:
        """The cost of a task so far."""
        # A task that fails at its limit has a last step that says so, which is free.
        says_limit = task.status is TaskStatus.FAILED and len(task.steps) == self.max_steps + 1
        return self.cents(self.max_steps if says_limit else len(task.steps))

    @property
    def maximum_cents(self) -> Decimal:
        """The cost of all the steps that it may take."""
        return self.cents(self.max_steps)


@attrs.define(eq=False)
class BudgetAmounts:
    """The amounts of a budget in US cents, for scopes, ledger files and PostgreSQL.

    Before a call is sent, the most that it can cost is reserved. Later the real cost replaces the
    reservation. So admitted calls never exceed `limit_cents`.
    """

    limit_cents: Decimal  # the limit, or `NO_LIMIT`
    spent_cents: Decimal = Decimal(0)
    reserved_cents: Decimal = Decimal(0)  # for what has not ended

    @property
    def remaining_cents(self) -> Decimal:
        """What is neither spent nor reserved, in US cents."""
        return self.limit_cents - self.spent_cents - self.reserved_cents

    def admits(self, cents: Decimal) -> bool:
        """Whether there is room for a reservation."""
        return cents <= self.remaining_cents

    def reserve(self, cents: Decimal) -> None:
        """Reserve an amount."""
        self.reserved_cents += cents

    def settle(self, reserved: Decimal, cost: Decimal) -> None:
        """Replace a reservation by the cost."""
        self.release(reserved)
        self.spent_cents += cost

    def release(self, cents: Decimal) -> None:
        """Release a reservation."""
        self.reserved_cents -= cents


def plain_amounts(
    _class: type, fields: "list[attrs.Attribute[Any]]"
) -> "list[attrs.Attribute[Any]]":
    """A `field_transformer` of attrs: a repr has `cents=3.5` and not `cents=Decimal('3.5')`."""
    kinds = (Decimal, Decimal | None)
    return [each.evolve(repr=_plain) if each.type in kinds else each for each in fields]


def _plain(value: Decimal | None) -> str:
    return "None" if value is None else f"{value.normalize():f}"

"""What a batch costs: before, while it runs, and when it has to stop. No input or output."""

import asyncio
from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any

from browser_use_async.batch.item import BatchItem
from browser_use_async.models import UNSET, LlmModel, RunTaskRequest
from browser_use_async.prices import TASK_START_CENTS, step_cents, task_cents

__all__ = ["Account", "cost_cents", "most_cents"]

MOST_STEPS = 75  # of a task that does not say how many it may take
FIRST_GUESS = Decimal(1)  # steps, until a task has ended and tells better


def cost_cents(request: RunTaskRequest, steps: Decimal | int) -> Decimal:
    """What a task costs.

    Args:
        request: Its request.
        steps: How many steps it takes.
    """
    return TASK_START_CENTS + steps * _step_cents(request)


def _step_cents(request: RunTaskRequest) -> Decimal:
    return step_cents(request.llm_model if isinstance(request.llm_model, str) else LlmModel.GPT_4_1)


def most_cents(requests: Iterable[object], fields: Mapping[str, Any]) -> Decimal:
    """What tasks cost if each takes all the steps that it may.

    Args:
        requests: Whatever `run_many` takes.
        fields: Fields of each request that does not give them itself.
    """
    prices: dict[tuple[object, object], Decimal] = {}
    total = Decimal(0)
    for given in requests:
        request = given
        if isinstance(request, BatchItem):
            request = request.request
        elif isinstance(request, tuple) and len(request) == 2:
            request = request[1]
        kind = (_field(request, fields, "llm_model"), _field(request, fields, "max_agent_steps"))
        if kind not in prices:
            prices[kind] = _most(*kind)
        total += prices[kind]
    return total


def _field(request: object, fields: Mapping[str, Any], name: str) -> object:
    value = getattr(request, name, UNSET) if isinstance(request, RunTaskRequest) else UNSET
    return fields.get(name) if value is UNSET else value


def _most(model: object, steps: object) -> Decimal:
    return task_cents(
        steps if isinstance(steps, int) else MOST_STEPS,
        model if isinstance(model, str) else LlmModel.GPT_4_1,
    )


class Account:
    """What was spent, and what the tasks under way are expected to cost.

    A task under way counts as if it took as many steps as those that have ended did on average.
    Since it may take more, the budget can be exceeded by what the tasks take that run at the
    moment at which the cap is reached, and by no more.

    Args:
        budget_cents: What may be spent, or None.
        spent_cents: What was spent before.
        steps: How many steps the tasks took that ended before.
        tasks: How many these are.
    """

    def __init__(
        self, budget_cents: Decimal | None, spent_cents: Decimal, steps: int, tasks: int
    ) -> None:
        self.budget_cents = budget_cents
        self.spent_cents = spent_cents
        self._steps, self._tasks = steps, tasks
        self._reserved: dict[int, RunTaskRequest] = {}
        self._step_prices = Decimal(0)  # of all of these together
        self._changed = asyncio.Event()

    @property
    def running_cents(self) -> Decimal:
        """What the tasks under way are expected to cost."""
        starts = TASK_START_CENTS * len(self._reserved)
        return starts + self._expected_steps * self._step_prices

    @property
    def _expected_steps(self) -> Decimal:
        return Decimal(self._steps) / self._tasks if self._tasks else FIRST_GUESS

    def bound(self, balance_cents: Decimal) -> None:
        """Spend no more than the account has.

        Args:
            balance_cents: What is left on it.
        """
        most = self.spent_cents + balance_cents
        self.budget_cents = most if self.budget_cents is None else min(self.budget_cents, most)

    async def admits(self, index: int, request: RunTaskRequest) -> bool:
        """Whether one more task may be begun; then it counts as under way.

        Waits while the answer depends on tasks under way, which may turn out cheaper.

        Args:
            index: The item.
            request: Its request.
        """
        while not self._fits(request):
            if not self._reserved:
                return False
            self._changed.clear()
            await self._changed.wait()
        self.reserve(index, request)
        return True

    def _fits(self, request: RunTaskRequest) -> bool:
        if self.budget_cents is None:
            return True
        expected = cost_cents(request, self._expected_steps)
        return self.spent_cents + self.running_cents + expected <= self.budget_cents

    def reserve(self, index: int, request: RunTaskRequest) -> None:
        """Count a task as under way.

        Args:
            index: The item.
            request: Its request.
        """
        self._reserved[index] = request
        self._step_prices += _step_cents(request)

    def release(self, index: int, steps: int | None = None) -> Decimal:
        """Count a task as under way no longer.

        Args:
            index: The item.
            steps: How many steps it took, or None if it was not created or has not ended.

        Returns:
            What it cost.
        """
        request = self._reserved.pop(index, None)
        self._changed.set()
        if request is None:
            return Decimal(0)
        self._step_prices -= _step_cents(request)
        if steps is None:
            return Decimal(0)
        cost = cost_cents(request, steps)
        self.spent_cents += cost
        self._steps += steps
        self._tasks += 1
        return cost

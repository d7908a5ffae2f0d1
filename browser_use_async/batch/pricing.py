"""What tasks may cost, by the published prices and the steps that they may take. Pure."""

from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal
from typing import Any

import attrs

from browser_use_async.batch.item import BatchItem
from browser_use_async.prices import TASK_START_CENTS, step_cents
from browser_use_async.types import UNSET, LlmModel, RunTaskRequest

__all__ = ["InputPrices", "TaskPrice", "most_cents"]

DEFAULT_MAX_STEPS = 75  # of a task that does not say how many it may take


@attrs.frozen
class TaskPrice:
    """The price of one task."""

    step_cents: Decimal  # what each step costs, in US cents
    max_steps: int  # how many steps it may take

    @classmethod
    def of(cls, request: RunTaskRequest) -> "TaskPrice":
        """The price of what a request asks for."""
        return _price(request.llm_model, request.max_agent_steps)

    def cents(self, steps: int) -> Decimal:
        """What it costs if it takes so many steps."""
        return TASK_START_CENTS + steps * self.step_cents

    @property
    def maximum_cents(self) -> Decimal:
        """What it costs if it takes all the steps that it may."""
        return self.cents(self.max_steps)


@attrs.frozen
class InputPrices:
    """The prices of a whole input."""

    total_cents: Decimal  # what everything costs at most
    # The price of the task with the lowest maximum, or None if there is no task
    cheapest: TaskPrice | None
    dearest: TaskPrice | None  # the price of the one with the highest

    @classmethod
    def of(cls, requests: Iterable[object], fields: Mapping[str, Any]) -> "InputPrices":
        """The prices of whatever `run_many` takes."""
        total, kinds = Decimal(0), set[TaskPrice]()
        for price in _prices(requests, fields):
            total += price.maximum_cents
            kinds.add(price)
        by_maximum = sorted(kinds, key=lambda price: price.maximum_cents)
        return cls(total, *((by_maximum[0], by_maximum[-1]) if by_maximum else (None, None)))


def most_cents(requests: Iterable[object], fields: Mapping[str, Any]) -> Decimal:
    """What tasks cost if each takes all the steps that it may."""
    return InputPrices.of(requests, fields).total_cents


def _prices(requests: Iterable[object], fields: Mapping[str, Any]) -> Iterator[TaskPrice]:
    known: dict[tuple[object, object], TaskPrice] = {}
    for given in requests:
        request = given
        if isinstance(request, BatchItem):
            request = request.request
        elif isinstance(request, tuple) and len(request) == 2:
            request = request[1]
        kind = (_field(request, fields, "llm_model"), _field(request, fields, "max_agent_steps"))
        if kind not in known:
            known[kind] = _price(*kind)
        yield known[kind]


def _field(request: object, fields: Mapping[str, Any], name: str) -> object:
    value = getattr(request, name, UNSET) if isinstance(request, RunTaskRequest) else UNSET
    return fields.get(name) if value is UNSET else value


def _price(model: object, max_steps: object) -> TaskPrice:
    return TaskPrice(
        step_cents(model if isinstance(model, str) else LlmModel.GPT_4_1),
        max_steps if isinstance(max_steps, int) else DEFAULT_MAX_STEPS,
    )

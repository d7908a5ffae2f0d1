"""Estimates: what tasks may cost by the published prices, and how many steps they take. Pure."""

import math
from bisect import bisect_right
from collections import Counter, deque
from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal
from typing import Any

import attrs

from browser_use_async.api.limits import price_terms
from browser_use_async.batch.inputs import BatchItem
from browser_use_async.prices import TASK_START_CENTS, step_cents
from browser_use_async.types import UNSET, RunTaskRequest, Task, TaskStatus

WINDOW = 32  # finished tasks that count: recent ones predict better than old ones
TAIL = 0.05  # the share of tasks that may take more steps than the quantile


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

    def paid_steps(self, task: Task) -> int:
        """The steps of a task that has ended which cost money."""
        # One that fails at its limit has a last step that says so, and is free.
        says_limit = task.status is TaskStatus.FAILED and len(task.steps) == self.max_steps + 1
        return self.max_steps if says_limit else len(task.steps)

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
        """The prices of an input of `run_many`."""
        total, kinds = Decimal(0), set[TaskPrice]()
        for price in _prices(requests, fields):
            total += price.maximum_cents
            kinds.add(price)
        # Over the kinds and not over a million items, of which nearly all are alike.
        by_maximum = sorted(kinds, key=lambda price: price.maximum_cents)
        return cls(total, *((by_maximum[0], by_maximum[-1]) if by_maximum else (None, None)))


def _prices(requests: Iterable[object], fields: Mapping[str, Any]) -> Iterator[TaskPrice]:
    # Inputs may have a million items and few prices.
    known: dict[tuple[int, str], TaskPrice] = {}
    for given in requests:
        request = given
        if isinstance(request, BatchItem):
            request = request.request
        elif isinstance(request, tuple) and len(request) == 2:
            request = request[1]
        max_steps, model = (_field(request, fields, name) for name in _TERMS)
        kind = price_terms(max_steps, model)  # and not what is of a wrong type, perhaps unhashable
        if kind not in known:
            known[kind] = _price(model, max_steps)
        yield known[kind]


_TERMS = ("max_agent_steps", "llm_model")


def _field(request: object, fields: Mapping[str, Any], name: str) -> object:
    value = getattr(request, name, UNSET) if isinstance(request, RunTaskRequest) else UNSET
    return fields.get(name) if value is UNSET else value


def _price(model: object, max_steps: object) -> TaskPrice:
    # What is missing is the service's default. Values of a wrong type are refused when read.
    most, of_model = price_terms(max_steps, model)
    return TaskPrice(step_cents(of_model), most)


class StepEstimator:
    """An upper quantile of the steps that tasks take: 95 % of them take no more."""

    # It is read off the Kaplan-Meier estimate, in which running tasks count as censored: one that
    # shows 40 steps will end after 40 or more. Without them the estimate would be too low, since
    # short tasks end first. One imaginary task that outlives the others stands for what has not
    # been seen yet: no quantile is known before 19 tasks have ended.

    def __init__(self, earlier: Iterable[int] = ()) -> None:
        self._ended = deque(((steps, False) for steps in earlier), maxlen=WINDOW)
        self._running: tuple[int, ...] = ()
        self._curve: list[tuple[int, float]] | None = None

    @property
    def count(self) -> int:
        """How many finished tasks are known."""
        return len(self._ended)

    @property
    def highest(self) -> int:
        """The most steps that any of these took."""
        return max((steps for steps, _is_cut_off in self._ended), default=0)

    def record(self, steps: int, max_steps: int) -> None:
        """Add a finished task; one that took its maximum could have taken more steps."""
        self._ended.append((steps, steps >= max_steps))
        self._curve = None

    def observe(self, running: Iterable[int]) -> None:
        """Set the steps that running tasks have taken so far."""
        self._running = tuple(running)
        self._curve = None

    def quantile(self, shown: int = 0) -> float:
        """The steps within which 95 % of the tasks end that have taken `shown` already."""
        if self._curve is None:
            self._curve = self._survival()
        alive = 1.0
        for steps, survival in self._curve:
            if steps < shown:
                alive = survival
            elif survival <= TAIL * alive + 1e-9:  # the products are floats
                return steps
        return math.inf

    def _survival(self) -> list[tuple[int, float]]:
        """The Kaplan-Meier curve: for each step count the share of tasks that take more."""
        ends = Counter(steps for steps, is_cut_off in self._ended if not is_cut_off)
        at_least = [*self._running, *(steps for steps, is_cut_off in self._ended if is_cut_off)]
        at_least.sort()
        survival, left = 1.0, ends.total()
        curve: list[tuple[int, float]] = []
        for steps in sorted(ends):
            # 1 is the imaginary task that outlives the others
            at_risk = 1 + left + len(at_least) - bisect_right(at_least, steps)
            survival *= 1 - ends[steps] / at_risk
            curve.append((steps, survival))
            left -= ends[steps]
        return curve

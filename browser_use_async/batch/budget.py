"""What a batch may spend, and which task may start: the budget and the queue in front of it."""

import asyncio
import math
from collections import Counter
from collections.abc import Awaitable, Callable
from decimal import Decimal

import attrs

from browser_use_async.batch.estimates import StepEstimator, TaskPrice
from browser_use_async.errors import BrowserUseError, InvalidRequestError
from browser_use_async.logs import LOGGER
from browser_use_async.prices import TASK_START_CENTS, format_cents
from browser_use_async.types import RunTaskRequest, Task

WORST_CASE = 2  # limits that may be spent if every running task takes its maximum
FRESH_SECONDS = 10.0  # for which the steps of a running task are not polled again


@attrs.define
class _Reservation:
    """What is set aside for one task."""

    price: TaskPrice
    shown: int = 0  # the steps that it had taken at the last poll
    is_followed: bool = True  # whether this run waits for its end


class Budget:
    """A limit, what was spent of it, and reservations for the running tasks. Pure."""

    # A task is admitted if what was spent, what is reserved and its own cost fit the limit. Its
    # start makes a reservation, its end settles it. Reserved is what the task is expected to cost
    # at most: all the steps that it may take, until enough tasks have ended to know better, then an
    # upper quantile of what these took. So a batch starts slowly, with as many tasks as could all
    # take their maximum, unless the limit pays for the maximum of all that may run at once.
    #
    # If nothing runs and the maximum does not fit, one task is admitted if the longest one so far
    # would fit: without a finished task there is no estimate.
    #
    # The limit is exceeded by what running tasks take beyond their quantiles. The worst case, when
    # short tasks are followed by long ones, is twice the limit: no task is admitted beside others
    # if the maxima of all could come to more; and a single one can exceed it by its own maximum.
    # A strict budget reserves maxima only, so that the limit is never exceeded.

    def __init__(
        self,
        limit_cents: Decimal | None,
        spent_cents: Decimal = Decimal(0),
        estimator: StepEstimator | None = None,
        *,
        is_strict: bool = False,
        outstanding: int = 0,
        dearest: TaskPrice | None = None,
    ) -> None:
        self.limit_cents = limit_cents
        self.spent_cents = spent_cents
        self.is_strict = is_strict
        # What the task that was refused last was expected to cost
        self.refused_cents: Decimal | None = None
        self._estimator = StepEstimator() if estimator is None else estimator
        self._reserved: dict[int, _Reservation] = {}
        self._groups: Counter[tuple[TaskPrice, int]] = Counter()  # reservations by price and steps
        self._maximum_cents = Decimal(0)  # the sum of all reservations at their maximum
        self._followed = 0  # reservations whose task this run waits for
        # For requests whose answers were lost, of items that were sent again: kept for the whole
        # run, since each of them may yet create a task.
        self._doubted_cents = Decimal(0)
        # Tasks of earlier runs that the input has not given yet: they may cost the maximum.
        self._outstanding = outstanding
        self._dearest = dearest

    # --- queries --------------------------------------------------------------------------

    @property
    def reserved_cents(self) -> Decimal:
        """What the running tasks are expected to cost."""
        others = self._doubted_cents
        if self._outstanding and self._dearest is not None:
            others += self._outstanding * self.estimate(self._dearest)
        return sum((count * self.estimate(*kind) for kind, count in self._groups.items()), others)

    @property
    def is_idle(self) -> bool:
        """Whether no task runs whose end would change what is spent and reserved."""
        return not self._followed

    @property
    def is_untouched(self) -> bool:
        """Whether nothing was spent or reserved so far."""
        return not (self.spent_cents or self._has_company)

    @property
    def _has_company(self) -> bool:
        """Whether a task that starts now may run beside others."""
        return bool(self._reserved or self._outstanding or self._doubted_cents)

    def is_ample_for(self, price: TaskPrice) -> bool:
        """Whether all running tasks and one more could take their maximum."""
        self._record_price(price)
        return self.limit_cents is None or (
            self._worst_case() + price.maximum_cents <= self.limit_cents
        )

    def estimate(self, price: TaskPrice, shown: int = 0) -> Decimal:
        """What a task is expected to cost at most."""
        if self.is_strict:
            return price.maximum_cents
        quantile = self._estimator.quantile(shown)
        return price.cents(int(max(min(quantile, price.max_steps), shown)))

    def admits(self, price: TaskPrice) -> bool:
        """Whether one more task may start."""
        if self.limit_cents is None or self.is_ample_for(price):
            return True
        # Estimates may be wrong for all running tasks at once, which bounds how many there are.
        worst_case = self._worst_case() + price.maximum_cents
        if self._has_company and worst_case > WORST_CASE * self.limit_cents:
            return False
        return self.spent_cents + self.reserved_cents + self._needed(price) <= self.limit_cents

    def _needed(self, price: TaskPrice) -> Decimal:
        """What must remain for one more task."""
        return self.estimate(price) if self._has_company else self.needed_alone(price)

    def needed_alone(self, price: TaskPrice) -> Decimal:
        """What must remain for a task beside which no other runs."""
        if self.is_strict:
            return self.estimate(price)
        known = self._estimator.count
        if not known:
            # Without a finished task there is no estimate, so one has to run.
            return price.cents(1)
        steps = min(self._estimator.highest, price.max_steps)
        if self.limit_cents is not None and price.maximum_cents <= self.limit_cents:
            # With n known maxima the next one exceeds all of them with probability 1 / (n + 1).
            steps += math.ceil((price.max_steps - steps) / (known + 1))
        return price.cents(steps)

    def _worst_case(self) -> Decimal:
        """What will be spent if all running tasks take their maximum."""
        outstanding = (
            Decimal(0) if self._dearest is None else self._outstanding * self._dearest.maximum_cents
        )
        return self.spent_cents + self._maximum_cents + self._doubted_cents + outstanding

    # --- events ---------------------------------------------------------------------------

    def cap(self, balance_cents: Decimal) -> None:
        """Spend no more than the account has."""
        most = self.spent_cents + balance_cents
        self.limit_cents = most if self.limit_cents is None else min(self.limit_cents, most)

    def drop_outstanding(self) -> None:
        """Count a task of an earlier run no longer: from now on it has its own reservation."""
        self._outstanding -= 1

    def reserve(self, index: int, price: TaskPrice) -> None:
        """Set aside what a task may cost."""
        self._record_price(price)
        self._reserved[index] = _Reservation(price)
        # Groups of equal reservations: a sum over them is short however many tasks run.
        self._groups[price, 0] += 1
        self._maximum_cents += price.maximum_cents
        self._followed += 1

    def observe(self, index: int, steps: int) -> None:
        """Record how many steps a running task has taken."""
        reservation = self._reserved.get(index)
        # Polls may be answered in any order, and steps are never taken back.
        if reservation is None or steps <= reservation.shown:
            return
        self._ungroup(reservation)
        reservation.shown = steps
        self._groups[reservation.price, steps] += 1
        self._estimator.observe(self._shown())

    def settle(self, index: int, steps: int) -> Decimal:
        """Replace a reservation by what the task cost, which is returned."""
        price = self._reserved[index].price
        self.release(index)
        # The actual cost, which may be more than what was reserved.
        self.spent_cents += price.cents(steps)
        self._estimator.record(steps, price.max_steps)
        return price.cents(steps)

    def release(self, index: int) -> None:
        """Cancel a reservation, if there is one."""
        self.abandon(index)
        reservation = self._reserved.pop(index, None)
        if reservation is None:
            return
        self._ungroup(reservation)
        self._maximum_cents -= reservation.price.maximum_cents
        if reservation.shown:
            self._estimator.observe(self._shown())

    def doubt(self, index: int) -> None:
        """Keep a reservation for a request that may yet create a task, beside one more."""
        price = self._reserved[index].price
        self.release(index)
        self._doubted_cents += price.maximum_cents

    def abandon(self, index: int) -> None:
        """Keep a reservation, if there is one, for a task whose end this run does not wait for."""
        reservation = self._reserved.get(index)
        if reservation is not None and reservation.is_followed:
            reservation.is_followed = False
            self._followed -= 1

    def refuse(self, price: TaskPrice) -> None:
        """Record that a task was left out."""
        self.refused_cents = self._needed(price)

    def _shown(self) -> list[int]:
        return [each.shown for each in self._reserved.values() if each.shown]

    def _ungroup(self, reservation: _Reservation) -> None:
        kind = reservation.price, reservation.shown
        self._groups[kind] -= 1
        # Otherwise the counter would grow with each number of steps that a task has shown.
        if not self._groups[kind]:
            del self._groups[kind]

    def _record_price(self, price: TaskPrice) -> None:
        if self._dearest is None or price.maximum_cents > self._dearest.maximum_cents:
            self._dearest = price


def nothing_would_run(price: TaskPrice, limit_cents: Decimal) -> InvalidRequestError:
    """The error of a strict budget that is too small for a single task."""
    fitting = (limit_cents - TASK_START_CENTS) // price.step_cents
    advice = f", lower max_agent_steps to {fitting} or fewer" if fitting >= 1 else ""
    return InvalidRequestError(
        f"budget_strict: a task may cost up to {format_cents(price.maximum_cents)} "
        f"({format_cents(TASK_START_CENTS)} for its start and {price.max_steps} steps of "
        f"{format_cents(price.step_cents)}), and no more than {format_cents(limit_cents)} may be "
        f"spent, so nothing would run; nothing was sent. Give at least "
        f"{price.maximum_cents} as budget_cents{advice}, or leave budget_strict out",
        field="budget_cents",
    )


@attrs.define(eq=False)
class _RunningTask:
    """A task that runs, and the loop time at which its steps were last known."""

    id: str
    seen_at: float


@attrs.define(eq=False, repr=False)
class Admission:
    """A first-in, first-out queue in front of a budget."""

    # Before a task starts because of an estimate, running tasks are polled for the steps that they
    # have taken. That is one request per item at most, and none while the budget is ample.

    budget: Budget
    _get_task: Callable[[str], Awaitable[Task]]
    _running: dict[int, _RunningTask] = attrs.field(factory=dict, init=False)
    _polls_left: int = attrs.field(default=0, init=False)  # one more for each admitted task
    # asyncio locks are fair: first in, first out
    _queue: asyncio.Lock = attrs.field(factory=asyncio.Lock, init=False)
    _changed: asyncio.Event = attrs.field(factory=asyncio.Event, init=False)

    async def admit(self, index: int, request: RunTaskRequest) -> bool:
        """Make a reservation for a task, as soon as the budget admits it, if it ever does."""
        price = TaskPrice.of(request)
        # The queue stands still meanwhile: what polls show is known before the next task starts.
        async with self._queue:
            while not await self._admits(price):
                # With no running task nothing can change: waiting would never end.
                if self.budget.is_idle:
                    self._refuse(price)
                    return False
                self._changed.clear()
                await self._changed.wait()
            self.budget.reserve(index, price)
            self._polls_left += 1
            return True

    async def _admits(self, price: TaskPrice) -> bool:
        if self.budget.is_ample_for(price):
            return True
        if not self.budget.admits(price):
            return False
        # It fits by the estimate; recent steps of running tasks may raise that.
        await self._poll_steps()
        return self.budget.admits(price)

    def _refuse(self, price: TaskPrice) -> None:
        budget = self.budget
        too_small = budget.limit_cents is not None and price.maximum_cents > budget.limit_cents
        if budget.is_strict and budget.is_untouched and too_small:
            assert budget.limit_cents is not None
            raise nothing_would_run(price, budget.limit_cents)
        budget.refuse(price)

    async def _poll_steps(self) -> None:
        """Poll running tasks for their steps, those with the oldest figures first."""
        now = asyncio.get_running_loop().time()
        oldest_first = sorted(self._running.items(), key=lambda each: each[1].seen_at)
        stale = [each for each in oldest_first if now - each[1].seen_at >= FRESH_SECONDS]
        chosen = stale[: self._polls_left]
        self._polls_left -= len(chosen)
        for _index, task in chosen:
            task.seen_at = now  # before the request, so that it is not polled twice at once
        await asyncio.gather(*(self._poll_task(index, task.id) for index, task in chosen))

    async def _poll_task(self, index: int, task_id: str) -> None:
        try:
            task = await self._get_task(task_id)
        except BrowserUseError as error:
            # An older figure only makes the estimate less exact.
            LOGGER.debug("the steps of task %s are not known: %s", task_id, error)
        else:
            self.budget.observe(index, len(task.steps))

    # --- events --------------------------------------------------------------------------

    def follow(self, index: int, request: RunTaskRequest) -> None:
        """Make a reservation for a task that an earlier run created, or may have created."""
        self.budget.drop_outstanding()
        self.budget.reserve(index, TaskPrice.of(request))

    async def admit_again(self, index: int, request: RunTaskRequest) -> bool:
        """Reserve for one more request of an item, whose earlier ones may have made a task."""
        # First, so that it is not waited for: of several such items none would make room.
        self.budget.doubt(index)
        self._discard(index)
        return await self.admit(index, request)

    def task_created(self, index: int, task_id: str) -> None:
        """Record that a task runs."""
        self._running[index] = _RunningTask(task_id, asyncio.get_running_loop().time())

    def settle(self, index: int, steps: int) -> Decimal:
        """Record that a task ended, and return what it cost."""
        cost = self.budget.settle(index, steps)
        self._discard(index)
        return cost

    def release(self, index: int) -> None:
        """Cancel a reservation, if there is one: no task was created."""
        self.budget.release(index)
        self._discard(index)

    def abandon(self, index: int) -> None:
        """Keep the reservation of a task that may run on after this run stops waiting for it."""
        self.budget.abandon(index)
        self._discard(index)

    def _discard(self, index: int) -> None:
        self._running.pop(index, None)
        self._changed.set()

"""What a batch may spend, and which task may start: admission control. Pure."""

import math
from collections import Counter
from decimal import Decimal

import attrs

from browser_use_async.batch.pricing import TaskPrice
from browser_use_async.batch.step_estimator import StepEstimator
from browser_use_async.errors import InvalidRequestError
from browser_use_async.prices import TASK_START_CENTS

__all__ = ["Budget", "nothing_would_run"]


WORST_CASE = 2  # limits that may be spent if every task under way takes its maximum


@attrs.define
class _Reservation:
    """What is set aside for one task."""

    price: TaskPrice
    shown: int = 0  # the steps that it was last seen to have taken
    is_followed: bool = True  # whether this run will learn how it ends


class Budget:
    """A limit, what was spent of it, and reservations for the tasks under way.

    A task is admitted if what was spent, what is reserved and its own cost fit the limit. Its
    start makes a reservation, its end settles it. Reserved is what the task is expected to cost at
    most: all the steps that it may take, until enough tasks have ended to know better, then an
    upper quantile of what these took. So a batch starts slowly, with as many tasks as could all
    take their maximum, unless the limit pays for the maximum of all that may run at once.

    If nothing runs and the maximum does not fit, one task is admitted if it fits by the dearest
    seen so far: otherwise nothing would ever be known.

    The limit is passed by what running tasks take beyond their quantiles. The worst case, when
    short tasks are followed by long ones, is twice the limit: no task is admitted beside others
    if the maxima of all could come to more; and one by itself can pass it by its own maximum.
    Strict, maxima are reserved and nothing else admits a task, so that it is never passed.

    Attributes:
        refused_cents: What the task that was refused last was expected to cost, or None.
    """

    def __init__(
        self,
        limit_cents: Decimal | None,
        spent_cents: Decimal = Decimal(0),
        estimator: StepEstimator | None = None,
        *,
        is_strict: bool = False,
        unmet: int = 0,
        dearest: TaskPrice | None = None,
    ) -> None:
        self.limit_cents = limit_cents
        self.spent_cents = spent_cents
        self.is_strict = is_strict
        self.refused_cents: Decimal | None = None
        self._estimator = StepEstimator() if estimator is None else estimator
        self._reserved: dict[int, _Reservation] = {}
        self._alike: Counter[tuple[TaskPrice, int]] = Counter()  # of these, by price and steps
        self._maximum_cents = Decimal(0)  # of all of these together
        self._followed = 0  # of these
        self._unmet = unmet
        self._dearest = dearest

    # --- questions ------------------------------------------------------------------------

    @property
    def reserved_cents(self) -> Decimal:
        """What the tasks under way are expected to cost."""
        unmet = Decimal(0)
        if self._unmet and self._dearest is not None:
            unmet = self._unmet * self.estimate(self._dearest)
        return sum((count * self.estimate(*kind) for kind, count in self._alike.items()), unmet)

    @property
    def is_idle(self) -> bool:
        """Whether nothing runs whose end would change what is spent and reserved."""
        return not self._followed

    @property
    def is_untouched(self) -> bool:
        """Whether nothing was spent or reserved so far."""
        return not (self.spent_cents or self._has_company)

    @property
    def _has_company(self) -> bool:
        """Whether a task that starts now may run beside others."""
        return bool(self._reserved or self._unmet)

    @property
    def is_ample(self) -> bool:
        """Whether all tasks under way could take their maximum."""
        return self.limit_cents is None or self._worst_case() <= self.limit_cents

    def is_ample_for(self, price: TaskPrice) -> bool:
        """Whether all tasks under way and one more could take their maximum."""
        self._note_price(price)
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
        worst_case = self._worst_case() + price.maximum_cents
        if self._has_company and worst_case > WORST_CASE * self.limit_cents:
            return False
        return self.spent_cents + self.reserved_cents + self._needed(price) <= self.limit_cents

    def _needed(self, price: TaskPrice) -> Decimal:
        """What has to be left for one more task."""
        if self.is_strict or self._has_company:
            return self.estimate(price)
        known = self._estimator.count
        if not known:
            return price.cents(1)  # nobody knows, and somebody has to find out
        steps = min(self._estimator.highest, price.max_steps)
        if self.limit_cents is not None and price.maximum_cents <= self.limit_cents:
            # The next one is dearer than all before it once in so many times.
            steps += math.ceil((price.max_steps - steps) / (known + 1))
        return price.cents(steps)

    def _worst_case(self) -> Decimal:
        """What will have been spent if all tasks under way take their maximum."""
        unmet = Decimal(0) if self._dearest is None else self._unmet * self._dearest.maximum_cents
        return self.spent_cents + self._maximum_cents + unmet

    # --- events ---------------------------------------------------------------------------

    def cap(self, balance_cents: Decimal) -> None:
        """Spend no more than the account has."""
        most = self.spent_cents + balance_cents
        self.limit_cents = most if self.limit_cents is None else min(self.limit_cents, most)

    def meet(self) -> None:
        """Note that a task of an earlier run gets a reservation of its own, or needs none."""
        self._unmet -= 1

    def reserve(self, index: int, price: TaskPrice) -> None:
        """Set aside what a task may cost."""
        self._note_price(price)
        self._reserved[index] = _Reservation(price)
        self._alike[price, 0] += 1
        self._maximum_cents += price.maximum_cents
        self._followed += 1

    def observe(self, index: int, steps: int) -> None:
        """Note how many steps a running task shows."""
        reservation = self._reserved.get(index)
        if reservation is None or steps <= reservation.shown:
            return
        self._forget(reservation)
        reservation.shown = steps
        self._alike[reservation.price, steps] += 1
        self._estimator.observe(self._shown())

    def settle(self, index: int, steps: int) -> Decimal:
        """Replace a reservation by what the task cost, which is returned."""
        price = self._reserved[index].price
        self.release(index)
        self.spent_cents += price.cents(steps)
        self._estimator.record(steps, price.max_steps)
        return price.cents(steps)

    def release(self, index: int) -> None:
        """Give a reservation back, if there is one."""
        self.abandon(index)
        reservation = self._reserved.pop(index, None)
        if reservation is None:
            return
        self._forget(reservation)
        self._maximum_cents -= reservation.price.maximum_cents
        if reservation.shown:
            self._estimator.observe(self._shown())

    def abandon(self, index: int) -> None:
        """Keep a reservation, if there is one, although nobody follows the task any longer."""
        reservation = self._reserved.get(index)
        if reservation is not None and reservation.is_followed:
            reservation.is_followed = False
            self._followed -= 1

    def refuse(self, price: TaskPrice) -> None:
        """Note that a task was left out."""
        self.refused_cents = self._needed(price)

    def _shown(self) -> list[int]:
        return [each.shown for each in self._reserved.values() if each.shown]

    def _forget(self, reservation: _Reservation) -> None:
        kind = reservation.price, reservation.shown
        self._alike[kind] -= 1
        if not self._alike[kind]:
            del self._alike[kind]

    def _note_price(self, price: TaskPrice) -> None:
        if self._dearest is None or price.maximum_cents > self._dearest.maximum_cents:
            self._dearest = price


def nothing_would_run(price: TaskPrice, limit_cents: Decimal) -> InvalidRequestError:
    """The error of a strict budget that is too small for a single task."""
    fitting = (limit_cents - TASK_START_CENTS) // price.step_cents
    advice = f", lower max_agent_steps to {fitting} or fewer" if fitting >= 1 else ""
    return InvalidRequestError(
        f"budget_strict: a task may cost up to {price.maximum_cents} cents ({TASK_START_CENTS} for "
        f"its start and {price.max_steps} steps of {price.step_cents}), and no more than "
        f"{limit_cents} may be spent, so nothing would run; nothing was sent. Give at least "
        f"{price.maximum_cents} as budget_cents{advice}, or leave budget_strict out",
        field="budget_cents",
    )

"""How many steps a task will take, learned from those before it and beside it. Pure."""

import math
from bisect import bisect_right
from collections import Counter, deque
from collections.abc import Iterable

__all__ = ["StepEstimator"]

WINDOW = 32  # tasks that ended last: what they took tells more than what was long ago
TAIL = 0.05  # the share of tasks that may take more steps than the quantile


class StepEstimator:
    """An upper quantile of the steps that tasks take: 95 % of them take no more.

    It is read off the Kaplan-Meier estimate, which learns from running tasks as well: one that
    shows 40 steps will end after 40 or more. Without them a batch would take all tasks for short
    ones, since the short ones end first. One imaginary task that outlives the others stands for
    what has not been seen yet: no quantile is known before 19 tasks have ended.
    """

    def __init__(self, earlier: Iterable[int] = ()) -> None:
        self._ended = deque(((steps, False) for steps in earlier), maxlen=WINDOW)
        self._running: tuple[int, ...] = ()
        self._curve: list[tuple[int, float]] | None = None

    @property
    def count(self) -> int:
        """How many tasks are known that ended."""
        return len(self._ended)

    @property
    def highest(self) -> int:
        """The most steps that any of these took."""
        return max((steps for steps, _is_cut_off in self._ended), default=0)

    def record(self, steps: int, max_steps: int) -> None:
        """Learn from a task that ended. One that took all it might could have taken more."""
        self._ended.append((steps, steps >= max_steps))
        self._curve = None

    def observe(self, running: Iterable[int]) -> None:
        """Learn from the steps that running tasks show."""
        self._running = tuple(running)
        self._curve = None

    def quantile(self, shown: int = 0) -> float:
        """The steps that a task takes at most, in 95 of 100 cases."""
        if self._curve is None:
            self._curve = self._survival()
        alive = 1.0
        for steps, survival in self._curve:
            if steps < shown:
                alive = survival
            elif survival <= TAIL * alive + 1e-9:
                return steps
        return math.inf

    def _survival(self) -> list[tuple[int, float]]:
        """The share of tasks that take more than so many steps, as a product of risks."""
        ends = Counter(steps for steps, is_cut_off in self._ended if not is_cut_off)
        at_least = [*self._running, *(steps for steps, is_cut_off in self._ended if is_cut_off)]
        at_least.sort()
        survival, left = 1.0, ends.total()
        curve: list[tuple[int, float]] = []
        for steps in sorted(ends):
            at_risk = 1 + left + len(at_least) - bisect_right(at_least, steps)
            survival *= 1 - ends[steps] / at_risk
            curve.append((steps, survival))
            left -= ends[steps]
        return curve

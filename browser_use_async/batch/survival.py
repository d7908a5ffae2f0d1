"""Times and costs of items, estimated from ended ones and from those under way. No I/O.

Short items end first, so the mean of the ended ones is too low while others of the same age go on.
The Kaplan-Meier estimate counts those, too. https://en.wikipedia.org/wiki/Kaplan-Meier_estimator
"""

import math
from bisect import bisect_right
from collections.abc import Callable, Iterable

import attrs

NOT_BEGUN = -1.0  # the age of an item that has not begun: even an end at once lies before it
_LEAST_SHARE = 1e-9
_LATE_PART, _LEAST_LATE = 8, 15  # one of 8 ends, but at least 15, are the longest ones


@attrs.frozen
class Observed:
    """One item that was watched from its beginning."""

    seconds: float  # how long it took, or its age
    cents: float | None  # what it cost, or None if it has not ended
    weight: float  # how many items it represents


@attrs.frozen
class Expected:
    """The expectation for one item: means and variances."""

    cents: float  # what it costs
    cents_variance: float
    seconds: float  # how long it still takes
    seconds_variance: float

    def drawn_to(self, other: "Expected", weight: float) -> "Expected":
        """The mean with another expectation, which has this weight."""
        return Expected(
            self.cents + weight * (other.cents - self.cents),
            self.cents_variance + weight * (other.cents_variance - self.cents_variance),
            self.seconds + weight * (other.seconds - self.seconds),
            self.seconds_variance + weight * (other.seconds_variance - self.seconds_variance),
        )


class Survival:
    """The Kaplan-Meier estimate of the times of items, and of their costs by time."""

    def __init__(self, observed: Iterable[Observed]) -> None:
        everything = sorted(observed, key=lambda each: each.seconds)
        ended = [each for each in everything if each.cents is not None]
        self.ends = len(ended)
        # About items that outlive all ended ones, only the speed of the longest ends is known.
        self._later = _mean_of_late(everything, ended)
        shares = _shares(everything)
        self._times = [each.seconds for each in ended]
        self._last = self._times[-1] if ended else 0.0
        alive = 1.0 - sum(shares)
        self._unseen = alive if alive > _LEAST_SHARE else 0.0  # outlive all that ended
        self._cost_after = _line(ended, shares)
        # Sums over the ends from each one on, for quick look-ups by age.
        share = time = time_square = cost = cost_square = 0.0
        sums = [(share, time, time_square, cost, cost_square)]
        for part, each in zip(reversed(shares), reversed(ended), strict=True):
            seconds, cents = each.seconds, each.cents or 0.0
            share += part
            time += part * seconds
            time_square += part * seconds * seconds
            cost += part * cents
            cost_square += part * cents * cents
            sums.append((share, time, time_square, cost, cost_square))
        self._sums = sums[::-1]
        self.new = self.after(NOT_BEGUN)
        late = self._last + self._later
        # The part of the means, from 0 to 1, that is due to items that outlive all ended ones.
        self.unseen_cents = _ratio(self._unseen * self._cost_after(late), self.new.cents)
        self.unseen_seconds = _ratio(self._unseen * late, self.new.seconds)

    def after(self, age: float) -> Expected:
        """The expectation for an item that has not ended at this age in seconds."""
        share, time, time_square, cost, cost_square = self._sums[bisect_right(self._times, age)]
        unseen = self._unseen
        if share + unseen <= _LEAST_SHARE:
            unseen = 1.0  # it outlives all ended ones
        if unseen:
            later = self._later
            late = max(self._last, age) + later
            cents = self._cost_after(late)
            share += unseen
            time += unseen * late
            time_square += unseen * (late * late + later * later)
            cost += unseen * cents
            cost_square += unseen * cents * cents
        mean, cents = time / share, cost / share
        return Expected(
            cents,
            max(cost_square / share - cents * cents, 0.0),
            mean - max(age, 0.0),
            max(time_square / share - mean * mean, 0.0),
        )

    def outliving(self, seconds: float, slower: float = 1.0) -> float:
        """The share of items that take longer.

        Items that outlive all ended ones take `slower` times as long as the longest ends suggest.
        """
        if seconds <= self._last:
            return self._sums[bisect_right(self._times, seconds)][0] + self._unseen
        later = self._later * slower
        alive = max(self._unseen, _LEAST_SHARE)
        return alive * math.exp((self._last - seconds) / later) if later else 0.0

    def beyond(self, seconds: float) -> float:
        """How long items go on after so many seconds, on average over all of them."""
        if seconds > self._last:
            return self._later * self.outliving(seconds)
        share, time, *_squares = self._sums[bisect_right(self._times, seconds)]
        return time - seconds * share + self._unseen * (self._last + self._later - seconds)


def _shares(everything: Iterable[Observed]) -> list[float]:
    """The share of all items that each end represents, in the order of their times."""
    items = list(everything)
    at_risk, alive = sum(each.weight for each in items), 1.0
    shares: list[float] = []
    for each in items:
        if each.cents is not None:
            part = alive * min(each.weight / at_risk, 1.0)
            shares.append(part)
            alive -= part
        at_risk -= each.weight
    return shares


def _mean_of_late(everything: Iterable[Observed], ended: list[Observed]) -> float:
    late = ended[-max(len(ended) // _LATE_PART, _LEAST_LATE) :]
    since = late[0].seconds if len(late) < len(ended) else 0.0
    exposure = sum(
        each.weight * (each.seconds - since) for each in everything if each.seconds > since
    )
    return _ratio(exposure, sum(each.weight for each in late))


def _line(ended: list[Observed], shares: list[float]) -> Callable[[float], float]:
    """The cost of an item by its time: a line through the ended items that never falls."""
    whole = sum(shares)
    pairs = [
        (part, each.seconds, each.cents or 0.0) for part, each in zip(shares, ended, strict=True)
    ]
    time = _ratio(sum(part * seconds for part, seconds, _cents in pairs), whole)
    cost = _ratio(sum(part * cents for part, _seconds, cents in pairs), whole)
    both = sum(part * (seconds - time) * (cents - cost) for part, seconds, cents in pairs)
    slope = max(_ratio(both, sum(part * (seconds - time) ** 2 for part, seconds, _ in pairs)), 0.0)
    return lambda seconds: max(cost + slope * (seconds - time), 0.0)


def _ratio(above: float, below: float) -> float:
    return above / below if below else 0.0

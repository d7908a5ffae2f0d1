"""Estimates what the rest of a batch will cost, and how long it will take. No I/O."""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from decimal import Decimal
from statistics import NormalDist

import attrs

from browser_use_async.batch.history import History
from browser_use_async.batch.survival import NOT_BEGUN, Expected, Observed, Survival
from browser_use_async.money.amounts import plain_amounts
from browser_use_async.prices import format_cents

LEAST_ENDS = 30
_NINE_OF_TEN = NormalDist().inv_cdf(0.9)
# How much the mean of a kind of task may differ from that of all tasks, as a part of it, while no
# item of the kind has ended and the differences between kinds are unknown.
_UNLIKE = 1.0
# For items that outlive all that have ended, about which nothing is known: the relative error of
# the assumption, and how much longer they may take.
_DOUBT, _SLOWER = 0.8, 1.5
# The variances are estimated as well, mostly from skewed amounts.
_ROUGH = 1.5
# The relative error of the time of the last items, of which few are alike.
_LATE_DOUBT = 0.2
_PARTS = [(place + 0.5) / 16 for place in range(16)]
_MOST_AGES = 16  # of each kind, and of all for the time


@attrs.frozen(kw_only=True, field_transformer=plain_amounts)
class Forecast:
    """What the rest of a batch will cost and how long it will take: an estimate, no promise.

    The rest are the items that have not ended, with the whole cost of tasks under way. The real
    value is as likely above a figure `p50` as below it, and below a figure `p90` in eight to nine
    of ten cases.

    Attributes:
        items: How many items have not ended.
        ends: From how many ended items it was made.
        cents_p50: What the rest costs, in US cents.
        cents_p90: What it will likely cost at most, in US cents.
        seconds_p50: How long it takes, in seconds, with as many tasks at once as until now.
        seconds_p90: How long it will likely take at most, in seconds.
        unlike: How many of the items have a template or a site of which no item has ended. Their
            costs are a guess.
        budget_left_cents: What is left of the budget for the rest, in US cents, or None.
    """

    items: int
    ends: int
    cents_p50: Decimal
    cents_p90: Decimal
    seconds_p50: float
    seconds_p90: float
    unlike: int = 0
    budget_left_cents: Decimal | None = None

    @property
    def exceeds_budget(self) -> bool:
        """Whether the budget likely ends the batch before its last item."""
        return self.budget_left_cents is not None and self.cents_p50 > self.budget_left_cents

    def __str__(self) -> str:
        if not self.items:
            return "nothing is left"
        text = (
            f"about {format_cents(self.cents_p50)} more (likely at most "
            f"{format_cents(self.cents_p90)}), about "
            f"{_time(self.seconds_p50)} (likely at most {_time(self.seconds_p90)}), from "
            f"{self.ends:,} ends: an estimate, no promise"
        )
        if self.unlike:
            text += f"; {self.unlike:,} items are of sites or templates of which none has ended"
        if self.exceeds_budget:
            left = format_cents(self.budget_left_cents or 0)
            text += f"; the budget ends it earlier: {left} are left"
        return text


def _time(seconds: float) -> str:
    if seconds < 99.5:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 99.5 * 60 else f"{seconds / 3600:.1f} h"


def forecast(
    history: History,
    ahead: int,
    kinds: Mapping[str, int] | None,
    now: float,
    budget_left: Decimal | None = None,
    in_turn: float = 0.0,
) -> Forecast | None:
    """The forecast for the rest, with `ahead` items not begun; None before enough have ended.

    `kinds` says how many of these are of each kind, if that is known; else they are like those that
    have begun. `now` is a time of the history's clock. At least `in_turn` items run one after
    another, because of a limit per key.
    """
    if history.ends < LEAST_ENDS:
        return None
    items = ahead + history.under_way
    if not items:
        return _nothing_left(history, budget_left)
    rest = _Rest(history, _spread(ahead, kinds, history), now)
    cents, most_cents = rest.cents()
    seconds, most_seconds = rest.seconds(in_turn)
    return Forecast(
        items=items,
        ends=history.ends,
        cents_p50=Decimal(f"{cents:.1f}"),
        cents_p90=Decimal(f"{most_cents:.1f}"),
        seconds_p50=seconds,
        seconds_p90=most_seconds,
        unlike=rest.unlike,
        budget_left_cents=budget_left,
    )


def _nothing_left(history: History, budget_left: Decimal | None) -> Forecast:
    return Forecast(
        items=0,
        ends=history.ends,
        cents_p50=Decimal(0),
        cents_p90=Decimal(0),
        seconds_p50=0.0,
        seconds_p90=0.0,
        budget_left_cents=budget_left,
    )


def _spread(ahead: int, kinds: Mapping[str, int] | None, history: History) -> dict[str, float]:
    """How many of the items ahead are of each kind, by the names of the history."""
    if not ahead:
        return {}
    if not kinds:
        return {kind: ahead * share for kind, share in history.shares().items()}
    noted, found = sum(kinds.values()), dict[str, float]()
    for kind, count in kinds.items():
        name = history.name_of(kind)
        found[name] = found.get(name, 0.0) + ahead * count / noted
    return found


@attrs.frozen
class _Alike:
    """Items of the rest with the same expectation."""

    kind: str
    age: float
    count: float


class _Rest:
    """The expectation for the items that have not ended."""

    def __init__(self, history: History, ahead: Mapping[str, float], now: float) -> None:
        ages = history.ages(now)
        self._observed = history.observed(now)
        self._curves = {kind: Survival(each) for kind, each in self._observed.items()}
        self._whole = _joined(self._observed, self._curves)
        self._counts = {
            kind: ahead.get(kind, 0) + len(ages.get(kind, ())) for kind in {**ahead, **ages}
        }
        self._ages = [age for each in ages.values() for age in each]
        self._ahead = sum(ahead.values())
        self._at_once = max(min(history.at_once, self._ahead + len(self._ages)), 1.0)
        self._alike = [_Alike(kind, NOT_BEGUN, count) for kind, count in ahead.items()]
        for kind, each in ages.items():
            self._alike += [_Alike(kind, age, count) for age, count in _grouped(each)]

    @property
    def unlike(self) -> int:
        """How many are of kinds of which no item has ended."""
        curves = self._curves
        unlike = (kind for kind in self._counts if kind not in curves or not curves[kind].ends)
        return round(sum(self._counts[kind] for kind in unlike))

    def cents(self) -> tuple[float, float]:
        """What they cost at p50 and p90, in US cents."""
        whole = self._whole
        kinds = _Kinds.of(self._curves, whole, lambda each: (each.cents, each.cents_variance))
        mean = variance = 0.0
        for count, each in self._expected(kinds):
            mean += count * each.cents
            variance += count * each.cents_variance
        variance += kinds.error(self._counts) + (_DOUBT * whole.unseen_cents * mean) ** 2
        return _log_normal(mean, variance)

    def seconds(self, in_turn: float) -> tuple[float, float]:
        """How long they take at p50 and p90, in seconds."""
        whole = self._whole
        kinds = _Kinds.of(self._curves, whole, lambda each: (each.seconds, each.seconds_variance))
        work = variance = 0.0
        for count, each in self._expected(kinds):
            work += count * each.seconds
            variance += count * each.seconds_variance
        variance += kinds.error(self._counts) + (_DOUBT * whole.unseen_seconds * work) ** 2
        curve = whole
        if len(self._curves) > 1:
            curve = Survival(_as_in_the_rest(self._observed, self._counts, kinds))
        # If fewer are under way than usual, some begin at once.
        first = min(max(self._at_once - len(self._ages), 0.0), self._ahead)
        ages = [*_grouped(self._ages), (0.0, first)]
        end = _End(curve, self._ahead - first, ages, self._at_once)
        if not end.work:
            return 0.0, 0.0
        # The kinds estimate the amount of work better than one curve for all of them.
        scale = work / end.work
        half, late = scale * end.at(0.5), scale * end.at(0.9, _SLOWER)
        start = scale * end.start
        # The work decides how long items wait, and the longest items decide the time after that.
        doubt = math.hypot(
            start / half * math.sqrt(variance) / self._at_once, _LATE_DOUBT * (half - start)
        )
        most = half + math.hypot(late - half, _NINE_OF_TEN * doubt)
        longer = max(scale * in_turn * curve.new.seconds / half, 1.0)
        return longer * half, longer * most

    def _expected(self, kinds: "_Kinds") -> Iterator[tuple[float, Expected]]:
        for each in self._alike:
            found, weight = self._whole.after(each.age), kinds.weight(each.kind)
            if weight:
                found = found.drawn_to(self._curves[each.kind].after(each.age), weight)
            yield each.count, found


def _joined(observed: Mapping[str, list[Observed]], curves: Mapping[str, Survival]) -> Survival:
    if len(curves) == 1:
        return next(iter(curves.values()))
    return Survival(each for found in observed.values() for each in found)


def _grouped(ages: Sequence[float]) -> list[tuple[float, float]]:
    """Some of the ages, each with the number of ages that it represents."""
    ascending, step = sorted(ages), -(-len(ages) // _MOST_AGES) or 1
    parts = (ascending[place : place + step] for place in range(0, len(ascending), step))
    return [(sum(part) / len(part), float(len(part))) for part in parts]


def _log_normal(mean: float, variance: float) -> tuple[float, float]:
    """The 50 % and 90 % quantiles of a positive sum."""
    if mean <= 0.0:
        return 0.0, 0.0
    spread = math.log1p(variance / mean**2)
    middle = mean / math.exp(spread / 2)
    return middle, middle * math.exp(_NINE_OF_TEN * math.sqrt(spread))


# --- kinds of tasks -------------------------------------------------------------------------


@attrs.frozen
class _Kinds:
    """How much the mean of each kind of task counts, compared with that of all tasks.

    Bühlmann's credibility model: https://en.wikipedia.org/wiki/B%C3%BChlmann_model
    """

    within: float  # the variance inside of a kind
    between: float  # the variance of the means of kinds
    unlike: float  # the same for kinds of which no item has ended
    ends: Mapping[str, int]  # by kind

    @classmethod
    def of(
        cls,
        curves: Mapping[str, Survival],
        whole: Survival,
        moments_of: Callable[[Expected], tuple[float, float]],
    ) -> "_Kinds":
        """The kinds of these curves, by the mean and the variance of an item."""
        ends = {name: curve.ends for name, curve in curves.items() if curve.ends}
        means, variances = zip(*(moments_of(curves[name].new) for name in ends), strict=True)
        total = sum(ends.values())
        mean = sum(map(float.__mul__, means, map(float, ends.values()))) / total
        within = sum(map(float.__mul__, variances, map(float, ends.values()))) / total
        apart = sum(n * (each - mean) ** 2 for n, each in zip(ends.values(), means, strict=True))
        free = total - sum(n * n for n in ends.values()) / total
        between = max(apart - (len(ends) - 1) * within, 0.0) / free if free else 0.0
        guess = (_UNLIKE * moments_of(whole.new)[0]) ** 2 / len(ends)
        return cls(within, between, max(between, guess), ends)

    def weight(self, kind: str) -> float:
        """How much the kind's own mean counts, between 0 and 1."""
        ends = self.ends.get(kind, 0)
        return ends / (ends + self.within / self.between) if ends and self.between else 0.0

    def error(self, counts: Mapping[str, float]) -> float:
        """The variance of the sum of the means of so many items of each kind."""
        own = shared = 0.0
        for kind, count in counts.items():
            left = 1.0 - self.weight(kind)
            own += count * count * left * (self.between if kind in self.ends else self.unlike)
            shared += count * left
        ends = self.ends.values()
        total = sum(ends)
        whole = self.within / total + self.between * sum(n * n for n in ends) / total**2
        return _ROUGH * (own + shared * shared * whole)


def _as_in_the_rest(
    observed: Mapping[str, list[Observed]], counts: Mapping[str, float], kinds: _Kinds
) -> Iterator[Observed]:
    """The observations, with the kinds weighted as in the rest."""
    weights = {kind: sum(each.weight for each in found) for kind, found in observed.items()}
    shared = sum(count * (1.0 - kinds.weight(kind)) for kind, count in counts.items())
    base = shared / sum(weights.values())
    for kind, found in observed.items():
        factor = base + counts.get(kind, 0) * kinds.weight(kind) / weights[kind]
        if factor:
            for each in found:
                yield Observed(each.seconds, each.cents, each.weight * factor)


# --- time -----------------------------------------------------------------------------------


class _End:
    """The time at which all items have ended, `slots` at once, some of them under way."""

    def __init__(
        self, curve: Survival, ahead: float, ages: Sequence[tuple[float, float]], slots: float
    ) -> None:
        self._curve, self._ahead = curve, ahead
        # Each age with the number of its items, and the share of all items that reach it.
        self._ages = [(age, count, max(curve.outliving(age), 1e-9)) for age, count in ages]
        begun = sum(count * curve.after(age).seconds for age, count in ages)
        self.work = ahead * curve.new.seconds + begun  # in seconds
        # When the last item begins: the work left then is that of the items under way.
        self.start = 0.0
        if ahead and self.work:
            self.start = _rising(
                lambda at: slots * at + self._left_at(at) - self.work, self.work / slots
            )

    def _left_at(self, start: float) -> float:
        """The work left when the last item begins, if items begin evenly until then."""
        beyond = self._curve.beyond
        begun = sum(count * beyond(age + start) / share for age, count, share in self._ages)
        return begun + self._ahead * sum(beyond(start * part) for part in _PARTS) / len(_PARTS)

    def at(self, chance: float, slower: float = 1.0) -> float:
        """The time by which all have ended with this probability."""
        wanted = math.log(chance)
        return _rising(lambda end: self._ended_by(end, slower) - wanted, self.work + self.start)

    def _ended_by(self, end: float, slower: float) -> float:
        """The logarithm of the probability that all have ended by then."""
        outliving = self._curve.outliving
        found = sum(
            count * _log_rest(outliving(age + end, slower) / share)
            for age, count, share in self._ages
        )
        if self._ahead:
            since = (max(end - self.start * part, 0.0) for part in _PARTS)
            new = sum(_log_rest(outliving(seconds, slower)) for seconds in since)
            found += self._ahead * new / len(_PARTS)
        return found


def _log_rest(share: float) -> float:
    return math.log1p(-min(share, 1.0 - 1e-12))


def _rising(value: Callable[[float], float], high: float) -> float:
    """The point at which a rising function becomes positive."""
    low = 0.0
    for _halving in range(22):
        middle = (low + high) / 2
        low, high = (middle, high) if value(middle) < 0.0 else (low, middle)
    return high

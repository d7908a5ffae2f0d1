"""The totals of a ledger, and its durations and costs as plots in SVG. Pure."""

import math
from array import array
from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import pairwise

import attrs

from browser_use_async.batch.ledger.records import ItemState
from browser_use_async.batch.ledger.row import LedgerRow


@attrs.frozen(kw_only=True)
class Figures:
    """The sums of a batch."""

    counts: dict[ItemState, int]  # how many items are in each state; every state is there
    statuses: dict[str, int]  # how many tasks were last seen in each status
    steps: int  # how many steps all tasks took
    cost_cents: Decimal  # what they cost, from their steps and the published prices, in US cents
    durations: "array[float]"  # how long each task took that has ended, in seconds, ascending
    costs: "array[float]"  # what each item cost that cost something, in US cents, ascending
    joined: int  # how many items have the task of an earlier run
    joined_failed: int  # how many of these tasks ended without success
    began_at: datetime | None  # when the first task was created, by the service's clock
    ended_at: datetime | None  # when the last one ended

    @property
    def total(self) -> int:
        """How many items there are."""
        return sum(self.counts.values())

    @property
    def elapsed(self) -> timedelta | None:
        """From the first task's beginning to the last one's end; None if no task has ended."""
        if self.began_at is None or self.ended_at is None:
            return None
        return max(self.ended_at - self.began_at, timedelta())

    def quantile(self, share: float) -> float | None:
        """The duration within which a share of the tasks ended; None if none has."""
        return quantile(self.durations, share) if self.durations else None


def quantile(values: Sequence[float], share: float) -> float:
    """The value that a share of ascending values does not exceed."""
    return values[min(int(share * len(values)), len(values) - 1)]


def add_up(rows: Iterable[LedgerRow]) -> Figures:
    """Add up the rows of a ledger, one at a time."""
    counts = dict.fromkeys(ItemState, 0)
    statuses = Counter[str]()
    steps, cost = 0, Decimal(0)
    joined = joined_failed = 0
    # 8 bytes each, and all that grows with the ledger.
    durations, costs = array("d"), array("d")
    began_at: datetime | None = None
    ended_at: datetime | None = None
    for row in rows:
        counts[row.state] += 1
        statuses.update(() if row.status is None else (row.status,))
        steps += row.steps or 0
        joined += row.joined
        joined_failed += row.joined and row.state is ItemState.FAILED
        if row.total_cents:
            cost += row.total_cents
            costs.append(float(row.total_cents))
        if row.seconds is not None:
            # The service's dates may be out of order by a little.
            durations.append(max(row.seconds, 0.0))
        began_at = min(filter(None, (began_at, row.created_at)), default=None)
        ended_at = max(filter(None, (ended_at, row.finished_at)), default=None)
    return Figures(
        counts=counts,
        statuses=dict(sorted(statuses.items())),
        steps=steps,
        cost_cents=cost,
        durations=array("d", sorted(durations)),
        costs=array("d", sorted(costs)),
        joined=joined,
        joined_failed=joined_failed,
        began_at=began_at,
        ended_at=ended_at,
    )


_MOST_BINS = 16
_FINE = tuple(10.0**power * digit for power in range(-3, 0) for digit in (1, 2, 5))
# Widths that people count in: seconds, minutes, hours; and cents.
SECONDS: Sequence[float] = (
    *_FINE,
    *(1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800),
    *(3600, 7200, 14400, 43200, 86400),
)
CENTS: Sequence[float] = (
    *_FINE,
    *(10.0**power * digit for power in range(5) for digit in (1, 2, 5)),
)
_WIDTH, _HEIGHT = 400, 180
_LEFT, _RIGHT, _TOP, _BOTTOM = 40, 12, 10, 26


@attrs.frozen
class Bin:
    """The values from `start` to less than `end`."""

    start: float  # where it begins
    end: float  # where the next one begins
    count: int  # how many values are in it


@attrs.frozen
class Axis:
    """What a plot shows."""

    name: str  # what its table is called
    title: str
    unit: str  # what stands above the values in the table
    words: Callable[[float], str]  # a value as people say it
    widths: Sequence[float]  # of bins, ascending
    most: str  # what the largest value is called


def bins(values: Sequence[float], widths: Sequence[float] = SECONDS) -> list[Bin]:
    """Sort ascending values into bins of one width, of which there are 16 at most."""
    if not values:
        return []
    largest = values[-1]
    width = _width(largest, widths)
    edges = [index * width for index in range(int(largest / width) + 2)]
    places = [bisect_left(values, edge) for edge in edges]
    return [
        Bin(start, end, last - first)
        for (start, end), (first, last) in zip(pairwise(edges), pairwise(places), strict=True)
    ]


def _width(largest: float, widths: Sequence[float]) -> float:
    """The narrowest width in which people count that needs few enough bins."""
    for width in widths:
        if largest < width * _MOST_BINS:
            return width
    return math.ceil((largest + 1) / _MOST_BINS / widths[-1]) * float(widths[-1])


def plot(values: Sequence[float], axis: Axis) -> str:
    """The bins as bars, in SVG without scripts or styles of its own."""
    parts = bins(values, axis.widths)
    most = max(each.count for each in parts)
    room = (_WIDTH - _LEFT - _RIGHT) / len(parts)
    summary = f"{axis.title}: {len(values):,} in {len(parts)} bars of equal width."
    pieces = [
        f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-labelledby="title-of-{axis.name}">',
        f'<title id="title-of-{axis.name}">{summary} The table below it has the figures.</title>',
        *(_bar(each, index, room, most, axis) for index, each in enumerate(parts) if each.count),
        _axes(most),
        *_labels(parts, room, axis),
        "</svg>",
    ]
    return "\n".join(pieces)


def _bar(each: Bin, index: int, room: float, most: int, axis: Axis) -> str:
    height = (_HEIGHT - _TOP - _BOTTOM) * each.count / most
    left, top = _LEFT + index * room, _HEIGHT - _BOTTOM - height
    hint = f"{axis.words(each.start)} to {axis.words(each.end)}: {each.count:,}"
    return (
        f'<rect class="bar" x="{left + 1:.2f}" y="{top:.2f}" width="{room - 2:.2f}" '
        f'height="{height:.2f}"><title>{hint}</title></rect>'
    )


def _axes(most: int) -> str:
    base, right = _HEIGHT - _BOTTOM, _WIDTH - _RIGHT
    return (
        f'<path class="axis" d="M{_LEFT} {_TOP}V{base}H{right}"/>'
        f'<text x="{_LEFT - 6}" y="{_TOP + 8}" text-anchor="end">{most:,}</text>'
        f'<text x="{_LEFT - 6}" y="{base}" text-anchor="end">0</text>'
    )


def _labels(parts: Sequence[Bin], room: float, axis: Axis) -> list[str]:
    """A label at about every fourth edge: more would run into each other."""
    every = math.ceil(len(parts) / 4)
    edges = [*(each.start for each in parts), parts[-1].end]
    return [
        f'<text x="{_LEFT + index * room:.2f}" y="{_HEIGHT - _BOTTOM + 16}" '
        f'text-anchor="{"end" if index == len(parts) else "middle"}">'
        f"{axis.words(edges[index]) if edges[index] else 0}</text>"
        for index in range(0, len(edges), every)
    ]

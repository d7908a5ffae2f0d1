"""Durations and costs as plots: an SVG that is part of the page. Pure."""

import math
from bisect import bisect_left
from collections.abc import Callable, Sequence
from itertools import pairwise

import attrs

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

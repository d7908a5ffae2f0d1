"""Durations as a plot: an SVG that is part of the page. Pure."""

import math
from bisect import bisect_left
from collections.abc import Sequence
from itertools import pairwise

import attrs

from browser_use_async.cli.report.format import duration

_MOST_BINS = 16
# Widths that people count in: seconds, minutes, hours.
_STEPS = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 43200, 86400)
_WIDTH, _HEIGHT = 400, 200
_LEFT, _RIGHT, _TOP, _BOTTOM = 48, 12, 10, 40


@attrs.frozen
class Bin:
    """The tasks that took from `start` to less than `end` seconds."""

    start: float  # where it begins
    end: float  # where the next one begins
    count: int  # how many tasks it holds


def bins(durations: Sequence[float]) -> list[Bin]:
    """Sort durations into bins of one width, of which there are 16 at most."""
    if not durations:
        return []
    longest = durations[-1]
    width = _width(longest)
    edges = [index * width for index in range(int(longest / width) + 2)]
    places = [bisect_left(durations, edge) for edge in edges]
    return [
        Bin(start, end, last - first)
        for (start, end), (first, last) in zip(pairwise(edges), pairwise(places), strict=True)
    ]


def _width(longest: float) -> float:
    """The narrowest width in which people count that needs few enough bins."""
    fine = (10.0**power * digit for power in range(-3, 0) for digit in (1, 2, 5))
    for width in (*fine, *_STEPS):
        if longest < width * _MOST_BINS:
            return width
    return math.ceil((longest + 1) / _MOST_BINS / _STEPS[-1]) * float(_STEPS[-1])


def plot(durations: Sequence[float]) -> str:
    """The bins as bars, in SVG without scripts or styles of its own."""
    parts = bins(durations)
    most = max(each.count for each in parts)
    room = (_WIDTH - _LEFT - _RIGHT) / len(parts)
    summary = f"How long {len(durations):,} tasks took, in {len(parts)} bars of equal width."
    pieces = [
        f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-labelledby="plot-title">',
        f'<title id="plot-title">{summary} The table below it has the figures.</title>',
        *(_bar(each, index, room, most) for index, each in enumerate(parts) if each.count),
        _axes(most),
        *_labels(parts, room),
        "</svg>",
    ]
    return "\n".join(pieces)


def _bar(each: Bin, index: int, room: float, most: int) -> str:
    height = (_HEIGHT - _TOP - _BOTTOM) * each.count / most
    left, top = _LEFT + index * room, _HEIGHT - _BOTTOM - height
    hint = f"{duration(each.start)} to {duration(each.end)}: {each.count:,}"
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
        f'<text x="{(_LEFT + right) / 2:g}" y="{_HEIGHT - 4}" text-anchor="middle">'
        "time from the beginning of a task to its end</text>"
    )


def _labels(parts: Sequence[Bin], room: float) -> list[str]:
    """A label at about every fourth edge: more would run into each other."""
    every = math.ceil(len(parts) / 4)
    edges = [*(each.start for each in parts), parts[-1].end]
    return [
        f'<text x="{_LEFT + index * room:.2f}" y="{_HEIGHT - _BOTTOM + 16}" '
        f'text-anchor="{"end" if index == len(parts) else "middle"}">{_edge(edges[index])}</text>'
        for index in range(0, len(edges), every)
    ]


def _edge(seconds: float) -> str:
    return "0" if not seconds else duration(seconds)

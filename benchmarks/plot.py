"""A plot of curves as SVG, written by hand: readable on dark and on light pages."""

import math
from collections.abc import Mapping, Sequence
from xml.sax.saxutils import escape

__all__ = ["plot"]

WIDTH, HEIGHT = 900, 520
LEFT, RIGHT, TOP, BOTTOM = 72, 290, 48, 64
# By curve: the light page's colour, the dark page's, and the dashes. Chosen to differ for the
# colour-blind as well.
COLOURS = (
    ("#c2410c", "#fb923c"),
    ("#1d4ed8", "#7dadff"),
    ("#0f766e", "#2dd4bf"),
    ("#7e22ce", "#d8a5ff"),
    ("#334155", "#cbd5e1"),
)
MARKERS = ("circle", "square", "diamond", "triangle", "cross")

Curve = Sequence[tuple[float, float]]


def _style() -> str:
    light = "".join(f".c{n}{{--c:{pair[0]}}}" for n, pair in enumerate(COLOURS))
    dark = "".join(f".c{n}{{--c:{pair[1]}}}" for n, pair in enumerate(COLOURS))
    return (
        "<style>"
        "svg{background:#ffffff;font:13px system-ui,sans-serif}"
        "text{fill:#1f2328}.title{font-size:15px;font-weight:600}"
        ".grid{stroke:#d0d7de;stroke-width:1}.axis{stroke:#59636e;stroke-width:1.2}"
        ".line{fill:none;stroke:var(--c);stroke-width:2.2}"
        ".mark{fill:var(--c);stroke:var(--c);stroke-width:1.6}"
        f"{light}"
        "@media(prefers-color-scheme:dark){"
        "svg{background:#0d1117}text{fill:#e6edf3}"
        ".grid{stroke:#30363d}.axis{stroke:#9198a1}"
        f"{dark}"
        "}</style>"
    )


def _mark(kind: str, x: float, y: float) -> str:
    if kind == "circle":
        return f'<circle class="mark" cx="{x:.1f}" cy="{y:.1f}" r="4.2"/>'
    shapes = {
        "square": ((-4, -4), (4, -4), (4, 4), (-4, 4)),
        "diamond": ((0, -5.5), (5.5, 0), (0, 5.5), (-5.5, 0)),
        "triangle": ((0, -5.5), (5, 4), (-5, 4)),
    }
    if kind == "cross":
        arms = f"M{x - 4:.1f} {y - 4:.1f}l8 8M{x - 4:.1f} {y + 4:.1f}l8 -8"
        return f'<path class="mark" d="{arms}"/>'
    points = " ".join(f"{x + dx:.1f},{y + dy:.1f}" for dx, dy in shapes[kind])
    return f'<polygon class="mark" points="{points}"/>'


def _ticks(low: float, high: float) -> list[float]:
    """1, 2 and 5 times the powers of ten between two figures."""
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    ticks = (digit * 10.0**power for power in powers for digit in (1, 2, 5))
    return [tick for tick in ticks if low <= tick * 1.0001 and tick <= high * 1.0001]


class _Scale:
    """A logarithmic axis."""

    def __init__(self, values: Sequence[float], start: float, end: float) -> None:
        self.low, self.high = min(values) / 1.25, max(values) * 1.25
        self._start, self._length = start, end - start

    def __call__(self, value: float) -> float:
        part = math.log(value / self.low) / math.log(self.high / self.low)
        return self._start + part * self._length


def plot(title: str, across: str, upward: str, curves: Mapping[str, Curve]) -> str:
    """Draw curves with two logarithmic axes.

    Args:
        title: Above the plot.
        across: What the horizontal axis shows.
        upward: What the vertical axis shows.
        curves: By name, the points.
    """
    curves = {name: [p for p in curve if min(p) > 0] for name, curve in curves.items()}
    x = _Scale([p[0] for curve in curves.values() for p in curve], LEFT, WIDTH - RIGHT)
    y = _Scale([p[1] for curve in curves.values() for p in curve], HEIGHT - BOTTOM, TOP)
    parts = [
        (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" '
            f'width="{WIDTH}" height="{HEIGHT}" role="img" aria-label="{escape(title)}">'
        ),
        _style(),
        f'<text class="title" x="{LEFT}" y="26">{escape(title)}</text>',
    ]
    for tick in _ticks(x.low, x.high):
        parts += [
            f'<path class="grid" d="M{x(tick):.1f} {TOP}V{HEIGHT - BOTTOM}"/>',
            (
                f'<text x="{x(tick):.1f}" y="{HEIGHT - BOTTOM + 20}" text-anchor="middle">'
                f"{tick:g}</text>"
            ),
        ]
    for tick in _ticks(y.low, y.high):
        parts += [
            f'<path class="grid" d="M{LEFT} {y(tick):.1f}H{WIDTH - RIGHT}"/>',
            f'<text x="{LEFT - 8}" y="{y(tick) + 4:.1f}" text-anchor="end">{tick:g}</text>',
        ]
    middle = (LEFT + WIDTH - RIGHT) / 2
    parts += [
        f'<path class="axis" fill="none" d="M{LEFT} {TOP}V{HEIGHT - BOTTOM}H{WIDTH - RIGHT}"/>',
        f'<text x="{middle}" y="{HEIGHT - 16}" text-anchor="middle">{escape(across)}</text>',
        (
            f'<text transform="translate(20 {(TOP + HEIGHT - BOTTOM) / 2}) rotate(-90)" '
            f'text-anchor="middle">{escape(upward)}</text>'
        ),
    ]
    for number, (name, curve) in enumerate(curves.items()):
        kind, place = MARKERS[number % len(MARKERS)], TOP + 14 + number * 26
        spots = [(x(a), y(b)) for a, b in curve]
        points = " ".join(f"{a:.1f},{b:.1f}" for a, b in spots)
        at = WIDTH - RIGHT + 18
        parts += [
            f'<g class="c{number % len(COLOURS)}">',
            f'<polyline class="line" points="{points}"/>',
            *(_mark(kind, a, b) for a, b in spots),
            f'<path class="line" d="M{at} {place}h24"/>',
            _mark(kind, at + 12, place),
            f'<text x="{at + 32}" y="{place + 4}">{escape(name)}</text></g>',
        ]
    return "\n".join([*parts, "</svg>", ""])

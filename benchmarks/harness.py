"""The shared part of all benchmarks: how much to measure, and the rows that they report."""

import platform
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from statistics import median

import attrs

__all__ = [
    "FULL",
    "QUICK",
    "Effort",
    "Report",
    "Row",
    "compare",
    "judge",
    "machine",
    "ratio",
    "table",
]


@attrs.frozen
class Effort:
    """How long to measure.

    Attributes:
        rounds: How often each side has its turn; figures are medians over them.
        calls: Calls of a fast client in one turn.
        long_rounds: The same for measurements in real time, which take a minute each.
        wait_seconds: The longest task of the measurements in real time.
        tasks: Tasks of a simulation in virtual time.
        megabytes: Size of the file to transfer.
    """

    rounds: int
    calls: int
    long_rounds: int
    wait_seconds: float
    tasks: int
    megabytes: int


FULL = Effort(rounds=5, calls=1500, long_rounds=5, wait_seconds=60, tasks=500, megabytes=200)
QUICK = Effort(rounds=2, calls=500, long_rounds=1, wait_seconds=12, tasks=60, megabytes=50)


@attrs.frozen
class Row:
    """A line of the table of goals.

    Attributes:
        what: What is measured.
        ours: This package's figure, with its unit.
        against: The other side, and its figure.
        measured: The figure of the goal, mostly a ratio.
        wanted: The bound.
        met: Whether it is kept; None if there is none.
    """

    what: str
    ours: str
    against: str
    measured: str
    wanted: str
    met: bool | None

    @property
    def verdict(self) -> str:
        """In one word."""
        return {True: "met", False: "**missed**", None: "no bound"}[self.met]


@attrs.frozen
class Report:
    """The result of a benchmark.

    Attributes:
        rows: Its lines of the table of goals.
        details: All figures, as Markdown.
    """

    rows: Sequence[Row]
    details: str


def ratio(ours: Sequence[float], theirs: Sequence[float]) -> float:
    """The median of the ratios round by round, so that a busy neighbour hurts both alike."""
    return median(our / their for our, their in zip(ours, theirs, strict=True))


def judge(value: float, *, at_most: float | None = None, at_least: float | None = None) -> bool:
    """Whether a figure keeps its bounds."""
    return (at_most is None or value <= at_most) and (at_least is None or value >= at_least)


def compare(
    what: str,
    unit: str,
    sides: tuple[str, Sequence[float], Sequence[float]],
    *,
    at_most: float | None = None,
    at_least: float | None = None,
) -> Row:
    """A row about the ratio of this package's figure to another's.

    Args:
        what: What is measured.
        unit: Of both figures.
        sides: The other's name, this package's figures and the other's, round by round.
        at_most: The largest ratio that keeps the goal.
        at_least: The smallest one.
    """
    name, ours, theirs = sides
    value = ratio(ours, theirs)
    bound = f"≤ {at_most:.3g}x" if at_most is not None else f"≥ {at_least:.3g}x"
    return Row(
        what,
        f"{median(ours):,.3g} {unit}" if median(ours) < 1000 else f"{median(ours):,.0f} {unit}",
        f"{name}: {median(theirs):,.3g} {unit}"
        if median(theirs) < 1000
        else f"{name}: {median(theirs):,.0f} {unit}",
        f"{value:.3g}x",
        bound,
        judge(value, at_most=at_most, at_least=at_least),
    )


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table; all columns but the first are figures."""
    lines = [list(head), ["---", *("---:" for _ in head[1:])], *map(list, rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def machine(distributions: Sequence[str]) -> str:
    """The machine, and the versions."""
    model = "unknown processor"
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        lines = cpuinfo.read_text().splitlines()
        names = [line for line in lines if line.startswith("model name")]
        if names:
            model = f"{len(names)} x {names[0].partition(':')[2].strip()}"
    versions = []
    for name in distributions:
        try:
            versions.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            continue
    return (
        f"{model}; {platform.system()} {platform.release()}; "
        f"{platform.python_implementation()} {platform.python_version()}; {', '.join(versions)}."
    )

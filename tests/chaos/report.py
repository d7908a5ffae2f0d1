"""What came of one world or of several, and the bounds that it is held to."""

import math
from collections import Counter
from collections.abc import Mapping
from typing import Any

import attrs

__all__ = ["MEASURES", "Report"]

LATE_SECONDS = 3.0  # told later than this counts as late
LATENCY_TARGET = 2.0  # seconds, of a session with the default policy


@attrs.define
class Report:
    """Counts, in virtual time.

    Attributes:
        worlds: How many worlds.
        delays: Seconds from the real end of each task (or the start of its wait, if that was
            later) to the moment at which the waiter had it.
        waits: How many waits there were.
        jobs: How many tasks the clients wanted.
        requests: How many requests came, by call.
        plain: How many requests one status call per latency target and task would have been, and
            one for the ended task.
        beside: How many requests came in the worlds that these are compared with.
        twice: Jobs with two tasks or more.
        lost: Tasks that nobody knows and nobody stopped.
        wrong: Waits that ended with another task, too early or with an untrue end, and
            submissions that resolved to what is not true.
        untyped: Errors that are no `BrowserUseError`, or do not carry the id of the task.
        typed: Other errors of waits, but for tasks that failed or were stopped.
        unknown: Submissions reported as unknown.
        unended: Waits that did not end.
        inversions: Pairs of tasks created in another order than the calls that asked for them.
        spent: The largest quotient of what a batch cost and what it might.
        errors: How many errors of waits there were, by class.
    """

    worlds: int = 0
    delays: list[float] = attrs.field(factory=list)
    waits: int = 0
    jobs: int = 0
    requests: Counter[str] = attrs.field(factory=Counter)
    plain: float = 0.0
    beside: int = 0
    twice: int = 0
    lost: int = 0
    wrong: int = 0
    untyped: int = 0
    typed: int = 0
    unknown: int = 0
    unended: int = 0
    inversions: int = 0
    spent: float = 0.0
    errors: Counter[str] = attrs.field(factory=Counter)

    def __add__(self, other: "Report") -> "Report":
        mine, theirs = (attrs.asdict(each, recurse=False) for each in (self, other))
        both = {name: mine[name] + theirs[name] for name in mine}
        both["spent"] = max(self.spent, other.spent)
        return Report(**both)

    @property
    def counted_requests(self) -> int:
        """All but those that create tasks."""
        return sum(self.requests.values()) - self.requests["run"]

    def per_task(self, call: str | None = None) -> float:
        """Requests per task, without its creation."""
        count = self.counted_requests if call is None else self.requests[call]
        return count / max(self.waits, 1)

    @property
    def mean(self) -> float:
        """The mean delay."""
        return math.fsum(self.delays) / len(self.delays) if self.delays else 0.0

    def quantile(self, share: float) -> float:
        """The delay that so many waits did not exceed."""
        ordered = sorted(self.delays)
        return ordered[min(int(share * len(ordered)), len(ordered) - 1)] if ordered else 0.0

    @property
    def late(self) -> float:
        """The share of ends that were told more than three seconds late."""
        late = sum(delay > LATE_SECONDS for delay in self.delays)
        return late / max(len(self.delays), 1)

    def measures(self) -> dict[str, float]:
        """Every measure by its name."""
        return {name: measure(self) for name, measure in MEASURES.items()}

    def broken(self, bounds: Mapping[str, float]) -> dict[str, float]:
        """The measures that exceed their bounds."""
        values = {name: MEASURES[name](self) for name in bounds}
        return {name: value for name, value in values.items() if value > bounds[name] + 1e-9}


MEASURES: dict[str, Any] = {
    "mean": lambda report: report.mean,
    "p99": lambda report: report.quantile(0.99),
    "max": lambda report: max(report.delays, default=0.0),
    "requests": Report.per_task,
    "late": lambda report: report.late,
    "twice": lambda report: report.twice,
    "lost": lambda report: report.lost,
    "wrong": lambda report: report.wrong,
    "untyped": lambda report: report.untyped,
    "typed": lambda report: report.typed,
    "unended": lambda report: report.unended,
    "inversions": lambda report: report.inversions,
    "spent": lambda report: report.spent,
    "of_right": lambda report: report.counted_requests / report.beside if report.beside else 0.0,
    "of_plain": lambda report: report.counted_requests / report.plain if report.plain else 0.0,
}
"""What bounds can be set for. `of_right` is the number of requests as a multiple of that of the
same world without the trouble, `of_plain` as one of plain status calls."""

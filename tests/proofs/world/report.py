"""The results of one world or of several, and their bounds."""

import math
from collections import Counter
from collections.abc import Mapping
from typing import Any

import attrs

__all__ = ["MEASURES", "Report"]

LATE_SECONDS = 3.0  # a later end counts as late
LATENCY_TARGET = 2.0  # seconds, of a session with the default policy


@attrs.define
class Report:
    """Counts; seconds are virtual."""

    worlds: int = 0
    tasks: int = 0  # that the clients requested: waits, submissions, items
    # From the real end of each task (the start of its wait, if that was later) to the return of the
    # wait.
    delays: list[float] = attrs.field(factory=list)
    requests: Counter[str] = attrs.field(factory=Counter)  # that reached the service, by call
    plain: float = 0.0  # requests with one status call per latency target, and one for the end
    beside: int = 0  # requests in the worlds for comparison
    twice: int = 0  # jobs with two tasks
    lost: int = 0  # tasks that no caller knows and that were not stopped
    # Waits that ended with another task, too early or with a wrong end; submissions that were
    # resolved wrongly.
    wrong: int = 0
    untyped: int = 0  # errors that are no BrowserUseError, or do not carry the task's id
    typed: int = 0  # other errors of waits, but for tasks that failed or were stopped
    unended: int = 0  # waits that did not end
    forbidden: int = 0  # jobs whose events the model of paying once does not allow
    unknown: int = 0  # submissions reported as unknown
    inversions: int = 0  # pairs of tasks created in another order than requested
    spent: float = 0.0  # the largest quotient of a batch's cost and its budget
    errors: Counter[str] = attrs.field(factory=Counter)  # of waits, by class
    crashes: int = 0  # of machines
    events: int = 0  # on these machines, at each of which one may crash
    faults: Counter[str] = attrs.field(factory=Counter)  # that fired, by kind
    # Tasks whose creation got no answer and that were found, by the way in which they were.
    found: Counter[str] = attrs.field(factory=Counter)
    noted: int = 0  # events that were compared with the model
    seconds: float = 0.0  # how long all of it took
    trace: str = ""  # a hash over every event of one world, in order

    def __add__(self, other: "Report") -> "Report":
        mine, theirs = (attrs.asdict(each, recurse=False) for each in (self, other))
        both = {name: mine[name] + theirs[name] for name in mine}
        both["spent"], both["trace"] = max(self.spent, other.spent), ""
        return Report(**both)

    @property
    def counted_requests(self) -> int:
        """All but those that create tasks."""
        return sum(self.requests.values()) - self.requests["run"]

    def per_task(self, call: str | None = None) -> float:
        """Requests per task, without its creation."""
        count = self.counted_requests if call is None else self.requests[call]
        return count / max(self.tasks, 1)

    @property
    def mean(self) -> float:
        """The mean delay."""
        return math.fsum(self.delays) / len(self.delays) if self.delays else 0.0

    def quantile(self, share: float) -> float:
        """The delay that this share of waits did not exceed."""
        ordered = sorted(self.delays)
        return ordered[math.ceil(share * len(ordered)) - 1] if ordered else 0.0

    @property
    def late(self) -> float:
        """The share of ends that were reported more than three seconds late."""
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
    "forbidden": lambda report: report.forbidden,
    "inversions": lambda report: report.inversions,
    "spent": lambda report: report.spent,
    "of_right": lambda report: report.counted_requests / report.beside if report.beside else 0.0,
    "of_plain": lambda report: report.counted_requests / report.plain if report.plain else 0.0,
}
"""What bounds can be set for. `of_right` is the number of requests as a multiple of that of the
same world without the trouble, `of_plain` as one of plain status calls."""

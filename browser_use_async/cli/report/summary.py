"""The totals of a ledger. Pure."""

from array import array
from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from decimal import Decimal

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
    # 8 bytes each, and all that grows with the ledger.
    durations, costs = array("d"), array("d")
    began_at: datetime | None = None
    ended_at: datetime | None = None
    for row in rows:
        counts[row.state] += 1
        statuses.update(() if row.status is None else (row.status,))
        steps += row.steps or 0
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
        began_at=began_at,
        ended_at=ended_at,
    )

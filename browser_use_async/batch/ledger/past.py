"""What the rows of a ledger say for a forecast. Pure."""

from array import array
from collections import Counter
from collections.abc import Iterable
from decimal import Decimal
from typing import Any

from browser_use_async.batch.forecast import Forecast, forecast
from browser_use_async.batch.history import History, kind_of
from browser_use_async.batch.ledger.records import FINAL_STATES, ItemState
from browser_use_async.batch.ledger.row import MILLICENTS

# The columns that are read; retries are part of what an item costs.
COLUMNS = (
    "state, task, limit_key, sent_at, created_at, finished_at, cost + COALESCE((SELECT "
    "SUM(former.cost) FROM former_tasks AS former WHERE former.position = items.position), 0)"
)
# The latest items that have begun, with which a run begins its own history.
MOST_LATEST = 2048
LATEST = (
    f"SELECT {COLUMNS} FROM items WHERE state != '{ItemState.NEW}' "
    f"ORDER BY position DESC LIMIT {MOST_LATEST}"
)


class Past:
    """The items of a ledger, read one at a time."""

    def __init__(self, rows: Iterable[tuple[Any, ...]], concurrency: int = 1) -> None:
        self.history = History(concurrency)
        self._waiting = Counter[str]()  # by kind
        self._waiting_keys = Counter[str]()  # by limit key
        self._begun: list[tuple[str | None, float]] = []  # each since when
        # 8 bytes each, and all that grows with the ledger.
        self._starts, self._ends = array("d"), array("d")
        self._latest = 0.0  # what was written last: the ledger may be of a batch that has stopped
        self._items = 0
        for row in rows:
            self._items += 1
            self._add(*row)

    def _add(
        self,
        state: str,
        task: str | None,
        limit_key: str | None,
        sent_at: float | None,
        created_at: float | None,
        finished_at: float | None,
        cost: Decimal | int | None,
    ) -> None:
        self._latest = max(self._latest, sent_at or 0.0, finished_at or 0.0)
        if state in FINAL_STATES:
            seconds = 0.0
            if created_at is not None and finished_at is not None:
                seconds = max(finished_at - created_at, 0.0)
                self._starts.append(created_at)
                self._ends.append(created_at + seconds)
            self.history.add(task, seconds, float(cost or 0) / MILLICENTS)
        elif state == ItemState.NEW or sent_at is None:
            self._waiting[kind_of(task)] += 1
            if limit_key is not None:
                self._waiting_keys[limit_key] += 1
        else:
            self._begun.append((task, sent_at))

    def forecast(
        self, total: int | None, budget_left: Decimal | None, per_key: int | None
    ) -> Forecast | None:
        """What the rest costs, of so many items if the ledger does not know all of them."""
        history, latest = self.history, self._latest
        for item, (task, since) in enumerate(self._begun):
            history.note(item, task, since)
            self._starts.append(since)
            self._ends.append(latest)
        self._count_time()
        unknown = max((total or 0) - self._items, 0)
        # Those that the ledger does not know are taken to be like those that it knows.
        kinds = None if unknown else self._waiting
        ahead = sum(self._waiting.values()) + unknown
        most = max(self._waiting_keys.values(), default=0)
        in_turn = 0.0 if per_key is None else most / per_key
        return forecast(history, ahead, kinds, latest, budget_left, in_turn)

    def earlier(self) -> History:
        """The history for another run: what was under way went on for so long at least."""
        for task, since in self._begun:
            self.history.add(task, self._latest - since, None)
        return self.history

    def _count_time(self) -> None:
        """Count the time in which any item was under way, without the pauses between runs."""
        busy, at_work, since, ended = 0.0, 0, 0.0, 0
        ends = sorted(self._ends)
        for start in sorted(self._starts):
            while ended < len(ends) and ends[ended] < start:
                at_work -= 1
                busy += ends[ended] - since if not at_work else 0.0
                ended += 1
            since = start if not at_work else since
            at_work += 1
        busy += ends[-1] - since if ends else 0.0
        self.history.count_time(sum(ends) - sum(self._starts), busy)

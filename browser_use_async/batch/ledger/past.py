"""Reads the rows of a ledger for a forecast. No I/O."""

from collections import Counter
from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any

from browser_use_async.batch.forecast import Forecast, forecast
from browser_use_async.batch.history import History, kind_of
from browser_use_async.batch.ledger.records import FINAL_STATES, ItemState
from browser_use_async.batch.ledger.row import MILLICENTS
from browser_use_async.batch.ledger.statements import IS_ENDED

_MOST_READ = 20_000  # rows; in a larger ledger each n-th one represents all
# The columns that are read; retries are part of what an item costs.
_COLUMNS = (
    "state, task, limit_key, sent_at, created_at, finished_at, cost + COALESCE((SELECT "
    "SUM(former.cost) FROM former_tasks AS former WHERE former.position = items.position), 0)"
)
BEGUN = f"SELECT {_COLUMNS} FROM items WHERE NOT ({IS_ENDED})"
# The latest items that have begun.
_LATEST = f"FROM items WHERE state != '{ItemState.NEW}' ORDER BY position DESC LIMIT 2048"
LATEST = f"SELECT {_COLUMNS} {_LATEST}"
LATEST_TIMES = f"SELECT sent_at, created_at, finished_at {_LATEST}"


def step_of(count: int) -> int:
    """In a ledger of so many rows, each n-th one is read."""
    return -(-count // _MOST_READ) or 1


def sample(count: int) -> str:
    """The statement that reads items that have ended or not begun, in a ledger of so many rows."""
    step = step_of(count)
    return (
        "WITH RECURSIVE places(place) AS (SELECT 0 UNION ALL "
        f"SELECT place + {step} FROM places WHERE place + {step} < {count}) "
        f"SELECT {_COLUMNS} FROM places JOIN items ON items.position = place WHERE {IS_ENDED}"
    )


class Past:
    """The items of a ledger, read one at a time."""

    def __init__(self, concurrency: int = 1) -> None:
        self.history = History(concurrency)
        self._waiting = Counter[str]()  # by kind
        self._waiting_keys = Counter[str]()  # by limit key
        self._begun: list[tuple[str | None, float]] = []  # each since when
        self._latest = 0.0  # the time of the last write: the batch may have stopped since

    def read(self, rows: Iterable[tuple[Any, ...]]) -> None:
        """Read items."""
        for state, task, limit_key, sent_at, created_at, finished_at, cost in rows:
            self._latest = max(self._latest, sent_at or 0.0, finished_at or 0.0)
            if state in FINAL_STATES:
                seconds = max((finished_at or 0.0) - (created_at or finished_at or 0.0), 0.0)
                self.history.add(task, seconds, float(cost or 0) / MILLICENTS)
            elif state == ItemState.NEW or sent_at is None:
                self._waiting[kind_of(task)] += 1
                if limit_key is not None:
                    self._waiting_keys[limit_key] += 1
            else:
                self._begun.append((task, sent_at))

    def count_time(self, rows: Iterable[tuple[float | None, float | None, float | None]]) -> None:
        """Read how many of the latest items were under way at once, in times with any.

        So pauses between runs do not count.
        """
        starts, ends = list[float](), list[float]()
        for sent_at, created_at, finished_at in rows:
            start = created_at if finished_at is not None else sent_at
            if start is not None:
                starts.append(start)
                ends.append(max(self._latest if finished_at is None else finished_at, start))
        busy, until = 0.0, 0.0
        for start, end in sorted(zip(starts, ends, strict=True)):
            busy += max(end - max(start, until), 0.0)
            until = max(until, end)
        self.history.count_time(sum(ends) - sum(starts), busy)

    def forecast(
        self,
        counts: Mapping[ItemState, int],
        total: int | None,
        budget_left: Decimal | None,
        per_key: int | None,
    ) -> Forecast | None:
        """What the rest costs, of so many items if the ledger does not know all of them."""
        for item, (task, since) in enumerate(self._begun):
            self.history.note(item, task, since)
        count = sum(counts.values())
        unknown = max((total or 0) - count, 0)
        # Unknown items are expected to be like the known ones.
        kinds = None if unknown else self._waiting
        ended = sum(counts[state] for state in FINAL_STATES)
        ahead = max(count - ended - len(self._begun), 0) + unknown
        most = max(self._waiting_keys.values(), default=0) * step_of(count)
        in_turn = 0.0 if per_key is None else most / per_key
        return forecast(self.history, ahead, kinds, self._latest, budget_left, in_turn)

    def earlier(self) -> History:
        """The history for another run; items under way went on at least until the last write."""
        for task, since in self._begun:
            self.history.add(task, self._latest - since, None)
        return self.history

"""The errors of a task list: its total, its rows, their order and their dates."""

import random
from typing import Any, Literal

import attrs

__all__ = ["HONEST", "ListLies"]

Total = Literal["right", "zero", "capped", "huge", "random", "stale"]
Dates = Literal["right", "tied", "null", "absent"]

STALE_BY = 50  # tasks
STATUSES = ("created", "running", "paused", "finished", "failed", "stopped", "completed")


@attrs.frozen
class ListLies:
    """The errors of the list. The calls about a single task stay correct."""

    totals: Total = "right"
    dates: Dates = "right"  # tied: to the minute
    shuffled: float = 0.0  # the share of pages whose rows are in no order
    duplicated: float = 0.0  # the share of pages on which some rows stand twice
    missing: float = 0.0  # the share of rows that are left out
    empty: float = 0.0  # the share of pages without any row
    statuses: float = 0.0  # the share of rows whose status is any other

    def total(self, true: int, rng: random.Random) -> int:
        """The value of `total_count`."""
        match self.totals:
            case "zero":
                return 0
            case "capped":
                return min(true, 100)
            case "huge":
                return 10**9
            case "random":
                return rng.randrange(0, 10 * true + 10)
            case "stale":
                return max(true - STALE_BY, 0)
            case _:
                return true

    def rows(self, true: list[dict[str, Any]], rng: random.Random) -> list[dict[str, Any]]:
        """The rows of a page; the given ones belong to it."""
        rows = true
        if self.empty and rng.random() < self.empty:
            return []
        if self.missing:
            rows = [row for row in rows if rng.random() >= self.missing]
        if self.duplicated and rng.random() < self.duplicated:
            rows = [row for row in rows for _copy in range(rng.choice((1, 1, 1, 2)))]
            rows = rows[: len(true)]
        if self.shuffled and rng.random() < self.shuffled:
            rng.shuffle(rows)
        if self.statuses:
            for row in rows:
                if rng.random() < self.statuses:
                    row["status"] = rng.choice(STATUSES)
        self._falsify_dates(rows)
        return rows

    def _falsify_dates(self, rows: list[dict[str, Any]]) -> None:
        for row in rows:
            match self.dates:
                case "tied":
                    row["created_at"] = row["created_at"][:16] + ":00+00:00"
                case "null":
                    row["created_at"] = None
                case "absent":
                    del row["created_at"]
                case _:
                    return


HONEST = ListLies()

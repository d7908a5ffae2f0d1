"""Where a reader stopped among many tasks of one date, of which a token cannot hold all. Pure.

Such a token holds the last ones that were given, the anchors, and the number of all that were. The
next process reads the tasks of that date again, from the first one, and holds them back until it
meets the anchors: what stands above them was given before, and what stands below was not. It does
so as long as the service lists these tasks in the same order as before. If the anchors are gone, or
stand in another order, all of that date are given: some twice, but none is missed.
"""

from collections.abc import Sequence
from datetime import datetime
from itertools import pairwise

import attrs

from browser_use_async.paging.known_rows import ROUGH, digest_of
from browser_use_async.types import TaskSummary

__all__ = ["TieSearch"]

FEWEST = 2  # anchors: where one stands alone says nothing about the order


@attrs.define
class TieSearch:
    """The search for the anchors."""

    date: datetime  # the date that the tasks share
    given: int  # how many of them were given
    anchors: Sequence[bytes]  # digests of the last ones, in the order of the list
    top: int  # how many rows from the top of the list are above them, or fewer
    slack: int  # how many more of them than were given may be looked at
    # Those that were met, in the order of the list
    held: dict[str, TaskSummary] = attrs.field(factory=dict)

    def take(self, rows: Sequence[TaskSummary]) -> bool:
        """Take in a page that follows those before."""
        self.held.update((row.id, row) for row in rows if row.created_at == self.date)
        if any(self.is_below(row) for row in rows) or len(self.held) > self.given + self.slack:
            return True
        found = self._found()
        if not self._is_block(found) or len(found) * 2 < len(self.anchors):
            return False
        last, _anchor = found[-1]
        return last + 1 < len(self.held) or found[-1][1] == len(self.anchors) - 1

    def is_below(self, row: TaskSummary) -> bool:
        """Whether a row is none of them, and was not given either."""
        return row.created_at is None or row.created_at < self.date

    def is_above(self, row: TaskSummary) -> bool:
        """Whether a row was given before, by its date."""
        return row.created_at is not None and row.created_at > self.date

    def known(self) -> list[TaskSummary]:
        """Those of the held ones that were given before; none if that cannot be told."""
        found = self._found()
        return list(self.held.values())[: found[-1][0] + 1] if self._is_block(found) else []

    def _found(self) -> list[tuple[int, int]]:
        """Where anchors stand among what is held, and which ones."""
        numbers = {each: number for number, each in enumerate(self.anchors)}
        found: list[tuple[int, int]] = []
        for place, name in enumerate(self.held):
            number = numbers.get(digest_of(name)[:ROUGH])
            if number is not None:
                found.append((place, number))
        return found

    def _is_block(self, found: Sequence[tuple[int, int]]) -> bool:
        """Whether anchors stand as they stood: in order, and with nothing in between."""
        first = found[0][0] if found else 0
        in_order = all(upper[1] < lower[1] for upper, lower in pairwise(found))
        return (
            len(found) >= min(FEWEST, len(self.anchors))
            and in_order
            and found[-1][0] - first == len(found) - 1
        )

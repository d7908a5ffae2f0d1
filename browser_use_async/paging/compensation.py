"""Where to read next in a newest-first list that grows and shrinks meanwhile. Pure.

The service numbers pages from the top, so that every birth pushes all rows down and every
deletion pulls them up. What a reader has covered is therefore kept as a boundary, in rows from
the top, and moved by the change of `total_count` that each page tells:

* births move the true boundary down by as much as the count grows, so whole pages of newcomers
  and of known rows are skipped;
* deletions move it up by at most as much as the count shrinks, so the reader steps back.

The moved boundary is never below the true one: nothing is missed. Rows met twice are known by
their ids, rows born after the first page by their date: nothing is given twice.
"""

from collections.abc import Sequence
from datetime import datetime

import attrs

from browser_use_async.models import TaskSummary

__all__ = ["Compensation"]

PATIENCE = 2  # pages without news beyond what churn explains, before a repeating server is left
MOST_EXPLAINED = 200  # pages in a row that churn may explain: a count that only jumps is a lie


@attrs.define
class Compensation:
    """The state of one reader.

    Attributes:
        page_size: Rows on a page.
        seen: The ids met so far.
        ceiling: The date of the newest row of the first page.
        covered: How many rows from the top are known, as of the last page.
        count: `total_count` as of the last page.
        gap: Whether the last page lay below rows that are not known.
        ahead: How many births are expected before the next page.
        stale: Rows read in a row that brought no unknown id.
        explained: How many of those the births and deletions in between may have caused.
        page: The page to read next, or None at the end.
    """

    page_size: int
    seen: set[str] = attrs.field(factory=set)
    ceiling: datetime | None = None
    covered: int = 0
    count: int | None = None
    gap: bool = False
    ahead: int = 0
    stale: int = 0
    explained: int = 0
    page: int | None = 1

    def feed(self, rows: Sequence[TaskSummary], total_count: int, limit: int) -> list[TaskSummary]:
        """Take in the page that `page` asked for, and decide which one is next.

        Args:
            rows: Its rows.
            total_count: What the server says there are in all.
            limit: The page size that the server says it used.

        Returns:
            The rows to give: unknown ones that existed when reading began.
        """
        assert self.page is not None
        if self.count is None and rows:
            self._begin(rows, total_count, limit)
        self._cover(self.page, total_count, len(rows))
        fresh = [row for row in rows if row.id not in self.seen]
        self.seen.update(row.id for row in fresh)
        self._be_patient(len(fresh), len(rows))
        self._advance()
        return [row for row in fresh if not self._is_newborn(row)]

    def _begin(self, rows: Sequence[TaskSummary], total_count: int, limit: int) -> None:
        dates = [row.created_at for row in rows if row.created_at is not None]
        if dates == sorted(dates, reverse=True):
            self.ceiling = dates[0] if dates else None
        if len(rows) < self.page_size and (len(rows) == limit or len(rows) < total_count):
            self.page_size = len(rows)  # the server gives smaller pages than asked for

    def _cover(self, page: int, total_count: int, rows: int) -> None:
        change = 0 if self.count is None else total_count - self.count
        self.count = total_count
        self.covered = max(self.covered + change, 0)
        # Births can put known rows on the page, and deletions can send the reader back to them.
        self.explained += abs(change) + (self.page_size if change < 0 else 0)
        top = (page - 1) * self.page_size
        self.gap = top > self.covered
        if not self.gap:
            self.covered = max(self.covered, top + rows)
        # As many births as before the last page may come before the next one. Without looking
        # ahead by them, a list that grows by a page for every page read would never be passed.
        self.ahead = 0 if self.gap else max(change, 0)

    def _be_patient(self, fresh: int, rows: int) -> None:
        if fresh:
            self.stale = self.explained = 0
        else:
            self.stale += rows or self.page_size

    def _advance(self) -> None:
        assert self.count is not None
        # Without churn no more than all known rows can come again.
        explained = min(self.explained, MOST_EXPLAINED * self.page_size)
        patience = len(self.seen) + PATIENCE * self.page_size + explained
        if self.covered >= self.count or self.stale > patience:
            self.page = None
        else:
            self.page = (self.covered + self.ahead) // self.page_size + 1

    def _is_newborn(self, row: TaskSummary) -> bool:
        return (
            self.ceiling is not None
            and row.created_at is not None
            and row.created_at > self.ceiling
        )

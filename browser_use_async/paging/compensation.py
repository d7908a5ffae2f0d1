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

PATIENCE = 2  # pages in a row without news, before a server that repeats itself is left


@attrs.define
class Compensation:
    """The state of one reader.

    Attributes:
        page_size: Rows on a page.
        seen: The ids met so far.
        ceiling: The date of the newest row of the first page.
        covered: How many rows from the top are known, as of the last page.
        count: `total_count` as of the last page.
        stale: Pages in a row that brought no unknown id.
        patience: How many of those are allowed.
        page: The page to read next, or None at the end.
    """

    page_size: int
    seen: set[str] = attrs.field(factory=set)
    ceiling: datetime | None = None
    covered: int = 0
    count: int | None = None
    stale: int = 0
    patience: int = PATIENCE
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
            self.ceiling = rows[0].created_at
        if len(rows) < self.page_size and len(rows) == limit:
            self.page_size = limit  # the server gives smaller pages than asked for
        self._cover(self.page, total_count, len(rows))
        fresh = [row for row in rows if row.id not in self.seen]
        self.seen.update(row.id for row in fresh)
        self.stale = 0 if fresh else self.stale + 1
        self._advance()
        return [row for row in fresh if not self._is_newborn(row)]

    def _cover(self, page: int, total_count: int, rows: int) -> None:
        change = 0 if self.count is None else total_count - self.count
        self.count = total_count
        self.covered = max(self.covered + change, 0)
        if change < 0:
            self.patience += -change // self.page_size + 1
        top = (page - 1) * self.page_size
        if top <= self.covered:
            self.covered = max(self.covered, top + rows)

    def _advance(self) -> None:
        assert self.count is not None
        if self.covered >= self.count or self.stale > self.patience:
            self.page = None
        else:
            self.page = self.covered // self.page_size + 1

    def _is_newborn(self, row: TaskSummary) -> bool:
        return (
            self.ceiling is not None
            and row.created_at is not None
            and row.created_at > self.ceiling
        )

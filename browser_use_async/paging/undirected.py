"""Where to read next in a list whose direction nobody specified. Pure.

Schedules and profiles carry no dates to compare, and may be listed oldest or newest first. A
birth betrays which: when the count grows for the first time, the first page is read once more. If
it begins with an unknown row, the newest come first and births push all rows down; if not, births
stand at the end, behind everything that was there when reading began.
"""

from collections.abc import Callable, Hashable, Sequence
from typing import Generic, TypeVar

from browser_use_async.paging.compensation import MOST_EXPLAINED, PATIENCE

__all__ = ["UndirectedReader"]

RowT = TypeVar("RowT")


class UndirectedReader(Generic[RowT]):
    """The state of one reader.

    Args:
        key: Tells rows apart.
        page_size: Rows on a page.

    Attributes:
        page: The page to read next, or None at the end.
        newest_first: The direction, or None while it is not known.
    """

    def __init__(self, key: Callable[[RowT], Hashable], page_size: int) -> None:
        self.page: int | None = 1
        self.newest_first: bool | None = None
        self._key = key
        self._page_size = page_size
        self._seen: set[Hashable] = set()
        self._covered = 0  # rows from the top that are known, as of the last page
        self._count: int | None = None
        self._first_count = 0
        self._ahead = 0
        self._stale = 0
        self._explained = 0

    def feed(self, rows: Sequence[RowT], total_count: int) -> list[RowT]:
        """Take in the page that `page` asked for, and decide which one is next.

        Args:
            rows: Its rows.
            total_count: What the server says there are in all.

        Returns:
            The rows that were not met before.
        """
        assert self.page is not None
        top = (self.page - 1) * self._page_size
        probing = self._grew(total_count) and self.newest_first is None
        if self._count is None:
            self._begin(len(rows), total_count)
        elif probing and top == 0 and rows:
            self.newest_first = self._key(rows[0]) not in self._seen
        if not probing or top == 0:
            self._cover(top, len(rows), total_count)
        fresh = [row for row in rows if self._key(row) not in self._seen]
        self._seen.update(map(self._key, rows))
        self._stale = 0 if fresh else self._stale + (len(rows) or self._page_size)
        self._explained = 0 if fresh else self._explained
        if probing and top > 0:
            self.page = 1
        else:
            self._advance()
        return fresh

    def _grew(self, total_count: int) -> bool:
        return self._count is not None and total_count > self._count

    def _begin(self, rows: int, total_count: int) -> None:
        self._first_count = total_count
        if rows < min(self._page_size, total_count):
            self._page_size = max(rows, 1)  # the server gives smaller pages

    def _cover(self, top: int, rows: int, total_count: int) -> None:
        change = 0 if self._count is None else total_count - self._count
        self._count = total_count
        if change < 0 or self.newest_first:
            self._covered = max(self._covered + change, 0)
        self._explained += abs(change) + (self._page_size if change < 0 else 0)
        contiguous = top <= self._covered
        if contiguous:
            self._covered = max(self._covered, top + rows)
        # As many births as before the last page may come before the next one. Without looking
        # ahead by them, a list that grows by a page for every page read would never be passed.
        self._ahead = change if self.newest_first and contiguous and change > 0 else 0

    def _advance(self) -> None:
        assert self._count is not None
        # Oldest first, births stand behind everything that was there when reading began.
        known = self._first_count if self.newest_first is False else self._count
        explained = min(self._explained, MOST_EXPLAINED * self._page_size)
        patience = len(self._seen) + PATIENCE * self._page_size + explained
        if self._covered >= min(known, self._count) or self._stale > patience:
            self.page = None
        else:
            self.page = (self._covered + self._ahead) // self._page_size + 1

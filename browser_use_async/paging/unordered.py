"""Where to read next in a list whose order is not specified. No I/O.

Schedules and profiles carry no dates to compare, and may be listed oldest or newest first. The
first creation shows which: when the count grows for the first time, the first page is read once
more. If it begins with an unseen row, the newest come first and creations push all rows down; if
not, new rows are at the end, behind everything that was there when reading began.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from types import UnionType
from typing import Generic, TypeVar

from browser_use_async.paging.cursor import MOST_EXPLAINED, PATIENCE
from browser_use_async.paging.seen import digest_of
from browser_use_async.paging.tokens import ResumePoint

RowT = TypeVar("RowT")

# What a resume token of such a list holds besides the fields that all lists share
FIELDS: Mapping[str, type | UnionType] = {"first_count": int, "newest_first": bool | None}


class UnorderedCursor(Generic[RowT]):
    """The state of one reading of a list."""

    def __init__(
        self, key: Callable[[RowT], str], page_size: int, start: ResumePoint | None = None
    ) -> None:
        self.page: int | None = 1  # the page to read next, or None at the end
        self.newest_first: bool | None = None  # None while the order is not known
        self._key = key
        self._page_size = page_size  # as the server gives it
        self._asked_size = page_size
        self._seen: set[bytes] = set()
        self._last: list[bytes] = []
        self._top: int | None = None  # of the last page, or None below unread rows
        self._covered = 0  # rows from the top that were read, as of the last page
        self._count: int | None = None
        self._first_count = 0
        self._lookahead = 0
        self._stale = 0
        self._explained = 0
        if start is not None:
            self._resume(start)

    def _resume(self, start: ResumePoint) -> None:
        self._asked_size, self._page_size = start.page_size, start.served_size
        self._seen = set(start.rows)
        self._covered, self._count = start.covered, start.count
        self._first_count = start.more["first_count"]
        self.newest_first = start.more["newest_first"]
        self.page = None if start.done else self._covered // self._page_size + 1

    def resume_point(self, kind: str, pending: Collection[str]) -> ResumePoint:
        """Where another process can continue, without the rows that were not yielded yet."""
        hidden = set(map(digest_of, pending))
        first = next((index for index, each in enumerate(self._last) if each in hidden), None)
        covered = self._covered
        if first is not None and self._top is not None:
            covered = min(covered, self._top + first)
        return ResumePoint(
            kind=kind,
            page_size=self._asked_size,
            served_size=self._page_size,
            covered=covered,
            count=self._count or 0,
            known=len(self._seen) - len(hidden),
            rows=dict.fromkeys(self._seen - hidden),
            done=self.page is None and not hidden,
            more={"first_count": self._first_count, "newest_first": self.newest_first},
        )

    def feed(self, rows: Sequence[RowT], total_count: int) -> list[RowT]:
        """Process the requested page, set the next one, and return the rows to yield."""
        assert self.page is not None
        digests = [digest_of(self._key(row)) for row in rows]
        top = (self.page - 1) * self._page_size
        self._last, self._top = digests, None
        # The count grew and the order is not known: this page, or the first one next, shows it.
        has_grown = self._count is not None and total_count > self._count
        probing = has_grown and self.newest_first is None
        if self._count is None:
            self._begin(len(rows), total_count)
        elif probing and top == 0 and rows:
            self.newest_first = digests[0] not in self._seen
        # Until the first page has shown the order, the count cannot correct the boundary.
        if not probing or top == 0:
            self._correct_drift(top, len(rows), total_count)
        fresh = [row for row, each in zip(rows, digests, strict=True) if each not in self._seen]
        self._seen.update(digests)
        self._stale = 0 if fresh else self._stale + (len(rows) or self._page_size)
        self._explained = 0 if fresh else self._explained
        if probing and top > 0:
            self.page = 1
        else:
            self._advance()
        return fresh

    def _begin(self, rows: int, total_count: int) -> None:
        self._first_count = total_count
        if rows < min(self._page_size, total_count):
            self._page_size = max(rows, 1)  # the server gives smaller pages

    def _correct_drift(self, top: int, rows: int, total_count: int) -> None:
        change = 0 if self._count is None else total_count - self._count
        self._count = total_count
        # Oldest first, new rows leave the boundary where it is.
        if change < 0 or self.newest_first:
            self._covered = max(self._covered + change, 0)
        self._explained += abs(change) + (self._page_size if change < 0 else 0)
        contiguous = top <= self._covered
        if contiguous:
            self._covered = max(self._covered, top + rows)
            self._top = top
        # As many creations as before the last page may come before the next one. Without looking
        # ahead by them, a list that grows by a page for every page read would never be passed.
        self._lookahead = change if self.newest_first and contiguous and change > 0 else 0

    def _advance(self) -> None:
        assert self._count is not None
        # Oldest first, new rows are behind everything that was there when reading began.
        total = self._first_count if self.newest_first is False else self._count
        explained = min(self._explained, MOST_EXPLAINED * self._page_size)
        patience = len(self._seen) + PATIENCE * self._page_size + explained
        if self._covered >= min(total, self._count) or self._stale > patience:
            self.page = None
        else:
            self.page = (self._covered + self._lookahead) // self._page_size + 1

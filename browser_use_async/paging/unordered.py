"""Where to read next in a list whose order is not specified. No I/O.

Schedules and profiles carry no dates to compare, and may be listed oldest or newest first. The
first creation shows which: when the count grows for the first time, the first page is read once
more. If it begins with an unseen row, the newest come first and creations push all rows down; if
not, new rows are at the end, behind everything that was there when reading began.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from types import UnionType
from typing import Generic, TypeVar

from browser_use_async.paging.cursor import Boundary
from browser_use_async.paging.seen import digest_of
from browser_use_async.paging.tokens import ResumePoint

RowT = TypeVar("RowT")

# What a resume token of such a list holds besides the fields that all lists share
FIELDS: Mapping[str, type | UnionType] = {"first_count": int, "newest_first": bool | None}


class UnorderedCursor(Boundary, Generic[RowT]):
    """The state of one reading of a list."""

    def __init__(
        self, key: Callable[[RowT], str], page_size: int, start: ResumePoint | None = None
    ) -> None:
        super().__init__(page_size)
        self.newest_first: bool | None = None  # None while the order is not known
        self._key = key
        self._asked_size = page_size
        self._seen: set[bytes] = set()
        self._last: list[bytes] = []
        self._top: int | None = None  # of the last page, or None below unread rows
        self._first_count = 0
        if start is not None:
            self._resume(start)

    def _resume(self, start: ResumePoint) -> None:
        self._asked_size, self.page_size = start.page_size, start.served_size
        self._seen = set(start.rows)
        self.covered, self.count = start.covered, start.count
        self._first_count = start.more["first_count"]
        self.newest_first = start.more["newest_first"]
        self.page = None if start.done else self.covered // self.page_size + 1

    def resume_point(self, kind: str, pending: Collection[str]) -> ResumePoint:
        """Where another process can continue, without the rows that were not yielded yet."""
        hidden = set(map(digest_of, pending))
        first = next((index for index, each in enumerate(self._last) if each in hidden), None)
        covered = self.covered
        if first is not None and self._top is not None:
            covered = min(covered, self._top + first)
        return ResumePoint(
            kind=kind,
            page_size=self._asked_size,
            served_size=self.page_size,
            covered=covered,
            count=self.count or 0,
            known=len(self._seen) - len(hidden),
            rows=dict.fromkeys(self._seen - hidden),
            done=self.page is None and not hidden,
            more={"first_count": self._first_count, "newest_first": self.newest_first},
        )

    def feed(self, rows: Sequence[RowT], total_count: int) -> list[RowT]:
        """Process the requested page, set the next one, and return the rows to yield."""
        assert self.page is not None
        digests = [digest_of(self._key(row)) for row in rows]
        top = (self.page - 1) * self.page_size
        self._last, self._top = digests, None
        # The count grew and the order is not known: this page, or the first one next, shows it.
        has_grown = self.count is not None and total_count > self.count
        probing = has_grown and self.newest_first is None
        if self.count is None:
            self._begin(len(rows), total_count)
        elif probing and top == 0 and rows:
            self.newest_first = digests[0] not in self._seen
        # Until the first page has shown the order, the count cannot correct the boundary.
        if not probing or top == 0:
            self.correct(top, len(rows), total_count, grows_above=bool(self.newest_first))
            self._top = None if self.gap else top
        fresh = [row for row, each in zip(rows, digests, strict=True) if each not in self._seen]
        self._seen.update(digests)
        self.count_stale(len(rows), is_news=bool(fresh))
        if probing and top > 0:
            self.page = 1
        else:
            assert self.count is not None
            # Oldest first, new rows are behind everything that was there when reading began.
            total = self._first_count if self.newest_first is False else self.count
            self.advance(min(total, self.count), len(self._seen))
        return fresh

    def _begin(self, rows: int, total_count: int) -> None:
        self._first_count = total_count
        if rows < min(self.page_size, total_count):
            self.page_size = max(rows, 1)  # the server gives smaller pages

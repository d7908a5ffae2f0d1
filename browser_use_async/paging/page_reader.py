"""Reads a list page by page: which rows to yield, and where another process continues."""

from collections import deque
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Generic, NamedTuple, TypeVar

import attrs

from browser_use_async.paging.positions import PageRequest, Positions
from browser_use_async.paging.tokens import ResumePoint, digest_of

RowT = TypeVar("RowT")


class _Entry(NamedTuple, Generic[RowT]):
    """A row of a page, with its id and date."""

    row: RowT
    id: str
    date: datetime | None  # when it was created


class PageReader(Generic[RowT]):
    """Reads a list once, from its start or from where another process stopped."""

    def __init__(
        self,
        key: Callable[[RowT], str],
        date: Callable[[RowT], datetime | None],
        start: ResumePoint,
        *,
        depth: int = 1,
        newest_first: bool | None = True,
    ) -> None:
        self._key, self._date, self._start = key, date, start
        self._positions = Positions(start, depth, newest_first=newest_first)
        self._resumed = frozenset((*start.tied, *start.others))
        self.has_begun = start.has_begun
        self._ceiling = start.ceiling  # the date of the newest row of the first page
        self._read: set[str] = set()
        self._oldest = start.border  # the date of the oldest row that was read
        self._is_ordered = start.is_ordered
        # Rows that were read but not yielded yet, each with the number of rows below it.
        self._pending: deque[tuple[_Entry[RowT], int]] = deque()
        self._left = start.unread  # rows from the bottom that may not have been yielded
        # Of the yielded rows: the oldest date, and the ids that it does not decide.
        self._border = start.border
        self._tied: list[str] = []
        self._undated: list[str] = []
        # Known tasks of one date may be anywhere among them, so these are read one page at a time.
        self._positions.may_read_ahead = self._is_usual and len(start.tied) <= 1

    def requests(self) -> Sequence[PageRequest]:
        """The requests to have in flight, in the order of processing; none at the end."""
        return self._positions.requests()

    def feed(self, page: Sequence[RowT], total_count: int, limit: int) -> list[RowT]:
        """Process the answer to the first of `requests()`; returns the rows to yield."""
        rows = [_Entry(row, self._key(row), self._date(row)) for row in page]
        count = max(total_count, 0)
        if not self.has_begun:
            self._begin(rows, count, limit)
        known = [self._is_known(row) for row in rows]
        unread = self._positions.unread
        begin = self._positions.process(count, known)
        if begin is None:
            return []
        # A dict, because a page of a faulty server may contain a row twice.
        fresh = {
            row.id: (row, begin - index - 1) for index, row in enumerate(rows) if not known[index]
        }
        self._read.update(fresh)
        self._pending.extend(fresh.values())
        self._left = unread
        self._check_order(rows)
        if fresh:
            self._positions.may_read_ahead = self._is_usual
        return [row.row for row, _below in self._pending]

    def _begin(self, rows: Sequence[_Entry[RowT]], count: int, limit: int) -> None:
        self.has_begun = True
        dates = [row.date for row in rows if row.date is not None]
        # Without this order the first row's date would not show which rows are new.
        if dates and dates == sorted(dates, reverse=True):
            self._ceiling = dates[0]
        self._positions.begin(count, len(rows), limit)

    @property
    def _is_usual(self) -> bool:
        """Whether the list runs from new to old, so that new rows differ from unread ones."""
        return self._ceiling is not None and self._is_ordered

    def _is_known(self, row: _Entry[RowT]) -> bool:
        """Whether a row was read before, or created after the first page was read."""
        for bound in (self._ceiling, self._start.border):
            if bound is not None and row.date is not None and row.date > bound:
                return True
        return row.id in self._read or (bool(self._resumed) and digest_of(row.id) in self._resumed)

    def _check_order(self, rows: Sequence[_Entry[RowT]]) -> None:
        """Notice unread rows above the oldest one that was read, and the end of `created_after`."""
        for row, _below in self._pending:
            if row.date is None:
                continue
            if self._oldest is not None and row.date > self._oldest:
                self._is_ordered = False
            self._oldest = row.date
        after = self._start.created_after
        last = rows[-1].date if rows else None
        # All following rows are older if the list runs from new to old.
        if after is not None and last is not None and last < after:
            self._positions.is_done = True

    # --- where it stands ------------------------------------------------------------------

    def commit(self) -> None:
        """Record that the first pending row was yielded."""
        row, below = self._pending.popleft()
        self._left = min(self._left, below)
        if row.date is None:
            self._undated.append(row.id)
        elif self._border is None or row.date < self._border:
            self._border, self._tied = row.date, [row.id]
        elif row.date == self._border:
            self._tied.append(row.id)

    def resume_point(self) -> ResumePoint:
        """The point from which another process continues, before the rows not yielded yet."""
        start, pending = self._start, {row.id for row, _below in self._pending}
        border, tied, others = start.border, start.tied, start.others
        is_done = self._positions.is_done and not pending
        if is_done:
            tied = others = ()
        elif self._is_ordered:
            border = self._border
            resumed = tied if border == start.border else ()
            tied = [*resumed, *map(digest_of, self._tied)]
            others = [*others, *map(digest_of, self._undated)]
        else:  # then no date decides anything but the one that this process began with
            others = [*others, *map(digest_of, self._read - pending)]
        unread = self._left if pending else self._positions.unread
        if len(tied) > 1:  # their order is not specified: all of them are read again
            unread = min(unread + len(tied), self._positions.count)
        return attrs.evolve(
            start,
            served_size=self._positions.size,
            unread=unread,
            count=self._positions.count,
            known=self._positions.known - len(pending),
            is_done=is_done,
            is_ordered=self._is_ordered,
            border=border,
            ceiling=self._ceiling,
            tied=tied,
            others=others,
        )

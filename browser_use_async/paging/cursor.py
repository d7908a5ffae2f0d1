"""Where to read next in a list that grows and shrinks meanwhile. No I/O."""

# The service numbers pages from the top, so that every creation pushes all rows down and every
# deletion pulls them up. What a cursor has covered is therefore kept as a boundary, in rows from
# the top, and corrected by the change of `total_count` that each page reports:
#
# * creations move the true boundary down by as much as the count grows, so whole pages of new rows
#   and of rows that were read already are skipped;
# * deletions move it up by at most as much as the count shrinks, so the cursor steps back.
#
# The corrected boundary is never below the true one: nothing is missed. Rows read twice are
# recognised by their ids, rows created after the first page by their date: nothing is yielded
# twice.

from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime
from types import UnionType
from typing import Generic, TypeVar

import attrs

from browser_use_async.paging.seen import SeenRows, TieSearch, digest_of, oldest_date
from browser_use_async.paging.tokens import ResumePoint
from browser_use_async.types import TaskSummary

KIND = "tasks"
PATIENCE = 8  # pages without unseen rows beyond what churn explains, before reading ends
FEW_ROWS = 8  # as which smaller pages count: on those, what comes and goes hides the rest easily
MOST_EXPLAINED = 200  # pages in a row that churn may explain: a count that only jumps is false


@attrs.define
class Boundary:
    """What was read of a list that shifts meanwhile, in rows from the top."""

    page_size: int  # rows on a page, as the server gives it
    covered: int = 0  # how many rows from the top were read, as of the last page
    count: int | None = None  # `total_count` as of the last page
    gap: bool = False  # whether there are unread rows above the last page
    page: int | None = 1  # the page to read next, or None at the end
    _lookahead: int = 0  # how many creations are expected before the next page
    _stale: int = 0  # rows in a row that were all seen before
    _explained: int = 0  # how many of those the creations and deletions in between may have caused

    def correct(self, top: int, rows: int, total_count: int, *, grows_above: bool) -> int:
        """Move the boundary by the change of the count, then extend it by a page."""
        change = 0 if self.count is None else total_count - self.count
        self.count = total_count
        # Oldest first, new rows leave the boundary where it is.
        if change < 0 or grows_above:
            self.covered = max(self.covered + change, 0)
        # Creations can move read rows onto the page, and deletions can send the cursor back.
        self._explained += abs(change) + (self.page_size if change < 0 else 0)
        self.gap = top > self.covered
        if not self.gap:
            self.covered = max(self.covered, top + rows)
        # As many creations as before the last page may come before the next one. Without looking
        # ahead by them, a list that grows by a page for every page read would never be passed.
        self._lookahead = max(change, 0) if grows_above and not self.gap else 0
        return change

    def count_stale(self, rows: int, *, is_news: bool) -> None:
        """Count the rows of a page that was read, unless there was news among them."""
        if is_news:
            self._stale = self._explained = 0
        else:
            self._stale += rows or self.page_size

    def advance(self, total: int, seen: int) -> bool:
        """Set the next page, and return whether there is one."""
        # Without churn no more than all rows seen can come again.
        explained = min(self._explained, MOST_EXPLAINED * self.page_size)
        patience = seen + PATIENCE * max(self.page_size, FEW_ROWS) + explained
        if self.covered >= total or self._stale > patience:
            self.page = None
        else:
            self.page = (self.covered + self._lookahead) // self.page_size + 1
        return self.page is not None


@attrs.define
class NewestFirstCursor(Boundary):
    """The state of one reading of a list."""

    seen: SeenRows = attrs.field(factory=SeenRows)  # the rows read so far
    ceiling: datetime | None = None  # the date of the newest row of the first page
    frontier: datetime | None = None  # the date of the lowest row above which all rows were read
    last_rows: Sequence[TaskSummary] = ()  # the rows of the last page
    # The search for where another process stopped among many rows of one date
    search: TieSearch | None = None
    # Rows that were read below unread ones. They are yielded when all above them were, so that
    # what was yielded is always the upper part of the list and a token can describe it.
    deferred: dict[str, TaskSummary] = attrs.field(factory=dict)
    _top: int = 0
    _frontier_before: datetime | None = None

    @classmethod
    def resumed(cls, point: ResumePoint) -> "NewestFirstCursor":
        """The cursor that another process left."""
        border = point.more["frontier"]
        seen = SeenRows(border=border, resumed=dict(point.rows), resumed_count=point.known)
        seen.ordered, seen.in_order = point.more["ordered"], point.in_order
        cursor = cls(point.served_size, point.covered, point.count, seen=seen)
        cursor.ceiling, cursor.frontier = point.more["ceiling"], border
        if point.tie and border is not None:
            slack = PATIENCE * point.served_size
            anchors = tuple(point.rows)
            cursor.search = TieSearch(border, point.tie, anchors, point.covered, slack)
        cursor.page = None if point.done else cursor.covered // cursor.page_size + 1
        return cursor

    def resume_point(self, page_size: int, pending: Collection[str]) -> ResumePoint:
        """Where another process can continue, without the rows that were not yielded yet."""
        covered, frontier = self.covered, self.frontier
        if self.search is not None:
            covered = self.search.top
        first = next((index for index, row in enumerate(self.last_rows) if row.id in pending), None)
        # What is left of the last page is read again, from the first row that was not yielded.
        if first is not None:
            frontier = self._frontier_before
            if not self.gap:
                covered = min(covered, self._top + first)
                frontier = oldest_date(frontier, self.last_rows[:first])
        border, rows = self.seen.snapshot(frontier, pending)
        done = self.page is None and not pending
        return ResumePoint(
            kind=KIND,
            page_size=page_size,
            served_size=self.page_size,
            covered=covered,
            count=self.count or 0,
            known=len(self.seen) - len(pending),
            rows={} if done else rows,
            tie=0 if self.search is None else self.search.yielded,
            in_order=self.seen.in_order or not rows.keys() & self.seen.resumed.keys(),
            done=done,
            more={"frontier": border, "ceiling": self.ceiling, "ordered": self.seen.ordered},
        )

    def feed(self, rows: Sequence[TaskSummary], total_count: int, limit: int) -> list[TaskSummary]:
        """Process the requested page, set the next one, and return the rows to yield."""
        assert self.page is not None
        if self.count is None and rows:
            self._begin(rows, total_count, limit)
        self._top = (self.page - 1) * self.page_size
        change = self.correct(self._top, len(rows), total_count, grows_above=True)
        if self.search is not None:
            self.search.top = max(self.search.top + change, 0)
        # With the frontier of the page before: a token for the middle of this page needs the ids
        # that only this page decides.
        self.seen.expire(self.frontier)
        unread = sum(not self._was_read(row) for row in rows)
        self.last_rows, self._frontier_before = rows, self.frontier
        fresh = self._add(rows)
        if not self.gap:
            self.frontier = oldest_date(self.frontier, rows)
        self.count_stale(len(rows), is_news=unread > 0)
        if not self.advance(total_count, len(self.seen)):
            fresh += self._remaining()
        return [row for row in fresh if not self.is_new(row)]

    @property
    def unread(self) -> int:
        """How many rows from the bottom may be unread, as of the last page."""
        return (self.count or 0) - self.covered

    def _was_read(self, row: TaskSummary) -> bool:
        held = () if self.search is None else self.search.held
        return row.id in self.seen.ids or row.id in self.deferred or row.id in held

    def _add(self, rows: Sequence[TaskSummary]) -> list[TaskSummary]:
        """Add the rows of a page, and return those to yield, new ones among them."""
        if self.gap:
            # A tie search needs its rows in order; those below a gap are read again later.
            if self.search is None:
                self.deferred.update((row.id, row) for row in rows)
            return []
        for row in rows if self.deferred else ():
            self.deferred.pop(row.id, None)  # yielded with this page
        if self.search is None:
            return self._add_seen(rows, at_end=self._top + len(rows) >= self.covered)
        over = self.search.feed(rows)
        self.seen.add([row for row in rows if self.search.is_above(row)])
        return self._end_search(rows) if over else []

    def _end_search(self, rows: Sequence[TaskSummary]) -> list[TaskSummary]:
        """Separate the rows of one date that were yielded before from those that were not."""
        search, self.search = self.search, None
        assert search is not None
        self.seen.add_resumed(search.seen())
        # These count as one page, of which only the first rows were yielded so far.
        below = [row for row in rows if search.is_below(row)]
        self.last_rows, self._top = [*search.held.values(), *below], search.top
        return self._add_seen(self.last_rows, at_end=True)

    def _remaining(self) -> list[TaskSummary]:
        """The rows left to yield at the end."""
        fresh = self._end_search(()) if self.search is not None else []
        deferred = [row for row in self.deferred.values() if row not in self.seen]
        self.deferred.clear()
        if self.covered >= (self.count or 0) and not self.gap:
            return fresh  # what was deferred was deleted, or it would have been read again
        self.seen.ordered = self.seen.ordered and not deferred
        return fresh + self.seen.add(deferred)

    def _add_seen(self, rows: Sequence[TaskSummary], *, at_end: bool) -> list[TaskSummary]:
        """Add the rows of a page to those seen, and return the unseen ones."""
        fresh = self.seen.add(rows, at_end=at_end)
        # An unseen row above the frontier contradicts the order by date, on which the short form
        # of a token relies.
        if self.frontier is not None and any(
            row.created_at is not None and row.created_at > self.frontier
            for row in fresh
            if not self.is_new(row)
        ):
            self.seen.ordered = False
        return fresh

    def _begin(self, rows: Sequence[TaskSummary], total_count: int, limit: int) -> None:
        dates = [row.created_at for row in rows if row.created_at is not None]
        # Without this order the first row's date says nothing about what was created later.
        if dates == sorted(dates, reverse=True):
            self.ceiling = dates[0] if dates else None
        if len(rows) < self.page_size and (len(rows) == limit or len(rows) < total_count):
            self.page_size = len(rows)  # the server gives smaller pages than asked for

    def is_new(self, row: TaskSummary) -> bool:
        """Whether a row was created after the first page was read."""
        return (
            self.ceiling is not None
            and row.created_at is not None
            and row.created_at > self.ceiling
        )


RowT = TypeVar("RowT")

# What a resume token of such a list holds besides the fields that all lists share
FIELDS: Mapping[str, type | UnionType] = {"first_count": int, "newest_first": bool | None}


class UnorderedCursor(Boundary, Generic[RowT]):
    """Reads a list whose order is not specified, such as those of schedules and profiles."""

    # These rows carry no dates, and may be listed oldest or newest first. The first creation shows
    # which: when the count grows for the first time, the first page is read once more. If it
    # begins with an unseen row, the newest come first and creations push all rows down; if not, new
    # rows are at the end, behind everything that was there when reading began.

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

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

from collections.abc import Collection, Sequence
from datetime import datetime

import attrs

from browser_use_async.paging.known_rows import KnownRows, lowest
from browser_use_async.paging.ties import TieSearch
from browser_use_async.paging.tokens import ResumePoint
from browser_use_async.types import TaskSummary

__all__ = ["KIND", "Compensation"]

KIND = "tasks"
PATIENCE = 8  # pages without news beyond what churn explains, before a repeating server is left
MOST_EXPLAINED = 200  # pages in a row that churn may explain: a count that only jumps is a lie


@attrs.define
class Compensation:
    """The state of one reader."""

    page_size: int  # rows on a page
    known: KnownRows = attrs.field(factory=KnownRows)  # the rows met so far
    ceiling: datetime | None = None  # the date of the newest row of the first page
    frontier: datetime | None = None  # the date of the lowest row above which no row is unknown
    covered: int = 0  # how many rows from the top are known, as of the last page
    count: int | None = None  # `total_count` as of the last page
    gap: bool = False  # whether the last page lay below rows that are not known
    ahead: int = 0  # how many births are expected before the next page
    stale: int = 0  # rows read in a row that brought no unknown id
    explained: int = 0  # how many of those the births and deletions in between may have caused
    page: int | None = 1  # the page to read next, or None at the end
    last: Sequence[TaskSummary] = ()  # the rows of the last page
    # The search for where another process stopped among many rows of one date
    search: TieSearch | None = None
    # Rows that were met below unknown ones. They are given when all above them were, so that
    # what was given is always the upper part of the list.
    parked: dict[str, TaskSummary] = attrs.field(factory=dict)
    _top: int = 0
    _frontier_before: datetime | None = None

    @classmethod
    def resumed(cls, point: ResumePoint) -> "Compensation":
        """The reader that another process left."""
        border = point.more["frontier"]
        known = KnownRows(border=border, told=dict(point.rows), earlier=point.known)
        known.ordered, known.in_order = point.more["ordered"], point.in_order
        reader = cls(point.served_size, known, point.more["ceiling"], border)
        reader.covered, reader.count = point.covered, point.count
        if point.tie and border is not None:
            slack = PATIENCE * point.served_size
            anchors = tuple(point.rows)
            reader.search = TieSearch(border, point.tie, anchors, point.covered, slack)
        reader.page = None if point.done else reader.covered // reader.page_size + 1
        return reader

    def point(self, page_size: int, untold: Collection[str]) -> ResumePoint:
        """Where another process can go on."""
        covered, frontier = self.covered, self.frontier
        if self.search is not None:
            covered = self.search.top
        first = next((index for index, row in enumerate(self.last) if row.id in untold), None)
        if first is not None:
            frontier = self._frontier_before
            if not self.gap:
                covered = min(covered, self._top + first)
                frontier = lowest(frontier, self.last[:first])
        border, rows = self.known.told_beside(frontier, untold)
        done = self.page is None and not untold
        return ResumePoint(
            kind=KIND,
            page_size=page_size,
            served_size=self.page_size,
            covered=covered,
            count=self.count or 0,
            known=len(self.known) - len(untold),
            rows={} if done else rows,
            tie=0 if self.search is None else self.search.given,
            in_order=self.known.in_order or not rows.keys() & self.known.told.keys(),
            done=done,
            more={"frontier": border, "ceiling": self.ceiling, "ordered": self.known.ordered},
        )

    def feed(self, rows: Sequence[TaskSummary], total_count: int, limit: int) -> list[TaskSummary]:
        """Take in the page that `page` asked for, and decide which one is next."""
        assert self.page is not None
        if self.count is None and rows:
            self._begin(rows, total_count, limit)
        self._cover(self.page, total_count, len(rows))
        self.known.settle(self.frontier)
        unmet = sum(not self._is_met(row) for row in rows)
        self.last, self._frontier_before = rows, self.frontier
        fresh = self._take(rows)
        if not self.gap:
            self.frontier = lowest(self.frontier, rows)
        self._be_patient(unmet, len(rows))
        if not self._advance():
            fresh += self._rest()
        return [row for row in fresh if not self.is_newborn(row)]

    @property
    def unknown(self) -> int:
        """How many rows from the bottom may be unknown, as of the last page."""
        return (self.count or 0) - self.covered

    def _is_met(self, row: TaskSummary) -> bool:
        held = () if self.search is None else self.search.held
        return row.id in self.known.met or row.id in self.parked or row.id in held

    def _take(self, rows: Sequence[TaskSummary]) -> list[TaskSummary]:
        """Take in a page, and tell which of its rows to give, newborn ones among them."""
        if self.gap:
            if self.search is None:
                self.parked.update((row.id, row) for row in rows)
            return []
        for row in rows if self.parked else ():
            self.parked.pop(row.id, None)  # its turn has come
        if self.search is None:
            return self._meet(rows, lowest=self._top + len(rows) >= self.covered)
        over = self.search.take(rows)
        self.known.meet([row for row in rows if self.search.is_above(row)])
        return self._end_search(rows) if over else []

    def _end_search(self, rows: Sequence[TaskSummary]) -> list[TaskSummary]:
        """Tell the rows of one date that were given before from those that were not."""
        search, self.search = self.search, None
        assert search is not None
        self.known.recall(search.known())
        # These count as one page, of which none but the first ones are given so far.
        below = [row for row in rows if search.is_below(row)]
        self.last, self._top = [*search.held.values(), *below], search.top
        return self._meet(self.last, lowest=True)

    def _rest(self) -> list[TaskSummary]:
        """What is left to give at the end."""
        fresh = self._end_search(()) if self.search is not None else []
        parked = [row for row in self.parked.values() if row not in self.known]
        self.parked.clear()
        if self.covered >= (self.count or 0) and not self.gap:
            return fresh  # what was parked has disappeared, or would have been met again
        self.known.ordered = self.known.ordered and not parked
        return fresh + self.known.meet(parked)

    def _meet(self, rows: Sequence[TaskSummary], *, lowest: bool) -> list[TaskSummary]:
        """Remember the rows of a page, and tell which were not known."""
        fresh = self.known.meet(rows, lowest=lowest)
        if self.frontier is not None and any(
            row.created_at is not None and row.created_at > self.frontier
            for row in fresh
            if not self.is_newborn(row)
        ):
            self.known.ordered = False
        return fresh

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
        if self.search is not None:
            self.search.top = max(self.search.top + change, 0)
        self._top = top = (page - 1) * self.page_size
        self.gap = top > self.covered
        if not self.gap:
            self.covered = max(self.covered, top + rows)
        # As many births as before the last page may come before the next one. Without looking
        # ahead by them, a list that grows by a page for every page read would never be passed.
        self.ahead = 0 if self.gap else max(change, 0)

    def _be_patient(self, unmet: int, rows: int) -> None:
        if unmet:
            self.stale = self.explained = 0
        else:
            self.stale += rows or self.page_size

    def _advance(self) -> bool:
        """Decide which page is next, and whether there is one."""
        assert self.count is not None
        # Without churn no more than all known rows can come again.
        explained = min(self.explained, MOST_EXPLAINED * self.page_size)
        patience = len(self.known) + PATIENCE * self.page_size + explained
        if self.covered >= self.count or self.stale > patience:
            self.page = None
        else:
            self.page = (self.covered + self.ahead) // self.page_size + 1
        return self.page is not None

    def is_newborn(self, row: TaskSummary) -> bool:
        """Whether a row was born after the first page."""
        return (
            self.ceiling is not None
            and row.created_at is not None
            and row.created_at > self.ceiling
        )

"""Which pages to read at the same time from a newest-first list that grows meanwhile. Pure.

Counted from the bottom, a row keeps its place while others are born above it. So pages that are
answered in any order can be put together, as long as nothing disappears: then every row below
the lowest one known would move, and a row may slip between two pages. A deletion betrays itself
by a smaller `total_count`, unless births outweigh it. Therefore a known row, the anchor, is looked
up after the pages: if it still has its place from the bottom, nothing below it disappeared, and
all that was read is exact. If not, the reader goes back to the place that was checked last, and
from there on reads one page at a time.
"""

from collections.abc import Callable, Sequence
from datetime import datetime

import attrs

from browser_use_async.models import TaskPage, TaskSummary
from browser_use_async.paging.compensation import Compensation
from browser_use_async.paging.known_rows import lowest
from browser_use_async.paging.reading import Request

__all__ = ["ParallelReading", "TaskRequest"]

CHECK_EVERY = 16  # pages; what is not checked makes resume tokens longer
FEWEST = 2  # with no more pages left than these the check would cost what it saves
MOST_MISSES = 3  # in a row, if the anchor moves faster than it is looked up


@attrs.frozen
class TaskRequest(Request):
    """One reading of one page of tasks.

    Attributes:
        count: The largest `total_count` known when it was sent.
        checks: Whether it looks for the anchor.
        taken: How many pages had been taken in when it was sent.
        unknown: Where a checking reader stood when it was sent.
        frontier: The lowest date above which no row was unknown then.
    """

    count: int = 0
    checks: bool = False
    taken: int = 0
    unknown: int = 0
    frontier: datetime | None = None


@attrs.define
class ParallelReading:
    """The state of a reader of several pages at once. Places are counted from the bottom, from 1.

    Attributes:
        checked: The reader of one page at a time, at the place that was checked last.
        depth: How many pages to read at once.
        reached_the_end: Tells whether nothing is wanted below a page.
        anchor: The id that is looked for.
        anchor_place: Its place.
        unknown: The place of the highest row that may be unknown; 0 at the end.
        planned: What `unknown` will be after all that was asked for.
        frontier: The date of the lowest row above which no row is unknown.
        count: The largest `total_count` so far.
        failed: Whether to go back to one page at a time.
        waiting: What is under way, in the order to be taken in.
    """

    checked: Compensation
    depth: int
    reached_the_end: Callable[[TaskPage], bool]
    anchor: str
    anchor_place: int
    unknown: int
    planned: int
    count: int
    frontier: datetime | None
    failed: bool = False
    waiting: list[TaskRequest] = attrs.field(factory=list)
    _number: int = 0
    _taken: int = 0
    _proven: int = 0
    _misses: int = 0
    _idle: int = 0

    @classmethod
    def after(
        cls, reader: Compensation, depth: int, reached_the_end: Callable[[TaskPage], bool]
    ) -> "ParallelReading | None":
        """Go on from where a reader of one page at a time stands, if that is worth it.

        Args:
            reader: That reader.
            depth: How many pages to read at once.
            reached_the_end: Tells whether nothing is wanted below a page.
        """
        unknown = (reader.count or 0) - reader.covered
        if (
            depth < 2
            or reader.page is None
            or reader.ceiling is None
            or not reader.last
            or reader.covered != reader.end_of_last
            or not reader.known.ordered
            or unknown <= FEWEST * reader.page_size
        ):
            return None
        return cls(
            checked=reader,
            depth=depth,
            reached_the_end=reached_the_end,
            anchor=reader.last[-1].id,
            anchor_place=unknown + 1,
            unknown=unknown,
            planned=unknown,
            count=unknown + reader.covered,
            frontier=reader.frontier,
        )

    @property
    def is_over(self) -> bool:
        """Whether all was read and checked."""
        return self.unknown <= 0 and self._proven == self._taken

    def requests(self) -> Sequence[TaskRequest]:
        """What to have under way, in the order to be taken in; none when it is over or failed."""
        while len(self.waiting) < self.depth and (request := self._next()) is not None:
            self.waiting.append(request)
        return self.waiting

    def take(self, page: TaskPage) -> list[TaskSummary]:
        """Take in what the first of `requests()` brought.

        Args:
            page: The page.

        Returns:
            The rows to give.
        """
        request = self.waiting[0]
        if page.total_count < request.count:
            return self._fail()  # something disappeared
        self.count = max(self.count, page.total_count)
        if request.checks:
            self._check(self.waiting.pop(0), page)
            return []
        place = page.total_count - (request.page - 1) * self.checked.page_size
        if place < self.unknown:
            # Answered before a birth that the page above was answered after: rows are between.
            self.waiting.insert(0, self._request(self._page_of(self.unknown)))
            return []
        del self.waiting[0]
        return self._cover(page, place)

    def _next(self) -> TaskRequest | None:
        if self.unknown <= 0:
            return None if self.waiting or self.is_over else self._look_up()
        if self._taken - self._proven >= CHECK_EVERY and not any(
            each.checks for each in self.waiting
        ):
            return self._look_up()
        if self.planned <= 0:
            if self.waiting:
                return None
            self.planned = self.unknown
        page = self._page_of(self.planned)
        self.planned = min(self.planned, self.count - page * self.checked.page_size)
        return self._request(page)

    def _page_of(self, place: int) -> int:
        return max(self.count - place, 0) // self.checked.page_size + 1

    def _request(self, page: int, *, checks: bool = False) -> TaskRequest:
        self._number += 1
        return TaskRequest(
            self._number, page, self.count, checks, self._taken, self.unknown, self.frontier
        )

    def _look_up(self) -> TaskRequest:
        return self._request(self._page_of(self.anchor_place), checks=True)

    def _cover(self, page: TaskPage, place: int) -> list[TaskSummary]:
        rows, known = page.tasks, self.checked.known
        below = place - len(rows)
        news = rows[place - self.unknown :]
        cut_short = len(rows) < self.checked.page_size and below > 0
        if below < 0 or cut_short or any(row.id in known.met for row in news):
            return self._fail()  # no list that only grows looks like this
        fresh = self.checked.meet(rows, self.frontier)
        if not known.ordered:
            self.failed = True
        self._idle = 0 if below < self.unknown else self._idle + 1
        if self._idle > 2 * self.depth:
            self.failed = True
        self.unknown = min(self.unknown, below)
        self.frontier = lowest(self.frontier, rows)
        self._taken += 1
        if self.reached_the_end(page):
            self.unknown = 0
            self.waiting.clear()
        return [row for row in fresh if not self.checked.is_newborn(row)]

    def _check(self, request: TaskRequest, page: TaskPage) -> None:
        """Everything that was taken in when the check was sent is exact if the anchor is there."""
        size = self.checked.page_size
        index = page.total_count - self.anchor_place - (request.page - 1) * size
        if index >= size and self._misses < MOST_MISSES:
            self._misses += 1  # births moved it to a later page meanwhile
        elif 0 <= index < len(page.tasks) and page.tasks[index].id == self.anchor:
            self._misses = 0
            self._proven = request.taken
            self.checked.move_to(page.total_count, request.unknown, request.frontier)
        else:
            self._fail()

    def _fail(self) -> list[TaskSummary]:
        self.failed = True
        self.waiting.clear()
        return []

"""Which pages to read at the same time from a newest-first list that grows meanwhile. Pure.

Counted from the bottom, a row keeps its place while others are born above it, and comes nearer
to the bottom when one below it disappears. Pages that are answered in any order are taken in from
the top to the bottom, each by its place at the time of its own answer:

* A page that was answered before a birth, below one that was answered after it, leaves rows out
  between the two. They are read before it is taken in.
* A page that was answered before a deletion, below one that was answered after it, would lose
  rows, too. But all pages are answered after the one with which this began. So on the way down
  there is one, above, that was answered after the deletion and comes right after one that was
  answered before: it begins with a row that is known already, where only unknown ones may be.

The second is noticed in time, however well births hide the deletion from `total_count`. From then
on one page is read at a time.
"""

from collections.abc import Sequence

import attrs

from browser_use_async.paging.compensation import Compensation
from browser_use_async.paging.reading import Request
from browser_use_async.types import TaskPage, TaskSummary

__all__ = ["ParallelReading"]

MOST_IDLE = 16  # pages in a row that births may fill, before the list is read one by one again


@attrs.frozen
class _Sent(Request):
    """One reading of one page, and the largest `total_count` known when it was sent."""

    count: int


@attrs.define
class ParallelReading:
    """The state of a reader of several pages at once. Places count from the bottom, from 1."""

    single: Compensation  # the reader of one page at a time that takes the pages in
    depth: int  # how many pages to read at once
    planned: int  # the place of the highest row that may be unknown after all that was asked for
    count: int  # the largest `total_count` so far
    failed: bool = False  # whether to go back to one page at a time
    _waiting: list[_Sent] = attrs.field(factory=list)
    _number: int = 0
    _idle: int = 0

    @classmethod
    def after(cls, single: Compensation, depth: int) -> "ParallelReading | None":
        """Go on from where a reader of one page at a time stands, if the list allows it."""
        may_begin = (
            depth > 1
            and single.page is not None
            and not single.gap
            and single.search is None
            and single.ceiling is not None
            and single.known.ordered
            and single.unknown > single.page_size
        )
        if not may_begin:
            return None
        return cls(single, depth, single.unknown, single.unknown + single.covered)

    def requests(self) -> Sequence[Request]:
        """What to have under way, in the order to be taken in."""
        while len(self._waiting) < self.depth and (self.planned > 0 or not self._waiting):
            if self.planned <= 0:
                self.planned = self.single.unknown  # births moved the end
            request = self._request(self.planned)
            self.planned = min(self.planned, self.count - request.page * self.single.page_size)
            self._waiting.append(request)
        return self._waiting

    def take(self, page: TaskPage) -> list[TaskSummary]:
        """Take in what the first of `requests()` brought."""
        request, unknown = self._waiting[0], self.single.unknown
        if page.total_count < request.count:
            return self._fail()  # something disappeared
        self.count = max(self.count, page.total_count)
        place = page.total_count - (request.page - 1) * self.single.page_size
        if place < unknown:
            self._waiting.insert(0, self._request(unknown))
            return []
        del self._waiting[0]
        below = place - len(page.tasks)
        self._idle = self._idle + 1 if below >= unknown else 0
        if self._idle > MOST_IDLE or not self._fits(page, place, unknown):
            return self._fail()
        if below >= unknown:
            return []
        self.single.page = request.page
        return self.single.feed(page.tasks, page.total_count, page.limit)

    def _request(self, place: int) -> _Sent:
        self._number += 1
        page = max(self.count - place, 0) // self.single.page_size + 1
        return _Sent(self._number, page, self.count)

    def _fits(self, page: TaskPage, place: int, unknown: int) -> bool:
        """Whether a page looks as if nothing had disappeared since the one above it."""
        rows, below = page.tasks, place - len(page.tasks)
        if below < 0 or (below > 0 and len(rows) < self.single.page_size):
            return False
        return all(
            (row in self.single.known or self.single.is_newborn(row)) == (index < place - unknown)
            for index, row in enumerate(rows)
        )

    def _fail(self) -> list[TaskSummary]:
        self.failed = True
        return []

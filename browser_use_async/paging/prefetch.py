"""Pages read ahead of the caller, and several at once from a newest-first list."""

# Counted from the bottom, a row keeps its position while others are created above it, and moves
# towards the bottom when one below it is deleted. Pages that are answered in any order are
# processed from the top to the bottom, each by its position at the time of its own answer:
#
# * A page answered before a creation, below one that was answered after it, leaves out rows between
#   the two. They are read before it is processed.
# * A page answered before a deletion, below one that was answered after it, would lose rows, too.
#   But all pages are answered after the one with which this began. So on the way down there is one,
#   above, that was answered after the deletion and comes right after one that was answered before:
#   it begins with a row that was read already, where only unread ones may be.
#
# The second case is noticed in time, however well creations hide the deletion from `total_count`.
# From then on one page is read at a time.

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Collection, Sequence
from typing import Protocol, TypeVar

import attrs

from browser_use_async.paging.cursor import NewestFirstCursor
from browser_use_async.types import TaskPage, TaskSummary

PageT = TypeVar("PageT")
PageT_contra = TypeVar("PageT_contra", contravariant=True)
RowT = TypeVar("RowT")
RowT_co = TypeVar("RowT_co", covariant=True)

# Pages in a row that creations may fill before the list is read page by page again
MOST_IDLE = 16


@attrs.frozen
class PageRequest:
    """One request of a page."""

    number: int  # distinguishes it from other requests of the same page
    page: int


class PageReader(Protocol[PageT_contra, RowT_co]):
    """What decides which pages are requested."""

    pending: list[str]  # ids of rows that were read and not yielded yet

    @property
    def token(self) -> str | None:
        """The text with which another process can continue, or None at the very start."""
        ...

    def requests(self) -> Sequence[PageRequest]:
        """The requests to have in flight, in the order of processing; none at the end."""
        ...

    def feed(self, page: PageT_contra) -> Sequence[RowT_co]:
        """Process the answer to the first of `requests()`, and return the rows to yield."""
        ...


async def read_pages(
    fetch: Callable[[int], Awaitable[PageT]], reader: PageReader[PageT, RowT], *, ahead: bool
) -> AsyncGenerator[Sequence[RowT], None]:
    """Yield the rows of each page; a page without rows to yield is left out."""
    in_flight: dict[PageRequest, asyncio.Future[PageT]] = {}
    try:
        while requests := reader.requests():
            await _start_requests(fetch, requests, in_flight)
            rows = reader.feed(await in_flight[requests[0]])
            # Before the rows are given: it is under way while the caller works on them.
            if ahead:
                await _start_requests(fetch, reader.requests(), in_flight)
            if rows:
                yield rows
    finally:
        await _cancel(in_flight.values())


async def _start_requests(
    fetch: Callable[[int], Awaitable[PageT]],
    requests: Sequence[PageRequest],
    in_flight: dict[PageRequest, asyncio.Future[PageT]],
) -> None:
    """Start the requests that are not in flight, and cancel those no longer wanted."""
    dropped = [in_flight.pop(each) for each in tuple(in_flight) if each not in requests]
    for each in requests:
        if each not in in_flight:
            in_flight[each] = asyncio.ensure_future(fetch(each.page))
    await _cancel(dropped)


async def _cancel(futures: Collection[asyncio.Future[PageT]]) -> None:
    for each in futures:
        each.cancel()
    # Awaited, so that no request of this reading outlives it; errors of dropped ones are dropped.
    if futures:
        await asyncio.gather(*futures, return_exceptions=True)


@attrs.frozen
class _SentRequest(PageRequest):
    """One request of a page, when several are in flight."""

    count: int  # the largest `total_count` known when it was sent


@attrs.define
class ParallelReader:
    """Reads several pages at once. Positions count from the bottom, from 1."""

    cursor: NewestFirstCursor  # processes the pages, one after the other
    depth: int  # how many requests to have in flight
    planned: int  # the position of the highest row that may be unread after all requests so far
    count: int  # the largest `total_count` so far
    failed: bool = False  # whether to go back to one page at a time
    _requests: list[_SentRequest] = attrs.field(factory=list)
    _number: int = 0
    _idle: int = 0

    @classmethod
    def following(cls, cursor: NewestFirstCursor, depth: int) -> "ParallelReader | None":
        """Continue where a cursor is, or None if this list cannot be read that way."""
        # Without a ceiling `_fits` could not distinguish new rows from unread ones.
        may_begin = (
            depth > 1
            and cursor.page is not None
            and not cursor.gap
            and cursor.search is None
            and cursor.ceiling is not None
            and cursor.seen.ordered
            and cursor.unread > cursor.page_size
        )
        if not may_begin:
            return None
        return cls(cursor, depth, cursor.unread, cursor.unread + cursor.covered)

    def requests(self) -> Sequence[PageRequest]:
        """The requests to have in flight, in the order of processing."""
        while len(self._requests) < self.depth and (self.planned > 0 or not self._requests):
            if self.planned <= 0:
                self.planned = self.cursor.unread  # creations moved the end
            request = self._new_request(self.planned)
            self.planned = min(self.planned, self.count - request.page * self.cursor.page_size)
            self._requests.append(request)
        return self._requests

    def feed(self, page: TaskPage) -> list[TaskSummary]:
        """Process the answer to the first of `requests()`, and return the rows to yield."""
        request, unread = self._requests[0], self.cursor.unread
        if page.total_count < request.count:
            return self._fail()  # something was deleted
        self.count = max(self.count, page.total_count)
        position = page.total_count - (request.page - 1) * self.cursor.page_size
        if position < unread:
            # Rows were pushed into the gap above this page: read them first, keep its request.
            self._requests.insert(0, self._new_request(unread))
            return []
        del self._requests[0]
        below = position - len(page.tasks)
        self._idle = self._idle + 1 if below >= unread else 0
        if self._idle > MOST_IDLE or not self._fits(page, position, unread):
            return self._fail()
        if below >= unread:
            return []
        self.cursor.page = request.page
        return self.cursor.feed(page.tasks, page.total_count, page.limit)

    def _new_request(self, position: int) -> _SentRequest:
        self._number += 1
        page = max(self.count - position, 0) // self.cursor.page_size + 1
        return _SentRequest(self._number, page, self.count)

    def _fits(self, page: TaskPage, position: int, unread: int) -> bool:
        """Whether a page shows no sign of a deletion since the one above it."""
        rows, below = page.tasks, position - len(page.tasks)
        if below < 0 or (below > 0 and len(rows) < self.cursor.page_size):
            return False
        return all(
            (row in self.cursor.seen or self.cursor.is_new(row)) == (index < position - unread)
            for index, row in enumerate(rows)
        )

    def _fail(self) -> list[TaskSummary]:
        self.failed = True
        return []

"""Which pages of a list to read while it changes, in positions counted from its bottom. No I/O."""

# The service numbers pages from the top, where tasks are created, so positions from the top change
# all the time. Counted from the bottom, the position of a row does not change when others are
# created, and a deletion can only move it down. So all rows that may be unread stay within the
# lowest `unread` positions, whatever happens between two pages:
#
# 1. A page that begins at or above position `unread` leaves nothing out. Rows on it that were read
#    before are known by their ids, and rows that are new by their dates.
# 2. A page that begins below it is dropped: rows were deleted, and it is read again further up.
# 3. Several pages in flight are processed from the top to the bottom. Where rows were created
#    between two answers, the rows pushed between the two pages are read first. A page answered
#    before a deletion, below one answered after it, would lose rows; but on the way down to it
#    there is a page that begins with a known row, where only unread ones may be. From there on
#    one page is read at a time.
# 4. In a list of unknown order the first creation shows the order: the first page is read again,
#    and the list runs from new to old if that page begins with an unknown row. If it runs from old
#    to new, rows that are created are added to `unread`, and need not be read at the end.

from collections.abc import Sequence
from itertools import count as numbers
from typing import NamedTuple

from browser_use_async.paging.tokens import ResumePoint

PATIENCE = 8  # pages without unread rows beyond what churn explains, before reading ends
FEW_ROWS = 8  # smaller pages count as this size, since changes easily hide their other rows
MOST_IDLE = 16  # pages in a row that creations may fill; then one page is read at a time
MOST_EXPLAINED = 200  # pages in a row that churn may explain: a jumping count may be wrong


class PageRequest(NamedTuple):
    """One request of a page."""

    number: int  # distinguishes it from other requests of the same page
    page: int
    total: int  # how many rows there were when it was made
    answered: int  # how many pages had been processed by then


class Positions:
    """The part of a list that may be unread, and so the pages to request."""

    def __init__(self, start: ResumePoint, depth: int, *, newest_first: bool | None) -> None:
        self.size, self.count = start.served_size, start.count
        self.unread = start.unread  # rows from the bottom that may be unread
        self.known = start.known  # rows that were read
        self.is_done = start.is_done
        self.may_read_ahead = False
        self._depth = depth  # requests in flight, if pages may be read ahead
        self._newest_first = newest_first  # None while the order is unknown
        self._first_count = start.count
        self._requests: list[PageRequest] = []
        self._planned = 0  # rows from the bottom that no request covers
        self._numbers, self._answered = numbers(), 0
        self._growth = 0  # as many rows may be created again before the next page
        self._is_probing = False  # whether the first page is read again, to learn the order
        self._idle = 0  # pages in flight in a row that showed no unread row
        self._stale = 0  # rows in a row that were all known
        self._explained = 0  # how many of these changes of the list may have caused

    def begin(self, count: int, rows: int, limit: int) -> None:
        """Start with the first page."""
        self.count = self.unread = self._first_count = count
        if 0 < rows < self.size and (rows == limit or rows < count):
            self.size = rows  # the server's pages are smaller than requested

    def requests(self) -> Sequence[PageRequest]:
        """The requests to have in flight, in the order of processing; none at the end."""
        if self.is_done:
            return ()
        if not self._requests:
            self._planned = self.unread
        while len(self._requests) < self._width and (self._planned > 0 or not self._requests):
            request = self._request_at(self._planned)
            self._requests.append(request)
            self._planned = min(self._planned, self.count - request.page * self.size)
        return tuple(self._requests)

    @property
    def _width(self) -> int:
        return self._depth if self.may_read_ahead else 1

    def _request_at(self, position: int) -> PageRequest:
        above = 0 if self._is_probing else max(self.count - position, 0) + self._growth
        page = above // self.size + 1
        return PageRequest(next(self._numbers), page, self.count, self._answered)

    def process(self, count: int, known: Sequence[bool]) -> int | None:
        """Process the answer to the first request; `known` says which rows need not be yielded.

        Returns the position of its first row, or None if its rows must be read again.
        """
        request = self._requests[0]
        above = (request.page - 1) * self.size
        begin, change = count - above, count - self.count
        if self._newest_first is None and change > 0:
            self._is_probing = above > 0
            if self._is_probing:
                self._drop(known)
                return None
            self._newest_first = known[:1] == [False]
        self._is_probing = False
        if len(self._requests) > 1 or request.answered < self._answered:
            change = max(change, 0)  # an answer that is older than the one above it proves nothing
            self.count += change
            if not self._continues(request, count, begin, known):
                return None
        else:
            self.count = count
        # Creations can move known rows onto the page, and deletions send the reading back.
        self._explained += abs(change) + (self.size if change < 0 else 0)
        added = max(change, 0) if self._newest_first is False else 0
        self.unread = min(self.unread + added, self.count)
        if begin < self.unread:
            self._drop(known)
            return None
        del self._requests[0]
        self._answered += 1
        self.unread = min(self.unread, begin - len(known))
        # Without looking ahead, a list that grows by a page for each page would never be passed.
        self._growth = max(change, 0) if self._newest_first and self._width == 1 else 0
        self._count_stale(known)
        return begin

    def _continues(
        self, request: PageRequest, count: int, begin: int, known: Sequence[bool]
    ) -> bool:
        """Whether a page continues the one above it, which was in flight together with it."""
        if count >= request.total and begin < self.unread:
            # Rows were created in between: they are read first, and this answer is kept.
            self._requests.insert(0, self._request_at(self.unread))
            return False
        end, above = begin - len(known), begin - self.unread
        self._idle = self._idle + 1 if end >= self.unread else 0
        is_full = end == 0 or (end > 0 and len(known) == self.size)
        fits = is_full and all(each == (index < above) for index, each in enumerate(known))
        if count < request.total or not fits or self._idle > MOST_IDLE:
            self._read_one_by_one()
            return False
        return True

    def _read_one_by_one(self) -> None:
        """Use one request at a time from now on: each failure wastes those in flight."""
        self._depth = 1
        self._requests.clear()

    def _drop(self, known: Sequence[bool]) -> None:
        self._read_one_by_one()
        self._growth = 0
        self._count_stale([True] * len(known))

    def _count_stale(self, known: Sequence[bool]) -> None:
        """End once all is read, or after too many known rows in a row."""
        self.known += known.count(False)
        if not all(known):
            self._stale = self._explained = 0
        else:
            self._stale += len(known) or self.size
        # Without churn at most all known rows can come again.
        explained = min(self._explained, MOST_EXPLAINED * self.size)
        patience = self.known + PATIENCE * max(self.size, FEW_ROWS) + explained
        added = max(self.count - self._first_count, 0) if self._newest_first is False else 0
        is_over = self.unread <= added and not self._is_probing
        self.is_done = self.is_done or is_over or self._stale > patience

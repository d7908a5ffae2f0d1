"""Where watched tasks stand in the task list, and which pages tell most about them. Pure.

The list is newest first and nothing is ever deleted from it. So a task keeps its rank, which is
how many tasks there were just after it was created, and its place from the top is the number of
tasks now less that rank.
"""

import math
from bisect import bisect_left
from collections.abc import Sequence
from itertools import count
from typing import Generic, NamedTuple, Self, TypeVar

from browser_use_async.contract.limits import MAX_TASK_PAGE

__all__ = ["UNSEEN_WHEN_LOST", "ListMap", "ListPlace", "PageToRead"]

BYTES_OF_A_REQUEST = 64 * 1024  # a page weighs as much as one more request for each so many bytes
UNSEEN_WHEN_LOST = 3
GROWTH_SECONDS = 0.5  # over which growth is measured, or longer
SLACK = 2  # places by which an estimate may be off without a second request
USUAL_ROW = 400.0  # bytes, until a page has told


class ListPlace:
    """What is known of a task's place.

    Args:
        rank: How many tasks there were just after it was created, as far as can be told; None if
            no page has shown it yet.
        unseen: How often in a row a page did not show it where it was expected.
    """

    __slots__ = ("rank", "unseen")

    def __init__(self, rank: int | None = None, *, unseen: int = 0) -> None:
        self.rank = rank
        self.unseen = unseen

    @property
    def is_lost(self) -> bool:
        """Whether pages do not show it, so that only asking for it by itself tells."""
        return self.unseen >= UNSEEN_WHEN_LOST


PlaceT = TypeVar("PlaceT", bound=ListPlace)


class PageToRead(NamedTuple, Generic[PlaceT]):
    """One request to the task list.

    Attributes:
        page: Which page, counted from 1.
        limit: Rows on a page.
        tasks: The tasks that it should show, newest first.
        places: How far from the top each of them stood when it was planned.
        total: How many tasks there were then, if that was known.
    """

    page: int
    limit: int
    tasks: Sequence[PlaceT]
    places: Sequence[int]
    total: int | None

    def joined_by(self, tasks: Sequence[PlaceT], places: Sequence[int]) -> Self:
        """The same with tasks that stand above its own, for `ListMap.aim` to find a page for.

        Args:
            tasks: Which.
            places: Where they stood when this was planned.
        """
        return self._replace(tasks=[*tasks, *self.tasks], places=[*places, *self.places])


class ListMap:
    """What the pages read so far tell about the list.

    Attributes:
        total: How many tasks there are by now, as far as can be told; None before the first page.
        row_bytes: What a row weighs.
    """

    def __init__(self) -> None:
        self.total: int | None = None
        self.row_bytes = USUAL_ROW
        self._created = 0  # tasks by this session, which are counted as they are created
        # How many tasks others have created, as the last page told, and when it did; and the same
        # of the page from which their growth is measured.
        self._told = (0, 0.0)
        self._grown_from = (0, -math.inf)
        self._growth = 0.0  # their tasks per second

    def note_page(
        self, page: int, limit: int, total: int, rows: int, size: int, now: float
    ) -> None:
        """Learn from a page.

        Args:
            page: Which one, counted from 1.
            limit: Rows on a page.
            total: How many tasks there are, as it says.
            rows: How many rows it holds.
            size: Its bytes.
            now: The time in seconds.
        """
        self.total = max(total, (page - 1) * limit + rows)
        others = self.total - self._created
        self._told = (others, now)
        before, since = self._grown_from
        if now - since >= GROWTH_SECONDS:
            if not math.isinf(since):
                growth = max(others - before, 0) / (now - since)
                self._growth += 0.5 * (growth - self._growth)
            self._grown_from = self._told
        if rows:
            self.row_bytes += 0.3 * (size / rows - self.row_bytes)

    def advance(self, now: float) -> None:
        """Suppose that others have created as many tasks as they usually do.

        Args:
            now: The time in seconds.
        """
        if self.total is not None:
            others, at = self._told
            grown = round(self._growth * (now - at))
            self.total = max(self.total, others + self._created + grown)

    def note_created(self) -> int | None:
        """Count a task that this session has just created, and give its rank, if that is known."""
        self._created += 1
        if self.total is not None:
            self.total += 1
        return self.total

    def rank_at(self, page: int, limit: int, index: int, total: int) -> int:
        """The rank of the task in a row.

        Args:
            page: The page, counted from 1.
            limit: Rows on a page.
            index: Which row, counted from 0.
            total: How many tasks there were when the page was read.
        """
        return total - ((page - 1) * limit + index)

    def price(self, limit: int) -> float:
        """What a page costs, in requests.

        Args:
            limit: Rows on it.
        """
        return 1.0 + limit * self.row_bytes / BYTES_OF_A_REQUEST

    def pays(self, tasks: int, limit: int, threshold: int) -> bool:
        """Whether a page is worth reading.

        Args:
            tasks: How many it shows.
            limit: Rows on it.
            threshold: The smallest number of tasks for which a page is read.
        """
        return tasks >= threshold and tasks >= self.price(limit)

    def plan(
        self, places: Sequence[PlaceT], threshold: int
    ) -> tuple[list[PageToRead[PlaceT]], list[PlaceT]]:
        """Choose which pages to read and which tasks to ask for one by one.

        A page is read if it shows `threshold` of the tasks or more, and if the requests that it
        saves are worth its price.

        Args:
            places: Where the tasks stand.
            threshold: The smallest number of tasks for which a page is read.

        Returns:
            The pages, from the top, and all other tasks.
        """
        singles = [place for place in places if place.is_lost]
        shown, distances = self._from_the_top(places)
        pages: list[PageToRead[PlaceT]] = []
        begin = 0
        while begin < len(shown):
            first = distances[begin]
            reach = _reach(first)
            end = bisect_left(distances, reach, begin + 1)
            last = distances[end - 1] + SLACK
            page, limit = _smallest_page(first, min(last, reach - 1))
            tasks = shown[begin:end]
            if self.pays(len(tasks), limit, threshold):
                pages.append(PageToRead(page, limit, tasks, distances[begin:end], self.total))
            else:
                singles.extend(tasks)
            begin = end
        return pages, singles

    def aim(self, plan: PageToRead[PlaceT]) -> tuple[PageToRead[PlaceT], int]:
        """The page on which planned tasks stand by now, since each new task moves all others on.

        Pages begin where they begin, so it may happen that none shows all of them any more.

        Args:
            plan: The page as it was planned.

        Returns:
            The page with the newest of its tasks, and how many of them it shows.
        """
        moved = 0 if plan.total is None or self.total is None else self.total - plan.total
        if moved <= 0 or not plan.tasks:
            return plan, len(plan.tasks)
        first = max(plan.places[0] + moved - SLACK, 0)
        end = min(plan.places[-1] + moved + SLACK + 1, _reach(first))
        shown = bisect_left(plan.places, end - SLACK - moved)
        page, limit = _smallest_page(first, end - 1)
        tasks, places = plan.tasks[:shown], plan.places[:shown]
        return PageToRead(page, limit, tasks, places, plan.total), shown

    def _from_the_top(self, places: Sequence[PlaceT]) -> tuple[list[PlaceT], list[int]]:
        """Those that pages show, newest first, and how far from the top each of them stands."""
        total = self.total or 0
        shown = [place for place in places if place.unseen < UNSEEN_WHEN_LOST]
        # Of whom nothing is known is taken to be among the newest, one after the other.
        hoped = count()
        distances = [
            next(hoped) if place.rank is None else max(total - place.rank, 0) for place in shown
        ]
        order = sorted(range(len(shown)), key=distances.__getitem__)
        return [shown[index] for index in order], sorted(distances)


def _reach(first: int) -> int:
    """The place behind the last one that a page can show together with `first`.

    Page p of n rows shows the places from (p - 1) * n to p * n - 1, so the number of rows decides
    where pages begin and end.
    """
    if first % MAX_TASK_PAGE == 0:
        return first + MAX_TASK_PAGE
    return max(
        (first // limit + 1) * limit for limit in range(MAX_TASK_PAGE // 2, MAX_TASK_PAGE + 1)
    )


def _smallest_page(first: int, last: int) -> tuple[int, int]:
    """Number and rows of the smallest page that shows both places."""
    limit = last - first + 1
    while first // limit != last // limit:
        limit += 1
    return first // limit + 1, limit

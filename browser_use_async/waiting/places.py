"""Where watched tasks stand in the task list, and which pages tell most about them. Pure.

The list is newest first and nothing is ever deleted from it. So a task keeps its rank, which is
how many tasks there were just after it was created, and its place from the top is the number of
tasks now less that rank.
"""

from collections.abc import Sequence
from typing import NamedTuple

from browser_use_async.contract.limits import MAX_TASK_PAGE

__all__ = ["UNSEEN_WHEN_LOST", "ListMap", "ListPlace", "PageToRead"]

BYTES_OF_A_REQUEST = 64 * 1024  # a page weighs as much as one more request for each so many bytes
UNSEEN_WHEN_LOST = 3
SLACK = 2  # places by which an estimate may be off without a second request
USUAL_ROW = 400.0  # bytes, until a page has told


class ListPlace:
    """What is known of a task's place.

    Args:
        rank: How many tasks there were just after it was created, as far as can be told; None if
            no page has shown it yet.
        is_exact: Whether a page has shown it.
        unseen: How often in a row a page did not show it where it was expected.
    """

    __slots__ = ("is_exact", "rank", "unseen")

    def __init__(self, rank: int | None = None, *, is_exact: bool = False, unseen: int = 0) -> None:
        self.rank = rank
        self.is_exact = is_exact
        self.unseen = unseen

    @property
    def is_lost(self) -> bool:
        """Whether pages do not show it, so that only asking for it by itself tells."""
        return self.unseen >= UNSEEN_WHEN_LOST


class PageToRead(NamedTuple):
    """One request to the task list.

    Attributes:
        page: Which page, counted from 1.
        limit: Rows on a page.
        tasks: The tasks that it should show, as indexes into what was planned for.
    """

    page: int
    limit: int
    tasks: tuple[int, ...]


class ListMap:
    """What the pages read so far tell about the list."""

    def __init__(self) -> None:
        self.total: int | None = None
        self.row_bytes = USUAL_ROW

    def note_page(self, page: int, limit: int, total: int, rows: int, size: int) -> None:
        """Learn from a page.

        Args:
            page: Which one, counted from 1.
            limit: Rows on a page.
            total: How many tasks there are, as it says.
            rows: How many rows it holds.
            size: Its bytes.
        """
        self.total = max(total, (page - 1) * limit + rows)
        if rows:
            self.row_bytes += 0.3 * (size / rows - self.row_bytes)

    def note_created(self) -> int | None:
        """Count a task that this session has just created, and give its rank, if that is known."""
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

    def plan(
        self, places: Sequence[ListPlace], threshold: int
    ) -> tuple[list[PageToRead], list[int]]:
        """Choose which pages to read and which tasks to ask for one by one.

        A page is read if it shows `threshold` of the tasks or more, and if the requests that it
        saves are worth its price.

        Args:
            places: Where the tasks stand.
            threshold: The smallest number of tasks for which a page is read.

        Returns:
            The pages, from the top, and the indexes of all other tasks.
        """
        nowhere, standing = self._standing(places)
        pages: list[PageToRead] = []
        singles = nowhere
        begin = 0
        while begin < len(standing):
            first = standing[begin][0]
            reach = _reach(first)
            end = begin + 1
            while end < len(standing) and standing[end][0] < reach:
                end += 1
            tasks = tuple(index for _place, index in standing[begin:end])
            page, limit = _smallest_page(first, min(standing[end - 1][0] + SLACK, reach - 1))
            if len(tasks) >= threshold and len(tasks) >= self.price(limit):
                pages.append(PageToRead(page, limit, tasks))
            else:
                singles.extend(tasks)
            begin = end
        return pages, singles

    def _standing(self, places: Sequence[ListPlace]) -> tuple[list[int], list[tuple[int, int]]]:
        """The indexes of tasks that pages do not show, and place and index of all others."""
        total = self.total or 0
        nowhere: list[int] = []
        standing: list[tuple[int, int]] = []
        hoped = 0
        for index, where in enumerate(places):  # once a second for ten thousand of them
            rank = where.rank
            if where.unseen >= UNSEEN_WHEN_LOST:
                nowhere.append(index)
            elif rank is not None:
                standing.append((total - rank if total > rank else 0, index))
            else:
                # Nothing is known: taken to be among the newest, one after the other.
                standing.append((hoped, index))
                hoped += 1
        standing.sort()
        return nowhere, standing


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

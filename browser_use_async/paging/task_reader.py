"""One reading of the task list from its start or from a token: what to ask for, what to give."""

from collections.abc import Collection, Sequence
from datetime import datetime

import attrs

from browser_use_async.paging.compensation import Compensation
from browser_use_async.paging.parallel import ParallelReading
from browser_use_async.paging.reading import Request
from browser_use_async.paging.tokens import ResumePoint, write
from browser_use_async.types import TaskPage, TaskStatus, TaskSummary

__all__ = ["MORE", "Options", "TaskReader"]

MORE = {
    "frontier": datetime | None,
    "ceiling": datetime | None,
    "ordered": bool,
    "statuses": str | None,
    "created_after": datetime | None,
}
"""What a resume token holds besides what is the same for all lists."""


@attrs.frozen
class Options:
    """What the caller asked for."""

    statuses: Collection[TaskStatus] | None  # only tasks in these statuses, or None for all
    created_after: datetime | None  # only tasks created at this time or later
    page_size: int  # rows on a page
    prefetch: int  # pages that are read ahead

    def wants(self, row: TaskSummary) -> bool:
        """Whether a row is to be given."""
        if self.statuses is not None and row.status not in self.statuses:
            return False
        return self.created_after is None or (
            row.created_at is not None and row.created_at >= self.created_after
        )

    def end_on(self, page: TaskPage) -> bool:
        """Whether all rows after a page are older than the caller asked for."""
        if self.created_after is None or not page.tasks:
            return False
        oldest = page.tasks[-1].created_at
        return oldest is not None and oldest < self.created_after


class TaskReader:
    """The state of one reading.

    Attributes:
        untold: Ids of rows that were taken in and are not given yet.
    """

    def __init__(self, options: Options, start: ResumePoint | None) -> None:
        self.untold: list[str] = []
        self._options = options
        self._has_begun = start is not None
        self._single = (
            Compensation(options.page_size) if start is None else Compensation.resumed(start)
        )
        self._parallel: ParallelReading | None = None
        self._depth = options.prefetch  # 1 after anything disappeared
        self._number = 0

    @property
    def token(self) -> str | None:
        """The text with which another process goes on, or None at the very start."""
        if not self._has_begun:
            return None
        point = self._single.point(self._options.page_size, self.untold)
        statuses, after = self._options.statuses, self._options.created_after
        filters = {
            "statuses": None if statuses is None else "\n".join(sorted(map(str, statuses))),
            "created_after": after,
        }
        return write(attrs.evolve(point, more={**point.more, **filters}))

    def requests(self) -> Sequence[Request]:
        """What to have under way, in the order to be taken in; none at the end."""
        if self._single.page is None:
            return ()
        if self._parallel is not None:
            return self._parallel.requests()
        return (Request(self._number, self._single.page),)

    def take(self, page: TaskPage) -> Sequence[TaskSummary]:
        """Take in what the first of `requests()` brought."""
        self._has_begun = True
        rows = self._take_one(page) if self._parallel is None else self._parallel.take(page)
        self._look_ahead(page)
        given = [row for row in rows if self._options.wants(row)]
        self.untold = [row.id for row in given]
        return given

    def _take_one(self, page: TaskPage) -> list[TaskSummary]:
        self._number -= 1  # below those of the parallel reading
        return self._single.feed(page.tasks, page.total_count, page.limit)

    def _look_ahead(self, page: TaskPage) -> None:
        """Decide whether and how to go on after a page."""
        was_fed = self._single.last is page.tasks  # or else rows above it come first
        if was_fed and not self._single.gap and self._options.end_on(page):
            self._single.page = None
        if self._parallel is None:
            self._parallel = ParallelReading.after(self._single, self._depth)
        elif self._parallel.failed:
            self._parallel, self._depth = None, 1

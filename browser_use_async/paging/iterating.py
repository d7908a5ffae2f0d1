"""The iterators that users see."""

import contextlib
from collections.abc import AsyncGenerator, Awaitable, Callable, Collection
from datetime import datetime

from browser_use_async.contract.limits import MAX_TASK_PAGE
from browser_use_async.errors import InvalidRequestError
from browser_use_async.models import TaskPage, TaskStatus, TaskSummary
from browser_use_async.paging.compensation import Compensation
from browser_use_async.paging.reading import read_pages

__all__ = ["PageIterator"]

Fetch = Callable[[int, int], Awaitable[TaskPage]]


class PageIterator:
    """What `session.iterate_all_tasks` gives: `async for` rows, or `.pages()` of rows.

    Each loop reads anew. Reading is free.

    Args:
        fetch: Reads one page: its number, and rows on a page.
        statuses: Only tasks in these statuses, or None for all.
        created_after: Only tasks created at this time or later; aware.
        page_size: Rows on a page, 1 to 100.
        prefetch: Pages that are read ahead while the caller works: 0 or 1.

    Raises:
        InvalidRequestError: An option is out of bounds.
    """

    def __init__(
        self,
        fetch: Fetch,
        *,
        statuses: Collection[TaskStatus | str] | None = None,
        created_after: datetime | None = None,
        page_size: int = MAX_TASK_PAGE,
        prefetch: int = 1,
    ) -> None:
        if page_size not in range(1, MAX_TASK_PAGE + 1):
            raise InvalidRequestError(
                f"page_size must be 1 to {MAX_TASK_PAGE}, not {page_size!r}", field="page_size"
            )
        if prefetch not in {0, 1}:
            raise InvalidRequestError(
                f"prefetch must be 0 or 1, not {prefetch!r}", field="prefetch"
            )
        if created_after is not None and created_after.tzinfo is None:
            raise InvalidRequestError(
                "created_after has no time zone; pass datetime.now(UTC) or the like",
                field="created_after",
            )
        if isinstance(statuses, str):
            statuses = {statuses}
        self._fetch = fetch
        self._statuses = None if statuses is None else frozenset(map(TaskStatus, statuses))
        self._created_after = created_after
        self._page_size = page_size
        self._prefetch = prefetch

    async def __aiter__(self) -> AsyncGenerator[TaskSummary, None]:
        """Give each task that existed throughout exactly once, newest first."""
        async with contextlib.aclosing(self.pages()) as pages:
            async for rows in pages:
                for row in rows:
                    yield row

    def pages(self) -> AsyncGenerator[list[TaskSummary], None]:
        """Give the same rows page by page; a page whose rows are all left out is not given."""
        compensation = Compensation(self._page_size)

        def take(page: TaskPage) -> tuple[list[TaskSummary], int | None]:
            rows = compensation.feed(page.tasks, page.total_count, page.limit)
            if not compensation.gap and self._reached_the_end(page):
                compensation.page = None
            return [row for row in rows if self._is_wanted(row)], compensation.page

        return read_pages(
            lambda page: self._fetch(page, self._page_size), take, prefetch=self._prefetch
        )

    def _is_wanted(self, row: TaskSummary) -> bool:
        if self._statuses is not None and row.status not in self._statuses:
            return False
        return self._created_after is None or (
            row.created_at is not None and row.created_at >= self._created_after
        )

    def _reached_the_end(self, page: TaskPage) -> bool:
        """Whether all further rows are older than the caller asked for."""
        if self._created_after is None or not page.tasks:
            return False
        oldest = page.tasks[-1].created_at
        return oldest is not None and oldest < self._created_after

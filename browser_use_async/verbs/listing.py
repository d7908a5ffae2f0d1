"""The verbs that read whole lists."""

from collections.abc import Collection
from datetime import datetime
from typing import TYPE_CHECKING

from browser_use_async.types import TaskPage, TaskStatus
from browser_use_async.verbs.sections import Sections

if TYPE_CHECKING:
    from browser_use_async.paging import ListIterator, PageIterator
    from browser_use_async.types import BrowserProfile, ScheduledTask

__all__ = ["ListVerbs"]


class ListVerbs(Sections):
    """Part of `BrowserUseSession`."""

    def iterate_all_tasks(
        self,
        *,
        statuses: Collection[TaskStatus | str] | None = None,
        created_after: datetime | None = None,
        page_size: int = 100,
        prefetch: int = 1,
        resume: str | None = None,
    ) -> "PageIterator":
        """Give every task of the account, newest first: `async for` rows, or `.pages()`. Free.

        Each task that exists throughout is given exactly once, though others come and go.
        The iterator's `resume_token` is a text with which another process goes on just as
        exactly. API page: List Tasks.

        Args:
            statuses: Only tasks in these statuses, or None for all.
            created_after: Only tasks created at this time or later; aware.
            page_size: Rows on a page, 1 to 100.
            prefetch: Pages that are read ahead while you work: 0 to 8. More than one are read at
                the same time, until a task disappears: then one by one again.
            resume: A `resume_token`, or None to begin at the top. It brings its filters and its
                page size along.

        Raises:
            InvalidRequestError: An option is out of bounds, or the token belongs elsewhere.
        """
        # Here and below: whoever reads no lists does not pay for loading what reads them.
        from browser_use_async.paging import PageIterator  # noqa: PLC0415

        async def fetch(page: int, limit: int) -> TaskPage:
            return await self.tasks.list(page=page, limit=limit)

        return PageIterator(
            fetch,
            statuses=statuses,
            created_after=created_after,
            page_size=page_size,
            prefetch=prefetch,
            resume=resume,
        )

    def iterate_all_scheduled_tasks(
        self, *, page_size: int = 100, prefetch: int = 1, resume: str | None = None
    ) -> "ListIterator[ScheduledTask]":
        """Give every schedule of the account: `async for` rows, or `.pages()`. Free.

        Each one that exists throughout is given exactly once, though others come and go, in the
        order of the service, which does not specify it. API page: List Scheduled Tasks.

        Args:
            page_size: Rows on a page, 1 or more.
            prefetch: Pages that are read ahead while you work: 0 or 1.
            resume: A `resume_token` of such an iterator, or None to begin at the top. It brings
                its page size along, and holds a digest of each id that was given.

        Raises:
            InvalidRequestError: An option is out of bounds, or the token belongs elsewhere.
        """
        from browser_use_async.paging import ListIterator, Rows  # noqa: PLC0415

        async def fetch(page: int, limit: int) -> "Rows[ScheduledTask]":
            found = await self.scheduled_tasks.list(page=page, limit=limit)
            return Rows(found.tasks, found.total_count)

        return ListIterator(
            fetch,
            lambda row: row.id,
            kind="schedules",
            page_size=page_size,
            prefetch=prefetch,
            resume=resume,
        )

    def iterate_all_browser_profiles(
        self, *, page_size: int = 100, prefetch: int = 1, resume: str | None = None
    ) -> "ListIterator[BrowserProfile]":
        """Give every browser profile of the account: `async for` rows, or `.pages()`. Free.

        As exact as `iterate_all_scheduled_tasks`. API page: List Browser Profiles.

        Args:
            page_size: Rows on a page, 1 or more.
            prefetch: Pages that are read ahead while you work: 0 or 1.
            resume: A `resume_token` of such an iterator, as for `iterate_all_scheduled_tasks`.

        Raises:
            InvalidRequestError: An option is out of bounds, or the token belongs elsewhere.
        """
        from browser_use_async.paging import ListIterator, Rows  # noqa: PLC0415

        async def fetch(page: int, limit: int) -> "Rows[BrowserProfile]":
            found = await self.browser_profiles.list(page=page, limit=limit)
            return Rows(found.profiles, found.total_count)

        return ListIterator(
            fetch,
            lambda row: row.profile_id,
            kind="profiles",
            page_size=page_size,
            prefetch=prefetch,
            resume=resume,
        )

"""The API section Scheduled Tasks, call by call."""

from typing import TYPE_CHECKING, Any, Unpack, overload

from browser_use_async.api import endpoint_table as table
from browser_use_async.api.requests import build_request, merged_request
from browser_use_async.api.section import Section, takes_fields
from browser_use_async.types import (
    Created,
    CreateScheduledTaskFields,
    CreateScheduledTaskRequest,
    PageQuery,
    ScheduledTask,
    ScheduledTaskPage,
    TaskId,
    UpdateScheduledTaskFields,
    UpdateScheduledTaskRequest,
)

if TYPE_CHECKING:
    from browser_use_async.paging import ListIterator


class ScheduledTaskEndpoints(Section):
    """`session.scheduled_tasks`: one method is one HTTP call, except `iterate`.

    Every method raises `BrowserUseError`, like those of `session.tasks`.
    """

    async def list(self, *, page: int = 1, limit: int = 10) -> ScheduledTaskPage:
        """Return one page of the schedules. Free. API page: List Scheduled Tasks.

        `iterate` reads all pages.

        Args:
            page: Which page, counted from 1.
            limit: Rows on a page, 1 or more.

        Raises:
            InvalidRequestError: An argument is out of bounds; nothing was sent.
        """
        query = build_request(PageQuery, {"page": page, "limit": limit})
        rows: ScheduledTaskPage = await self._call(table.LIST_SCHEDULED_TASKS, query)
        return rows

    def iterate(self, *, page_size: int = 100, prefetch: int = 1) -> "ListIterator[ScheduledTask]":
        """Iterate over all schedules of the account: `async for` rows, or `.pages()`. Free.

        Each schedule that exists the whole time is yielded exactly once, even if others are created
        or deleted. The order is that of the service, which does not specify it. API page: List
        Scheduled Tasks.

        Args:
            page_size: Rows on a page, 1 or more.
            prefetch: How many pages are read ahead: 0 or 1.

        Raises:
            InvalidRequestError: An option is out of bounds.
        """
        from browser_use_async.paging import ListIterator  # noqa: PLC0415

        return ListIterator(
            self.list,
            lambda page: page.tasks,
            lambda row: row.id,
            kind="schedules",
            page_size=page_size,
            prefetch=prefetch,
        )

    @overload
    async def create(self, task: CreateScheduledTaskRequest) -> Created: ...

    @overload
    async def create(self, task: str, **fields: Unpack[CreateScheduledTaskFields]) -> Created: ...

    @takes_fields(CreateScheduledTaskFields)
    async def create(self, task: str | CreateScheduledTaskRequest, **fields: Any) -> Created:
        """Create a schedule. Its runs cost money, and it needs an active subscription.

        It is sent again only if it was certainly not sent, or on 429. API page: Create Scheduled
        Task.

        Args:
            task: What the agent should do at each run, or a whole request.
            fields: The fields of `CreateScheduledTaskRequest`. Fields that are not given are not
                sent.

        Returns:
            The new schedule's id.

        Raises:
            InvalidRequestError: A field or a combination was refused; nothing was sent.
            APIConnectionError: `.sent` says whether the schedule may exist.
        """
        request = merged_request(CreateScheduledTaskRequest, "task", task, fields)
        created: Created = await self._call(table.CREATE_SCHEDULED_TASK, None, request)
        return created

    async def get(self, task_id: str) -> ScheduledTask:
        """Return one schedule. Free. API page: Get Scheduled Task."""
        schedule: ScheduledTask = await self._call(table.GET_SCHEDULED_TASK, TaskId(task_id))
        return schedule

    @takes_fields(UpdateScheduledTaskFields)
    async def update(
        self,
        task_id: str,
        request: UpdateScheduledTaskRequest | None = None,
        **fields: Unpack[UpdateScheduledTaskFields],
    ) -> ScheduledTask:
        """Change the given fields of a schedule. API page: Update Scheduled Task.

        Args:
            task_id: The schedule's id.
            request: A whole request, whose fields the keyword fields override.
            fields: The fields of `UpdateScheduledTaskRequest`.

        Returns:
            The changed schedule.

        Raises:
            InvalidRequestError: A field or a combination was refused; nothing was sent.
        """
        base = UpdateScheduledTaskRequest() if request is None else request
        changes = merged_request(UpdateScheduledTaskRequest, "request", base, fields)
        schedule: ScheduledTask = await self._call(
            table.UPDATE_SCHEDULED_TASK, TaskId(task_id), changes
        )
        return schedule

    async def delete(self, task_id: str) -> None:
        """Delete a schedule for good; runs under way end by themselves. Free.

        API page: Delete Scheduled Task.
        """
        await self._call(table.DELETE_SCHEDULED_TASK, TaskId(task_id))

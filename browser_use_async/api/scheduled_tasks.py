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
    """`session.scheduled_tasks`: one method is one HTTP call, but for `iterate`.

    Every method raises `BrowserUseError`, as those of `session.tasks` do.
    """

    async def list(self, *, page: int = 1, limit: int = 10) -> ScheduledTaskPage:
        """One page of the schedules. Free. API page: List Scheduled Tasks.

        `iterate` walks all pages.

        Args:
            page: Which page, counted from 1.
            limit: Rows on a page, 1 or more.

        Raises:
            InvalidRequestError: A bound was missed; nothing was sent.
        """
        query = build_request(PageQuery, {"page": page, "limit": limit})
        rows: ScheduledTaskPage = await self._call(table.LIST_SCHEDULED_TASKS, query)
        return rows

    def iterate(self, *, page_size: int = 100, prefetch: int = 1) -> "ListIterator[ScheduledTask]":
        """Give every schedule of the account: `async for` rows, or `.pages()`. Free.

        Each one that exists throughout is given exactly once, though others come and go, in the
        order of the service, which does not specify it. API page: List Scheduled Tasks.

        Args:
            page_size: Rows on a page, 1 or more.
            prefetch: Pages that are read ahead while you work: 0 or 1.

        Raises:
            InvalidRequestError: An option is out of bounds.
        """
        from browser_use_async.paging import ListIterator, Rows  # noqa: PLC0415

        async def fetch(page: int, limit: int) -> "Rows[ScheduledTask]":
            found = await self.list(page=page, limit=limit)
            return Rows(found.tasks, found.total_count)

        return ListIterator(
            fetch, lambda row: row.id, kind="schedules", page_size=page_size, prefetch=prefetch
        )

    @overload
    async def create(self, task: CreateScheduledTaskRequest) -> Created: ...

    @overload
    async def create(self, task: str, **fields: Unpack[CreateScheduledTaskFields]) -> Created: ...

    @takes_fields(CreateScheduledTaskFields)
    async def create(self, task: str | CreateScheduledTaskRequest, **fields: Any) -> Created:
        """Create a schedule. Its runs cost money, and it needs an active subscription.

        Sent again only if it provably was not sent, or on 429. API page: Create Scheduled Task.

        Args:
            task: What the agent should do at each run, or a whole request.
            fields: The fields of `CreateScheduledTaskRequest`. What is not given is not sent.

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
        """One schedule. Free. API page: Get Scheduled Task."""
        schedule: ScheduledTask = await self._call(table.GET_SCHEDULED_TASK, TaskId(task_id))
        return schedule

    @takes_fields(UpdateScheduledTaskFields)
    async def update(
        self,
        task_id: str,
        request: UpdateScheduledTaskRequest | None = None,
        **fields: Unpack[UpdateScheduledTaskFields],
    ) -> ScheduledTask:
        """Change a schedule: exactly the fields given. API page: Update Scheduled Task.

        Args:
            task_id: The schedule's id.
            request: A whole request, whose fields the keyword fields override.
            fields: The fields of `UpdateScheduledTaskRequest`.

        Returns:
            The schedule as it is now.

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

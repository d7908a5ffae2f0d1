"""The API section Tasks, call by call."""

from functools import partial
from typing import Never, Unpack

from browser_use_async import types
from browser_use_async.api import endpoint_table as table
from browser_use_async.api.limits import MAX_TASK_PAGE
from browser_use_async.api.requests import build_request, merged_request
from browser_use_async.api.section import Section, takes_fields
from browser_use_async.errors import InvalidRequestError


class ReadOnlyTasks(Section):
    """The reading calls of tasks, of the key's owner or by `session.tasks.of_owner` of another.

    Every method raises `BrowserUseError`, as those of `session.tasks` do.
    """

    async def get(self, task_id: str) -> types.Task:
        """Return everything about a task: steps, output, files. Free. API page: Get Task."""
        task: types.Task = await self._call(table.GET_TASK, types.TaskId(task_id))
        return task

    async def get_status(self, task_id: str) -> types.TaskStatus:
        """Return only the status of a task; the cheapest call. Free. API page: Get Task Status."""
        status: types.TaskStatus = await self._call(table.GET_TASK_STATUS, types.TaskId(task_id))
        return status

    async def list(self, *, page: int = 1, limit: int = 10, **filters: Never) -> types.TaskPage:
        """Return one page of the task list, newest first. Free. API page: List Tasks.

        `session.iterate_all_tasks` reads all pages, exactly even while tasks are created, and
        filters them.

        Args:
            page: Which page, counted from 1.
            limit: Rows on a page, 1 to 100.
            filters: None: the API filters nothing.

        Raises:
            InvalidRequestError: An argument is out of bounds; nothing was sent.
            TypeError: There is another argument, such as a filter; nothing was sent.
        """
        if filters:
            name = next(iter(filters))
            raise TypeError(
                f"tasks.list has no argument {name!r}: it reads one page, by page and limit; "
                "session.iterate_all_tasks(statuses=..., created_after=...) filters all pages. "
                "Nothing was sent"
            )
        query = build_request(types.PageQuery, {"page": page, "limit": limit})
        if limit > MAX_TASK_PAGE:
            raise InvalidRequestError(
                f"limit: a page of tasks has at most {MAX_TASK_PAGE} rows; nothing was sent",
                field="limit",
            )
        rows: types.TaskPage = await self._call(table.LIST_TASKS, query)
        return rows

    async def get_media(self, task_id: str) -> "types.TaskMedia":
        """Return signed URLs of the recordings of a completed task. Free. API page: Get Task Media.

        Args:
            task_id: The task. Recordings are kept for 30 days.
        """
        media: types.TaskMedia = await self._call(table.GET_TASK_MEDIA, types.TaskId(task_id))
        return media

    async def get_screenshots(self, task_id: str) -> "types.TaskScreenshots":
        """Return signed URLs of the screenshots so far. Free. API page: Get Task Screenshots.

        Args:
            task_id: The task. Screenshots are kept for 30 days.
        """
        screenshots: types.TaskScreenshots = await self._call(
            table.GET_TASK_SCREENSHOTS, types.TaskId(task_id)
        )
        return screenshots

    async def get_output_file(self, task_id: str, file_name: str) -> "types.OutputFile":
        """Return a signed URL of one output file. Free. API page: Get Task Output File.

        Args:
            task_id: The id of the task.
            file_name: One of `Task.output_files`.
        """
        file: types.OutputFile = await self._call(
            table.GET_TASK_OUTPUT_FILE, types.TaskFile(task_id, file_name)
        )
        return file


class TaskEndpoints(ReadOnlyTasks):
    """`session.tasks`: one method is one HTTP call; `session.iterate_all_tasks` reads all pages.

    Every method raises `BrowserUseError`: `APIConnectionError` without an answer,
    `APIStatusError` for an error status, `ResponseDecodeError` for an answer that does not fit
    the API.
    """

    @takes_fields(types.RunTaskFields)
    async def run(
        self, task: str | types.RunTaskRequest, **fields: Unpack[types.RunTaskFields]
    ) -> types.Created:
        """Create a task in one call, which is never sent again on a guess.

        Costs money, and needs an active subscription on the hosted service. `session.submit` and
        `session.run_and_wait` also create tasks, and find the task if the answer is lost. API page:
        Run Task.

        Args:
            task: What the agent should do, or a whole request.
            fields: The optional fields of `RunTaskRequest`. Fields that are not given are not sent.

        Returns:
            The new task's id.

        Raises:
            InvalidRequestError: A field was refused; nothing was sent.
            APIConnectionError: `.sent` says whether the task may exist.
        """
        request = merged_request(types.RunTaskRequest, "task", task, fields)
        created: types.Created = await self._call(table.RUN_TASK, None, request)
        return created

    async def stop(self, task_id: str) -> None:
        """Stop a task for good. Free. API page: Stop Task.

        A task that has already ended is no error, whatever its status is.

        Args:
            task_id: The task. It cannot be resumed afterwards.
        """
        await self._call(table.STOP_TASK, types.TaskId(task_id))

    async def pause(self, task_id: str) -> None:
        """Pause a running task; `resume` continues it. Free. API page: Pause Task."""
        await self._call(table.PAUSE_TASK, types.TaskId(task_id))

    async def resume(self, task_id: str) -> None:
        """Continue a paused task. API page: Resume Task.

        Args:
            task_id: The task. A stopped one cannot be resumed.
        """
        await self._call(table.RESUME_TASK, types.TaskId(task_id))

    def of_owner(self, owner: str) -> ReadOnlyTasks:
        """The reading calls for the tasks of another owner of a self-hosted server. Makes no call.

        The key needs the scope `admin`. Answers name the owner in `extra["owner"]`, and have no
        `live_url` and no cookies.

        Args:
            owner: The name of the owner's keys, or `all`.
        """
        return ReadOnlyTasks(partial(self._call, owner=owner))

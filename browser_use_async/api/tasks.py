"""The API section Tasks, call by call."""

import asyncio
import inspect
import sys
from collections.abc import Awaitable, Callable
from functools import reduce, wraps
from operator import or_
from typing import Any, TypeVar, Unpack, cast, get_args

import attrs

from browser_use_async import types
from browser_use_async.api import endpoint_table as table
from browser_use_async.api.limits import MAX_TASK_PAGE
from browser_use_async.api.requests import (
    CALLER,
    Caller,
    are_unconfined,
    build_request,
    merged_request,
)
from browser_use_async.errors import InvalidRequestError
from browser_use_async.transport.client import Call
from browser_use_async.types import (
    UNSET,
    Created,
    PageQuery,
    RunTaskFields,
    RunTaskRequest,
    Task,
    TaskId,
    TaskPage,
    TaskSettings,
    TaskStatus,
    Unset,
)

MethodT = TypeVar("MethodT", bound=Callable[..., Any])


def takes_fields(
    model: type[Any], explained_in: type[Any] | None = None
) -> Callable[[MethodT], MethodT]:
    """Let a method with `**fields` name them: in its signature, in help(), and to completion.

    Jupyter completes the keywords of a signature; it cannot see those of `Unpack`. A coroutine
    function becomes one that warns of unconfined secrets where it is called: run in a task of its
    own it would not find that line any more.
    """

    def decorate(method: MethodT) -> MethodT:
        is_paid = inspect.iscoroutinefunction(method) and issubclass(model, TaskSettings)
        named = _calling(method) if is_paid else method
        function = cast("Any", named)
        own = inspect.signature(method)
        fields = [each for each in attrs.fields(model) if each.name not in own.parameters]
        function.__signature__ = _with_fields(own, fields)
        if method.__doc__ is not None:  # python -OO drops it
            texts = _explanations(explained_in or model) | _explanations(model)
            lines = "\n".join(f"            {each.name}: {texts[each.name]}" for each in fields)
            function.__doc__ = f"{method.__doc__.rstrip()}\n\n        Fields:\n{lines}\n        "
        return cast("MethodT", named)

    return decorate


def _calling(method: Any) -> Callable[..., Any]:
    @wraps(method)
    def call(self: Any, *arguments: Any, **fields: Any) -> Any:
        running = method(self, *arguments, **fields)
        # An outer coroutine for those alone: it lives as long as the wait.
        if are_unconfined(arguments[0] if arguments else fields.get("task"), fields):
            return _with_caller(running, Caller.of(sys._getframe(1)))  # noqa: SLF001 - this line
        return running

    mark = getattr(inspect, "markcoroutinefunction", None)
    if mark is None:  # before Python 3.12
        call._is_coroutine = asyncio.coroutines._is_coroutine  # type: ignore[attr-defined]  # noqa: SLF001
    else:
        mark(call)
    return call


async def _with_caller(running: Awaitable[Any], caller: Caller) -> Any:
    token = CALLER.set(caller)
    try:
        return await running
    finally:
        CALLER.reset(token)


def _with_fields(
    signature: inspect.Signature, fields: "list[attrs.Attribute[Any]]"
) -> inspect.Signature:
    own = [each for each in signature.parameters.values() if each.kind is not each.VAR_KEYWORD]
    named = [
        inspect.Parameter(
            each.name,
            inspect.Parameter.KEYWORD_ONLY,
            default=inspect.Parameter.empty if each.default is attrs.NOTHING else UNSET,
            annotation=_without_unset(each.type),
        )
        for each in fields
    ]
    return signature.replace(parameters=[*own, *named])


def _without_unset(annotation: Any) -> Any:
    kinds = [each for each in get_args(annotation) if each is not Unset]
    return reduce(or_, kinds) if kinds else annotation


def _explanations(model: type[Any]) -> dict[str, str]:
    """What the docstrings of a request say about its fields, each on one line."""
    texts: dict[str, str] = {}
    for kind in model.__mro__:
        _, _, attributes = (kind.__doc__ or "").partition("Attributes:\n")
        name = ""
        for line in inspect.cleandoc("\n" + attributes).splitlines():
            if line[:1].isspace():
                texts[name] += f" {line.strip()}"
            elif line:
                name, _, text = line.partition(": ")
                texts[name] = text
    return texts


def run_task_request(task: str | RunTaskRequest, fields: RunTaskFields) -> RunTaskRequest:
    """The request of run-task from either way of writing it.

    Args:
        task: The instructions, or a whole request whose fields `fields` then override.
        fields: Keyword fields; emptied.

    Raises:
        InvalidRequestError: A field is unknown, of the wrong type or out of bounds.
    """
    return merged_request(RunTaskRequest, "task", task, fields)


class TaskEndpoints:
    """`session.tasks`: one method is one HTTP call.

    Every method raises `BrowserUseError`: `APIConnectionError` without an answer,
    `APIStatusError` for an error status, `ResponseDecodeError` for an answer that the API does
    not promise.
    """

    def __init__(self, call: Call) -> None:
        self._call = call

    @takes_fields(RunTaskRequest)
    async def run(self, task: str | RunTaskRequest, **fields: Unpack[RunTaskFields]) -> Created:
        """Create a task, in one plain call that is never sent again on a guess.

        Costs money, and needs an active subscription on the hosted service.
        `session.submit` and `session.run_and_wait` create tasks too, and find the task when the
        answer is lost. API page: Run Task.

        Args:
            task: What the agent should do, or a whole request.
            fields: The optional fields of `RunTaskRequest`. What is not given is not sent.

        Returns:
            The new task's id.

        Raises:
            InvalidRequestError: A field was refused; nothing was sent.
            APIConnectionError: `.sent` says whether the task may exist.
        """
        request = run_task_request(task, fields)
        created: Created = await self._call(table.RUN_TASK, None, request)
        return created

    async def stop(self, task_id: str) -> None:
        """Stop a task for good. Free. API page: Stop Task.

        A task that has ended already, in whichever way, is no error: its status tells how.

        Args:
            task_id: The task. It cannot be resumed afterwards.
        """
        await self._call(table.STOP_TASK, TaskId(task_id))

    async def pause(self, task_id: str) -> None:
        """Pause a running task; `resume` continues it. Free. API page: Pause Task."""
        await self._call(table.PAUSE_TASK, TaskId(task_id))

    async def resume(self, task_id: str) -> None:
        """Continue a paused task. API page: Resume Task.

        Args:
            task_id: The task. A stopped one cannot be resumed.
        """
        await self._call(table.RESUME_TASK, TaskId(task_id))

    async def get(self, task_id: str) -> Task:
        """Everything about a task: steps, output, files. Free. API page: Get Task."""
        task: Task = await self._call(table.GET_TASK, TaskId(task_id))
        return task

    async def get_status(self, task_id: str) -> TaskStatus:
        """Only where a task stands; the lightest call. Free. API page: Get Task Status."""
        status: TaskStatus = await self._call(table.GET_TASK_STATUS, TaskId(task_id))
        return status

    async def list(self, *, page: int = 1, limit: int = 10) -> TaskPage:
        """One page of the task list, newest first. Free. API page: List Tasks.

        `session.iterate_all_tasks` walks all pages and stays exact while tasks come.

        Args:
            page: Which page, counted from 1.
            limit: Rows on a page, 1 to 100.

        Raises:
            InvalidRequestError: A bound was missed; nothing was sent.
        """
        query = build_request(PageQuery, {"page": page, "limit": limit})
        if limit > MAX_TASK_PAGE:
            raise InvalidRequestError(
                f"limit: a page of tasks has at most {MAX_TASK_PAGE} rows; nothing was sent",
                field="limit",
            )
        rows: TaskPage = await self._call(table.LIST_TASKS, query)
        return rows

    async def get_media(self, task_id: str) -> "types.TaskMedia":
        """Signed URLs of the recordings of a completed task. Free. API page: Get Task Media.

        Args:
            task_id: The task. Recordings are kept for 30 days.
        """
        media: types.TaskMedia = await self._call(table.GET_TASK_MEDIA, TaskId(task_id))
        return media

    async def get_screenshots(self, task_id: str) -> "types.TaskScreenshots":
        """Signed URLs of the screenshots so far. Free. API page: Get Task Screenshots.

        Args:
            task_id: The task. Screenshots are kept for 30 days.
        """
        screenshots: types.TaskScreenshots = await self._call(
            table.GET_TASK_SCREENSHOTS, TaskId(task_id)
        )
        return screenshots

    async def get_output_file(self, task_id: str, file_name: str) -> "types.OutputFile":
        """A signed URL of one output file. Free. API page: Get Task Output File.

        Args:
            task_id: The task.
            file_name: One of `Task.output_files`.
        """
        file: types.OutputFile = await self._call(
            table.GET_TASK_OUTPUT_FILE, types.TaskFile(task_id, file_name)
        )
        return file

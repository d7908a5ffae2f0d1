"""The API section Tasks."""

from collections.abc import Callable
from typing import Any

import attrs

from browser_use_async.api.converter import unstructure
from browser_use_async.api.endpoint_table import (
    GET_TASK,
    GET_TASK_MEDIA,
    GET_TASK_OUTPUT_FILE,
    GET_TASK_SCREENSHOTS,
    GET_TASK_STATUS,
    LIST_TASKS,
    PAUSE_TASK,
    RESUME_TASK,
    RUN_TASK,
    STOP_TASK,
)
from browser_use_async.api.limits import MAX_TASK_PAGE
from browser_use_async.server.backend import Backend, operation
from browser_use_async.server.jobs.launch import start_task
from browser_use_async.server.responses import RefusalError
from browser_use_async.server.signed_links import Links
from browser_use_async.server.storage import TaskRecord, TransitionRefusedError
from browser_use_async.server.storage.records import session_id_of
from browser_use_async.server.task_states import TaskEvent
from browser_use_async.types import (
    BrowserData,
    Created,
    LlmModel,
    OutputFile,
    PageQuery,
    RunTaskRequest,
    Task,
    TaskFile,
    TaskId,
    TaskMedia,
    TaskPage,
    TaskScreenshots,
    TaskStatus,
    TaskSummary,
)

MAX_PAGE_CHARACTERS = 2 * 1024 * 1024
"""The most characters of outputs on one page of the list: with their escapes in JSON, and all else,
less than the 32 MB that clients of this package take."""
_CUT = " [the rest of this output is in the task itself]"


def task_summary(record: TaskRecord, links: Links) -> TaskSummary:
    """A row of the task list."""
    return TaskSummary(
        id=record.id,
        task=record.task,
        status=record.status,
        created_at=record.created_at,
        output=record.output,
        finished_at=record.finished_at,
        live_url=links.live_url(record),
        metadata=record.metadata,
    )


def task_view(record: TaskRecord, links: Links) -> dict[str, Any]:
    """The whole task as JSON."""
    cookies = [dict(cookie) for cookie in record.cookies]
    view: dict[str, Any] = unstructure(
        Task(
            id=record.id,
            task=record.task,
            status=record.status,
            created_at=record.created_at,
            output=record.output,
            steps=record.steps,
            live_url=links.live_url(record),
            finished_at=record.finished_at,
            browser_data=BrowserData(cookies) if record.save_browser_data else None,
            output_files=record.output_files,
            public_share_url=links.share_url(record),
            metadata=record.metadata,
        )
    )
    # Null if nothing was uploaded, which the type of the SDK does not have.
    view["user_uploaded_files"] = record.included_file_names
    return view


@operation(RUN_TASK)
def run_task(backend: Backend, request: RunTaskRequest) -> Created:
    """Create a task and start it at once."""
    backend.account.require_subscription("Running tasks")
    return Created(start_task(backend, request, LlmModel.GPT_4_1).id)


@operation(STOP_TASK)
def stop_task(backend: Backend, query: TaskId) -> None:
    """Stop a task for good; one that has ended by itself stays as it is."""
    record = find_task(backend, query.task_id)
    # As the service answers: only a task that was stopped before is refused.
    if record.status not in {TaskStatus.FINISHED, TaskStatus.FAILED}:
        _change_status(backend.runner.stop, record)


@operation(PAUSE_TASK)
def pause_task(backend: Backend, query: TaskId) -> None:
    """Pause a running task."""
    _change_status(backend.runner.pause, find_task(backend, query.task_id))


@operation(RESUME_TASK)
def resume_task(backend: Backend, query: TaskId) -> None:
    """Continue a paused task."""
    _change_status(backend.runner.resume, find_task(backend, query.task_id))


@operation(GET_TASK)
def get_task(backend: Backend, path: TaskId) -> dict[str, Any]:
    """Everything about a task."""
    return task_view(find_task(backend, path.task_id), backend.links)


@operation(GET_TASK_STATUS)
def get_task_status(backend: Backend, path: TaskId) -> TaskStatus:
    """The status of a task."""
    return find_task(backend, path.task_id).status


@operation(LIST_TASKS)
def list_tasks(backend: Backend, query: PageQuery) -> TaskPage:
    """One page of the tasks, newest first. A list without rows has no pages."""
    # A larger limit is cut silently.
    limit = min(query.limit, MAX_TASK_PAGE)
    count = backend.store.listed_count
    records = backend.store.task_page(query.page, limit)
    return TaskPage(
        tasks=_within_page([task_summary(record, backend.links) for record in records]),
        total_pages=-(-count // limit),
        page=query.page,
        limit=limit,
        total_count=count,
    )


def _within_page(rows: list[TaskSummary]) -> list[TaskSummary]:
    """The same rows, with long outputs cut where all of them together make too large an answer.

    Every row stays, because clients count them. What else is in one is bounded at its creation.
    """
    if sum(len(row.output or "") for row in rows) <= MAX_PAGE_CHARACTERS:
        return rows
    longest = MAX_PAGE_CHARACTERS // len(rows)
    return [
        attrs.evolve(row, output=row.output[:longest] + _CUT)
        if row.output is not None and len(row.output) > longest
        else row
        for row in rows
    ]


@operation(GET_TASK_MEDIA)
def get_task_media(backend: Backend, path: TaskId) -> TaskMedia:
    """Links to the recordings of a task that has ended; most executors make none."""
    record = find_task(backend, path.task_id)
    return TaskMedia([backend.links.file_url(record.id, name) for name in record.recordings])


@operation(GET_TASK_SCREENSHOTS)
def get_task_screenshots(backend: Backend, path: TaskId) -> TaskScreenshots:
    """Links to the screenshots so far: one for each step, or none if they are switched off."""
    record = find_task(backend, path.task_id)
    return TaskScreenshots([backend.links.file_url(record.id, name) for name in record.screenshots])


@operation(GET_TASK_OUTPUT_FILE)
def get_task_output_file(backend: Backend, path: TaskFile) -> OutputFile:
    """A link to a file that the task made."""
    record = find_task(backend, path.task_id)
    if path.file_name not in record.output_files:
        raise RefusalError(404, "File not found")
    return OutputFile(backend.links.file_url(record.id, path.file_name))


def find_task(backend: Backend, task_id: str) -> TaskRecord:
    """Return the task with an id, its own or that of its session.

    Raises:
        RefusalError: 404, there is none.
    """
    record = backend.store.task(task_id)
    if record is None and (other := session_id_of(task_id)) is not None:
        record = backend.store.task(other)  # the id of its session, as webhooks tell it
    if record is None:
        raise RefusalError(404, "Task not found")
    return record


def _change_status(change: Callable[[TaskRecord], None], record: TaskRecord) -> None:
    try:
        change(record)
    except TransitionRefusedError as refused:
        raise RefusalError(400, _refusal_text(refused.event, refused.status)) from None


def _refusal_text(event: TaskEvent, status: TaskStatus) -> str:
    """Why a task refuses an event; the first form was observed on the hosted service."""
    if status.is_terminal or (event, status) == (TaskEvent.PAUSE, TaskStatus.PAUSED):
        return f"Agent session already {status}"
    if event is TaskEvent.RESUME:
        return f"Agent session is not paused but {status}"
    return f"Agent session is not running but {status}"

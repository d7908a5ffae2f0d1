"""The API section Tasks."""

import json
from typing import Any

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
from browser_use_async.api.scalars import format_timestamp
from browser_use_async.server.errors import NotFoundError
from browser_use_async.server.http.responses import Json
from browser_use_async.server.routes import operation
from browser_use_async.server.running_server import RunningServer
from browser_use_async.server.signed_links import Links
from browser_use_async.server.storage import TaskRecord, TransitionRefusedError
from browser_use_async.server.storage.database import Claim
from browser_use_async.server.storage.records import TaskRow, session_id_of
from browser_use_async.server.storage.rows import from_text
from browser_use_async.server.task_start import start_task
from browser_use_async.types import (
    Created,
    LlmModel,
    OutputFile,
    PageQuery,
    RunTaskRequest,
    TaskFile,
    TaskId,
    TaskMedia,
    TaskScreenshots,
    TaskStatus,
    TaskStep,
)

# The most characters of outputs on one page of the list: with their escapes in JSON, and all else,
# less than the 32 MB that clients of this package take.
MAX_PAGE_CHARACTERS = 2 * 1024 * 1024
# How a task ends that is not stopped.
_BY_ITSELF = frozenset({TaskStatus.FINISHED, TaskStatus.FAILED})
_CUT = " [the rest of this output is in the task itself]"


def task_summary(row: TaskRow, links: Links) -> dict[str, Any]:
    """A row of the task list as JSON. What is stored in the form of the answer is not converted."""
    return {
        "id": row.id,
        "task": from_text(row.task),
        "status": row.status,
        "created_at": row.created_at,
        "output": row.output and from_text(row.output),
        "finished_at": row.finished_at,
        "live_url": links.live_url(row),
        "metadata": {} if row.metadata == "{}" else json.loads(row.metadata),
    }


def task_view(record: TaskRecord, links: Links) -> Json:
    """The whole task as JSON."""
    cookies = [dict(cookie) for cookie in record.cookies]
    return Json(
        id=record.id,
        task=record.task,
        status=str(record.status),
        created_at=format_timestamp(record.created_at),
        output=record.output,
        steps=[step_view(step) for step in record.steps],
        live_url=links.live_url(record),
        finished_at=record.finished_at and format_timestamp(record.finished_at),
        browser_data={"cookies": cookies} if record.save_browser_data else None,
        # Null if nothing was uploaded.
        user_uploaded_files=record.included_file_names,
        output_files=record.output_files,
        public_share_url=links.share_url(record),
        metadata=record.metadata,
    )


def step_view(step: TaskStep) -> dict[str, Any]:
    """A step as JSON."""
    return {
        "id": step.id,
        "step": step.step,
        "evaluation_previous_goal": step.evaluation_previous_goal,
        "next_goal": step.next_goal,
        "url": step.url,
    }


@operation(RUN_TASK)
async def run_task(
    server: RunningServer, request: RunTaskRequest, claim: Claim | None = None
) -> Created:
    """Create a task and start it at once."""
    server.stores.account.require_subscription("Running tasks")
    server.require_turn()
    return Created((await start_task(server, request, LlmModel.GPT_4_1, claim)).id)


@operation(STOP_TASK)
async def stop_task(server: RunningServer, query: TaskId) -> None:
    """Stop a task for good; one that has ended by itself is not changed."""
    record = await find_task(server, query.task_id)
    # As the service answers: only a task that was stopped before is refused.
    if record.status in _BY_ITSELF:
        return
    try:
        await server.runner.stop(record)
    except TransitionRefusedError as refused:
        if refused.status not in _BY_ITSELF:  # where it has not ended since it was read
            raise


@operation(PAUSE_TASK)
async def pause_task(server: RunningServer, query: TaskId) -> None:
    """Pause a running task."""
    await server.runner.pause(await find_task(server, query.task_id))


@operation(RESUME_TASK)
async def resume_task(server: RunningServer, query: TaskId) -> None:
    """Continue a paused task."""
    await server.runner.resume(await find_task(server, query.task_id))


@operation(GET_TASK)
async def get_task(server: RunningServer, path: TaskId) -> Json:
    """Everything about a task."""
    return task_view(await find_task(server, path.task_id), server.links)


@operation(GET_TASK_STATUS)
async def get_task_status(server: RunningServer, path: TaskId) -> TaskStatus:
    """The status of a task."""
    status = await server.stores.tasks.status(path.task_id)
    return status or (await find_task(server, path.task_id)).status


@operation(LIST_TASKS)
async def list_tasks(server: RunningServer, query: PageQuery) -> Json:
    """One page of the tasks, newest first. A list without rows has no pages."""
    # A larger limit is cut silently.
    limit = min(query.limit, MAX_TASK_PAGE)
    count, rows = await server.stores.tasks.page(query.page, limit)
    return Json(
        tasks=_within_page([task_summary(row, server.links) for row in rows]),
        total_pages=-(-count // limit),
        page=query.page,
        limit=limit,
        total_count=count,
    )


def _within_page(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The same rows, with long outputs cut where all of them together make too large an answer.

    Every row stays, because clients count them. What else is in one is bounded at its creation.
    """
    if sum(len(row["output"] or "") for row in rows) > MAX_PAGE_CHARACTERS:
        longest = MAX_PAGE_CHARACTERS // len(rows)
        for row in rows:
            if row["output"] is not None and len(row["output"]) > longest:
                row["output"] = row["output"][:longest] + _CUT
    return rows


@operation(GET_TASK_MEDIA)
async def get_task_media(server: RunningServer, path: TaskId) -> TaskMedia:
    """Links to the recordings of a task that has ended; most executors make none."""
    record = await find_task(server, path.task_id)
    return TaskMedia([server.links.file_url(record.id, name) for name in record.recordings])


@operation(GET_TASK_SCREENSHOTS)
async def get_task_screenshots(server: RunningServer, path: TaskId) -> TaskScreenshots:
    """Links to the screenshots so far: one for each step, or none if they are switched off."""
    record = await find_task(server, path.task_id)
    return TaskScreenshots([server.links.file_url(record.id, name) for name in record.screenshots])


@operation(GET_TASK_OUTPUT_FILE)
async def get_task_output_file(server: RunningServer, path: TaskFile) -> OutputFile:
    """A link to a file that the task made."""
    record = await find_task(server, path.task_id)
    if path.file_name not in record.output_files:
        raise NotFoundError("File not found")
    return OutputFile(server.links.file_url(record.id, path.file_name))


async def find_task(server: RunningServer, task_id: str) -> TaskRecord:
    """Return the task with an id, its own or that of its session.

    Raises:
        NotFoundError: There is none.
    """
    record = await server.stores.tasks.get(task_id)
    if record is None and (other := session_id_of(task_id)) is not None:
        record = await server.stores.tasks.get(other)  # the id of its session, as webhooks tell it
    if record is None:
        raise NotFoundError("Task not found")
    return record

"""The API section Tasks."""

import asyncio
from collections.abc import Iterable, Iterator
from typing import Any

from browser_use_async import types
from browser_use_async.api import endpoint_table as table
from browser_use_async.api.limits import MAX_TASK_PAGE
from browser_use_async.api.scalars import format_timestamp
from browser_use_async.server.errors import NotFoundError
from browser_use_async.server.http.responses import Json, json_bytes, json_text, quoted
from browser_use_async.server.http.routes import operation
from browser_use_async.server.operations.task_start import shown_settings, start_task
from browser_use_async.server.pages.links import Links
from browser_use_async.server.records import DEFAULT_MODEL
from browser_use_async.server.running_server import RunningServer
from browser_use_async.server.storage import TaskRecord, TransitionRefusedError
from browser_use_async.server.storage.database import Claim, Row
from browser_use_async.server.storage.records import session_id_of
from browser_use_async.server.storage.rows import from_json, from_text

# The most characters of outputs on one page of the list: escaped as JSON, and with the other
# fields, less than the 32 MB that clients of this package accept.
MAX_PAGE_CHARACTERS = 2 * 1024 * 1024
# The ends of tasks that were not stopped.
_BY_ITSELF = frozenset({types.TaskStatus.FINISHED, types.TaskStatus.FAILED})
_CUT = " [the rest of this output is in the task itself]"


def _row_texts(rows: Iterable[Row], links: Links, share: int) -> Iterator[str]:
    """The rows of the task list as JSON, with so many characters of a longer output.

    Made from texts that are stored in the form of the answer, in one loop without objects between:
    a page has a hundred rows, and ids, moments and tokens have nothing that JSON escapes.
    """
    pages = links.live_url("")
    place = None if pages is None else quoted(pages)[:-1]
    for task_id, task, status, created_at, finished_at, stored, metadata, token, *owner in rows:
        output = "null"
        if stored is not None:
            text = from_text(stored[:share])
            output = quoted(f"{text}{_CUT}" if len(stored) > share else text)
        ended = "null" if finished_at is None else f'"{finished_at}"'
        live = "null" if place is None else f'{place}{token}"'
        own = json_text(from_json(metadata)) if "\\u" in metadata else metadata
        yield (
            f'{{"id":"{task_id}","task":{quoted(from_text(task))},"status":"{status}",'
            f'"created_at":"{created_at}","output":{output},"finished_at":{ended},'
            f'"live_url":{live},"metadata":{own}{_owner_text(*owner)}}}'
        )


def _owner_text(owner: str | None = None) -> str:
    return "" if owner is None else f',"owner":{quoted(owner)}'


def task_view(record: TaskRecord, links: Links) -> Json:
    """The whole task as JSON."""
    cookies = [dict(cookie) for cookie in record.cookies]
    settings = shown_settings(record.request, types.Place.TASK)
    return Json(
        id=record.id,
        task=settings.pop("task"),
        status=str(record.status),
        created_at=format_timestamp(record.created_at),
        output=record.output,
        steps=[step_view(step) for step in record.steps],
        live_url=links.live_url(record.live_token),
        finished_at=record.finished_at and format_timestamp(record.finished_at),
        browser_data={"cookies": cookies} if record.save_browser_data else None,
        # Null if nothing was uploaded.
        user_uploaded_files=record.included_file_names,
        output_files=record.output_files,
        public_share_url=links.share_url(record),
        **settings,
    )


def step_view(step: types.TaskStep) -> dict[str, Any]:
    """A step as JSON."""
    return {
        "id": step.id,
        "step": step.step,
        "evaluation_previous_goal": step.evaluation_previous_goal,
        "next_goal": step.next_goal,
        "url": step.url,
    }


@operation(table.RUN_TASK)
async def run_task(
    server: RunningServer, request: types.RunTaskRequest, claim: Claim | None = None
) -> types.Created:
    """Create a task and start it at once."""
    return types.Created((await start_task(server, request, DEFAULT_MODEL, claim)).id)


@operation(table.STOP_TASK)
async def stop_task(server: RunningServer, query: types.TaskId) -> None:
    """Stop a task for good; a task that has ended by itself is not changed."""
    record = await find_task(server, query.task_id)
    # As at the service, only a task that was already stopped is refused.
    if record.status in _BY_ITSELF:
        return
    try:
        await server.runner.stop(record)
    except TransitionRefusedError as refused:
        if refused.status not in _BY_ITSELF:  # unless it has ended since it was read
            raise


@operation(table.PAUSE_TASK)
async def pause_task(server: RunningServer, query: types.TaskId) -> None:
    """Pause a running task."""
    await server.runner.pause(await find_task(server, query.task_id))


@operation(table.RESUME_TASK)
async def resume_task(server: RunningServer, query: types.TaskId) -> None:
    """Continue a paused task."""
    await server.runner.resume(await find_task(server, query.task_id))


@operation(table.GET_TASK_STATUS, reads_any_owner=True)
async def get_task_status(server: RunningServer, path: types.TaskId) -> types.TaskStatus:
    """The status of a task."""
    status = await server.stores.tasks.status(path.task_id)
    return status or (await find_task(server, path.task_id)).status


@operation(table.GET_TASK, reads_any_owner=True)
async def get_task(server: RunningServer, path: types.TaskId) -> Json:
    """Everything about a task; the operator gets its owner, and not its cookies."""
    record = await find_task(server, path.task_id)
    view = task_view(record, server.links)
    if server.is_operators:
        # Cookies open accounts of the owner elsewhere: they are secrets.
        view.update(owner=record.owner, browser_data=None)
    return view


@operation(table.LIST_TASKS, reads_any_owner=True)
async def list_tasks(server: RunningServer, query: types.PageQuery) -> bytes:
    """One page of the tasks, newest first. A list without rows has no pages."""
    # A larger limit is lowered silently.
    limit = min(query.limit, MAX_TASK_PAGE)
    # Every row stays, because clients count them. Other fields are limited at their creation.
    share = MAX_PAGE_CHARACTERS // limit
    async with server.next_list:
        await asyncio.sleep(0)
    # One more character shows that there is a rest.
    count, rows = await server.stores.tasks.page(
        query.page, limit, share + 1, tells_owner=server.is_operators
    )
    texts = ",".join(_row_texts(rows, server.links, share))
    return json_bytes(
        f'{{"tasks":[{texts}],"total_pages":{-(-count // limit)},"page":{query.page},'
        f'"limit":{limit},"total_count":{count}}}'
    )


@operation(table.GET_TASK_MEDIA, reads_any_owner=True)
async def get_task_media(server: RunningServer, path: types.TaskId) -> types.TaskMedia:
    """Links to the recordings of a task that has ended; most executors make none."""
    record = await find_task(server, path.task_id)
    return types.TaskMedia([server.links.file_url(record.id, name) for name in record.recordings])


@operation(table.GET_TASK_SCREENSHOTS, reads_any_owner=True)
async def get_task_screenshots(server: RunningServer, path: types.TaskId) -> types.TaskScreenshots:
    """Links to the screenshots so far, one for each step; none if they are turned off."""
    record = await find_task(server, path.task_id)
    return types.TaskScreenshots(
        [server.links.file_url(record.id, name) for name in record.screenshots]
    )


@operation(table.GET_TASK_OUTPUT_FILE, reads_any_owner=True)
async def get_task_output_file(server: RunningServer, path: types.TaskFile) -> types.OutputFile:
    """A link to a file that the task made."""
    record = await find_task(server, path.task_id)
    if path.file_name not in record.output_files:
        raise NotFoundError("File not found")
    return types.OutputFile(server.links.file_url(record.id, path.file_name))


async def find_task(server: RunningServer, task_id: str) -> TaskRecord:
    """Return the task with an id, its own or that of its session.

    Raises:
        NotFoundError: There is none.
    """
    record = await server.stores.tasks.get(task_id)
    if record is None and (other := session_id_of(task_id)) is not None:
        record = await server.stores.tasks.get(other)  # the id of its session, which webhooks send
    if record is None:
        raise NotFoundError("Task not found")
    return record

"""What the server's own pages ask beside the API: of tasks, their files and public pages."""

import asyncio
import json
from collections.abc import Callable
from typing import Any

from aiohttp import web

from browser_use_async.api.scalars import parse_timestamp
from browser_use_async.server.backend import Backend
from browser_use_async.server.http.errors import HttpError
from browser_use_async.server.keys.authorization import Authorization, Call, CallHandler
from browser_use_async.server.operations.tasks import find_task
from browser_use_async.server.responses import json_response
from browser_use_async.server.schedule import ScheduleRecord, next_run
from browser_use_async.server.signed_links import Links
from browser_use_async.server.storage import TaskRecord
from browser_use_async.server.storage.progress import cents_of_step
from browser_use_async.server.storage.rows import to_moment
from browser_use_async.server.task_overview import (
    OverviewRow,
    Sought,
    TaskWithFiles,
    count_at_work,
    find_tasks,
    latest_with_files,
    step_moments,
)
from browser_use_async.types import TaskStatus
from browser_use_async.version import __version__

AddRoute = Callable[[str, str, str, CallHandler], None]

# The most tasks in one answer.
MAX_ROWS = 1000

_LONGEST_TEXT = 1000  # characters to seek
_MOST_POSITION = 2**62
_MOST_RUNS = 100  # schedules in one answer
_NEXT_RUNS = 3
_TASKS_WITH_FILES = 50  # in one answer
_PAGE_EXPIRED = "The pages of this task can be looked at no longer: it ended too long ago"
_PAGE_ELSEWHERE = (
    "The service that carried this task out has its public page, and it is taken back there"
)


def add_overview(
    application: web.Application, backend: Backend, authorization: Authorization
) -> None:
    """Add the routes, each for keys with the scope that it needs, of the owner's own things."""

    def add(method: str, path: str, name: str, handler: CallHandler) -> None:
        guarded = authorization.guard(name, handler)
        application.router.add_route(method, path, guarded, name=name)

    _add_key_and_runs(add, backend)
    _add_tasks(add, backend)
    _add_files(add, backend)
    _add_public_pages(add, backend)


def _add_key_and_runs(add: AddRoute, backend: Backend) -> None:
    async def show_key(_request: web.Request, call: Call) -> web.Response:
        """Tell whose key this is, what it may do, and what carries tasks out."""
        account = backend.of(call.key.name).account
        answer = {
            "name": call.key.name,
            "scopes": sorted(call.key.scopes),
            "executor": backend.executor_name,
            "version": __version__,
            "balance_cents": f"{await account.balance_cents():f}",
        }
        return json_response(answer)

    async def show_runs(request: web.Request, call: Call) -> web.Response:
        """Tell the next runs of schedules: `?id=A&id=B`."""
        schedules = _view(backend, call).schedules
        runs = {}
        for each in dict.fromkeys(request.query.getall("id", [])[:_MOST_RUNS]):
            found = await schedules.get(each)
            if found is not None:
                runs[found.id] = _next_runs(found)
                await asyncio.sleep(0)  # a cron expression can take milliseconds
        return json_response({"runs": runs})

    add("GET", "/admin/key", "admin_key", show_key)
    add("GET", "/admin/next-runs", "admin_next_runs", show_runs)


def _add_tasks(add: AddRoute, backend: Backend) -> None:
    async def show_tasks(request: web.Request, call: Call) -> web.Response:
        """List tasks: `?status=failed&text=price&since=2026-03-01&metadata=shop=a`."""
        view = _view(backend, call)
        sought = _sought(request)
        rows = await find_tasks(view.database, call.key.name, sought)
        count, _ = await view.tasks.page(1, 1)
        answer = {
            "tasks": [
                {**_row_as_json(each, view.links), "doing": backend.runner.doing(each.id)}
                for each in rows
            ],
            "next": rows[-1].position if len(rows) == sought.limit else None,
            "count": count,
            "at_work": await count_at_work(view.database, call.key.name),
        }
        return json_response(answer)

    async def show_task(request: web.Request, call: Call) -> web.Response:
        """Tell of one task what the API does not: its cost, its request and why it failed."""
        view = _view(backend, call)
        record = await find_task(view, request.match_info["task_id"])
        answer = {
            "cost_cents": f"{record.cost_cents:f}",
            "llm_model": record.llm_model,
            "max_agent_steps": record.max_agent_steps,
            "viewport": record.viewport,
            "failure": record.failure,
            "recorded_from": to_moment(record.recorded_from),
            "steps_more": await _steps_as_json(view, record),
            "doing": backend.runner.doing(record.id),
            "request": {
                **json.loads(record.request_json),
                "task": record.task,
                **({"metadata": record.metadata} if record.metadata else {}),
            },
        }
        return json_response(answer)

    add("GET", "/admin/overview", "admin_overview", show_tasks)
    add("GET", "/admin/overview/{task_id}", "admin_overview_task", show_task)


def _add_files(add: AddRoute, backend: Backend) -> None:
    async def show_files(_request: web.Request, call: Call) -> web.Response:
        """List the uploads, and the files of the 50 latest tasks that made some."""
        view = backend.of(call.key.name)
        tasks = await latest_with_files(view.database, call.key.name, _TASKS_WITH_FILES)
        uploads = [
            {"name": each.name, "size": each.size, "uploaded_at": to_moment(each.uploaded_at)}
            for each in await view.uploads.all()
        ]
        return json_response(
            {"uploads": uploads, "tasks": [_files_as_json(each, view.links) for each in tasks]}
        )

    async def delete_upload(request: web.Request, call: Call) -> web.Response:
        """Delete an upload; tasks that are still to read it fail."""
        if not await backend.of(call.key.name).uploads.delete(request.match_info["file_name"]):
            raise HttpError(404, "There is no upload of this name")
        return json_response({})

    add("GET", "/admin/files", "admin_files", show_files)
    add("DELETE", "/admin/files/{file_name}", "admin_delete_upload", delete_upload)


def _add_public_pages(add: AddRoute, backend: Backend) -> None:
    async def share(request: web.Request, call: Call) -> web.Response:
        """Give a task a public page, which it keeps if it has one."""
        return await change(request, call, is_shared=True)

    async def unshare(request: web.Request, call: Call) -> web.Response:
        """Take the public page of a task away; the live page stays."""
        return await change(request, call, is_shared=False)

    async def change(request: web.Request, call: Call, *, is_shared: bool) -> web.Response:
        view = backend.of(call.key.name)
        record = await find_task(view, request.match_info["task_id"])
        if is_shared and view.links.has_expired(record):
            raise HttpError(410, _PAGE_EXPIRED)
        if record.remote is not None and record.remote.share_url is not None and not is_shared:
            raise HttpError(409, _PAGE_ELSEWHERE)
        await view.tasks.share(record.id, is_shared=is_shared)
        record = await find_task(view, record.id)
        return json_response({"public_share_url": view.links.share_url(record)})

    add("PUT", "/admin/shares/{task_id}", "admin_share", share)
    add("DELETE", "/admin/shares/{task_id}", "admin_unshare", unshare)


def _view(backend: Backend, call: Call) -> Backend:
    return backend.of(call.key.name, may_steer="run" in call.key.scopes)


def _next_runs(record: ScheduleRecord) -> list[str | None]:
    """The next moments at which a schedule runs, unless it is changed."""
    moments: list[str | None] = []
    moment = record.next_run_at if record.is_active else None
    while moment is not None and len(moments) < _NEXT_RUNS:
        moments.append(to_moment(moment))
        moment = next_run(record, moment)
    return moments


async def _steps_as_json(view: Backend, record: TaskRecord) -> list[dict[str, Any]]:
    """What each step took and cost. A step lasts from the one before it until it is reported."""
    moments = await step_moments(view.database, record.id)
    return [
        {"taken_at": moment, "cost_cents": None if cents is None else f"{cents:f}"}
        for number, moment in enumerate(moments, 1)
        for cents in (cents_of_step(record, number),)
    ]


def _row_as_json(row: OverviewRow, links: Links) -> dict[str, Any]:
    picture = row.screenshot
    return {
        "id": row.id,
        "task": row.task,
        "status": row.status,
        "created_at": row.created_at,
        "finished_at": row.finished_at,
        "output": row.shown_output,
        "llm_model": row.llm_model,
        "steps": row.steps,
        "goal": row.goal,
        "failure": row.failure,
        "cost_cents": f"{row.cost_cents:f}",
        "screenshot_url": picture and links.file_url(row.id, picture),
    }


def _files_as_json(task: TaskWithFiles, links: Links) -> dict[str, Any]:
    return {
        "id": task.id,
        "task": task.task,
        "finished_at": to_moment(task.finished_at),
        "files": [
            {"name": name, "url": links.file_url(task.id, name)}
            for name in (*task.output_files, *task.recordings)
        ],
    }


def _sought(request: web.Request) -> Sought:
    statuses = tuple(request.query.getall("status", []))
    if unknown := set(statuses) - {str(each) for each in TaskStatus}:
        raise HttpError(422, f"status: {min(unknown)!r} is not the status of a task")
    text = request.query.get("text", "").strip()
    if len(text) > _LONGEST_TEXT:
        raise HttpError(422, f"text may have {_LONGEST_TEXT} characters at most")
    before = request.query.get("before")
    since, until = (_moment(name, request.query.get(name)) for name in ("since", "until"))
    return Sought(
        statuses,
        text,
        _pair(request.query.get("metadata", "")),
        since,
        until,
        None if before is None else _number("before", before, _MOST_POSITION),
        _number("limit", request.query.get("limit", "50"), MAX_ROWS),
    )


def _pair(text: str) -> tuple[str, str | None] | None:
    """A name, or a name and a value with `=` between them."""
    if len(text) > _LONGEST_TEXT:
        raise HttpError(422, f"metadata may have {_LONGEST_TEXT} characters at most")
    name, is_pair, value = text.partition("=")
    return (name.strip(), value.strip() if is_pair else None) if name.strip() else None


def _moment(name: str, text: str | None) -> str | None:
    if not text:
        return None
    moment = parse_timestamp(text)
    if moment is None:
        raise HttpError(422, f"{name}: {text[:40]!r} is not a moment such as 2026-03-01T12:00Z")
    return to_moment(moment)


def _number(name: str, text: str, most: int) -> int:
    if not text.isascii() or not text.isdecimal() or len(text) > 19 or not 1 <= int(text) <= most:
        raise HttpError(422, f"{name} must be a whole number from 1 to {most}")
    return int(text)

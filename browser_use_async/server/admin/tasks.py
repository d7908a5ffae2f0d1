"""Tasks, schedules and public pages as the server's own pages need them beside the API."""

import asyncio
import json
from datetime import datetime
from typing import Any

import attrs

from browser_use_async.server.admin.task_overview import (
    OverviewQuery,
    OverviewRow,
    count_at_work,
    find_task_row,
    find_tasks,
    find_tasks_of_all,
)
from browser_use_async.server.errors import ExpiredError, NotFoundError
from browser_use_async.server.http.responses import Json
from browser_use_async.server.http.routes import admin_operation
from browser_use_async.server.keys.api_key import Scope
from browser_use_async.server.operations.tasks import find_task
from browser_use_async.server.pages.links import Links
from browser_use_async.server.records import EVERY_OWNER
from browser_use_async.server.running_server import RunningServer
from browser_use_async.server.storage import TaskRecord
from browser_use_async.server.storage.progress import paused_seconds, step_facts, trace_of_step
from browser_use_async.server.storage.rows import to_moment
from browser_use_async.server.storage.schedule import ScheduleRecord, next_run
from browser_use_async.types import FieldKind, FieldRule, TaskId
from browser_use_async.types.base import ruled
from browser_use_async.types.tasks import IDENTIFIER

_MOST_RUNS = 100  # schedules in one answer
_NEXT_RUNS = 3
_PAGE_EXPIRED = "The pages of this task can be looked at no longer: it ended too long ago"


@attrs.frozen
class StepPlace:
    """Which step of which task a call is about.

    Attributes:
        task_id: The id of the task.
        number: The number of the step, counted from 1.
    """

    task_id: str = ruled(IDENTIFIER)
    number: int = ruled(
        FieldRule(FieldKind.INTEGER, required=True, nullable=False, minimum=1, maximum=10**9)
    )


@attrs.frozen
class ScheduleIds:
    """Schedules that are asked for.

    Attributes:
        id: The id of a schedule; it can be given several times.
    """

    id: list[str] = ruled(FieldRule(FieldKind.TEXT_LIST, nullable=False), default=())


@admin_operation(
    "admin_overview",
    "GET /admin/overview",
    Scope.READ,
    query=OverviewQuery,
    reads_any_owner=True,
)
async def show_tasks(server: RunningServer, query: OverviewQuery) -> Json:
    """Lists tasks, newest first, with their costs and what they do now."""
    database, now = server.stores.database, server.settings.now()
    if server.owner == EVERY_OWNER:
        owners = await server.stores.account.owners()
        rows, looked_at = await find_tasks_of_all(database, owners, query, now)
    else:
        rows, looked_at = await find_tasks(database, server.owner, query, now)
    count, _ = await server.stores.tasks.page(1, 1, 0)
    return Json(
        tasks=[
            {
                **_row_as_json(each, server.links, now),
                "doing": server.runner.doing(each.id),
                **({"owner": each.owner} if server.is_operators else {}),
            }
            for each in rows
        ],
        next=rows[-1].position if looked_at is None and len(rows) == query.limit else None,
        sorted=looked_at,
        count=count,
        at_work=await count_at_work(database, server.owner),
    )


@admin_operation(
    "admin_overview_task",
    "GET /admin/overview/{task_id}",
    Scope.READ,
    parameters=TaskId,
    reads_any_owner=True,
)
async def show_task(server: RunningServer, path: TaskId) -> Json:
    """Returns what the API does not have of a task: its costs, its request and why it failed."""
    record = await find_task(server, path.task_id)
    return Json(
        cost_cents=f"{record.cost_cents:f}",
        llm_model=record.llm_model,
        max_agent_steps=record.max_agent_steps,
        viewport=record.viewport,
        failure=record.failure,
        recorded_from=to_moment(record.recorded_from),
        paused_seconds=paused_seconds(record.pauses, record.finished_at or server.settings.now()),
        steps_more=[each.as_json() for each in await step_facts(server.stores.database, record)],
        doing=server.runner.doing(record.id),
        request={
            **json.loads(record.request_json),
            "task": record.task,
            **({"metadata": record.metadata} if record.metadata else {}),
        },
    )


@admin_operation(
    "admin_step_trace",
    "GET /admin/overview/{task_id}/steps/{number}",
    Scope.READ,
    parameters=StepPlace,
    reads_any_owner=True,
)
async def show_trace(server: RunningServer, path: StepPlace) -> Json:
    """Returns the trace of a step: addresses, errors, failed requests and times."""
    record = await find_task(server, path.task_id)
    if not 1 <= path.number <= len(record.steps):
        raise NotFoundError(f"The task has {len(record.steps)} steps, and no step {path.number}")
    return Json(trace=await trace_of_step(server.stores.database, record.id, path.number))


@admin_operation("admin_next_runs", "GET /admin/next-runs", Scope.READ, query=ScheduleIds)
async def show_runs(server: RunningServer, query: ScheduleIds) -> Json:
    """Returns the next three runs of schedules, and the result of the last one."""
    runs, last = {}, {}
    for each in dict.fromkeys(query.id[:_MOST_RUNS]):
        found = await server.stores.schedules.get(each)
        if found is not None:
            runs[found.id] = _next_runs(found)
            last[found.id] = await _last_run(server, found.id)
            await asyncio.sleep(0)  # a cron expression can take milliseconds
    return Json(runs=runs, last=last)


async def _last_run(server: RunningServer, schedule_id: str) -> dict[str, Any] | None:
    task_id = await server.stores.schedules.last_run(schedule_id)
    row = task_id and await find_task_row(server.stores.database, server.owner, task_id)
    return _row_as_json(row, server.links, server.settings.now()) if row else None


# --- pages -------------------------------------------------------------------------------------


# The answer is a link to all of a task, which needs no key: so its maker may read, too.
@admin_operation(
    "admin_share", "PUT /admin/shares/{task_id}", Scope.RUN, Scope.READ, parameters=TaskId
)
async def share(server: RunningServer, path: TaskId) -> Json:
    """Gives a task a public page, which it keeps if it has one."""
    record = await find_task(server, path.task_id)
    if server.links.has_expired(record):
        raise ExpiredError(_PAGE_EXPIRED)
    return await _share(server, record, is_shared=True)


@admin_operation("admin_unshare", "DELETE /admin/shares/{task_id}", Scope.RUN, parameters=TaskId)
async def unshare(server: RunningServer, path: TaskId) -> Json:
    """Takes the public page of a task away; the live page stays."""
    record = await find_task(server, path.task_id)
    return await _share(server, record, is_shared=False)


async def _share(server: RunningServer, record: TaskRecord, *, is_shared: bool) -> Json:
    await server.stores.tasks.share(record.id, is_shared=is_shared)
    return Json(public_share_url=server.links.share_url(await find_task(server, record.id)))


@admin_operation(
    "admin_revoke_links", "DELETE /admin/links/{task_id}", Scope.ADMIN, parameters=TaskId
)
async def revoke_links(server: RunningServer, path: TaskId) -> None:
    """Takes back the links to the pages of a task of any key, which then has others."""
    if not await server.stores.tasks.revoke_links(path.task_id):
        raise NotFoundError("Task not found")


def _next_runs(record: ScheduleRecord) -> list[str | None]:
    """The next moments at which a schedule runs, unless it is changed."""
    moments: list[str | None] = []
    moment = record.next_run_at if record.is_active else None
    while moment is not None and len(moments) < _NEXT_RUNS:
        moments.append(to_moment(moment))
        moment = next_run(record, moment)
    return moments


def _row_as_json(row: OverviewRow, links: Links, now: datetime) -> dict[str, Any]:
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
        "paused_seconds": row.paused_seconds(now),
        "screenshot_url": picture and links.file_url(row.id, picture),
    }

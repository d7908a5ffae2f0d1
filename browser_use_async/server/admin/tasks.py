"""Tasks, schedules and public pages as the server's own pages need them beside the API."""

import asyncio
import json
from datetime import datetime
from typing import Any

import attrs

from browser_use_async.server.admin.task_overview import (
    OverviewRow,
    Sought,
    count_at_work,
    find_tasks,
    step_moments,
)
from browser_use_async.server.errors import (
    ConflictError,
    ExpiredError,
    NotFoundError,
)
from browser_use_async.server.http.responses import Json
from browser_use_async.server.keys.api_key import Scope
from browser_use_async.server.operations.tasks import find_task
from browser_use_async.server.routes import admin_operation
from browser_use_async.server.running_server import RunningServer
from browser_use_async.server.schedule import ScheduleRecord, next_run
from browser_use_async.server.signed_links import Links
from browser_use_async.server.storage import TaskRecord
from browser_use_async.server.storage.progress import cents_of_step
from browser_use_async.server.storage.rows import to_moment
from browser_use_async.types import FieldKind, FieldRule, TaskId, TaskStatus
from browser_use_async.types.base import ruled

# The most tasks in one answer.
MAX_ROWS = 1000

_LONGEST_TEXT = 1000  # characters to seek
_MOST_RUNS = 100  # schedules in one answer
_NEXT_RUNS = 3
_PAGE_EXPIRED = "The pages of this task can be looked at no longer: it ended too long ago"
_PAGE_ELSEWHERE = (
    "The service that carried this task out has its public page, and it is taken back there"
)
_TEXT = FieldRule(FieldKind.TEXT, nullable=False, max_length=_LONGEST_TEXT)
_MOMENT = FieldRule(FieldKind.DATETIME, blank_is_null=True)
_LIMIT = FieldRule(FieldKind.INTEGER, nullable=False, minimum=1, maximum=MAX_ROWS, default=50)


def _unknown_status(given: list[str]) -> str | None:
    unknown = set(given) - {str(each) for each in TaskStatus}
    return f"{min(unknown)!r} is not the status of a task" if unknown else None


@attrs.frozen
class OverviewQuery:
    """Which tasks are listed."""

    status: list[str] = ruled(
        FieldRule(FieldKind.TEXT_LIST, nullable=False, check=_unknown_status), default=()
    )
    text: str = ruled(_TEXT, default="")
    metadata: str = ruled(_TEXT, default="")  # a name, or a name and a value with `=` between them
    since: datetime | None = ruled(_MOMENT, default=None)
    until: datetime | None = ruled(_MOMENT, default=None)
    before: int | None = ruled(
        FieldRule(FieldKind.INTEGER, nullable=False, minimum=1, maximum=2**62), default=None
    )
    limit: int = ruled(_LIMIT, default=50)

    @property
    def sought(self) -> Sought:
        """The same for the database."""
        name, is_pair, value = self.metadata.partition("=")
        pair = (name.strip(), value.strip() if is_pair else None)
        return Sought(
            tuple(self.status),
            self.text.strip(),
            pair if pair[0] else None,
            to_moment(self.since),
            to_moment(self.until),
            self.before,
            self.limit,
        )


@attrs.frozen
class ScheduleIds:
    """Schedules that are asked for."""

    id: list[str] = ruled(FieldRule(FieldKind.TEXT_LIST, nullable=False), default=())


@admin_operation("admin_overview", "GET /admin/overview", Scope.READ, query=OverviewQuery)
async def show_tasks(server: RunningServer, query: OverviewQuery) -> Json:
    """Lists tasks, newest first, with their costs and what they do now."""
    rows = await find_tasks(server.stores.database, server.owner, query.sought)
    count, _ = await server.stores.tasks.page(1, 1)
    return Json(
        tasks=[
            {**_row_as_json(each, server.links), "doing": server.runner.doing(each.id)}
            for each in rows
        ],
        next=rows[-1].position if len(rows) == query.limit else None,
        count=count,
        at_work=await count_at_work(server.stores.database, server.owner),
    )


@admin_operation(
    "admin_overview_task", "GET /admin/overview/{task_id}", Scope.READ, parameters=TaskId
)
async def show_task(server: RunningServer, path: TaskId) -> Json:
    """Tells of one task what the API does not: its costs, its request and why it failed."""
    record = await find_task(server, path.task_id)
    return Json(
        cost_cents=f"{record.cost_cents:f}",
        llm_model=record.llm_model,
        max_agent_steps=record.max_agent_steps,
        viewport=record.viewport,
        failure=record.failure,
        recorded_from=to_moment(record.recorded_from),
        steps_more=await _steps_as_json(server, record),
        doing=server.runner.doing(record.id),
        request={
            **json.loads(record.request_json),
            "task": record.task,
            **({"metadata": record.metadata} if record.metadata else {}),
        },
    )


@admin_operation("admin_next_runs", "GET /admin/next-runs", Scope.READ, query=ScheduleIds)
async def show_runs(server: RunningServer, query: ScheduleIds) -> Json:
    """Tells the next three runs of schedules."""
    runs = {}
    for each in dict.fromkeys(query.id[:_MOST_RUNS]):
        found = await server.stores.schedules.get(each)
        if found is not None:
            runs[found.id] = _next_runs(found)
            await asyncio.sleep(0)  # a cron expression can take milliseconds
    return Json(runs=runs)


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
    if record.remote is not None and record.remote.share_url is not None:
        raise ConflictError(_PAGE_ELSEWHERE)
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


async def _steps_as_json(server: RunningServer, record: TaskRecord) -> list[dict[str, Any]]:
    """What each step took and cost. A step lasts from the one before it until it is reported."""
    moments = await step_moments(server.stores.database, record.id)
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

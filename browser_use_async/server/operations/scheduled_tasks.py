"""The API section Scheduled Tasks."""

import attrs

from browser_use_async import types
from browser_use_async.api.endpoint_table import (
    CREATE_SCHEDULED_TASK,
    DELETE_SCHEDULED_TASK,
    GET_SCHEDULED_TASK,
    LIST_SCHEDULED_TASKS,
    UPDATE_SCHEDULED_TASK,
)
from browser_use_async.api.serialization import given_fields
from browser_use_async.server.errors import NotFoundError, invalid_field
from browser_use_async.server.http.routes import operation
from browser_use_async.server.operations.task_start import (
    check_fields,
    checked_assignment,
    shown_settings,
)
from browser_use_async.server.running_server import RunningServer
from browser_use_async.server.storage.database import Claim
from browser_use_async.server.storage.schedule import SCHEDULE_MODEL, ScheduleRecord


@operation(LIST_SCHEDULED_TASKS)
async def list_scheduled_tasks(
    server: RunningServer, query: types.PageQuery
) -> types.ScheduledTaskPage:
    """One page of the schedules, newest first."""
    count = await server.stores.schedules.count()
    records = await server.stores.schedules.page(query.page, query.limit)
    return types.ScheduledTaskPage(
        tasks=[await _view(server, each) for each in records],
        total_pages=-(-count // query.limit),
        page=query.page,
        limit=query.limit,
        total_count=count,
    )


@operation(CREATE_SCHEDULED_TASK)
async def create_scheduled_task(
    server: RunningServer, request: types.CreateScheduledTaskRequest, claim: Claim | None = None
) -> types.Created:
    """Add a schedule."""
    await checked_assignment(server, request, SCHEDULE_MODEL)
    return types.Created((await server.stores.schedules.create(request, claim)).id)


@operation(GET_SCHEDULED_TASK)
async def get_scheduled_task(server: RunningServer, path: types.TaskId) -> types.ScheduledTask:
    """One schedule."""
    return await _view(server, await _find(server, path.task_id))


@operation(UPDATE_SCHEDULED_TASK)
async def update_scheduled_task(
    server: RunningServer, path: types.TaskId, request: types.UpdateScheduledTaskRequest
) -> types.ScheduledTask:
    """Change the fields that were given."""
    record = await _find(server, path.task_id)
    check_fields(request)
    _refuse_contradictions(record, request)
    await _refuse_what_cannot_be(server, record, request)
    return await _view(server, await server.stores.schedules.update(record, request))


@operation(DELETE_SCHEDULED_TASK)
async def delete_scheduled_task(server: RunningServer, path: types.TaskId) -> None:
    """Remove a schedule; runs under way end by themselves."""
    await server.stores.schedules.delete((await _find(server, path.task_id)).id)


async def _find(server: RunningServer, schedule_id: str) -> ScheduleRecord:
    record = await server.stores.schedules.get(schedule_id)
    if record is None:
        raise NotFoundError("Scheduled task not found")
    return record


def _refuse_contradictions(
    record: ScheduleRecord, request: types.UpdateScheduledTaskRequest
) -> None:
    """Refuse an update that contradicts other fields of the schedule."""
    given = given_fields(request)
    start, end = given.get("start_at", record.start_at), given.get("end_at", record.end_at)
    # Validation compares the two only if the request has both.
    if end <= start:
        raise invalid_field(("end_at",), "must be later than start_at", str(end), {})


async def _refuse_what_cannot_be(
    server: RunningServer, record: ScheduleRecord, request: types.UpdateScheduledTaskRequest
) -> None:
    """Refuse settings with which no run could start."""
    given = given_fields(request)
    names = {each.name for each in attrs.fields(types.TaskSettings)} & given.keys()
    if names:
        changed = attrs.evolve(record.request, **{name: given[name] for name in names})
        await checked_assignment(server, changed, SCHEDULE_MODEL)


async def _view(server: RunningServer, record: ScheduleRecord) -> types.ScheduledTask:
    request = record.request
    profile = await server.stores.profiles.get(str(request.browser_profile_id))
    profile = profile or await server.stores.profiles.default()
    otherwise = {
        "use_adblock": profile.ad_blocker,
        "use_proxy": profile.proxy,
        "llm_model": SCHEDULE_MODEL,
        "metadata": {},
    }
    shown = shown_settings(request, types.Place.SCHEDULE, otherwise)
    shown["llm_model"] = types.LlmModel(shown["llm_model"])
    return types.ScheduledTask(
        id=record.id,
        schedule_type=types.ScheduleType(request.schedule_type),
        interval_minutes=request.interval_minutes or None,
        cron_expression=request.cron_expression or None,
        start_at=record.start_at,
        # The published schema requires a time; the end stands for "no further run".
        next_run_at=record.next_run_at or record.end_at,
        end_at=record.end_at,
        is_active=record.is_active,
        created_at=record.created_at,
        updated_at=record.updated_at,
        **shown,
    )

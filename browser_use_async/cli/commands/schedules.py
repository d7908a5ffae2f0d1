"""`schedules`: tasks that the service runs at set times."""

from collections.abc import AsyncGenerator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, cast

from browser_use_async.api.converter import unstructure
from browser_use_async.cli.command import Group
from browser_use_async.cli.completers import complete_schedules
from browser_use_async.cli.connect import connect
from browser_use_async.cli.console import Console
from browser_use_async.cli.fields import (
    NOT_CHANGED,
    field_options,
    given_changes,
    given_fields,
    task_options,
)
from browser_use_async.cli.options import Argument, ServerOptions, either, group
from browser_use_async.cli.screen import Span, Style
from browser_use_async.cli.tables import Column, Listing
from browser_use_async.cli.times import local_time
from browser_use_async.errors import ConfigurationError
from browser_use_async.types import (
    CreateScheduledTaskFields,
    CreateScheduledTaskRequest,
    ScheduledTask,
    ScheduleType,
    UpdateScheduledTaskRequest,
    rules_of,
)

_RHYTHM = ("cron_expression", "interval_minutes")  # one of them, which decides `schedule_type`
_TIMES = ("start_at", "end_at")
_CHANGES = [
    name for name in rules_of(UpdateScheduledTaskRequest) if name not in {*_RHYTHM, "schedule_type"}
]
_ID = Argument("schedule_id", "ID", "the schedule", shell_complete=complete_schedules)

schedules = Group(
    "schedules",
    "Create, show, change and delete scheduled tasks.",
    examples=(
        "schedules list",
        'schedules create "Open https://example.com" --cron "0 8 * * *"',
        'schedules create "Open https://example.com" --every 60 --end-at +7d',
        "schedules update SCHEDULE_ID --no-active",
    ),
)


def _rhythm(row: ScheduledTask) -> str:
    # Cron expressions are in UTC, whatever the zone of the times beside them.
    by_cron = row.schedule_type == ScheduleType.CRON
    return f"{row.cron_expression or '?'} UTC" if by_cron else f"every {row.interval_minutes} min"


def _next_run(row: ScheduledTask) -> Span | datetime | None:
    if _has_ended(row):
        return "ended"
    return row.next_run_at if row.is_active else ("paused", Style.WAITING)


_ROWS = Listing(
    "no schedules",
    (
        Column[ScheduledTask]("id"),
        Column("runs", _rhythm),
        Column("next_run_at", _next_run, missing="?"),
        Column("task", is_text=True),
    ),
    ScheduledTask,
)


@schedules.listing(
    "list", _ROWS, examples=("schedules list --columns runs,next_run_at,llm_model,task",)
)
async def _list(console: Console, server: ServerOptions) -> AsyncGenerator[ScheduledTask, None]:
    """List the schedules."""
    async with connect(server, console) as connection:
        async for row in connection.session.scheduled_tasks.iterate():
            yield row


@schedules.action(
    "create",
    Argument(
        "task",
        "TASK",
        "what the agent should do at each run; with --local, {site} stands for the example site",
    ),
    *group(
        "schedule",
        *either(*field_options(CreateScheduledTaskRequest, _RHYTHM)),
        *field_options(CreateScheduledTaskRequest, _TIMES),
    ),
    *task_options(CreateScheduledTaskRequest),
)
async def _create(console: Console, server: ServerOptions, task: str, **fields: object) -> None:
    """Create a schedule. Each of its runs costs money."""
    new = _with_type(given_fields(fields))
    if "schedule_type" not in new:
        raise ConfigurationError("missing: one of --cron --every")
    async with connect(server, console) as connection:
        created = await connection.session.scheduled_tasks.create(
            connection.fill_in(task), **cast("CreateScheduledTaskFields", new)
        )
        console.result(unstructure(created))
        if server.local:
            console.info("with --local the schedule ends with this command; `serve` lets it run")
        else:
            # After the id is printed, since this is only a note and may fail.
            _report_runs(await connection.session.scheduled_tasks.get(created.id), console)


@schedules.action("show", _ID)
async def _show(console: Console, server: ServerOptions, schedule_id: str) -> None:
    """Show one schedule."""
    async with connect(server, console) as connection:
        console.result(unstructure(await connection.session.scheduled_tasks.get(schedule_id)))


@schedules.action(
    "update",
    _ID,
    *group(
        "changes",
        *either(*field_options(UpdateScheduledTaskRequest, _RHYTHM)),
        *field_options(UpdateScheduledTaskRequest, _CHANGES),
        about=NOT_CHANGED,
    ),
)
async def _update(
    console: Console, server: ServerOptions, schedule_id: str, **fields: object
) -> None:
    """Change a schedule; fields that you leave out keep their values."""
    changes = _with_type(given_changes(fields))
    async with connect(server, console) as connection:
        if "task" in changes:
            changes["task"] = connection.fill_in(str(changes["task"]))
        request = UpdateScheduledTaskRequest(**changes)
        console.result(
            unstructure(await connection.session.scheduled_tasks.update(schedule_id, request))
        )


@schedules.action("delete", _ID)
async def _delete(console: Console, server: ServerOptions, schedule_id: str) -> None:
    """Delete a schedule for good."""
    async with connect(server, console) as connection:
        await connection.session.scheduled_tasks.delete(schedule_id)
    console.done(
        "deleted; running tasks continue to their end", {"id": schedule_id, "deleted": True}
    )


def _with_type(fields: Mapping[str, Any]) -> dict[str, Any]:
    """The fields with the type of the schedule, which has to match them."""
    if "cron_expression" in fields:
        return {**fields, "schedule_type": ScheduleType.CRON}
    if "interval_minutes" in fields:
        return {**fields, "schedule_type": ScheduleType.INTERVAL}
    return dict(fields)


def _report_runs(schedule: ScheduledTask, console: Console) -> None:
    """Print when it runs, and that the first run of an interval may cost money at once."""
    now, following = datetime.now(UTC), schedule.next_run_at
    if _has_ended(schedule):
        console.info(("note: ", Style.WAITING), "it never runs: its end has passed already")
        return
    started = schedule.start_at
    minutes = schedule.interval_minutes
    if minutes and started is not None and started <= now:
        console.info(("cost: ", Style.WAITING), "its first run begins at once, and is charged")
        # A run that is due now is the first one, which the service may not have counted yet.
        if following is None or following <= now:
            following = started + timedelta(minutes=minutes)
    console.info(f"next run: {local_time(following, with_zone=True)}")
    console.info(f"to see when it runs: browser-use-async schedules show {schedule.id}")


def _has_ended(schedule: ScheduledTask) -> bool:
    """Whether it has no more runs: the API always names a next run."""
    return schedule.end_at is not None and schedule.end_at <= datetime.now(UTC)

"""`schedules`: tasks that the service runs by the clock."""

import argparse
from datetime import UTC, datetime, timedelta
from typing import Any, cast

from browser_use_async.api.converter import unstructure
from browser_use_async.cli.actions import (
    Action,
    add_actions,
    in_local_time,
    local_time,
    run_action,
    show_object,
    show_rows,
)
from browser_use_async.cli.connect import Connection
from browser_use_async.cli.console import Console
from browser_use_async.cli.exit import ExitCode
from browser_use_async.cli.field_options import (
    TASK_OPTIONS,
    FieldOption,
    FieldOptions,
    add_task_options,
    task_fields,
)
from browser_use_async.cli.screen import Span, Style
from browser_use_async.errors import ConfigurationError
from browser_use_async.types import (
    CreateScheduledTaskFields,
    CreateScheduledTaskRequest,
    ScheduledTask,
    ScheduleType,
    UpdateScheduledTaskRequest,
)

_RHYTHM = (
    FieldOption(
        "cron_expression",
        "--cron",
        "run by five fields, in UTC: minute, hour, day, month, weekday; '0 8 * * *' is every "
        "morning at 8",
        "EXPRESSION",
    ),
    FieldOption("interval_minutes", "--every", "run every so many minutes", "MINUTES"),
)
_TIMES = (
    FieldOption(
        "start_at",
        "--start-at",
        "when to begin: 2026-03-01T12:00 (UTC unless it says otherwise), or a span from now such "
        "as +90m, +2h, +7d",
        "TIME",
    ),
    FieldOption("end_at", "--end-at", "when to end, written likewise", "TIME"),
)
# The fields of run-task that an update of a schedule takes.
_CHANGEABLE = frozenset(
    {
        "highlight_elements",
        "llm_model",
        "metadata",
        "save_browser_data",
        "structured_output_json",
        "use_adblock",
        "use_proxy",
    }
)
_CHANGES = (
    FieldOption("task", "--task", "what the agent should do at each run", "TASK"),
    FieldOption("is_active", "--active", "whether it runs"),
    *_TIMES,
    *(option for option in TASK_OPTIONS if option.field in _CHANGEABLE),
)
_NEW_RHYTHM = FieldOptions(CreateScheduledTaskRequest, _RHYTHM)
_NEW_TIMES = FieldOptions(CreateScheduledTaskRequest, _TIMES)
_CHANGED_RHYTHM = FieldOptions(UpdateScheduledTaskRequest, _RHYTHM)
_CHANGED_FIELDS = FieldOptions(UpdateScheduledTaskRequest, _CHANGES)


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the actions."""
    add_actions(parser, _ACTIONS)


async def execute(options: argparse.Namespace, console: Console) -> int:
    """Run the action that was given."""
    return await run_action(_ACTIONS, options, console)


def _configure_list(parser: argparse.ArgumentParser) -> None:
    del parser  # the list has no options of its own


def _configure_create(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "task",
        metavar="TASK",
        help="what the agent should do at each run; with --local, {site} stands for the example "
        "site",
    )
    group = parser.add_argument_group("schedule")
    _NEW_RHYTHM.add_to(group.add_mutually_exclusive_group(required=True))
    _NEW_TIMES.add_to(group)
    add_task_options(parser)


def _configure_update(parser: argparse.ArgumentParser) -> None:
    _add_id(parser)
    group = parser.add_argument_group(
        "changes", "Fields of the API. What is not given stays as it is."
    )
    _CHANGED_RHYTHM.add_to(group.add_mutually_exclusive_group())
    _CHANGED_FIELDS.add_to(group)


def _add_id(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("schedule_id", metavar="ID", help="the schedule")


async def _list(connection: Connection, options: argparse.Namespace, console: Console) -> int:
    del options
    rows = connection.session.iterate_all_scheduled_tasks()
    if not await show_rows(
        rows, console, ("ID", "RUNS", in_local_time("NEXT RUN"), "TASK"), _cells
    ):
        console.info("no schedules")
    return ExitCode.FINISHED


async def _create(connection: Connection, options: argparse.Namespace, console: Console) -> int:
    fields: dict[str, Any] = {
        "schedule_type": _schedule_type(options),
        **_NEW_RHYTHM.given(options),
        **_NEW_TIMES.given(options),
        **task_fields(options),
    }
    task = connection.fill_in(options.task)
    created = await connection.session.scheduled_tasks.create(
        task, **cast("CreateScheduledTaskFields", fields)
    )
    console.result(unstructure(created))
    if options.local:
        console.info("with --local it ends with this command; `serve` lets it run")
    else:
        # After the id is printed: what follows is a word about it, and may fail.
        _report_runs(await connection.session.scheduled_tasks.get(created.id), console)
    return ExitCode.FINISHED


def _report_runs(schedule: ScheduledTask, console: Console) -> None:
    """Say when it runs, and that the first run of an interval may cost money at once."""
    now, following = datetime.now(UTC), schedule.next_run_at
    if _has_ended(schedule):
        console.info(("note: ", Style.WAITING), "it never runs: its end has passed already")
        return
    started = schedule.start_at
    minutes = schedule.interval_minutes
    if minutes and started is not None and started <= now:
        console.info(("cost: ", Style.WAITING), "its first run begins at once, and is charged")
        # What is due now is that run, which the service may not have counted yet.
        if following is None or following <= now:
            following = started + timedelta(minutes=minutes)
    console.info(f"next run: {local_time(following, with_zone=True)}")
    console.info(f"to see when it runs: browser-use-async schedules show {schedule.id}")


async def _show(connection: Connection, options: argparse.Namespace, console: Console) -> int:
    schedule = await connection.session.scheduled_tasks.get(options.schedule_id)
    show_object(schedule, console)
    return ExitCode.FINISHED


async def _update(connection: Connection, options: argparse.Namespace, console: Console) -> int:
    changes = {**_CHANGED_RHYTHM.given(options), **_CHANGED_FIELDS.given(options)}
    if not changes:
        raise ConfigurationError("nothing to change: name at least one field, as --help lists them")
    rhythm = _schedule_type(options)
    # The API wants the type to match the fields, so it follows from them.
    if rhythm is not None:
        changes["schedule_type"] = rhythm
    if options.task is not None:
        changes["task"] = connection.fill_in(options.task)
    request = UpdateScheduledTaskRequest(**changes)
    schedule = await connection.session.scheduled_tasks.update(options.schedule_id, request)
    show_object(schedule, console)
    return ExitCode.FINISHED


async def _delete(connection: Connection, options: argparse.Namespace, console: Console) -> int:
    await connection.session.scheduled_tasks.delete(options.schedule_id)
    console.info(("ok ", Style.GOOD), "deleted; runs under way end by themselves")
    console.result({"id": options.schedule_id, "deleted": True})
    return ExitCode.FINISHED


def _schedule_type(options: argparse.Namespace) -> ScheduleType | None:
    """The schedule type of the options that were given; None if neither was."""
    if options.cron_expression is not None:
        return ScheduleType.CRON
    return None if options.interval_minutes is None else ScheduleType.INTERVAL


def _has_ended(schedule: ScheduledTask) -> bool:
    """Whether it runs no more, although the API always names a next run."""
    return schedule.end_at is not None and schedule.end_at <= datetime.now(UTC)


def _cells(row: ScheduledTask) -> tuple[Span, ...]:
    by_cron = row.schedule_type == ScheduleType.CRON
    rhythm = f"{row.cron_expression or '?'} UTC" if by_cron else f"every {row.interval_minutes} min"
    next_run: Span = local_time(row.next_run_at) if row.is_active else ("paused", Style.WAITING)
    if _has_ended(row):
        next_run = "ended"
    return (row.id, rhythm, next_run, " ".join(row.task.split()))


_ACTIONS = {
    "list": Action("list the schedules", _configure_list, _list),
    "create": Action("create a schedule, whose runs cost money", _configure_create, _create),
    "show": Action("show one schedule", _add_id, _show),
    "update": Action("change exactly the fields that are given", _configure_update, _update),
    "delete": Action("delete a schedule for good", _add_id, _delete),
}

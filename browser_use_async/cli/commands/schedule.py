"""`schedule`: tasks that the service runs by the clock."""

import argparse
from typing import Any, cast

from browser_use_async.api.converter import unstructure
from browser_use_async.cli.actions import Action, add_actions, perform
from browser_use_async.cli.console import Console, Span, Style
from browser_use_async.cli.exit_codes import ExitCode
from browser_use_async.cli.field_options import FieldOption, FieldOptions
from browser_use_async.cli.listing import local_time, show_rows
from browser_use_async.cli.target import Target
from browser_use_async.cli.task_options import TASK_OPTIONS, add_task_options, task_fields
from browser_use_async.errors import ConfigurationError
from browser_use_async.types import (
    CreateScheduledTaskFields,
    CreateScheduledTaskRequest,
    ScheduledTask,
    ScheduleType,
    UpdateScheduledTaskRequest,
)

__all__ = ["configure", "execute"]

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
    """Do one of the actions."""
    return await perform(_ACTIONS, options, console)


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


async def _list(target: Target, options: argparse.Namespace, console: Console) -> int:
    del options
    rows = target.session.iterate_all_scheduled_tasks()
    if not await show_rows(rows, console, ("ID", "RUNS", "NEXT RUN", "TASK"), _cells):
        console.say("no schedules")
    return ExitCode.FINISHED


async def _create(target: Target, options: argparse.Namespace, console: Console) -> int:
    fields: dict[str, Any] = {
        "schedule_type": _schedule_type(options),
        **_NEW_RHYTHM.given(options),
        **_NEW_TIMES.given(options),
        **task_fields(options),
    }
    task = target.filled(options.task)
    created = await target.session.scheduled_tasks.create(
        task, **cast("CreateScheduledTaskFields", fields)
    )
    if options.local:
        console.say("with --local it ends with this command; `serve` lets it run")
    else:
        console.say(f"to see when it runs: browser-use-async schedule show {created.id}")
    console.emit(unstructure(created))
    return ExitCode.FINISHED


async def _show(target: Target, options: argparse.Namespace, console: Console) -> int:
    schedule = await target.session.scheduled_tasks.get(options.schedule_id)
    console.emit(unstructure(schedule))
    return ExitCode.FINISHED


async def _update(target: Target, options: argparse.Namespace, console: Console) -> int:
    changes = {**_CHANGED_RHYTHM.given(options), **_CHANGED_FIELDS.given(options)}
    if not changes:
        raise ConfigurationError("nothing to change: name at least one field, as --help lists them")
    rhythm = _schedule_type(options)
    if rhythm is not None:
        changes["schedule_type"] = rhythm
    if options.task is not None:
        changes["task"] = target.filled(options.task)
    request = UpdateScheduledTaskRequest(**changes)
    schedule = await target.session.scheduled_tasks.update(options.schedule_id, request)
    console.emit(unstructure(schedule))
    return ExitCode.FINISHED


async def _delete(target: Target, options: argparse.Namespace, console: Console) -> int:
    await target.session.scheduled_tasks.delete(options.schedule_id)
    console.say(("ok ", Style.GOOD), "deleted; runs under way end by themselves")
    console.emit({"id": options.schedule_id, "deleted": True})
    return ExitCode.FINISHED


def _schedule_type(options: argparse.Namespace) -> ScheduleType | None:
    """What the rhythm that was given is called; None if none was."""
    if options.cron_expression is not None:
        return ScheduleType.CRON
    return None if options.interval_minutes is None else ScheduleType.INTERVAL


def _cells(row: ScheduledTask) -> tuple[Span, ...]:
    by_cron = row.schedule_type == ScheduleType.CRON
    rhythm = row.cron_expression if by_cron else f"every {row.interval_minutes} min"
    next_run: Span = local_time(row.next_run_at) if row.is_active else ("paused", Style.WAITING)
    return (row.id, rhythm or "?", next_run, " ".join(row.task.split()))


_ACTIONS = {
    "list": Action("list the schedules", _configure_list, _list),
    "create": Action("create a schedule, whose runs cost money", _configure_create, _create),
    "show": Action("show one schedule", _add_id, _show),
    "update": Action("change exactly the fields that are given", _configure_update, _update),
    "delete": Action("delete a schedule for good", _add_id, _delete),
}

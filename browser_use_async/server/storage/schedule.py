"""A schedule: a task that runs repeatedly, and the time of its next run."""

import uuid
from datetime import UTC, datetime, timedelta

import attrs

from browser_use_async.api.serialization import given_fields
from browser_use_async.server.errors import UnsupportedError
from browser_use_async.server.extras import missing_packages
from browser_use_async.types import (
    UNSET,
    CreateScheduledTaskRequest,
    LlmModel,
    ScheduleType,
    UpdateScheduledTaskRequest,
)

# The default model of schedules, which differs from that of run-task.
SCHEDULE_MODEL = LlmModel.GPT_4O

_YEAR = timedelta(days=365)
_TIMING = frozenset(
    {"schedule_type", "interval_minutes", "cron_expression", "start_at", "end_at", "is_active"}
)


@attrs.define(eq=False)
class ScheduleRecord:
    """One schedule as it is stored."""

    id: str  # the schedule's id
    owner: str
    request: CreateScheduledTaskRequest  # the request, with all later changes
    start_at: datetime  # when it begins
    end_at: datetime  # when it ends
    created_at: datetime  # when it was created
    updated_at: datetime  # when it was last changed
    is_active: bool = True  # whether it runs
    next_run_at: datetime | None = None  # when it runs next, or None if never again


def new_schedule(owner: str, request: CreateScheduledTaskRequest, now: datetime) -> ScheduleRecord:
    """A schedule that begins now and ends a year later unless the request says so.

    Raises:
        UnsupportedError: It has a cron expression, which this server cannot evaluate.
    """
    _refuse_unless_installed(request.schedule_type)
    start = request.start_at if isinstance(request.start_at, datetime) else now
    end = request.end_at if isinstance(request.end_at, datetime) else _year_after(max(start, now))
    record = ScheduleRecord(str(uuid.uuid4()), owner, request, start, end, now, now)
    # A moment before now, so that a schedule that begins now runs now.
    record.next_run_at = next_run(record, now - timedelta(microseconds=1))
    return record


def change_schedule(
    record: ScheduleRecord, request: UpdateScheduledTaskRequest, now: datetime
) -> None:
    """Change only the given fields; null changes nothing.

    Raises:
        UnsupportedError: It would have a cron expression, which this server cannot evaluate.
    """
    given = given_fields(request)
    _refuse_unless_installed(given.get("schedule_type", record.request.schedule_type))
    record.is_active = given.pop("is_active", record.is_active)
    record.start_at = given.get("start_at", record.start_at)
    record.end_at = given.get("end_at", record.end_at)
    record.request = attrs.evolve(record.request, **given)
    record.updated_at = now
    if _TIMING & {*given, *(("is_active",) if request.is_active is not UNSET else ())}:
        record.next_run_at = next_run(record, now)


def next_run(record: ScheduleRecord, after: datetime) -> datetime | None:
    """Return the first run of a schedule after a time, or None if it has ended."""
    by_cron = record.request.schedule_type == ScheduleType.CRON
    try:
        moment = (_next_of_cron if by_cron else _next_of_interval)(record, after)
    except OverflowError:  # after the year 9999, where datetime ends
        return None
    return None if moment is None or moment > record.end_at else moment


def _next_of_cron(record: ScheduleRecord, after: datetime) -> datetime | None:
    # An optional dependency, for cron expressions only.
    from cronsim import CronSim  # noqa: PLC0415

    # A run at the start time counts.
    begin = max(after, record.start_at - timedelta(microseconds=1))
    return next(CronSim(str(record.request.cron_expression), begin.astimezone(UTC)), None)


def _next_of_interval(record: ScheduleRecord, after: datetime) -> datetime | None:
    if after < record.start_at:
        return record.start_at
    minutes = record.request.interval_minutes
    assert isinstance(minutes, int)
    interval = timedelta(minutes=minutes)
    runs = (after - record.start_at) // interval + 1
    return record.start_at + runs * interval


def _year_after(moment: datetime) -> datetime:
    try:
        return moment + _YEAR
    except OverflowError:
        return datetime.max.replace(tzinfo=UTC)


def missing_for_schedules(*kinds: object) -> str | None:
    """Return what schedules of these types lack to run, or None."""
    is_needed = ScheduleType.CRON in kinds
    return missing_packages("A schedule by cron expression", "cronsim") if is_needed else None


def _refuse_unless_installed(kind: object) -> None:
    missing = missing_for_schedules(kind)
    if missing is not None:
        raise UnsupportedError(missing)

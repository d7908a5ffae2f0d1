"""Schedules: what runs again and again, and when next."""

import uuid
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import attrs

from browser_use_async.api.scalars import format_timestamp, parse_timestamp
from browser_use_async.api.serialization import encode_request
from browser_use_async.errors import ConfigurationError
from browser_use_async.server.extras import missing_packages
from browser_use_async.server.responses import RefusalError
from browser_use_async.server.storage.keeper import Keeper
from browser_use_async.types import (
    UNSET,
    CreateScheduledTaskRequest,
    ScheduleType,
    UpdateScheduledTaskRequest,
)

_KIND = "schedule"
_YEAR = timedelta(days=365)
_TIMING = frozenset(
    {"schedule_type", "interval_minutes", "cron_expression", "start_at", "end_at", "is_active"}
)


@attrs.define(eq=False)
class ScheduleRecord:
    """One schedule as the server remembers it."""

    id: str  # the schedule's id
    request: CreateScheduledTaskRequest  # what was asked for, with every later change
    start_at: datetime  # when it begins
    end_at: datetime  # when it ends
    next_run_at: datetime | None  # when it runs next, or None if never again
    is_active: bool  # whether it runs
    created_at: datetime  # when it was created
    updated_at: datetime  # when it was last changed


def next_run(record: ScheduleRecord, after: datetime) -> datetime | None:
    """The first run of a schedule that is later than a moment, or None if it has ended."""
    by_cron = record.request.schedule_type == ScheduleType.CRON
    try:
        moment = (_next_of_cron if by_cron else _next_of_interval)(record, after)
    except OverflowError:  # after the year 9999, when every schedule has ended
        return None
    return None if moment is None or moment > record.end_at else moment


def _next_of_cron(record: ScheduleRecord, after: datetime) -> datetime | None:
    # An optional dependency, and only for those who schedule by such expressions.
    from cronsim import CronSim  # noqa: PLC0415

    # A run at the very beginning counts.
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


class Schedules:
    """All schedules of one server, oldest first.

    Raises:
        ConfigurationError: Among those that were kept are some by cron expression, and the package
            that evaluates them is missing.
    """

    def __init__(self, now: Callable[[], datetime], keeper: Keeper) -> None:
        self._now = now
        self._keeper = keeper
        sealed = dict(keeper.secrets(_KIND))
        self._records = {
            key: _restored(key, each, sealed.get(key)) for key, each in keeper.documents(_KIND)
        }
        kinds = {each.request.schedule_type for each in self._records.values() if each.is_active}
        missing = _missing_for(*kinds)
        if missing is not None:
            raise ConfigurationError(f"the database holds schedules by cron expression. {missing}")
        self.changed: Callable[[], None] = lambda: None
        """Called when another moment may be the next one."""

    @property
    def records(self) -> tuple[ScheduleRecord, ...]:
        """All schedules."""
        return tuple(self._records.values())

    def get(self, schedule_id: str) -> ScheduleRecord | None:
        """The schedule with this id, or None."""
        return self._records.get(schedule_id)

    def page(self, page: int, limit: int) -> list[ScheduleRecord]:
        """One page, newest first; empty past the end."""
        return list(reversed(self._records.values()))[(page - 1) * limit : page * limit]

    def create(self, request: CreateScheduledTaskRequest) -> ScheduleRecord:
        """Add a schedule. It begins now and ends a year later unless the request says so.

        Raises:
            RefusalError: It has secrets, which this server cannot keep, or a cron expression, which
                it cannot evaluate.
        """
        _refuse_unless_installed(request.schedule_type)
        reason = self._keeper.secrets_refused
        if _secrets_of(request) and reason is not None:
            raise RefusalError(400, reason)
        now = self._now()
        start = request.start_at if isinstance(request.start_at, datetime) else now
        end = (
            request.end_at if isinstance(request.end_at, datetime) else _year_after(max(start, now))
        )
        record = ScheduleRecord(
            str(uuid.uuid4()),
            request,
            start,
            end,
            next_run_at=None,
            is_active=True,
            created_at=now,
            updated_at=now,
        )
        # A moment before now, so that a schedule that begins now runs now.
        record.next_run_at = next_run(record, now - timedelta(microseconds=1))
        self._records[record.id] = record
        self._keep(record)
        self.changed()
        return record

    def update(self, record: ScheduleRecord, request: UpdateScheduledTaskRequest) -> None:
        """Change exactly the fields that were given; null changes nothing.

        Raises:
            RefusalError: It would have a cron expression, which this server cannot evaluate.
        """
        given = given_fields(request)
        _refuse_unless_installed(given.get("schedule_type", record.request.schedule_type))
        active = given.pop("is_active", record.is_active)
        record.start_at = given.get("start_at", record.start_at)
        record.end_at = given.get("end_at", record.end_at)
        record.request = attrs.evolve(record.request, **given)
        record.is_active = active
        record.updated_at = self._now()
        if _TIMING & {*given, *(("is_active",) if request.is_active is not UNSET else ())}:
            record.next_run_at = next_run(record, self._now())
        self._keep(record)
        self.changed()

    def advance(self, record: ScheduleRecord) -> None:
        """Move on to the run after now. Runs that were missed meanwhile are not made up for."""
        record.next_run_at = next_run(record, self._now())
        record.is_active = record.next_run_at is not None
        self._keep(record)

    def delete(self, record: ScheduleRecord) -> None:
        """Remove a schedule."""
        del self._records[record.id]
        self._keeper.forget(_KIND, record.id)
        self.changed()

    def _keep(self, record: ScheduleRecord) -> None:
        request = encode_request(record.request)
        secrets = request.pop("secrets", None)
        document: dict[str, Any] = {"request": request, "is_active": record.is_active}
        for name in ("start_at", "end_at", "next_run_at", "created_at", "updated_at"):
            moment = getattr(record, name)
            document[name] = None if moment is None else format_timestamp(moment)
        if secrets:
            # First: a server that dies in between has no schedule without its secrets.
            self._keeper.keep_secret(_KIND, record.id, secrets)
        self._keeper.keep(_KIND, record.id, document)


def given_fields(request: UpdateScheduledTaskRequest) -> dict[str, Any]:
    """The fields of an update that change something."""
    values = {field.name: getattr(request, field.name) for field in attrs.fields(type(request))}
    return {name: each for name, each in values.items() if each is not UNSET and each is not None}


def _missing_for(*kinds: object) -> str | None:
    """What is missing before schedules of these types can run, or None."""
    is_needed = ScheduleType.CRON in kinds
    return missing_packages("A schedule by cron expression", "cronsim") if is_needed else None


def _refuse_unless_installed(kind: object) -> None:
    missing = _missing_for(kind)
    if missing is not None:
        raise RefusalError(400, missing)


def _secrets_of(request: CreateScheduledTaskRequest) -> bool:
    return isinstance(request.secrets, Mapping) and bool(request.secrets)


def _restored(
    key: str, document: Mapping[str, Any], secrets: Mapping[str, str] | None
) -> ScheduleRecord:
    request = dict(document["request"])
    if secrets is not None:
        request["secrets"] = secrets
    for name in ("start_at", "end_at"):
        if request.get(name) is not None:
            request[name] = parse_timestamp(request[name])
    moments = {
        name: None if document[name] is None else parse_timestamp(document[name])
        for name in ("start_at", "end_at", "next_run_at", "created_at", "updated_at")
    }
    return ScheduleRecord(
        id=key,
        request=CreateScheduledTaskRequest(**request),
        is_active=document["is_active"],
        **moments,  # type: ignore[arg-type]
    )

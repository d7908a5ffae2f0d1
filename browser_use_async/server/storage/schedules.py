"""Schedules as rows, and their secrets."""

import json
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

import attrs

from browser_use_async.api.scalars import parse_timestamp
from browser_use_async.api.serialization import encode_request
from browser_use_async.errors import ConfigurationError
from browser_use_async.server.responses import RefusalError
from browser_use_async.server.schedule import (
    ScheduleRecord,
    change_schedule,
    missing_for_schedules,
    new_schedule,
    next_run,
)
from browser_use_async.server.storage.account import lock_account
from browser_use_async.server.storage.database import Database, Owned
from browser_use_async.server.storage.rows import (
    FLAG,
    MOMENT,
    Codec,
    Table,
    from_moment,
    offset,
    to_json,
    to_moment,
)
from browser_use_async.server.storage.secret_documents import Secrets
from browser_use_async.types import CreateScheduledTaskRequest, UpdateScheduledTaskRequest

_KIND = "schedule"


def _request_text(request: CreateScheduledTaskRequest) -> str:
    """What was asked for, as it is stored: without the secrets, which are sealed."""
    fields = encode_request(request)
    fields.pop("secrets", None)
    return to_json(fields)


def _request(stored: str) -> CreateScheduledTaskRequest:
    fields = json.loads(stored)
    for name in ("start_at", "end_at"):
        if fields.get(name) is not None:
            fields[name] = parse_timestamp(fields[name])
    return CreateScheduledTaskRequest(**fields)


_SCHEDULES = Table(
    "schedules",
    ScheduleRecord,
    *("id", "owner"),
    request=Codec(_request_text, _request),
    is_active=FLAG,
    start_at=MOMENT,
    end_at=MOMENT,
    next_run_at=MOMENT,
    created_at=MOMENT,
    updated_at=MOMENT,
)


class Schedules(Owned):
    """The schedules of one owner, oldest first.

    Raises:
        ConfigurationError: Among those that were kept are some by cron expression, and the package
            that evaluates them is missing.
    """

    def __init__(self, database: Database, sealed: Secrets, now: Callable[[], datetime]) -> None:
        self._database = database
        self._sealed = sealed
        self._now = now
        self.changed: Callable[[], None] = lambda: None
        """Called when another moment may be the next one."""

    async def check_packages(self) -> None:
        """Find out at the start whether the schedules of all owners can run.

        Raises:
            ConfigurationError: Some have cron expressions, whose package is missing.
        """
        found = await self._read("is_active = 1")
        missing = missing_for_schedules(*(each.request.schedule_type for each in found))
        if missing is not None:
            raise ConfigurationError(f"the database holds schedules by cron expression. {missing}")

    async def count(self) -> int:
        """How many schedules there are."""
        return await _SCHEDULES.count(self._database, "owner = :owner", owner=self.owner)

    async def get(self, schedule_id: str) -> ScheduleRecord | None:
        """The schedule with this id, or None."""
        found = await self._read("id = :id AND owner = :owner", id=schedule_id, owner=self.owner)
        return found[0] if found else None

    async def page(self, page: int, limit: int) -> list[ScheduleRecord]:
        """One page, newest first; empty past the end."""
        return await self._read(
            "owner = :owner ORDER BY position DESC LIMIT :limit OFFSET :offset",
            owner=self.owner,
            limit=limit,
            offset=offset(page, limit),
        )

    async def create(self, request: CreateScheduledTaskRequest) -> ScheduleRecord:
        """Add a schedule. It begins now and ends a year later unless the request says so.

        Raises:
            RefusalError: It has secrets, which this server cannot keep, or a cron expression, which
                it cannot evaluate.
        """
        reason = self._sealed.refusal
        if _secrets_of(request) and reason is not None:
            raise RefusalError(400, reason)
        record = new_schedule(self.owner, request, self._now())

        async def work(at: Database) -> None:
            await lock_account(at, self.owner)
            await self._seal(at, record)
            await _SCHEDULES.append(at, record)

        await self._database.transact(work)
        self.changed()
        return record

    async def update(
        self, record: ScheduleRecord, request: UpdateScheduledTaskRequest
    ) -> ScheduleRecord:
        """Change exactly the fields that were given; null changes nothing.

        Raises:
            RefusalError: It would have a cron expression, which this server cannot evaluate.
        """
        change_schedule(record, request, self._now())

        async def work(at: Database) -> None:
            await self._seal(at, record)
            await _SCHEDULES.update(at, record)

        await self._database.transact(work)
        self.changed()
        return record

    async def delete(self, record: ScheduleRecord) -> None:
        """Remove a schedule."""

        async def work(at: Database) -> None:
            await at.rows("DELETE FROM schedules WHERE id = :id", id=record.id)
            await self._sealed.delete(at, _KIND, record.id)

        await self._database.transact(work)
        self.changed()

    # --- of all owners --------------------------------------------------------------------

    async def due(self) -> list[ScheduleRecord]:
        """The schedules whose time has come, in its order."""
        return await self._read(
            "is_active = 1 AND next_run_at <= :now ORDER BY next_run_at", now=to_moment(self._now())
        )

    async def next_moment(self) -> datetime | None:
        """When the next schedule is due, or None."""
        statement = "SELECT MIN(next_run_at) FROM schedules WHERE is_active = 1"
        return from_moment(await self._database.value(statement))

    async def advance(self, at: Database, record: ScheduleRecord) -> bool:
        """Move on to the run after now; False if somebody else has moved it on, or changed it.

        Runs that were missed meanwhile are not made up for.
        """
        after = next_run(record, self._now())
        moved = await at.rows(
            "UPDATE schedules SET next_run_at = :after, is_active = :is_active "
            "WHERE id = :id AND is_active = 1 AND next_run_at = :due RETURNING id",
            id=record.id,
            due=to_moment(record.next_run_at),
            after=to_moment(after),
            is_active=int(after is not None),
        )
        return bool(moved)

    async def included_files(self, now: datetime) -> set[tuple[str, str]]:
        """Owners and names of the uploads that schedules include which have not ended."""
        found = await self._read("end_at > :now", now=to_moment(now))
        return {
            (record.owner, name)
            for record in found
            for name in _names(record.request.included_file_names)
        }

    async def _read(self, condition: str, **values: Any) -> list[ScheduleRecord]:
        found = await _SCHEDULES.find(self._database, condition, **values)
        for record in found:
            secrets = await self._sealed.get(_KIND, record.id)
            if secrets is not None:
                record.request = attrs.evolve(record.request, secrets=secrets)
        return found

    async def _seal(self, at: Database, record: ScheduleRecord) -> None:
        secrets = _secrets_of(record.request)
        if secrets:
            await self._sealed.put(at, _KIND, record.id, secrets)


def _secrets_of(request: CreateScheduledTaskRequest) -> dict[str, str]:
    return dict(request.secrets) if isinstance(request.secrets, Mapping) else {}


def _names(names: object) -> Sequence[str]:
    return names if isinstance(names, Sequence) else ()

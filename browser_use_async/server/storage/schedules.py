"""Schedules as rows, and their secrets."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

import attrs

from browser_use_async.api.scalars import parse_timestamp
from browser_use_async.api.serialization import encode_request
from browser_use_async.errors import ConfigurationError
from browser_use_async.server.errors import UnsupportedError
from browser_use_async.server.storage.database import Claim, Database
from browser_use_async.server.storage.rows import from_json, to_json, to_row
from browser_use_async.server.storage.schedule import (
    ScheduleRecord,
    change_schedule,
    missing_for_schedules,
    new_schedule,
    next_run,
)
from browser_use_async.server.storage.secret_documents import Secrets
from browser_use_async.server.storage.table import Codec, Collection, Table
from browser_use_async.types import (
    Created,
    CreateScheduledTaskRequest,
    UpdateScheduledTaskRequest,
)
from browser_use_async.types.base import Response


class RunTakenError(Exception):
    """Another server has started this run, or the schedule was changed meanwhile."""


def _request_text(request: CreateScheduledTaskRequest) -> str:
    """Return the request in its stored form, without the secrets, which are sealed."""
    fields = encode_request(request)
    fields.pop("secrets", None)
    return to_json(fields)


def _request(stored: str) -> CreateScheduledTaskRequest:
    fields = from_json(stored)
    for name in ("start_at", "end_at"):
        if fields.get(name) is not None:
            fields[name] = parse_timestamp(fields[name])
    return CreateScheduledTaskRequest(**fields)


_SCHEDULES = Table("schedules", ScheduleRecord, request=Codec(_request_text, _request))


class Schedules(Collection[ScheduleRecord]):
    """The schedules of one owner, newest first."""

    order = "position DESC"

    def __init__(self, database: Database, sealed: Secrets, now: Callable[[], datetime]) -> None:
        super().__init__(database, sealed, _SCHEDULES, "schedule")
        self._now = now
        self.changed: Callable[[], None] = lambda: None
        """Called when the time of the next run may have changed."""

    async def check_packages(self) -> None:
        """Check at the start that the schedules of all owners can run."""
        found = await _SCHEDULES.find(self._database, is_active=True)
        missing = missing_for_schedules(*(each.request.schedule_type for each in found))
        if missing is not None:
            raise ConfigurationError(f"the database has schedules by cron expression. {missing}")

    async def create(
        self, request: CreateScheduledTaskRequest, claim: Claim | None = None
    ) -> ScheduleRecord:
        """Add a schedule. It begins now and ends a year later unless the request says so.

        Secrets are refused if this server cannot store them, and cron expressions if it cannot
        evaluate them.
        """
        reason = self._sealed.refusal
        if _secrets_of(request) and reason is not None:
            raise UnsupportedError(reason)
        record = new_schedule(self.owner, request, self._now())

        async def work(at: Database) -> None:
            if claim is not None:
                await claim(at, Created(record.id))
            await self._append(at, record)
            await self._seal(at, record)

        await self._database.transact(work)
        self.changed()
        return record

    async def update(
        self, record: ScheduleRecord, request: UpdateScheduledTaskRequest
    ) -> ScheduleRecord:
        """Change only the given fields; null changes nothing."""

        async def work(at: Database) -> ScheduleRecord:
            # Read again, since it may have run or changed while the request was checked.
            now = await self.get(record.id, at)
            if now is None:
                return record  # deleted meanwhile
            change_schedule(now, request, self._now())
            await self._seal(at, now)
            await at.update("schedules", _SCHEDULES.values(now), id=now.id)
            return now

        changed = await self._database.transact(work)
        self.changed()
        return changed

    async def delete(self, key: str) -> None:
        """Delete a schedule."""
        await super().delete(key)
        await self._database.delete("schedule_runs", schedule_id=key)
        self.changed()

    # --- of all owners --------------------------------------------------------------------

    async def due(self) -> list[ScheduleRecord]:
        """Return the due schedules, by the time of their run."""
        condition = "is_active = 1 AND next_run_at <= :now ORDER BY next_run_at"
        return await self._read(self._database, condition, now=self._now())

    async def next_moment(self) -> datetime | None:
        """Return the time of the next run of any schedule, or None."""
        statement = "SELECT MIN(next_run_at) FROM schedules WHERE is_active = 1"
        found = await self._database.value(statement)
        return None if found is None else datetime.fromisoformat(found)

    async def last_run(self, schedule_id: str) -> str | None:
        """Return the id of the latest task of a schedule, or None."""
        task_id: str | None = await self._database.value(
            "SELECT task_id FROM schedule_runs WHERE schedule_id = :id "
            "ORDER BY number DESC LIMIT 1",
            id=schedule_id,
        )
        return task_id

    async def claim_run(self, record: ScheduleRecord, at: Database, created: Response) -> None:
        """Claim a run, in the transaction that creates its task: advance the schedule.

        Raises:
            RunTakenError: The schedule was advanced or changed meanwhile.
        """
        if not await self.advance(at, record):
            raise RunTakenError
        assert isinstance(created, Created)
        await at.insert("schedule_runs", {"schedule_id": record.id, "task_id": created.id})

    async def advance(self, at: Database, record: ScheduleRecord) -> bool:
        """Advance to the first run after now; returns False if the schedule changed meanwhile.

        Missed runs are skipped.
        """
        after = next_run(record, self._now())
        values = {"due": record.next_run_at, "after": after, "is_active": after is not None}
        moved = await at.rows(
            "UPDATE schedules SET next_run_at = :after, is_active = :is_active "
            "WHERE id = :id AND is_active = 1 AND next_run_at = :due RETURNING id",
            id=record.id,
            **to_row(values),
        )
        return bool(moved)

    async def included_files(self, now: datetime) -> set[tuple[str, str]]:
        """Return owners and names of uploads that active schedules include."""
        found = await _SCHEDULES.find(self._database, "end_at > :now", now=now)
        included = ((each.owner, each.request.included_file_names) for each in found)
        return {
            (owner, name)
            for owner, names in included
            if isinstance(names, Sequence)
            for name in names
        }

    async def _read(self, at: Database, condition: str, **values: Any) -> list[ScheduleRecord]:
        found = await super()._read(at, condition, **values)
        for record in found:
            secrets = await self._sealed.get(self._kind, record.id, at)
            if secrets is not None:
                record.request = attrs.evolve(record.request, secrets=secrets)
        return found

    async def _seal(self, at: Database, record: ScheduleRecord) -> None:
        if secrets := _secrets_of(record.request):
            await self._sealed.put(at, self._kind, record.id, secrets)


def _secrets_of(request: CreateScheduledTaskRequest) -> dict[str, str]:
    return dict(request.secrets) if isinstance(request.secrets, Mapping) else {}

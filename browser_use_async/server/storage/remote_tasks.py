"""What another service does for tasks: under which identity, for how much, and their secrets."""

from collections.abc import Mapping
from decimal import Decimal

import attrs

from browser_use_async.server.executors.protocol import RemoteTask
from browser_use_async.server.storage.account import charge
from browser_use_async.server.storage.changes import Changes
from browser_use_async.server.storage.database import Database
from browser_use_async.server.storage.records import (
    STILL_OPEN,
    TASK_COLUMNS,
    TaskRecord,
    read_task,
    remote_text,
)
from browser_use_async.server.storage.secret_documents import Secrets

_KIND = "remote"  # of sealed document


class RemoteTasks:
    """What is stored of tasks that another service does.

    Their secrets are kept, sealed, until they have ended: after a restart one may still have to be
    sent.
    """

    def __init__(self, database: Database, sealed: Secrets, changes: Changes) -> None:
        self._database = database
        self._sealed = sealed
        self._changes = changes

    async def secrets(self, task_id: str) -> dict[str, str]:
        """The secrets of a task that is at work, as far as they were kept."""
        document = await self._sealed.get(_KIND, task_id)
        secrets: dict[str, str] = {} if document is None else document["secrets"]
        return secrets

    async def not_stopped(self) -> list[TaskRecord]:
        """The tasks of all owners that have ended here, and perhaps not at another service."""
        found = await self._database.rows(
            f"SELECT {TASK_COLUMNS} FROM tasks WHERE finished_at IS NOT NULL "
            "AND status IN ('stopped', 'failed') AND remote LIKE :open",
            open=f"%{STILL_OPEN}%",
        )
        records = [read_task(each) for each in found]
        return [each for each in records if each.remote is not None and each.remote.is_open]

    async def put_secrets(self, at: Database, task_id: str, secrets: Mapping[str, str]) -> None:
        """Keep the secrets of a task, in the transaction that creates it."""
        await self._sealed.put(at, _KIND, task_id, {"secrets": dict(secrets)})

    async def delete_secrets(self, at: Database, task_id: str) -> None:
        """Erase the secrets of a task, in the transaction that ends it."""
        await self._sealed.delete(at, _KIND, task_id)

    async def remember(self, record: TaskRecord, remote: RemoteTask) -> None:
        """Store what another service does for a task."""
        record.remote = remote
        await _write(self._database, record)
        self._changes.note(record.id)

    async def charge(self, record: TaskRecord, cents: Decimal) -> None:
        """Charge what a task has cost so far; the same amount again changes nothing."""
        difference = cents - record.remote_cents
        if not difference:
            return

        async def work(at: Database) -> None:
            await _write(at, attrs.evolve(record, remote_cents=cents))
            await charge(at, record.owner, difference)

        await self._database.transact(work)
        record.remote_cents = cents


async def _write(at: Database, record: TaskRecord) -> None:
    await at.rows(
        "UPDATE tasks SET remote = :remote WHERE id = :id", id=record.id, remote=remote_text(record)
    )

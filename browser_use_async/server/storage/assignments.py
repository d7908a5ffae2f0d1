"""What is stored for the executor of a task: its assignment, and its share at another service.

Of the assignment of a task that has not begun, what may be read stands in the task's row,
secrets and cookies are sealed, and files stay where they were uploaded, so that any server can
begin it. All of it is erased when the task begins.
"""

from decimal import Decimal
from typing import Any

import attrs

from browser_use_async.server.records import Assignment, RemoteTask
from browser_use_async.server.storage.account import charge
from browser_use_async.server.storage.database import Database
from browser_use_async.server.storage.files import UPLOADS, Files
from browser_use_async.server.storage.progress import STEP
from browser_use_async.server.storage.records import STILL_OPEN, TASKS, TaskRecord
from browser_use_async.server.storage.rows import from_json, to_json
from browser_use_async.server.storage.secret_documents import Secrets

ASSIGNMENT, REMOTE_SECRETS = "assignment", "remote"
"""The kinds of sealed documents that hold what a task needs, here or at another service."""

_NOT_STORED = {
    *("owner", "secrets", "cookies", "files", "requested", "remote", "lost_secrets"),
    "script",  # which its metadata names, and whose latest version is read when it begins
}
_STORED = [each.name for each in attrs.fields(Assignment) if each.name not in _NOT_STORED]


async def store_assignment(at: Database, sealed: Secrets, assignment: Assignment) -> str | None:
    """Seal what a task needs to begin, in the transaction that creates it.

    Returns:
        What is stored in its row, or None if it cannot begin after a restart.
    """
    cookies = [dict(each) for each in assignment.cookies]
    document = {"secrets": dict(assignment.secrets), "cookies": cookies}
    is_secret = any(document.values())
    # No other server could begin it, or none with its secrets: after a restart it has failed.
    if not at.is_kept or (is_secret and sealed.refusal is not None):
        return None
    if is_secret:
        await sealed.put(at, ASSIGNMENT, assignment.task_id, document)
    fields = {name: getattr(assignment, name) for name in _STORED}
    fields.update(files=list(assignment.files), requested=sorted(assignment.requested))
    return to_json({**fields, "is_secret": is_secret})


async def read_assignment(at: Database, sealed: Secrets, record: TaskRecord) -> Assignment | None:
    """What a task needs to begin, or None if it was not stored or cannot be read any more."""
    stored = await at.value("SELECT assignment FROM tasks WHERE id = :id", id=record.id)
    if stored is None:
        return None
    fields: dict[str, Any] = from_json(stored)
    if fields.pop("is_secret"):
        document = await sealed.get(ASSIGNMENT, record.id, at)
        if document is None:
            return None
        fields.update(document)
    files = {}
    for name in fields["files"]:
        upload = await UPLOADS.first(at, owner=record.owner, name=name)
        if upload is None:
            return None
        files[name] = await Files(at).whole(upload.key)
    fields.update(viewport=tuple(fields["viewport"]), requested=frozenset(fields["requested"]))
    fields.update(files=files, owner=record.owner)
    return Assignment(**fields)


class RemoteTasks:
    """What is stored of tasks that another service does.

    Their secrets are kept, sealed, until they have ended: after a restart one may still have to be
    sent.
    """

    def __init__(self, database: Database, sealed: Secrets) -> None:
        self._database = database
        self._sealed = sealed

    async def secrets(self, task_id: str) -> dict[str, str]:
        """The secrets of a task that is at work, as far as they were kept."""
        document = await self._sealed.get(REMOTE_SECRETS, task_id)
        secrets: dict[str, str] = {} if document is None else document["secrets"]
        return secrets

    async def not_stopped(self) -> list[TaskRecord]:
        """The tasks of all owners that have ended here, and perhaps not at another service."""
        records = await TASKS.find(
            self._database,
            "finished_at IS NOT NULL AND status IN ('stopped', 'failed') AND remote LIKE :open",
            open=f"%{STILL_OPEN}%",
        )
        return [each for each in records if each.remote is not None and each.remote.is_open]

    async def remember(self, record: TaskRecord, remote: RemoteTask) -> None:
        """Store what another service does for a task."""
        record.remote = remote
        await self._database.update("tasks", {"remote": record.remote_json}, id=record.id)
        await self._database.announce(record.id, f"{STEP} {record.owner}")

    async def charge(self, record: TaskRecord, cents: Decimal) -> None:
        """Charge what a task has cost so far; the same amount again changes nothing."""

        async def work(at: Database) -> None:
            charged = attrs.evolve(record, remote_cents=cents)
            await at.update("tasks", {"remote": charged.remote_json}, id=record.id)
            await charge(at, record.owner, cents - record.remote_cents)

        if cents != record.remote_cents:
            await self._database.transact(work)
            record.remote_cents = cents

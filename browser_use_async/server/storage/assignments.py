"""The stored data of a task's executor: its assignment, or its remote task at another service.

The assignment of a task that has not begun is stored so that any server can begin it: secrets and
cookies are sealed, files stay with the uploads, and the rest is in the task's row. All of it is
erased when the task begins.
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
"""The kinds of sealed documents for the secrets of tasks, here or at another service."""

_NOT_STORED = {
    *("owner", "secrets", "cookies", "files", "requested", "remote", "lost_secrets"),
    "script",  # named by the metadata; the latest version is read when the task begins
}
_STORED = [each.name for each in attrs.fields(Assignment) if each.name not in _NOT_STORED]


async def store_assignment(at: Database, sealed: Secrets, assignment: Assignment) -> str | None:
    """Store the assignment of a task, in the transaction that creates it.

    Returns:
        The text for the row of the task, or None if it cannot begin after a restart.
    """
    cookies = [dict(each) for each in assignment.cookies]
    document = {"secrets": dict(assignment.secrets), "cookies": cookies}
    is_secret = any(document.values())
    # No other server could begin it with its secrets, so it fails after a restart.
    if not at.is_kept or (is_secret and sealed.refusal is not None):
        return None
    if is_secret:
        await sealed.put(at, ASSIGNMENT, assignment.task_id, document)
    fields = {name: getattr(assignment, name) for name in _STORED}
    fields.update(files=list(assignment.files), requested=sorted(assignment.requested))
    return to_json({**fields, "is_secret": is_secret})


async def read_assignment(at: Database, sealed: Secrets, record: TaskRecord) -> Assignment | None:
    """Read the assignment of a task; None if it was not stored or cannot be read."""
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
    """The stored data of tasks that another service carries out.

    Their secrets are kept, sealed, until the tasks end, since a task may still have to be sent
    after a restart.
    """

    def __init__(self, database: Database, sealed: Secrets) -> None:
        self._database = database
        self._sealed = sealed

    async def secrets(self, task_id: str) -> dict[str, str]:
        """Return the stored secrets of a running task."""
        document = await self._sealed.get(REMOTE_SECRETS, task_id)
        secrets: dict[str, str] = {} if document is None else document["secrets"]
        return secrets

    async def not_stopped(self) -> list[TaskRecord]:
        """Return the tasks of all owners that ended here, but perhaps not at the other service."""
        records = await TASKS.find(
            self._database,
            "finished_at IS NOT NULL AND status IN ('stopped', 'failed') AND remote LIKE :open",
            open=f"%{STILL_OPEN}%",
        )
        return [each for each in records if each.remote is not None and each.remote.is_open]

    async def remember(self, record: TaskRecord, remote: RemoteTask) -> None:
        """Store the remote task of a task."""
        record.remote = remote
        await self._database.update("tasks", {"remote": record.remote_json}, id=record.id)
        await self._database.announce(record.id, f"{STEP} {record.owner}")

    async def charge(self, record: TaskRecord, cents: Decimal) -> None:
        """Charge the cost of a task so far; the same amount again changes nothing."""

        async def work(at: Database) -> None:
            charged = attrs.evolve(record, remote_cents=cents)
            await at.update("tasks", {"remote": charged.remote_json}, id=record.id)
            await charge(at, record.owner, cents - record.remote_cents)

        if cents != record.remote_cents:
            await self._database.transact(work)
            record.remote_cents = cents

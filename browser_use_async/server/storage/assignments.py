"""What is stored for whoever carries a task out: its assignment, and its share at another service.

Of the assignment of a task that nobody has begun, what may be read stands in the task's row,
secrets and cookies are sealed, and files stay where they were uploaded, so that any server can
begin it. All of it is erased when the task begins.
"""

import json
from decimal import Decimal
from typing import Any

import attrs

from browser_use_async.server.changes import Changes
from browser_use_async.server.executors.protocol import Assignment, RemoteTask
from browser_use_async.server.storage.account import charge
from browser_use_async.server.storage.database import Database
from browser_use_async.server.storage.files import Files
from browser_use_async.server.storage.records import STILL_OPEN, TASKS, TaskRecord
from browser_use_async.server.storage.rows import to_json
from browser_use_async.server.storage.secret_documents import Secrets
from browser_use_async.server.storage.uploads import upload_key

ASSIGNMENT, REMOTE_SECRETS = "assignment", "remote"
"""The kinds of sealed documents that hold what a task needs, here or at another service."""

_NOT_STORED = {"secrets", "cookies", "files", "requested", "remote", "lost_secrets"}
_STORED = [each.name for each in attrs.fields(Assignment) if each.name not in _NOT_STORED]


async def store_assignment(at: Database, sealed: Secrets, assignment: Assignment) -> str | None:
    """Seal what a task needs to begin, in the transaction that creates it.

    Returns:
        What is stored in its row, or None if it cannot begin after a restart.
    """
    if not at.is_kept:
        return None  # nobody else could begin it
    cookies = [dict(each) for each in assignment.cookies]
    document = {"secrets": dict(assignment.secrets), "cookies": cookies}
    is_secret = any(document.values())
    if is_secret and sealed.refusal is not None:
        return None  # cannot be kept: after a restart the task has failed
    if is_secret:
        await sealed.put(at, ASSIGNMENT, assignment.task_id, document)
    fields = {name: getattr(assignment, name) for name in _STORED}
    fields.update(files=list(assignment.files), requested=sorted(assignment.requested))
    return to_json({**fields, "is_secret": is_secret})


async def read_assignment(
    at: Database, sealed: Secrets, owner: str, task_id: str
) -> Assignment | None:
    """What a task needs to begin, or None if it was not stored or cannot be read any more."""
    stored = await at.value("SELECT assignment FROM tasks WHERE id = :id", id=task_id)
    if stored is None:
        return None
    fields: dict[str, Any] = json.loads(stored)
    if fields.pop("is_secret"):
        document = await sealed.get(ASSIGNMENT, task_id, at)
        if document is None:
            return None
        fields.update(document)
    fields["viewport"] = tuple(fields["viewport"])
    fields["requested"] = frozenset(fields["requested"])
    files = {name: await _file(at, owner, name) for name in fields["files"]}
    if None in files.values():
        return None
    fields["files"] = files
    return Assignment(**fields)


async def _file(at: Database, owner: str, name: str) -> bytes | None:
    key, files = upload_key(owner, name), Files(at)
    facts = await files.facts(key)
    return None if facts is None else await files.get(key, range(facts.size))


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
        await _write_remote(self._database, record)
        self._changes.note(record.id)

    async def charge(self, record: TaskRecord, cents: Decimal) -> None:
        """Charge what a task has cost so far; the same amount again changes nothing."""
        difference = cents - record.remote_cents
        if not difference:
            return

        async def work(at: Database) -> None:
            await _write_remote(at, attrs.evolve(record, remote_cents=cents))
            await charge(at, record.owner, difference)

        await self._database.transact(work)
        record.remote_cents = cents


async def _write_remote(at: Database, record: TaskRecord) -> None:
    statement = "UPDATE tasks SET remote = :remote WHERE id = :id"
    await at.rows(statement, id=record.id, remote=record.remote_json)

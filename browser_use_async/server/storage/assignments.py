"""The stored assignment of a task.

The assignment of a task that has not begun is stored so that any server can begin it: secrets and
cookies are sealed, files stay with the uploads, and the rest is in the task's row. All of it is
erased when the task begins.
"""

from typing import Any

import attrs

from browser_use_async.server.records import Assignment
from browser_use_async.server.storage.database import Database
from browser_use_async.server.storage.files import UPLOADS, Files
from browser_use_async.server.storage.records import TaskRecord
from browser_use_async.server.storage.rows import from_json, to_json
from browser_use_async.server.storage.secret_documents import Secrets

ASSIGNMENT = "assignment"
"""The kind of the sealed documents with the secrets of tasks."""

_NOT_STORED = {
    *("owner", "secrets", "cookies", "files"),
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
    fields.update(files=list(assignment.files))
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
    fields.update(viewport=tuple(fields["viewport"]), files=files, owner=record.owner)
    return Assignment(**fields)

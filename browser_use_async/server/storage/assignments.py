"""The assignments of tasks that nobody has begun, so that any server can begin them.

What may be read stands in the task's row, secrets and cookies are sealed, and files stay where they
were uploaded. All of it is erased when the task begins.
"""

import json
from typing import Any

import attrs

from browser_use_async.server.executors.protocol import Assignment
from browser_use_async.server.storage.database import Database
from browser_use_async.server.storage.files import Files
from browser_use_async.server.storage.secret_documents import Secrets
from browser_use_async.server.storage.uploads import upload_key
from browser_use_async.server.storage.values import to_json

_KIND = "assignment"
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
        await sealed.put(at, _KIND, assignment.task_id, document)
    fields = {name: getattr(assignment, name) for name in _STORED}
    fields.update(files=list(assignment.files), requested=sorted(assignment.requested))
    return to_json({**fields, "is_secret": is_secret})


async def read_assignment(
    at: Database, sealed: Secrets, owner: str, task_id: str
) -> Assignment | None:
    """What a task needs to begin, or None if it was not stored or cannot be read any more."""
    found = await at.rows("SELECT assignment FROM tasks WHERE id = :id", id=task_id)
    if not found or found[0][0] is None:
        return None
    fields: dict[str, Any] = json.loads(found[0][0])
    if fields.pop("is_secret"):
        document = await sealed.get(_KIND, task_id, at)
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


async def delete_assignment(at: Database, sealed: Secrets, task_id: str) -> None:
    """Erase what was sealed; the rest goes with the change of the row."""
    if at.is_kept:
        await sealed.delete(at, _KIND, task_id)


async def _file(at: Database, owner: str, name: str) -> bytes | None:
    key, files = upload_key(owner, name), Files(at)
    facts = await files.facts(key)
    return None if facts is None else await files.get(key, range(facts.size))

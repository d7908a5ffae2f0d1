"""Files of version 1 of the database, which held JSON documents by kind and key."""

import json
import sqlite3
from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal
from typing import Any

from browser_use_async.server.executors.protocol import DEFAULT_OWNER
from browser_use_async.server.storage.database import Database
from browser_use_async.server.storage.files import UPLOADS, Files, Upload

_ADDED_LATER = {"max_agent_steps": 75, "takes_screenshots": True, "recordings": []}
"""Fields of tasks that the first servers of version 1 did not store yet."""

_COPIED = {
    "task": "tasks: id owner position task created_at metadata viewport save_browser_data "
    "included_file_names live_token share_token llm_model max_agent_steps status started "
    "finished_at takes_screenshots recordings output output_files files_expired",
    "step": "steps: task_id number id evaluation_previous_goal next_goal url",
    "account": "accounts: owner balance tasks expired_tasks",
    "profile": "profiles: id owner position fields",
    "schedule": "schedules: id owner position request is_active start_at end_at next_run_at "
    "created_at updated_at",
    "delivery": "outbox: id owner webhook_id address task_id status body attempts state",
}
"""The tables and columns that the kinds of documents are copied to."""

_FOLDERS = {
    "output_file": "output",
    "screenshot": "screenshot",
    "recording": "recording",
    "drawing": "",  # stands in the row of its step
}


async def copy_documents(at: Database) -> None:
    """Copy all documents into the tables, in a transaction, and drop their own."""
    try:
        await _copy(at)
    except (KeyError, TypeError, ValueError, ArithmeticError) as error:
        raise sqlite3.DatabaseError(
            f"a document of version 1 cannot be read: {type(error).__name__}"
        ) from error


async def _copy(at: Database) -> None:
    await at.rows("INSERT INTO server_keys SELECT key, body FROM file WHERE kind = 'server'")
    await at.rows("INSERT INTO secrets SELECT kind, key, body FROM secret")
    for kind, columns in _COPIED.items():
        table, _, names = columns.partition(":")
        for place, (key, document) in enumerate(await _documents(at, kind), 1):
            fields = _fields(kind, key, document) | {"owner": DEFAULT_OWNER, "position": place}
            await at.insert(table, {name: fields[name] for name in names.split()})
    await at.rows("UPDATE accounts SET tasks = (SELECT COUNT(*) FROM tasks)")
    await _copy_files(at)
    for table in ("document", "secret", "file"):
        await at.rows(f"DROP TABLE {table}")


async def _documents(at: Database, kind: str) -> Iterator[tuple[str, Any]]:
    statement = "SELECT key, body FROM document WHERE kind = :kind ORDER BY position"
    return ((key, json.loads(body)) for key, body in await at.rows(statement, kind=kind))


def _fields(kind: str, key: str, document: dict[str, Any]) -> dict[str, Any]:
    """What the columns of a document's row are called, with their values."""
    if kind == "task":
        return {**_ADDED_LATER, **document, "id": key}
    if kind == "step":
        return {**document, "task_id": key.partition("/")[0], "number": document["step"]}
    if kind == "account":
        return {"balance": Decimal(document["balance_cents"]), "tasks": 0, "expired_tasks": 0}
    if kind == "profile":
        return {"id": key, "fields": document}
    return {**document, "id": key}


async def _copy_files(at: Database) -> None:
    files = Files(at)
    for kind, key, position in await at.rows("SELECT kind, key, position FROM file"):
        if kind not in _FOLDERS:
            continue
        statement = "SELECT body FROM file WHERE position = :position"
        content = await at.value(statement, position=position)
        if kind == "drawing":
            task_id, _, number = key.removesuffix(".png").rpartition("-step-")
            changes = {"drawing": content.decode()}
            await at.update("steps", changes, task_id=task_id, number=int(number))
        else:
            await files.put(f"{_FOLDERS[kind]}/{key}", content)
    for key, document in await _documents(at, "upload"):
        statement = "SELECT body FROM file WHERE kind = 'upload' AND key = :key"
        if (content := await at.value(statement, key=key)) is not None:
            uploaded_at = datetime.fromisoformat(document["uploaded_at"])
            upload = Upload(DEFAULT_OWNER, key, len(content), uploaded_at)
            await files.put(upload.key, content)
            await UPLOADS.insert(at, upload)

"""Files of version 1 of the database, which held JSON documents by kind and key."""

import hashlib
import json
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal
from typing import Any

from browser_use_async.server.storage.rows import to_json, to_micro, to_text

_PART_BYTES = 1024 * 1024
_ADDED_LATER = {"max_agent_steps": 75, "takes_screenshots": True, "recordings": []}
"""Fields of tasks that the first servers of version 1 did not store yet."""
_OF_TASK = (
    *("created_at", "save_browser_data", "live_token", "share_token", "llm_model"),
    *("max_agent_steps", "status", "started", "finished_at", "takes_screenshots", "files_expired"),
)
_JSON_OF_TASK = ("metadata", "viewport", "included_file_names", "recordings", "output_files")
_OF_SCHEDULE = ("is_active", "start_at", "end_at", "next_run_at", "created_at", "updated_at")
_OF_DELIVERY = ("webhook_id", "address", "task_id", "status", "body", "state")


def copy_documents(connection: sqlite3.Connection, owner: str) -> None:
    """Copy all documents into the tables of version 2, in a transaction, and drop their own.

    Raises:
        sqlite3.DatabaseError: A document is not what a server of version 1 wrote.
    """
    try:
        _copy(connection, owner)
    except (KeyError, TypeError, ValueError, ArithmeticError) as error:
        raise sqlite3.DatabaseError(
            f"a document of version 1 cannot be read: {type(error).__name__}"
        ) from error


def _copy(connection: sqlite3.Connection, owner: str) -> None:
    execute = connection.execute
    execute("INSERT INTO server_keys SELECT key, body FROM file WHERE kind = 'server'")
    execute("INSERT INTO secrets SELECT kind, key, body FROM secret")
    count = _copy_tasks(connection, owner)
    for _key, each in _documents(connection, "account"):
        balance = to_micro(Decimal(each["balance_cents"]))
        row = {"owner": owner, "balance": balance, "tasks": count, "expired_tasks": 0}
        _insert(connection, "accounts", row)
    for place, (key, each) in enumerate(_documents(connection, "profile"), 1):
        row = {"id": key, "owner": owner, "position": place, "fields": to_json(each)}
        _insert(connection, "profiles", row)
    for place, (key, each) in enumerate(_documents(connection, "schedule"), 1):
        row = _chosen(each, _OF_SCHEDULE, json_names=("request",))
        _insert(connection, "schedules", {**row, "id": key, "owner": owner, "position": place})
    for key, each in _documents(connection, "delivery"):
        row = _chosen(each, _OF_DELIVERY, json_names=("attempts",))
        _insert(connection, "outbox", {**row, "id": key})
    _copy_files(connection, owner)
    for table in ("document", "secret", "file"):
        execute(f"DROP TABLE {table}")


def _copy_tasks(connection: sqlite3.Connection, owner: str) -> int:
    count = 0
    for count, (key, each) in enumerate(_documents(connection, "task"), 1):
        row = _chosen({**_ADDED_LATER, **each}, _OF_TASK, ("task", "output"), _JSON_OF_TASK)
        _insert(connection, "tasks", {**row, "id": key, "owner": owner, "position": count})
    for key, each in _documents(connection, "step"):
        row = _chosen(each, ("id",), ("evaluation_previous_goal", "next_goal", "url"))
        row |= {"task_id": key.partition("/")[0], "number": each["step"]}
        _insert(connection, "steps", row)
    return count


def _documents(connection: sqlite3.Connection, kind: str) -> Iterator[tuple[str, Any]]:
    statement = "SELECT key, body FROM document WHERE kind = ? ORDER BY position"
    for key, body in connection.execute(statement, (kind,)):
        yield key, json.loads(body)


def _chosen(
    document: Mapping[str, Any],
    names: Iterable[str],
    text_names: Iterable[str] = (),
    json_names: Iterable[str] = (),
) -> dict[str, Any]:
    """Some fields of a document, as a row has them."""
    row = {name: document[name] for name in names}
    for stored, chosen in ((to_text, text_names), (to_json, json_names)):
        for name in chosen:
            row[name] = None if document[name] is None else stored(document[name])
    return row


def _insert(connection: sqlite3.Connection, table: str, row: Mapping[str, Any]) -> None:
    marks = ", ".join(f":{name}" for name in row)
    connection.execute(f"INSERT INTO {table} ({', '.join(row)}) VALUES ({marks})", row)


def _copy_files(connection: sqlite3.Connection, owner: str) -> None:
    places = connection.execute("SELECT kind, key, position FROM file").fetchall()
    for kind, key, position in places:
        statement = "SELECT body FROM file WHERE position = ?"
        (content,) = connection.execute(statement, (position,)).fetchone()
        if kind == "drawing":
            task_id, _, number = key.removesuffix(".png").rpartition("-step-")
            statement = "UPDATE steps SET drawing = ? WHERE task_id = ? AND number = ?"
            connection.execute(statement, (content.decode(), task_id, int(number)))
        elif kind == "output_file":
            _put(connection, f"output/{key}", content)
        elif kind == "upload":
            _put(connection, f"upload/{owner}/{to_text(key)}", content)
        elif kind in {"screenshot", "recording"}:
            _put(connection, f"{kind}/{key}", content)
    for key, each in _documents(connection, "upload"):
        statement = "SELECT size FROM files WHERE key = ?"
        found = connection.execute(statement, (f"upload/{owner}/{to_text(key)}",)).fetchone()
        if found is not None:
            row = {"owner": owner, "name": to_text(key), "size": found[0]}
            _insert(connection, "uploads", {**row, "uploaded_at": each["uploaded_at"]})


def _put(connection: sqlite3.Connection, key: str, content: bytes) -> None:
    digest = hashlib.sha256(content).hexdigest()
    connection.execute("INSERT INTO files VALUES (?, ?, ?)", (key, len(content), digest))
    for number, start in enumerate(range(0, len(content), _PART_BYTES)):
        row = (key, number, content[start : start + _PART_BYTES])
        connection.execute("INSERT INTO file_parts VALUES (?, ?, ?)", row)

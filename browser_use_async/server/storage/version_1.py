"""Files of version 1 of the database, which held JSON documents by kind and key."""

import hashlib
import json
import sqlite3
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

from browser_use_async.server.storage.values import to_json, to_micro, to_text

_PART_BYTES = 1024 * 1024
_MOST_STEPS = 75  # of tasks whose server did not store it yet
_STEP = (
    "INSERT INTO steps (task_id, number, id, evaluation_previous_goal, next_goal, url) "
    "VALUES (?, ?, ?, ?, ?, ?)"
)


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
    for _key, account in _documents(connection, "account"):
        balance = to_micro(Decimal(account["balance_cents"]))
        execute(
            "INSERT INTO accounts (owner, balance, tasks, expired_tasks) VALUES (?, ?, ?, 0)",
            (owner, balance, count),
        )
    for place, (key, profile) in enumerate(_documents(connection, "profile"), 1):
        execute("INSERT INTO profiles VALUES (?, ?, ?, ?)", (key, owner, place, to_json(profile)))
    for place, (key, each) in enumerate(_documents(connection, "schedule"), 1):
        moments = [each[name] for name in ("start_at", "end_at", "next_run_at")]
        moments += [each["created_at"], each["updated_at"]]
        row = (key, owner, place, to_json(each["request"]), each["is_active"], *moments)
        execute(f"INSERT INTO schedules VALUES ({_marks(row)})", row)
    for key, each in _documents(connection, "delivery"):
        row = (key, *(each[name] for name in ("webhook_id", "address", "task_id", "status")))
        row += (each["body"], to_json(each["attempts"]), each["state"])
        names = "id, webhook_id, address, task_id, status, body, attempts, state"
        execute(f"INSERT INTO outbox ({names}) VALUES ({_marks(row)})", row)
    _copy_files(connection, owner)
    for table in ("document", "secret", "file"):
        execute(f"DROP TABLE {table}")


def _documents(connection: sqlite3.Connection, kind: str) -> Iterator[tuple[str, Any]]:
    statement = "SELECT key, body FROM document WHERE kind = ? ORDER BY position"
    for key, body in connection.execute(statement, (kind,)):
        yield key, json.loads(body)


def _marks(row: tuple[Any, ...]) -> str:
    return ", ".join("?" * len(row))


def _copy_tasks(connection: sqlite3.Connection, owner: str) -> int:
    count = 0
    for count, (key, each) in enumerate(_documents(connection, "task"), 1):
        names = each["included_file_names"]
        row = (
            key, owner, count, to_text(each["task"]), each["created_at"], to_json(each["metadata"]),
            to_json(each["viewport"]), each["save_browser_data"],
            None if names is None else to_json(names), each["live_token"], each["share_token"],
            each["llm_model"], each.get("max_agent_steps", _MOST_STEPS), each["status"],
            each["started"], each["finished_at"], each.get("takes_screenshots", True),
            to_json(each.get("recordings", [])),
            None if each["output"] is None else to_text(each["output"]),
            to_json(each["output_files"]), each["files_expired"], None,
            None, None, None, None,
        )  # fmt: skip
        connection.execute(f"INSERT INTO tasks VALUES ({_marks(row)})", row)
    for key, step in _documents(connection, "step"):
        task_id = key.partition("/")[0]
        texts = (step[name] for name in ("evaluation_previous_goal", "next_goal", "url"))
        row = (task_id, step["step"], step["id"], *map(to_text, texts))
        connection.execute(_STEP, row)
    return count


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
            row = (owner, to_text(key), found[0], each["uploaded_at"])
            connection.execute("INSERT INTO uploads VALUES (?, ?, ?, ?)", row)


def _put(connection: sqlite3.Connection, key: str, content: bytes) -> None:
    digest = hashlib.sha256(content).hexdigest()
    connection.execute("INSERT INTO files VALUES (?, ?, ?)", (key, len(content), digest))
    for number, start in enumerate(range(0, len(content), _PART_BYTES)):
        row = (key, number, content[start : start + _PART_BYTES])
        connection.execute("INSERT INTO file_parts VALUES (?, ?, ?)", row)

"""The tables, in statements that SQLite and PostgreSQL both understand, and those of version 1."""

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

VERSION_2 = (
    # Keys that the server makes for itself.
    "CREATE TABLE server_keys (name TEXT PRIMARY KEY, value {blob} NOT NULL)",
    # Balances are millionths of a cent. `tasks` numbers the tasks of an owner without gaps, the
    # first `expired_tasks` of which have been deleted.
    """CREATE TABLE accounts (
        owner TEXT PRIMARY KEY, balance BIGINT NOT NULL, tasks BIGINT NOT NULL,
        expired_tasks BIGINT NOT NULL
    )""",
    """CREATE TABLE tasks (
        id TEXT PRIMARY KEY, owner TEXT NOT NULL, position BIGINT NOT NULL, task TEXT NOT NULL,
        created_at TEXT NOT NULL, metadata TEXT NOT NULL, viewport TEXT NOT NULL,
        save_browser_data INTEGER NOT NULL, included_file_names TEXT, live_token TEXT NOT NULL,
        share_token TEXT, llm_model TEXT NOT NULL, max_agent_steps INTEGER NOT NULL,
        status TEXT NOT NULL, started INTEGER NOT NULL, finished_at TEXT,
        takes_screenshots INTEGER NOT NULL, recordings TEXT NOT NULL, output TEXT,
        output_files TEXT NOT NULL, files_expired INTEGER NOT NULL, request TEXT
    )""",
    "CREATE UNIQUE INDEX tasks_by_position ON tasks (owner, position)",
    "CREATE UNIQUE INDEX tasks_by_live_token ON tasks (live_token)",
    """CREATE UNIQUE INDEX tasks_by_share_token ON tasks (share_token)
        WHERE share_token IS NOT NULL""",
    "CREATE INDEX tasks_at_work ON tasks (created_at) WHERE finished_at IS NULL",
    """CREATE INDEX tasks_with_files ON tasks (finished_at)
        WHERE finished_at IS NOT NULL AND files_expired = 0""",
    """CREATE TABLE steps (
        task_id TEXT NOT NULL, number INTEGER NOT NULL, id TEXT NOT NULL,
        evaluation_previous_goal TEXT NOT NULL, next_goal TEXT NOT NULL, url TEXT NOT NULL,
        drawing TEXT, PRIMARY KEY (task_id, number)
    )""",
    # Sealed documents: the secrets of schedules and webhooks, the cookies of profiles and tasks.
    """CREATE TABLE secrets (
        kind TEXT NOT NULL, key TEXT NOT NULL, body {blob} NOT NULL, PRIMARY KEY (kind, key)
    )""",
    "CREATE TABLE files (key TEXT PRIMARY KEY, size BIGINT NOT NULL, digest TEXT NOT NULL)",
    # In parts, so that a range of a large file is read without the rest of it.
    """CREATE TABLE file_parts (
        key TEXT NOT NULL, number INTEGER NOT NULL, body {blob} NOT NULL, PRIMARY KEY (key, number)
    )""",
    """CREATE TABLE uploads (
        owner TEXT NOT NULL, name TEXT NOT NULL, size BIGINT NOT NULL, uploaded_at TEXT NOT NULL,
        PRIMARY KEY (owner, name)
    )""",
    """CREATE TABLE profiles (
        id TEXT PRIMARY KEY, owner TEXT NOT NULL, position BIGINT NOT NULL, fields TEXT NOT NULL
    )""",
    "CREATE UNIQUE INDEX profiles_by_position ON profiles (owner, position)",
    """CREATE TABLE schedules (
        id TEXT PRIMARY KEY, owner TEXT NOT NULL, position BIGINT NOT NULL, request TEXT NOT NULL,
        is_active INTEGER NOT NULL, start_at TEXT NOT NULL, end_at TEXT NOT NULL,
        next_run_at TEXT, created_at TEXT NOT NULL, updated_at TEXT NOT NULL
    )""",
    "CREATE UNIQUE INDEX schedules_by_position ON schedules (owner, position)",
    "CREATE INDEX schedules_by_next_run ON schedules (next_run_at) WHERE is_active = 1",
    # The events for webhooks, in the order in which they are sent.
    """CREATE TABLE outbox (
        number {serial}, id TEXT NOT NULL, webhook_id TEXT NOT NULL, address TEXT NOT NULL,
        task_id TEXT NOT NULL, status TEXT NOT NULL, body TEXT NOT NULL, attempts TEXT NOT NULL,
        state TEXT NOT NULL
    )""",
    "CREATE INDEX outbox_by_state ON outbox (state, address, task_id, number)",
)

VERSION_3 = (
    # The account of the owner `default` pays for all; what each owner has spent of it, and may
    # spend, are millionths of a cent as well.
    "ALTER TABLE accounts ADD COLUMN spent BIGINT NOT NULL DEFAULT 0",
    "ALTER TABLE accounts ADD COLUMN budget BIGINT",
    "ALTER TABLE accounts ADD COLUMN concurrency BIGINT",
    "CREATE INDEX tasks_at_work_by_owner ON tasks (owner) WHERE finished_at IS NULL",
    """CREATE TABLE api_keys (
        id TEXT PRIMARY KEY, owner TEXT NOT NULL, digest TEXT NOT NULL, scopes TEXT NOT NULL,
        created_at TEXT NOT NULL, expires_at TEXT, revoked_at TEXT, last_used_at TEXT
    )""",
    "CREATE UNIQUE INDEX api_keys_by_digest ON api_keys (digest)",
    "CREATE INDEX api_keys_by_owner ON api_keys (owner)",
    """CREATE TABLE audit_trail (
        number {serial}, at TEXT NOT NULL, key_id TEXT, name TEXT, call TEXT NOT NULL,
        subject TEXT, address TEXT, status INTEGER NOT NULL
    )""",
    "CREATE INDEX audit_trail_by_time ON audit_trail (at)",
    "CREATE INDEX audit_trail_by_name ON audit_trail (name, number)",
)

VERSION_4 = (
    # What another service does for a task, as JSON; null where this server does it.
    "ALTER TABLE tasks ADD COLUMN remote TEXT",
    # What a task needs to begin, until it begins; then which server carries it out.
    "ALTER TABLE tasks ADD COLUMN assignment TEXT",
    "ALTER TABLE tasks ADD COLUMN worker TEXT",
    "CREATE INDEX tasks_at_work_by_worker ON tasks (worker) WHERE finished_at IS NULL",
)

VERSION_5 = (
    # Where the servers that carry out tasks are reached by the others, and when each said so last.
    "CREATE TABLE nodes (worker TEXT PRIMARY KEY, url TEXT NOT NULL, seen_at TEXT NOT NULL)",
    # When a step was reported; null for those of older versions.
    "ALTER TABLE steps ADD COLUMN taken_at TEXT",
)

VERSION_6 = (
    # What the attempts of the latest deliveries sent and got back, as JSON.
    "ALTER TABLE outbox ADD COLUMN exchanges TEXT",
    # How many tasks a server carries out at once, each of which says where it is, reachable or not.
    "ALTER TABLE nodes ADD COLUMN slots BIGINT",
    "CREATE INDEX outbox_with_exchanges ON outbox (number) WHERE exchanges IS NOT NULL",
)

VERSION_7 = (
    # The moment that the first picture of a task's recordings shows, if it is known.
    "ALTER TABLE tasks ADD COLUMN recorded_from TEXT",
)

MIGRATIONS = (VERSION_2, VERSION_3, VERSION_4, VERSION_5, VERSION_6, VERSION_7)
"""What leads from each version to the next one, beginning with an empty file as version 1."""

SCHEMA_VERSION = 1 + len(MIGRATIONS)
"""The version of the tables; a file of a newer one is refused."""


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

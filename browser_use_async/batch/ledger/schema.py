"""The tables of a ledger, and the check of an existing file. Opens nothing."""

import sqlite3

from browser_use_async.errors import LedgerCorruptError, LedgerVersionError

# "BuL1" in the file's header, so that no other database is taken for a ledger
APPLICATION_ID = 0x42754C31
VERSION = 2
# Until a failed item is tried again a ledger stays readable for versions that know of no retries.
_VERSION_WITHOUT_RETRIES = 1
# Money is stored as whole thousandths of a cent, so that sums in SQL are exact.
MILLICENTS = 1000

# Times are seconds since 1970. A file has digests of requests and the beginnings of tasks.
COMMON_TABLES = """
CREATE TABLE batch (
    id TEXT NOT NULL,
    created_at REAL NOT NULL,
    runs INTEGER NOT NULL,
    budget INTEGER,
    labels TEXT NOT NULL
) STRICT;
CREATE TABLE items (
    position INTEGER PRIMARY KEY,
    key TEXT NOT NULL UNIQUE,
    digest BLOB NOT NULL,
    run INTEGER NOT NULL,
    state TEXT NOT NULL,
    attempts INTEGER NOT NULL DEFAULT 0,
    doubted BOOLEAN NOT NULL DEFAULT FALSE,
    mark TEXT UNIQUE,
    token TEXT,
    task_id TEXT,
    status TEXT,
    steps INTEGER,
    cost INTEGER,
    error TEXT,
    reason TEXT,
    entered_at REAL NOT NULL,
    sent_at REAL,
    created_at REAL,
    finished_at REAL,
    output_bytes INTEGER,
    output TEXT,
    name TEXT,
    task TEXT
) STRICT;
CREATE TABLE orphans (
    task_id TEXT PRIMARY KEY,
    key TEXT NOT NULL,
    found_at REAL NOT NULL,
    stopped BOOLEAN NOT NULL,
    cost INTEGER
) STRICT;
"""

# Created whenever a file is opened, so that ledgers of earlier versions get what they lack.
LATER_TABLES = """
CREATE INDEX IF NOT EXISTS doubted_items ON items (position) WHERE doubted;
CREATE INDEX IF NOT EXISTS task_ids ON items (task_id) WHERE task_id IS NOT NULL;
CREATE TABLE IF NOT EXISTS retry_rounds (
    round INTEGER PRIMARY KEY,
    begun_at REAL NOT NULL,
    ended_at REAL
) STRICT;
CREATE TABLE IF NOT EXISTS former_tasks (
    position INTEGER NOT NULL,
    round INTEGER NOT NULL,
    task_id TEXT,
    status TEXT,
    steps INTEGER,
    cost INTEGER,
    error TEXT,
    reason TEXT,
    doubted BOOLEAN NOT NULL,
    token TEXT,
    created_at REAL,
    finished_at REAL,
    PRIMARY KEY (position, round)
) STRICT;
CREATE INDEX IF NOT EXISTS former_task_ids ON former_tasks (task_id);
"""

# Columns of `items` that the first ledgers lack: how to show an item whose key is a digest
_LATER_COLUMNS = ("name", "task")


def in_sqlite(statements: str) -> str:
    """The statements as SQLite's strict tables, which know no booleans, take them."""
    return statements.replace("BOOLEAN", "INTEGER")


SCHEMA = f"""
{in_sqlite(COMMON_TABLES + LATER_TABLES)}
PRAGMA application_id = {APPLICATION_ID};
PRAGMA user_version = {_VERSION_WITHOUT_RETRIES};
"""

_TABLES = {"batch", "items", "orphans"}


def check(connection: sqlite3.Connection, path: str) -> None:
    """Refuse a file that is no ledger, or one that a newer version of this package wrote."""
    # Before anything else: the other pragmas and tables of a foreign file mean nothing here.
    if connection.execute("PRAGMA application_id").fetchone()[0] != APPLICATION_ID:
        raise LedgerCorruptError(
            f"{path} is not a ledger of this package; nothing was sent and the file was not "
            "changed. Pass another path"
        )
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    if version > VERSION:
        raise LedgerVersionError(
            f"{path} has ledger version {version}, and this version of the package reads up to "
            f"{VERSION}; nothing was sent. Install the version that wrote it, or a newer one"
        )
    names = {row[0] for row in connection.execute("SELECT name FROM sqlite_schema")}
    if not names >= _TABLES:
        raise LedgerCorruptError(f"{path} lacks tables of a ledger; nothing was sent")


def upgrade(connection: sqlite3.Connection) -> None:
    """Add what a ledger of an earlier version lacks."""
    for name in _LATER_COLUMNS:
        if name not in item_columns(connection):
            connection.execute(f"ALTER TABLE items ADD COLUMN {name} TEXT")
    connection.executescript(in_sqlite(LATER_TABLES))


def item_columns(connection: sqlite3.Connection) -> set[str]:
    """The columns that the items of this ledger have."""
    return {row[1] for row in connection.execute("PRAGMA table_info(items)")}


def has_retries(connection: sqlite3.Connection) -> bool:
    """Whether this ledger has the tables for items that were tried again."""
    found = connection.execute("SELECT 1 FROM sqlite_schema WHERE name = 'former_tasks'")
    return found.fetchone() is not None

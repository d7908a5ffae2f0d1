"""The tables of a ledger, and the check of an existing file. Opens nothing."""

import sqlite3

from browser_use_async.errors import LedgerCorruptError, LedgerVersionError

# "BuL1" in the file's header, so that no other database is taken for a ledger
APPLICATION_ID = 0x42754C31
VERSION = 7

# Times are seconds since 1970. A file has digests of requests and the beginnings of tasks.
#
# `reserved` is the most that the task of an item can cost, until it has ended. `keyed`: the last
# request went to a service that keeps submission keys, so repeating it creates no second task.
# `joined`: an earlier run or other code had created the task, and paid for it. `key_prefix` is the
# beginning of the submission keys: the id, unless the batch was given another one. At most
# `per_key` items of one limit key are under way at once.
_TABLES = """
CREATE TABLE batch (
    id TEXT NOT NULL,
    created_at REAL NOT NULL,
    runs INTEGER NOT NULL,
    budget INTEGER,
    labels TEXT NOT NULL,
    key_prefix TEXT NOT NULL,
    per_key INTEGER
) STRICT;
CREATE TABLE items (
    position INTEGER PRIMARY KEY,
    key TEXT NOT NULL UNIQUE,
    digest BLOB NOT NULL,
    run INTEGER NOT NULL,
    state TEXT NOT NULL,
    attempts INTEGER NOT NULL DEFAULT 0,
    keyed INTEGER NOT NULL DEFAULT FALSE,
    joined INTEGER NOT NULL DEFAULT FALSE,
    reserved INTEGER NOT NULL DEFAULT 0,
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
CREATE INDEX task_ids ON items (task_id) WHERE task_id IS NOT NULL;
CREATE TABLE retry_rounds (
    round INTEGER PRIMARY KEY,
    begun_at REAL NOT NULL,
    ended_at REAL
) STRICT;
CREATE TABLE former_tasks (
    position INTEGER NOT NULL,
    round INTEGER NOT NULL,
    task_id TEXT,
    status TEXT,
    steps INTEGER,
    cost INTEGER,
    error TEXT,
    reason TEXT,
    created_at REAL,
    finished_at REAL,
    PRIMARY KEY (position, round)
) STRICT;
CREATE INDEX former_task_ids ON former_tasks (task_id);
"""

SCHEMA = f"""{_TABLES}
PRAGMA application_id = {APPLICATION_ID};
PRAGMA user_version = {VERSION};
"""


def check(connection: sqlite3.Connection, path: str) -> None:
    """Refuse a file that is no ledger, or one of another format."""
    # First of all: other pragmas and tables of a foreign file have no meaning here.
    if connection.execute("PRAGMA application_id").fetchone()[0] != APPLICATION_ID:
        raise LedgerCorruptError(
            f"{path} is not a ledger of this package; nothing was sent and the file was not "
            "changed. Pass another path"
        )
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    if version != VERSION:
        raise _wrong_version(path, version)
    names = {row[0] for row in connection.execute("SELECT name FROM sqlite_schema")}
    if not names >= _NAMES:
        raise LedgerCorruptError(f"{path} lacks tables of a ledger; nothing was sent")


def _wrong_version(place: object, version: int) -> LedgerVersionError:
    """The error of a ledger of another format."""
    return LedgerVersionError(
        f"{place} has ledger format {version}, and this version of the package uses format "
        f"{VERSION}; nothing was sent and nothing was changed. Go on with the version that wrote "
        "it, or begin a new ledger with the items that it has not done"
    )


_NAMES = {"batch", "items", "retry_rounds", "former_tasks"}

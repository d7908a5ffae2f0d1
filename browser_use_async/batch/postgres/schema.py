"""The tables of a ledger in PostgreSQL: one schema of the database for each batch."""

import psycopg
from psycopg import sql

from browser_use_async.batch.postgres.address import LedgerAddress
from browser_use_async.batch.postgres.connection import literal
from browser_use_async.errors import LedgerCorruptError, LedgerError, LedgerVersionError

VERSION = 1

# What `feed` says: whether an item is to be handed to worker processes.
AT_REST, WAITING, HANDED_OUT = 0, 1, 2

_TABLES = f"""
CREATE TABLE ledger_version (version INTEGER NOT NULL);
INSERT INTO ledger_version VALUES ({VERSION});
CREATE TABLE batch (
    id TEXT NOT NULL,
    created_at DOUBLE PRECISION NOT NULL,
    runs INTEGER NOT NULL,
    budget BIGINT,
    is_strict BOOLEAN NOT NULL DEFAULT false,
    labels TEXT NOT NULL,
    items BIGINT NOT NULL DEFAULT 0,
    spent BIGINT NOT NULL DEFAULT 0,
    reserved BIGINT NOT NULL DEFAULT 0,
    is_complete BOOLEAN NOT NULL DEFAULT true,
    swept_run INTEGER NOT NULL DEFAULT 0
);
CREATE TABLE items (
    position BIGINT PRIMARY KEY,
    key TEXT NOT NULL,
    key_digest BYTEA NOT NULL UNIQUE,
    digest BYTEA NOT NULL,
    run INTEGER NOT NULL,
    state TEXT NOT NULL,
    attempts INTEGER NOT NULL DEFAULT 0,
    doubted BOOLEAN NOT NULL DEFAULT false,
    mark TEXT UNIQUE,
    token TEXT,
    task_id TEXT,
    status TEXT,
    steps BIGINT,
    cost BIGINT,
    error TEXT,
    reason TEXT,
    entered_at DOUBLE PRECISION NOT NULL,
    sent_at DOUBLE PRECISION,
    created_at DOUBLE PRECISION,
    finished_at DOUBLE PRECISION,
    output_bytes BIGINT,
    output TEXT,
    name TEXT,
    task TEXT,
    request TEXT,
    owner TEXT,
    claim TEXT,
    expected BIGINT NOT NULL DEFAULT 0,
    feed SMALLINT NOT NULL DEFAULT {AT_REST},
    recorded_at DOUBLE PRECISION
);
CREATE INDEX doubted_items ON items (position) WHERE doubted;
CREATE INDEX task_ids ON items (task_id) WHERE task_id IS NOT NULL;
CREATE INDEX waiting_items ON items (position) WHERE feed = {WAITING};
CREATE INDEX handed_out_items ON items (position) WHERE feed = {HANDED_OUT};
CREATE INDEX recorded_items ON items (recorded_at) WHERE recorded_at IS NOT NULL;
CREATE INDEX ended_items ON items (finished_at) WHERE finished_at IS NOT NULL;
CREATE TABLE orphans (
    task_id TEXT PRIMARY KEY,
    key TEXT NOT NULL,
    found_at DOUBLE PRECISION NOT NULL,
    stopped BOOLEAN NOT NULL,
    cost BIGINT
);
CREATE TABLE retry_rounds (
    round INTEGER PRIMARY KEY,
    begun_at DOUBLE PRECISION NOT NULL,
    ended_at DOUBLE PRECISION
);
CREATE TABLE former_tasks (
    position BIGINT NOT NULL,
    round INTEGER NOT NULL,
    task_id TEXT,
    status TEXT,
    steps BIGINT,
    cost BIGINT,
    error TEXT,
    reason TEXT,
    doubted BOOLEAN NOT NULL,
    token TEXT,
    created_at DOUBLE PRECISION,
    finished_at DOUBLE PRECISION,
    PRIMARY KEY (position, round)
);
CREATE INDEX former_task_ids ON former_tasks (task_id);
"""
"""Money is whole thousandths of a cent, and times are seconds since 1970, as in a ledger file."""


def create(connection: psycopg.Connection, address: LedgerAddress) -> None:
    """Create the tables, unless they are there."""
    with connection.transaction():
        # Two processes that begin together: the second one waits and finds the tables.
        connection.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 1))", [address.name])
        if not exists(connection, address):
            name = sql.Identifier(address.schema)
            connection.execute(sql.SQL("CREATE SCHEMA {}").format(name))
            connection.execute(literal(_TABLES))


def exists(connection: psycopg.Connection, address: LedgerAddress) -> bool:
    """Whether there is a schema of that name."""
    found = connection.execute(
        "SELECT 1 FROM pg_namespace WHERE nspname = %s", [address.schema]
    ).fetchone()
    return found is not None


def check(connection: psycopg.Connection, address: LedgerAddress) -> None:
    """Refuse a schema that is no ledger, or one of another version."""
    if not exists(connection, address):
        raise LedgerError(
            f"there is no batch in {address}: begin one with run_many(ledger=...) or "
            "`browser-use-async batch enqueue`"
        )
    try:
        found = connection.execute("SELECT version FROM ledger_version").fetchone()
    except psycopg.errors.UndefinedTable:
        found = None
    if found is None:
        raise LedgerCorruptError(
            f"the schema {address.schema} of {address} is not a ledger of this package; nothing "
            "was sent. Take another name for the batch"
        )
    if found[0] != VERSION:
        raise LedgerVersionError(
            f"{address} has ledger version {found[0]}, and this version of the package reads "
            f"version {VERSION}; nothing was sent. Install the version that wrote it"
        )

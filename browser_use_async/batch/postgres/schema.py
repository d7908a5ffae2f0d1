"""The tables of a ledger in PostgreSQL: one schema of the database for each batch."""

import re

import psycopg
from psycopg import sql

from browser_use_async.batch.ledger.records import ItemState
from browser_use_async.batch.ledger.schema import TABLES, VERSION, wrong_version
from browser_use_async.batch.ledger.statements import IN_DOUBT
from browser_use_async.batch.postgres.address import LedgerAddress
from browser_use_async.errors import LedgerCorruptError, LedgerError
from browser_use_async.postgres.connection import literal

# What `queue_state` says: whether an item is to be handed to worker processes.
AT_REST, WAITING, HANDED_OUT = 0, 1, 2

# An item that must come to its end whatever the budget has left: it may cost something, or has
# money reserved that nothing else can use.
IS_BEGUN = f"(state = '{ItemState.SUBMITTED}' OR state IN {IN_DOUBT} OR reserved > 0)"

# An item that waits for room under its limit key, and one that takes such room.
WAITS_FOR_KEY = f"queue_state = {WAITING} AND NOT {IS_BEGUN} AND limit_key IS NOT NULL"
COUNTS_FOR_KEY = (
    f"limit_key IS NOT NULL AND "
    f"(queue_state = {HANDED_OUT} OR (queue_state = {WAITING} AND {IS_BEGUN}))"
)

# The order of waiting items. Not `position` itself: a plan made while all items wait would then use
# the primary key, and read all ended items for ever.
IN_TURN = "(position + 0)"

_IN_POSTGRES = {
    " INTEGER": " BIGINT",
    " REAL": " DOUBLE PRECISION",
    " BLOB": " BYTEA",
    " STRICT": "",
    # Keys may be too long for an index, and most marks are NULL: see below.
    " UNIQUE": "",
}
_COMMON = re.sub("|".join(_IN_POSTGRES), lambda found: _IN_POSTGRES[found[0]], TABLES)
_TABLES = f"""
CREATE TABLE ledger_version (version INTEGER NOT NULL);
INSERT INTO ledger_version VALUES ({VERSION});
{_COMMON}
ALTER TABLE batch
    ADD items BIGINT NOT NULL DEFAULT 0,
    ADD spent BIGINT NOT NULL DEFAULT 0,
    ADD reserved BIGINT NOT NULL DEFAULT 0,
    ADD is_complete BOOLEAN NOT NULL DEFAULT true;
ALTER TABLE items
    ADD key_digest BYTEA NOT NULL,
    ADD request TEXT,
    ADD limit_key TEXT,
    ADD owner TEXT,
    ADD claim TEXT,
    ADD queue_state SMALLINT NOT NULL DEFAULT {AT_REST},
    ADD recorded_at DOUBLE PRECISION;
CREATE TABLE workers (
    owner TEXT PRIMARY KEY, beaten_at TIMESTAMPTZ NOT NULL, lease DOUBLE PRECISION NOT NULL
);
CREATE UNIQUE INDEX item_keys ON items (key_digest);
CREATE UNIQUE INDEX item_marks ON items (mark) WHERE mark IS NOT NULL;
CREATE INDEX waiting_items ON items ({IN_TURN})
    WHERE queue_state = {WAITING} AND limit_key IS NULL;
CREATE INDEX limited_items ON items (limit_key, position) WHERE {WAITS_FOR_KEY};
CREATE INDEX counted_items ON items (limit_key) WHERE {COUNTS_FOR_KEY};
CREATE INDEX begun_items ON items ({IN_TURN}) WHERE queue_state = {WAITING} AND {IS_BEGUN};
CREATE INDEX handed_out_items ON items (owner) WHERE queue_state = {HANDED_OUT};
CREATE INDEX recorded_items ON items (recorded_at) WHERE recorded_at IS NOT NULL;
"""
"""Money is whole thousandths of a cent, as in a ledger file. The batch has the sums of its items:
what was spent, and what is reserved."""


def create(connection: psycopg.Connection, address: LedgerAddress) -> None:
    """Create the tables, unless they exist."""
    with connection.transaction():
        # If two processes begin together, the second one waits and finds the tables.
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
        raise wrong_version(address, found[0])

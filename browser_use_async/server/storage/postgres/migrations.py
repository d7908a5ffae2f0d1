"""The tables in PostgreSQL, brought to this version by one server at a time."""

import psycopg
from procrastinate.schema import SchemaManager

from browser_use_async.errors import ConfigurationError
from browser_use_async.postgres.connection import first_line, literal
from browser_use_async.server.storage.postgres.connection import SCHEMA, connect, shown
from browser_use_async.server.storage.schema import MIGRATIONS, SCHEMA_VERSION

_DIALECT = {"blob": "BYTEA", "serial": "BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY"}

_COMMITS = (
    # The transactions that were committed, for as long as anybody may ask.
    """CREATE TABLE commits (
        token UUID PRIMARY KEY, at TIMESTAMPTZ NOT NULL DEFAULT now()
    )""",
    "CREATE INDEX commits_by_time ON commits (at)",
)


async def migrate(address: str) -> None:
    """Bring the tables, and those of the jobs, to this version.

    Raises:
        ConfigurationError: They are of a newer version, or cannot be made.
    """
    async with await connect(address) as connection:
        try:
            async with connection.transaction():
                await _migrate(connection, address)
        except psycopg.Error as error:
            raise ConfigurationError(
                f"the tables in {shown(address)} cannot be made: {first_line(error)}"
            ) from error


async def _migrate(connection: psycopg.AsyncConnection, address: str) -> None:
    # Servers that start together wait for the first one, however long its migration takes.
    await connection.execute("SET LOCAL lock_timeout = 0")
    await connection.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 1))", [SCHEMA])
    await connection.execute(literal(f"CREATE SCHEMA IF NOT EXISTS {SCHEMA}"))
    version = await _version(connection)
    if version > SCHEMA_VERSION:
        raise ConfigurationError(
            f"the tables in {shown(address)} were made by a newer version of this server (schema "
            f"{version}; this one knows {SCHEMA_VERSION}); upgrade browser-use-async"
        )
    if version == SCHEMA_VERSION:
        return
    for statements in MIGRATIONS[version - 1 :]:
        for statement in statements:
            await connection.execute(literal(statement.format(**_DIALECT)))
    if version == 1:
        for statement in _COMMITS:
            await connection.execute(literal(statement))
        await connection.execute(SchemaManager.get_schema())
    await connection.execute("UPDATE schema_version SET version = %s", [SCHEMA_VERSION])


async def _version(connection: psycopg.AsyncConnection) -> int:
    await connection.execute("CREATE TABLE IF NOT EXISTS schema_version (version INTEGER)")
    cursor = await connection.execute("SELECT version FROM schema_version FOR UPDATE")
    found = await cursor.fetchone()
    if found is None:
        await connection.execute("INSERT INTO schema_version VALUES (1)")
        return 1
    return int(found[0])

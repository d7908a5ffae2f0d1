"""Checks of a shared database, as at the start of a server, without changes."""

from collections.abc import AsyncIterator

import psycopg

from browser_use_async.errors import ConfigurationError
from browser_use_async.postgres.connection import OLDEST, first_line, literal
from browser_use_async.server.secrets.encryption import (
    KEY_VARIABLE,
    missing_for_encryption,
    seal_from_environment,
)
from browser_use_async.server.storage.postgres.connection import (
    SCHEMA,
    check_server,
    connect,
    shown,
)
from browser_use_async.server.storage.schema import SCHEMA_VERSION, wrong_version

_SILENT_SECONDS = 60
_NODES = (
    "SELECT worker, url, slots, (SELECT count(*) FROM tasks WHERE tasks.worker = nodes.worker "
    "AND finished_at IS NULL) FROM nodes WHERE slots > 0 ORDER BY worker"
)


async def examine(address: str) -> AsyncIterator[tuple[str, str]]:
    """Yield the name and a sentence of each passed check, up to the first failure.

    Raises:
        ConfigurationError: The check by which a server would not start.
    """
    async with await connect(address) as connection:
        version = connection.info.parameter_status("server_version") or "unknown"
        yield "database", f"{shown(address)} is PostgreSQL {version} ({OLDEST} or newer is needed)"
        await check_server(address)
        yield "notifications", "arrive, and the clocks agree within 30 seconds"
        try:
            has_tables = await _value(
                connection, f"SELECT to_regclass('{SCHEMA}.schema_version') IS NOT NULL"
            )
            yield (
                "tables",
                await _tables(connection, address)
                if has_tables
                else (f"none yet; the first server makes them (schema {SCHEMA_VERSION})"),
            )
            yield "server key", await _key(connection, has_tables=bool(has_tables))
            if has_tables:
                yield "workers", await _workers(connection)
        except psycopg.Error as error:
            raise ConfigurationError(
                f"the tables in {shown(address)} cannot be read: {first_line(error)}"
            ) from None


async def _value(connection: psycopg.AsyncConnection, statement: str) -> object:
    cursor = await connection.execute(literal(statement))
    row = await cursor.fetchone()
    return None if row is None else row[0]


async def _tables(connection: psycopg.AsyncConnection, address: str) -> str:
    version = int(str(await _value(connection, "SELECT version FROM schema_version")))
    if version != SCHEMA_VERSION:
        raise wrong_version(f"the database {shown(address)}", version)
    return f"schema {version}, as this version has it"


async def _key(connection: psycopg.AsyncConnection, *, has_tables: bool) -> str:
    missing = missing_for_encryption()
    if missing is not None:
        raise ConfigurationError(f"servers that share a database need a key: {missing}")
    if not has_tables:
        return f"{KEY_VARIABLE} is set; give all servers the same"
    salt = await _value(connection, "SELECT value FROM server_keys WHERE name = 'salt'")
    sealed = await _value(connection, "SELECT body FROM secrets WHERE kind = 'check'")
    if not isinstance(salt, bytes) or not isinstance(sealed, bytes):
        return f"{KEY_VARIABLE} is set, and no server has used one yet"
    seal = seal_from_environment(salt)
    assert seal is not None  # checked above
    seal.open("check", "", sealed)
    return f"{KEY_VARIABLE} is the one that the other servers have"


async def _workers(connection: psycopg.AsyncConnection) -> str:
    # Each has a worker of procrastinate's for tasks, and one for events.
    alive = await _value(
        connection,
        "SELECT (count(*) + 1) / 2 FROM procrastinate_workers "
        f"WHERE last_heartbeat > now() - interval '{_SILENT_SECONDS} seconds'",
    )
    waiting = await _value(connection, "SELECT count(*) FROM tasks WHERE status = 'created'")
    cursor = await connection.execute(_NODES)
    nodes = [
        f"; {worker[:8]} at {url or 'no --node-url'} has {tasks} tasks in {slots} slots"
        for worker, url, slots, tasks in await cursor.fetchall()
    ]
    return f"{alive} heard of in the last minute, {waiting} tasks wait for one{''.join(nodes)}"

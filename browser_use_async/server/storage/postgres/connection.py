"""Connections to PostgreSQL: made with time limits, and checked once at the start."""

import uuid
from datetime import UTC, datetime, timedelta
from importlib import import_module
from typing import TYPE_CHECKING, Any, LiteralString
from urllib.parse import urlsplit

from browser_use_async.errors import ConfigurationError

if TYPE_CHECKING:
    import psycopg

SCHEMES = ("postgresql://", "postgres://")
"""How the address of a PostgreSQL server begins."""

SCHEMA = "browser_use_server"
"""The schema of all tables. There is one deployment in a database."""

OLDEST = 13
"""The oldest version that tells what has become of a transaction (`pg_xact_status`)."""

_WIDEST_CLOCK = timedelta(seconds=30)
_NOTIFY_SECONDS = 5.0  # for a notification that arrives at once, or never

# A process that stands still must not stop the others: the server ends its transaction, and
# notices a dead connection, which may hold a lock.
_SERVER_SETTINGS = {
    "search_path": SCHEMA,
    "synchronous_commit": "on",
    "idle_in_transaction_session_timeout": "3000",
    "lock_timeout": "5000",
    "tcp_keepalives_idle": "10",
    "tcp_keepalives_interval": "5",
    "tcp_keepalives_count": "3",
}
_CLIENT_SETTINGS = {
    "application_name": "browser-use-async server",
    "connect_timeout": 5,
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 3,
    "tcp_user_timeout": 5000,
}


def is_postgres(database: object) -> bool:
    """Whether a database is named by the address of a PostgreSQL server."""
    return isinstance(database, str) and database.startswith(SCHEMES)


def require_packages() -> None:
    """Name what is not installed.

    Raises:
        ConfigurationError: A package is missing.
    """
    missing: list[str] = []
    for name in ("psycopg", "psycopg_pool", "procrastinate"):
        try:
            import_module(name)
        except ImportError:
            missing.append(name)
    if missing:
        raise ConfigurationError(
            f"a database in PostgreSQL needs {' and '.join(missing)}: "
            "pip install 'browser-use-async[fleet]'"
        )


def shown(address: str) -> str:
    """An address without its user and password."""
    parts = urlsplit(address)
    try:
        port = f":{parts.port}" if parts.port else ""
    except ValueError:
        port = ""
    return f"postgresql://{parts.hostname or ''}{port}{parts.path}"


def connection_parameters(address: str) -> dict[str, Any]:
    """What libpq is given: the operator's own settings win.

    Raises:
        ConfigurationError: The address is malformed.
    """
    import psycopg  # noqa: PLC0415 - an optional dependency
    from psycopg.conninfo import conninfo_to_dict  # noqa: PLC0415

    try:
        given = conninfo_to_dict(address)
    except psycopg.ProgrammingError:
        raise ConfigurationError(f"the address {shown(address)} is malformed") from None
    options = " ".join(f"-c {name}={value}" for name, value in _SERVER_SETTINGS.items())
    given["options"] = f"{options} {given.get('options') or ''}".strip()
    return {**_CLIENT_SETTINGS, **given}


def literal(statement: str) -> LiteralString:
    """A statement that is made of constants of this package; values are always parameters."""
    return statement  # pyright: ignore[reportReturnType]


async def connect(address: str) -> "psycopg.AsyncConnection":
    """One connection in autocommit mode.

    Raises:
        ConfigurationError: The server cannot be reached, is too old or refuses.
    """
    import psycopg  # noqa: PLC0415

    parameters = connection_parameters(address)
    try:
        # libpq reads the parameters as texts and numbers alike.
        connection: psycopg.AsyncConnection = await psycopg.AsyncConnection.connect(
            autocommit=True, **parameters
        )
    except psycopg.Error as error:
        raise _not_reached(error, address) from None
    version = connection.info.server_version // 10_000
    if version < OLDEST:
        await connection.close()
        raise ConfigurationError(
            f"{shown(address)} is PostgreSQL {version}; the server needs {OLDEST} or newer"
        )
    return connection


async def check_server(address: str) -> None:
    """Find out at the start what would go wrong later.

    Raises:
        ConfigurationError: The server cannot be reached, is too old, delivers no notifications, or
            its clock and this one differ.
    """
    import psycopg  # noqa: PLC0415

    connection = await connect(address)
    try:
        async with connection:
            await _check_clock(connection, address)
            await _check_notifications(connection, address)
    except psycopg.Error as error:
        raise ConfigurationError(
            f"the PostgreSQL server {shown(address)} cannot be used: {first_line(error)}"
        ) from None


async def _check_clock(connection: "psycopg.AsyncConnection", address: str) -> None:
    cursor = await connection.execute("SELECT clock_timestamp()")
    (there,) = await cursor.fetchone() or (datetime.now(UTC),)
    difference = datetime.now(UTC) - there
    if abs(difference) > _WIDEST_CLOCK:
        raise ConfigurationError(
            f"the clock of this machine and that of {shown(address)} differ by "
            f"{difference.total_seconds():.0f} seconds; set them by NTP"
        )


async def _check_notifications(listener: "psycopg.AsyncConnection", address: str) -> None:
    """Refuse a connection pooler that hands out connections for one transaction.

    Notifications and locks of a session are lost there.
    """
    channel = f"browser_use_check_{uuid.uuid4().hex[:16]}"
    await listener.execute(literal(f"LISTEN {channel}"))
    async with await connect(address) as sender:
        await sender.execute(literal(f"NOTIFY {channel}"))
    arrived = [each async for each in listener.notifies(timeout=_NOTIFY_SECONDS, stop_after=1)]
    await listener.execute(literal(f"UNLISTEN {channel}"))
    if not arrived:
        raise ConfigurationError(
            f"{shown(address)} does not deliver notifications, as with PgBouncer in transaction "
            "mode. Give the address of the server itself, or of a pool in session mode"
        )


def _not_reached(error: Exception, address: str) -> ConfigurationError:
    if "unsupported startup parameter" in str(error):
        return ConfigurationError(
            f"{shown(address)} is a connection pooler that takes no settings of a session. Give "
            "the address of the PostgreSQL server itself"
        )
    return ConfigurationError(
        f"the PostgreSQL server {shown(address)} cannot be reached: {first_line(error)}. Check the "
        "address and that the server runs"
    )


def first_line(error: BaseException) -> str:
    """What went wrong; further lines quote the statement and may quote values."""
    lines = str(error).splitlines()
    return lines[0] if lines else type(error).__name__

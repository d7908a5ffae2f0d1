"""Connections to PostgreSQL: made with time limits, and checked once at the start."""

import asyncio
import logging
import uuid
from typing import Any, LiteralString

import psycopg
import psycopg_pool
from psycopg.conninfo import conninfo_to_dict

OLDEST = 13
"""The oldest version: jobs need it, and it can report the outcome of a transaction."""

POOL_SECONDS = 2.0
"""Seconds for which a connection of a pool is waited for before the database is tried again."""

PASSING = (
    psycopg.OperationalError,
    psycopg.InterfaceError,
    psycopg.errors.IdleInTransactionSessionTimeout,
    psycopg_pool.PoolTimeout,
    OSError,
)
"""What a restart of the database, a lost connection or a conflict of two transactions raises."""

_NOTIFY_SECONDS = 5.0  # for a notification that arrives at once, or never

# A process that stands still must not stop the others: the server ends its transaction, and
# notices a dead connection, which may hold a lock.
_SERVER_SETTINGS = {
    # What was committed before run-task is sent must survive a crash, whatever the default is.
    "synchronous_commit": "on",
    "idle_in_transaction_session_timeout": "3000",
    "lock_timeout": "5000",
    # No statement of this package takes seconds; one that does would keep others waiting.
    "statement_timeout": "60000",
    "tcp_keepalives_idle": "10",
    "tcp_keepalives_interval": "5",
    "tcp_keepalives_count": "3",
}


class UnusableServerError(Exception):
    """A PostgreSQL server cannot be used; the caller raises an error that names the purpose."""

    def __init__(self, problem: str, remedy: str) -> None:
        super().__init__(problem)
        self.problem = problem  # what is wrong, in words that follow the address
        self.remedy = remedy  # what to do, in a sentence


class AsyncPool(psycopg_pool.AsyncConnectionPool[psycopg.AsyncConnection]):
    """A pool that does not swallow the cancellation of a caller that waits for a connection."""

    async def getconn(self, timeout: float | None = None) -> psycopg.AsyncConnection:
        """Obtain a connection."""
        task = asyncio.current_task()
        before = 0 if task is None else task.cancelling()
        connection = await super().getconn(timeout)
        # psycopg's pool loses a cancellation that comes together with a connection. A task that is
        # cancelled once and then waited for would go on for ever.
        if task is not None and task.cancelling() > before:
            await self.putconn(connection)
            raise asyncio.CancelledError
        return connection


_QUIET = "browser-use"
_OF_OUTAGES = ("error connecting", "reconnection attempt", "discarding")
"""How those warnings of psycopg's pools begin that an outage repeats hundreds of times."""


class _Connection(psycopg.AsyncConnection[Any]):
    """A connection of a quiet pool."""


def _is_news(record: logging.LogRecord) -> bool:
    """Whether a record of psycopg's pools is of another pool, or tells more than an outage."""
    about = record.args[0] if isinstance(record.args, tuple) and record.args else None
    is_ours = about == _QUIET or isinstance(about, _Connection)
    return not (is_ours and str(record.msg).startswith(_OF_OUTAGES))


class QuietPool(AsyncPool):
    """A pool whose lost connections are nobody's news: its owner tells outages once."""

    def __init__(self, **options: Any) -> None:
        logging.getLogger("psycopg.pool").addFilter(_is_news)
        options |= {"name": _QUIET, "connection_class": _Connection, "timeout": POOL_SECONDS}
        # No doubled pauses: a process with a late heartbeat would be considered lost.
        super().__init__(**options, reconnect_timeout=0.0)


def connection_parameters(
    address: str, *, schema: str, application: str, seconds: int
) -> dict[str, Any]:
    """What libpq is given, to give up a server that does not answer after some seconds."""
    try:
        given = conninfo_to_dict(address)
    except psycopg.ProgrammingError:
        remedy = "It has the form postgresql://user@host:port/database"
        raise UnusableServerError("is no address of PostgreSQL", remedy) from None
    settings = {"search_path": f'"{schema}"', **_SERVER_SETTINGS}
    options = " ".join(f"-c {name}={value}" for name, value in settings.items())
    given["options"] = f"{options} {given.get('options') or ''}".strip()
    defaults = {
        "application_name": application,
        "connect_timeout": seconds,
        "keepalives_idle": seconds,
        "keepalives_interval": max(1, seconds // 2),
        "keepalives_count": 3,
        "tcp_user_timeout": seconds * 1000,
    }
    return {**defaults, **given}  # the user's own settings win


def connect(parameters: dict[str, Any]) -> psycopg.Connection:
    """One connection in autocommit mode; raises `UnusableServerError`."""
    try:
        connection: psycopg.Connection = psycopg.connect(autocommit=True, **parameters)
    except psycopg.Error as error:
        raise _not_reached(error) from None
    if (refusal := _refusal_of(connection.info.server_version)) is not None:
        connection.close()
        raise refusal
    return connection


async def connect_async(parameters: dict[str, Any]) -> psycopg.AsyncConnection:
    """The same for statements that are awaited."""
    try:
        connection: psycopg.AsyncConnection = await psycopg.AsyncConnection.connect(
            autocommit=True, **parameters
        )
    except psycopg.Error as error:
        raise _not_reached(error) from None
    if (refusal := _refusal_of(connection.info.server_version)) is not None:
        await connection.close()
        raise refusal
    return connection


def check_notifications(listener: psycopg.Connection, parameters: dict[str, Any]) -> None:
    """Refuse a connection pooler that hands out connections for one transaction."""
    # Notifications and locks of a session are lost there.
    channel = f"browser_use_check_{uuid.uuid4().hex[:16]}"
    listener.execute(literal(f"LISTEN {channel}"))
    with connect(parameters) as sender:
        sender.execute(literal(f"NOTIFY {channel}"))
    arrived = list(listener.notifies(timeout=_NOTIFY_SECONDS, stop_after=1))
    listener.execute(literal(f"UNLISTEN {channel}"))
    if not arrived:
        raise UnusableServerError(
            "does not deliver notifications, as with PgBouncer in transaction mode",
            "Give the address of the server itself, or of a pool in session mode",
        )


def literal(statement: str) -> LiteralString:
    """A statement that is made of constants of this package; values are always parameters."""
    return statement  # pyright: ignore[reportReturnType]


def first_line(error: BaseException) -> str:
    """What went wrong; further lines quote the statement and may quote values."""
    lines = str(error).splitlines()
    return lines[0] if lines else type(error).__name__


def _refusal_of(version: int) -> UnusableServerError | None:
    if version >= OLDEST * 10_000:
        return None
    return UnusableServerError(
        f"is PostgreSQL {version // 10_000}, and {OLDEST} or newer is needed",
        "Give the address of a newer server",
    )


def _not_reached(error: psycopg.Error) -> UnusableServerError:
    if "unsupported startup parameter" in str(error):
        return UnusableServerError(
            "is a connection pooler that takes no settings of a session",
            "Give the address of the PostgreSQL server itself",
        )
    return UnusableServerError(
        f"cannot be reached: {first_line(error)}", "Check the address and that the server runs"
    )

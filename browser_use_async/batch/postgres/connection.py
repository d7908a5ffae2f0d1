"""Connections to PostgreSQL: made with time limits, checked once, and their errors translated."""

import uuid
from typing import LiteralString

import psycopg
import psycopg_pool
from psycopg.conninfo import conninfo_to_dict

from browser_use_async.batch.postgres.address import LedgerAddress
from browser_use_async.errors import LedgerCorruptError, LedgerError

OLDEST = 13  # of PostgreSQL: the jobs' tables need it
POOL_SIZE = 8
POOL_SECONDS = 2.0  # for which a connection is waited for before the database is tried again
NOTIFY_SECONDS = 5.0  # for which a notification is waited for that is to arrive at once

PASSING = (
    psycopg.OperationalError,
    psycopg.InterfaceError,
    psycopg.errors.IdleInTransactionSessionTimeout,
    psycopg_pool.PoolTimeout,
)
"""What a restart of the database, a lost connection or a conflict of two transactions raises."""

# A process that stands still must not stop the others: the server ends its transaction, and
# notices a dead connection, which may hold a lock.
_SERVER_SETTINGS = {
    # What was committed before run-task is sent must survive a crash, whatever the default is.
    "synchronous_commit": "on",
    "idle_in_transaction_session_timeout": "3000",
    "lock_timeout": "5000",
    "tcp_keepalives_idle": "10",
    "tcp_keepalives_interval": "5",
    "tcp_keepalives_count": "3",
}
_CLIENT_SETTINGS = {
    "application_name": "browser-use-async",
    "connect_timeout": 10,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 10_000,
}


def connection_parameters(address: LedgerAddress) -> dict[str, object]:
    """What libpq is given: the user's own settings win.

    Raises:
        LedgerError: The address is malformed.
    """
    try:
        given = conninfo_to_dict(address.conninfo)
    except psycopg.ProgrammingError:
        raise LedgerError(f"the address {address} is malformed; nothing was sent") from None
    settings = {"search_path": f'"{address.schema}"', **_SERVER_SETTINGS}
    options = " ".join(f"-c {name}={value}" for name, value in settings.items())
    given["options"] = f"{options} {given.get('options') or ''}".strip()
    return {**_CLIENT_SETTINGS, **given}


def connect(address: LedgerAddress) -> psycopg.Connection:
    """One connection in autocommit mode.

    Raises:
        LedgerError: The server cannot be reached, is too old or refuses.
    """
    parameters = connection_parameters(address)
    try:
        # libpq reads the parameters as texts and numbers alike.
        connection: psycopg.Connection = psycopg.connect(autocommit=True, **parameters)  # type: ignore[arg-type]
    except psycopg.Error as error:
        raise _not_reached(error, address) from None
    if connection.info.server_version < OLDEST * 10_000:
        found = connection.info.server_version // 10_000
        connection.close()
        raise LedgerError(
            f"{address} is PostgreSQL {found}, and a ledger needs {OLDEST} or newer; nothing was "
            "sent"
        )
    return connection


def literal(statement: str) -> LiteralString:
    """A statement that is made of constants of this package; values are always parameters."""
    return statement  # pyright: ignore[reportReturnType]


def open_pool(address: LedgerAddress, size: int = POOL_SIZE) -> psycopg_pool.ConnectionPool:
    """A pool of connections, of which none is opened before it is needed."""
    return psycopg_pool.ConnectionPool(
        kwargs={**connection_parameters(address), "autocommit": True},
        min_size=0,
        max_size=size,
        open=True,
        name="browser-use-ledger",
        timeout=POOL_SECONDS,
        reconnect_timeout=0.0,
    )


def check_notifications(listener: psycopg.Connection, address: LedgerAddress) -> None:
    """Refuse a connection pooler that hands out connections for one transaction.

    Notifications and locks of a session are lost there.

    Raises:
        LedgerError: A notification did not arrive.
    """
    channel = f"browser_use_check_{uuid.uuid4().hex[:16]}"
    try:
        listener.execute(literal(f"LISTEN {channel}"))
        with connect(address) as sender:
            sender.execute(literal(f"NOTIFY {channel}"))
        arrived = list(listener.notifies(timeout=NOTIFY_SECONDS, stop_after=1))
        listener.execute(literal(f"UNLISTEN {channel}"))
    except psycopg.Error as error:
        raise as_ledger_error(error, address) from None
    if not arrived:
        raise LedgerError(
            f"{address} does not deliver notifications, as with PgBouncer in transaction mode; "
            "nothing was sent. Give the address of the server itself, or of a pool in session mode"
        )


def as_ledger_error(error: Exception, address: LedgerAddress) -> LedgerError:
    """Convert any failure into the error that the batch raises."""
    if isinstance(error, LedgerError):
        return error
    if isinstance(error, psycopg.errors.UndefinedTable | psycopg.errors.UndefinedColumn):
        return LedgerCorruptError(
            f"{address} lacks tables of a ledger: {_first_line(error)}. Nothing was sent that it "
            "does not say. Restore the schema from a backup"
        )
    return LedgerError(
        f"the ledger {address} could not be read or written: {_first_line(error)}. Nothing was "
        "sent that it does not say. Repair the database, and run the batch again with the same "
        "ledger"
    )


def _not_reached(error: psycopg.Error, address: LedgerAddress) -> LedgerError:
    if "unsupported startup parameter" in str(error):
        return LedgerError(
            f"{address} is a connection pooler that takes no settings of a session; nothing was "
            "sent. Give the address of the PostgreSQL server itself"
        )
    return LedgerError(
        f"the PostgreSQL server of the ledger {address} cannot be reached: {_first_line(error)}; "
        "nothing was sent. Check the address and that the server runs"
    )


def _first_line(error: Exception) -> str:
    # Further lines quote the statement and may quote values.
    lines = str(error).splitlines()
    return lines[0] if lines else type(error).__name__

"""Connections to a ledger in PostgreSQL, and their errors translated."""

from typing import Any

import psycopg

from browser_use_async.batch.postgres.address import LedgerAddress
from browser_use_async.errors import LedgerCorruptError, LedgerError
from browser_use_async.postgres import connection as postgres
from browser_use_async.postgres.connection import (
    UnusableServerError,
    first_line,
)

_SECONDS = 10  # for an answer of the server


def connection_parameters(address: LedgerAddress) -> dict[str, Any]:
    """What libpq is given: the user's own settings win.

    Raises:
        LedgerError: The address is malformed.
    """
    try:
        return postgres.connection_parameters(
            address.conninfo,
            schema=address.schema,
            application="browser-use-async",
            seconds=_SECONDS,
        )
    except UnusableServerError as error:
        raise _unusable(error, address) from None


def connect(address: LedgerAddress) -> psycopg.Connection:
    """One connection in autocommit mode.

    Raises:
        LedgerError: The server cannot be reached, is too old or refuses.
    """
    try:
        return postgres.connect(connection_parameters(address))
    except UnusableServerError as error:
        raise _unusable(error, address) from None


def connect_again(address: LedgerAddress) -> psycopg.Connection:
    """One more connection to a server that has been checked; its errors are psycopg's."""
    connection: psycopg.Connection = psycopg.connect(
        **connection_parameters(address),
        autocommit=True,
        prepare_threshold=1,  # a batch has a dozen statements: the server plans each once
    )
    return connection


def check_notifications(listener: psycopg.Connection, address: LedgerAddress) -> None:
    """Refuse a connection pooler that hands out connections for one transaction.

    Raises:
        LedgerError: A notification did not arrive.
    """
    try:
        postgres.check_notifications(listener, connection_parameters(address))
    except UnusableServerError as error:
        raise _unusable(error, address) from None
    except psycopg.Error as error:
        raise as_ledger_error(error, address) from None


def as_ledger_error(error: Exception, address: LedgerAddress) -> LedgerError:
    """Convert any failure into the error that the batch raises."""
    if isinstance(error, LedgerError):
        return error
    if isinstance(error, psycopg.errors.UndefinedTable | psycopg.errors.UndefinedColumn):
        return LedgerCorruptError(
            f"{address} lacks tables of a ledger: {first_line(error)}. Nothing was sent that it "
            "does not say. Restore the schema from a backup"
        )
    return LedgerError(
        f"the ledger {address} could not be read or written: {first_line(error)}. Nothing was "
        "sent that it does not say. Repair the database, and run the batch again with the same "
        "ledger"
    )


def _unusable(error: UnusableServerError, address: LedgerAddress) -> LedgerError:
    return LedgerError(
        f"the PostgreSQL server of the ledger {address} {error.problem}; nothing was sent. "
        f"{error.remedy}"
    )

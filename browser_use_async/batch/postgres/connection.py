"""Connections to a ledger in PostgreSQL, their errors, and the lock of a batch."""

import threading
from collections.abc import Generator
from contextlib import ExitStack, contextmanager, suppress
from functools import partial
from typing import Any

import psycopg

from browser_use_async.batch.postgres import schema
from browser_use_async.batch.postgres.address import LedgerAddress
from browser_use_async.batch.postgres.statements import HAND_BACK_ALL
from browser_use_async.errors import LedgerCorruptError, LedgerError, LedgerLockedError
from browser_use_async.postgres import connection as postgres
from browser_use_async.postgres.connection import PASSING, UnusableServerError, first_line, literal
from browser_use_async.system import open_in_thread

_SECONDS = 10  # for an answer of the server


@contextmanager
def ledger_errors(address: LedgerAddress) -> Generator[None]:
    """Convert errors of the server into errors of the ledger."""
    try:
        yield
    except UnusableServerError as error:
        raise LedgerError(
            f"the PostgreSQL server of the ledger {address} {error.problem}; nothing was sent. "
            f"{error.remedy}"
        ) from None
    except psycopg.Error as error:
        raise as_ledger_error(error, address) from None


def connection_parameters(address: LedgerAddress) -> dict[str, Any]:
    """The parameters for libpq; the user's own settings go before ours."""
    with ledger_errors(address):
        return postgres.connection_parameters(
            address.conninfo,
            schema=address.schema,
            application="browser-use-async",
            seconds=_SECONDS,
        )


def connect(address: LedgerAddress) -> psycopg.Connection:
    """One connection in autocommit mode."""
    with ledger_errors(address):
        return postgres.connect(connection_parameters(address))


def connect_again(address: LedgerAddress) -> psycopg.Connection:
    """One more connection to a server that has been checked; its errors are psycopg's."""
    connection: psycopg.Connection = psycopg.connect(
        **connection_parameters(address),
        autocommit=True,
        prepare_threshold=1,  # a batch has a dozen statements: the server plans each once
    )
    return connection


class BatchLock:
    """A lock of a process on the server, which is released when its connection ends."""

    # With `is_shared` other processes may use the batch too, if they share it as well.

    def __init__(self, address: LedgerAddress, *, is_shared: bool) -> None:
        self._address = address
        self._suffix = "_shared" if is_shared else ""
        self._mutex = threading.Lock()
        self.connection = connect(address)
        try:
            self._acquire()
        except BaseException:
            self.connection.close()
            raise

    def renew(self) -> None:
        """Take it again if its connection was lost, unless another process has taken it."""
        # Several threads may notice at once that the connection is lost.
        with self._mutex:
            try:
                self.connection.execute("SELECT 1")
            except PASSING:
                self.connection.close()
                try:
                    self.connection = connect(self._address)
                except LedgerLockedError:
                    raise
                except LedgerError:
                    return  # still unreachable: the next attempt renews it
                self._acquire()

    def _acquire(self) -> None:
        found = self.connection.execute(
            literal(f"SELECT pg_try_advisory_lock{self._suffix}(hashtextextended(%s, 0))"),
            [self._address.schema],
        ).fetchone()
        if found is None or not found[0]:
            raise LedgerLockedError(
                f"another process, or another batch of this one, is using the ledger "
                f"{self._address}; nothing was sent. Wait for its end, or take another name"
            )

    def close(self) -> None:
        """Release it."""
        # Released explicitly: the server notices a closed connection only after some time, and
        # meanwhile the batch would count as used by another process.
        with suppress(psycopg.Error):
            self.connection.execute("SELECT pg_advisory_unlock_all()")
        self.connection.close()


async def acquire_lock(address: LedgerAddress, *, is_shared: bool, creates: bool) -> BatchLock:
    """Check the server and the tables, create missing tables, and take the batch's lock."""
    opens = partial(_open_lock, address, is_shared=is_shared, creates=creates)
    return await open_in_thread(opens, BatchLock.close)


def _open_lock(address: LedgerAddress, *, is_shared: bool, creates: bool) -> BatchLock:
    with ExitStack() as opened, ledger_errors(address):
        lock = BatchLock(address, is_shared=is_shared)
        opened.callback(lock.close)
        if creates:
            schema.create(lock.connection, address)
        schema.check(lock.connection, address)
        postgres.check_notifications(lock.connection, connection_parameters(address))
        if not is_shared:
            # The lock proves that no process works on an item.
            lock.connection.execute(literal(HAND_BACK_ALL))
        opened.pop_all()
    return lock


def as_ledger_error(error: Exception, address: LedgerAddress) -> LedgerError:
    """Convert any failure into the error that the batch raises."""
    if isinstance(error, LedgerError):
        return error
    if isinstance(error, psycopg.errors.UndefinedTable | psycopg.errors.UndefinedColumn):
        return LedgerCorruptError(
            f"{address} lacks tables of a ledger: {first_line(error)}. Restore the schema from a "
            "backup that has everything that was sent"
        )
    return LedgerError(
        f"the ledger {address} could not be read or written: {first_line(error)}. Everything that "
        "was sent is recorded in it. Repair the database, and run the batch again with the same "
        "ledger"
    )

"""Opening a ledger file, by one owner at a time."""

import contextlib
import os
import sqlite3
from pathlib import Path

import attrs

from browser_use_async.batch.ledger import schema
from browser_use_async.errors import LedgerCorruptError, LedgerError, LedgerLockedError

__all__ = ["OpenLedger", "explained", "open_ledger", "open_scratch"]

_OWNER = "-owner"
_READY = "PRAGMA synchronous = FULL; PRAGMA fullfsync = ON; PRAGMA checkpoint_fullfsync = ON;"


@attrs.frozen
class OpenLedger:
    """A ledger that this process owns.

    Attributes:
        path: The file, or None for one that is forgotten when it is closed.
        connection: To the ledger, without transactions of its own.
        owner: To the lock, or None.
    """

    path: Path | None
    connection: sqlite3.Connection
    owner: sqlite3.Connection | None

    def close(self) -> None:
        """Close it, and let others own it."""
        try:
            self.connection.close()
        finally:
            if self.owner is not None:
                self.owner.close()


def open_ledger(path: str | os.PathLike[str]) -> OpenLedger:
    """Open a ledger, or create it, and become its owner.

    Args:
        path: The file. One of the same name and `-owner` beside it holds the lock, so that others
            can read the ledger meanwhile. The lock goes with the process, however it ends.

    Raises:
        LedgerLockedError: Somebody else is its owner.
        LedgerCorruptError: It is damaged, or is no ledger.
        LedgerVersionError: A newer version of this package wrote it.
        LedgerError: It cannot be created or opened.
    """
    file = Path(os.path.realpath(path))  # one file has one lock, by whatever name it is called
    with contextlib.ExitStack() as opened:
        try:
            owner = _own(file)
            opened.callback(owner.close)
            connection = _open(file)
            opened.callback(connection.close)
            _prepare(connection, file)
        except sqlite3.Error as error:
            raise explained(error, file) from None
        except OSError as error:
            raise LedgerError(
                f"the ledger {file} cannot be opened: {error.strerror}; nothing was sent. Pass a "
                "path in a directory that exists and can be written to"
            ) from None
        opened.pop_all()
    return OpenLedger(file, connection, owner)


def open_scratch() -> OpenLedger:
    """A ledger that is forgotten when it is closed, and that spills to disk when it is large."""
    connection = sqlite3.connect("", isolation_level=None, check_same_thread=False)
    connection.execute("PRAGMA journal_mode = MEMORY")
    connection.executescript(schema.SCHEMA)
    return OpenLedger(None, connection, None)


def explained(error: Exception, file: Path | None) -> LedgerError:
    """What a failure means for the batch.

    Args:
        error: SQLite's, or one that is explained already.
        file: The ledger.
    """
    if isinstance(error, LedgerError):
        return error
    name = getattr(error, "sqlite_errorname", None) or ""
    if name.startswith(("SQLITE_CORRUPT", "SQLITE_NOTADB")):
        return _corrupt(file, str(error))
    return LedgerError(
        f"the ledger {file} could not be read or written: {error}. Nothing was sent that it does "
        "not say. Make room or repair the disk, and run the batch again with the same ledger"
    )


def _corrupt(file: Path | None, problem: str) -> LedgerCorruptError:
    return LedgerCorruptError(
        f"the ledger {file} is damaged: {problem}. Nothing was sent. Restore a copy of it, or save "
        f"what can be saved with `sqlite3 {file} .recover | sqlite3 new.db` and pass that file"
    )


def _own(file: Path) -> sqlite3.Connection:
    beside = file.with_name(file.name + _OWNER)
    _create(beside)
    owner = sqlite3.connect(beside, isolation_level=None, timeout=0, check_same_thread=False)
    try:
        owner.execute("PRAGMA journal_mode = MEMORY")  # nothing is written, so no third file
        # Never ended: SQLite's lock on a file vanishes with the connection or the process.
        owner.execute("BEGIN EXCLUSIVE")
    except sqlite3.OperationalError as error:
        owner.close()
        if getattr(error, "sqlite_errorname", "") != "SQLITE_BUSY":
            raise
        raise LedgerLockedError(
            f"another process, or another batch of this one, is using the ledger {file}; nothing "
            "was sent. Wait for its end, or pass another path"
        ) from None
    return owner


def _create(file: Path) -> bool:
    """Create a file that nobody else may read, unless it is there."""
    try:
        descriptor = os.open(file, os.O_CREAT | os.O_EXCL | os.O_RDWR | os.O_CLOEXEC, 0o600)
    except FileExistsError:
        return False
    os.close(descriptor)
    directory = os.open(file.parent, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(directory)  # its name is as durable as what will stand in it
    finally:
        os.close(directory)
    return True


def _open(file: Path) -> sqlite3.Connection:
    _create(file)
    address = f"{file.as_uri()}?mode=rw"
    return sqlite3.connect(
        address, uri=True, isolation_level=None, timeout=5, check_same_thread=False
    )


def _prepare(connection: sqlite3.Connection, file: Path) -> None:
    if connection.execute("SELECT COUNT(*) FROM sqlite_schema").fetchone()[0]:
        schema.check(connection, str(file))
        problem = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
        if problem != "ok":
            raise _corrupt(file, problem)
        connection.execute("PRAGMA journal_mode = WAL")
        connection.executescript(_READY + schema.INDEXES)
        return
    if connection.execute("PRAGMA application_id").fetchone()[0]:
        raise _corrupt(file, "it belongs to another program")
    connection.execute("PRAGMA journal_mode = WAL")
    connection.executescript(_READY)
    connection.executescript(f"BEGIN;{schema.SCHEMA}COMMIT;")

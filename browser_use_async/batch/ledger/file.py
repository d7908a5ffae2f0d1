"""A ledger file that one process owns at a time: opening, locking and closing."""

import contextlib
import os
import sqlite3
from collections.abc import Mapping
from pathlib import Path

import attrs

from browser_use_async import system
from browser_use_async.batch.ledger import schema
from browser_use_async.errors import LedgerCorruptError, LedgerError, LedgerLockedError
from browser_use_async.postgres.address import SCHEMES

_LOCK = "-owner"
_LOG = "-wal"
_SAVED = ".saved"
_DATABASES = [(scheme.rstrip("/"),) for scheme in SCHEMES]
# FULL and fullfsync: a commit must survive power loss, also on macOS.
_DURABLE = "PRAGMA synchronous = FULL; PRAGMA fullfsync = ON; PRAGMA checkpoint_fullfsync = ON;"
# Pages of the log before it is merged into the file, 32 MB: items write to a page several times,
# and each merge waits for the disk twice.
_MERGES = "PRAGMA wal_autocheckpoint = 8192;"


@attrs.frozen
class LedgerFile:
    """A ledger that this process owns."""

    path: Path | None  # the file, or None for a temporary one
    connection: sqlite3.Connection  # in autocommit mode: the writer begins and commits
    owner: sqlite3.Connection | None  # has the lock
    # Device and inode of each of its files when it was opened, by path
    identities: Mapping[Path, tuple[int, int]] = attrs.field(factory=dict)

    def check_files(self) -> None:
        """Raise a `LedgerError` if a file of the ledger was deleted, moved or replaced."""
        # Writes to a deleted file succeed, and are lost when this process ends.
        for path in self._lost_files():
            raise self._lost(path)

    def _lost_files(self) -> list[Path]:
        return [path for path, known in self.identities.items() if _identity(path) != known]

    def _lost(self, path: Path) -> LedgerError:
        fate = "deleted or moved" if _identity(path) is None else "replaced by another file"
        saved = self._save()
        advice = (
            "Its content could not be saved. With another ledger every item would be paid for "
            "again, so first take out of the input the items that are done or have a task"
            if saved is None
            else f"Its content is saved: run the batch again with the ledger {saved}"
        )
        return LedgerError(
            f"{path.name}, a file of the ledger {self.path}, was {fate} while the batch was "
            f"running, so no more tasks are created. {advice}"
        )

    def _save(self) -> Path | None:
        """Copy the ledger, which is still open, next to its old path."""
        assert self.path is not None
        copy = self.path.with_name(self.path.name + _SAVED)
        try:
            # An existing copy is not overwritten: it may be the better one.
            if _create(copy):
                self.connection.execute("VACUUM INTO ?", (str(copy),))
                return copy
        except (OSError, sqlite3.Error):
            pass  # the directory is gone or the disk is full; the error says so
        return None

    def close(self) -> None:
        """Close it and release the lock; after a normal end only the ledger file remains."""
        is_whole = self.path is not None and not self._lost_files()
        try:
            if is_whole:
                self._merge_log()
            self.connection.close()
        finally:
            if self.owner is not None:
                if is_whole:
                    self._lock_file().unlink(missing_ok=True)  # while it is still locked
                self.owner.close()

    def _merge_log(self) -> None:
        """Leave one plain file; else readers would make a log, too, and not remove it."""
        # If a reader uses the log, it stays for the next run.
        with contextlib.suppress(sqlite3.Error):
            self.connection.execute("PRAGMA busy_timeout = 0")
            self.connection.execute("PRAGMA journal_mode = DELETE")

    def _lock_file(self) -> Path:
        assert self.path is not None
        return self.path.with_name(self.path.name + _LOCK)


def open_ledger(path: str | os.PathLike[str]) -> LedgerFile:
    """Open a ledger, or create it, and lock it."""
    refuse_other_places(path)
    file = Path(os.path.realpath(path))  # symbolic links to one file share its lock
    with contextlib.ExitStack() as opened:
        try:
            owner = _lock(file)
            opened.callback(owner.close)
            connection = _open(file)
            opened.callback(connection.close)
            _prepare(connection, file)
        except sqlite3.Error as error:
            raise as_ledger_error(error, file) from None
        except OSError as error:
            raise LedgerError(
                f"the ledger {file} cannot be opened: {error.strerror}; nothing was sent. Pass a "
                "path in a directory that exists and can be written to"
            ) from None
        opened.pop_all()  # success: keep the connections open
    return LedgerFile(file, connection, owner, _identities(file))


def refuse_other_places(place: str | os.PathLike[str]) -> None:
    """Refuse what cannot name a file.

    Raises:
        LedgerError: It is the address of a database, or a folder.
    """
    path = Path(place)
    if path.parts[:1] in _DATABASES:
        # Its text may contain a password.
        raise LedgerError(
            "a ledger is a file, not a database in PostgreSQL; nothing was sent. A queue in "
            "PostgreSQL is filled by `batch enqueue` and worked on by `batch work`"
        )
    # SQLite would leave a lock in a folder, and report an error of a database.
    if os.path.isdir(path):  # noqa: PTH112 - false for a name that is too long, too
        raise LedgerError(
            f"{path} is a folder, and a ledger is a file; nothing was sent. Pass the path of a "
            f"file, such as {path / 'run.db'}"
        )


def _identities(file: Path) -> dict[Path, tuple[int, int]]:
    """The files of the ledger: itself, its log with the last commits, and its lock."""
    paths = [file.with_name(file.name + ending) for ending in ("", _LOG, _LOCK)]
    return {path: identity for path in paths if (identity := _identity(path)) is not None}


def _identity(path: Path) -> tuple[int, int] | None:
    """Device and inode, which are unique while the file is open."""
    try:
        status = os.stat(path)  # noqa: PTH116 - faster, and called three times per commit
    except OSError:
        return None
    return status.st_dev, status.st_ino


def open_scratch() -> LedgerFile:
    """Open a temporary ledger, which spills to disk when it is large."""
    connection = sqlite3.connect("", isolation_level=None, check_same_thread=False)
    # It does not outlive this process, so its journal need not either.
    connection.execute("PRAGMA journal_mode = MEMORY")
    connection.executescript(schema.SCHEMA)
    return LedgerFile(None, connection, None)


def as_ledger_error(error: Exception, file: Path | None) -> LedgerError:
    """Convert any failure into the error that the batch raises."""
    if isinstance(error, LedgerError):
        return error
    name = getattr(error, "sqlite_errorname", None) or ""
    if name.startswith(("SQLITE_CORRUPT", "SQLITE_NOTADB")):
        return _corrupt(file, str(error))
    return LedgerError(
        f"the ledger {file} could not be read or written: {error}. Everything that was sent is "
        "recorded in it. Make room or repair the disk, and run the batch again with the same ledger"
    )


def _corrupt(file: Path | None, problem: str) -> LedgerCorruptError:
    return LedgerCorruptError(
        f"{file} is no ledger, or is damaged: {problem}. Nothing was sent. Restore a copy, or save "
        f"what can be saved with `sqlite3 {file} .recover | sqlite3 new.db` and pass that file"
    )


def _lock(file: Path) -> sqlite3.Connection:
    # A file of its own: the lock is a transaction that never ends.
    lock_file = file.with_name(file.name + _LOCK)
    while True:
        _create(lock_file)
        before = _identity(lock_file)
        owner = _locked(lock_file, file)
        # Its last owner may have removed the file meanwhile; then no other process finds the lock.
        if before is not None and _identity(lock_file) == before:
            return owner
        owner.close()


def _locked(lock_file: Path, file: Path) -> sqlite3.Connection:
    owner = sqlite3.connect(lock_file, isolation_level=None, timeout=0, check_same_thread=False)
    try:
        owner.execute("PRAGMA journal_mode = MEMORY")  # nothing is written, so no third file
        # Never committed: the lock is released with the connection, also when the process dies.
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
    """Create a file that only this user can read, unless it exists."""
    try:
        descriptor = os.open(file, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600)
    except FileExistsError:
        return False
    os.close(descriptor)
    system.sync_folder(file.parent)
    return True


def _open(file: Path) -> sqlite3.Connection:
    # Created here, since SQLite would create it readable for all users.
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
        connection.executescript(_DURABLE + _MERGES)
        return
    # No tables, but the mark of another program: its file must not become a ledger.
    if connection.execute("PRAGMA application_id").fetchone()[0]:
        raise _corrupt(file, "it belongs to another program")
    connection.execute("PRAGMA journal_mode = WAL")
    connection.executescript(_DURABLE + _MERGES)
    # One transaction: a crash leaves an empty file or a whole schema.
    connection.executescript(f"BEGIN;{schema.SCHEMA}COMMIT;")

"""SQLite: statements and transactions on one file, or in memory.

SQLite runs in the thread of the event loop: a statement takes microseconds, much less than passing
it to another thread. A search over all tasks is split into several statements.

The transactions of one turn of the loop are committed together, since a commit takes as long as the
statements before it. Each returns after the commit, and is rolled back alone if it fails. Their
rows are visible after the commit: a read in between commits first.
"""

import asyncio
import contextlib
import logging
import os
import sqlite3
import stat
import weakref
from collections.abc import Callable, Coroutine, Mapping
from pathlib import Path
from typing import Any, TypeVar

import attrs

from browser_use_async.errors import ConfigurationError
from browser_use_async.server.errors import (
    StorageFullError,
    StorageUnavailableError,
    TooManyError,
    UnsupportedError,
)
from browser_use_async.server.storage.backup import Backup
from browser_use_async.server.storage.database import (
    DISK_FULL,
    HIDDEN_PLACE,
    Database,
    FindRows,
    Row,
    immediate,
)
from browser_use_async.server.storage.reserve import Reserve
from browser_use_async.server.storage.schema import SCHEMA_VERSION, TABLES, wrong_version
from browser_use_async.server.storage.write_ahead_log import lacks_commits

_logger = logging.getLogger(__name__)

_APPLICATION = 0x62757365  # "buse", the application id in the header of the file
_CHECKED_BYTES = 64 * 1024 * 1024
"""The largest file whose pages are all checked at the start. In larger files, damage is found when
its page is read."""
_LOOKED_AT = 250
"""The number of rows that a statement of a search reads, in about a millisecond."""
_SERIALIZED = 3
"""The `sqlite3.threadsafety` of a SQLite whose connections may be used by several threads."""
_DIALECT = {"blob": "BLOB", "serial": "INTEGER PRIMARY KEY"}
_IN_USE = "{place} is in use by another server; each needs a file of its own"
_DAMAGED = (
    "{place} is damaged or no database of this server ({error}); restore it from a copy, or name "
    "another file"
)
_EXPLANATION = (
    "{place} cannot be used: {error}; see that its disk works, and that file and folder can be "
    "written"
)
_EXPLANATIONS = {
    **dict.fromkeys((sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED), _IN_USE),
    **dict.fromkeys((sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT), _DAMAGED),
    sqlite3.SQLITE_FULL: DISK_FULL,
}

_IN_MEMORY = (
    "This server keeps everything in memory, also secrets, and there unencrypted; start it with a "
    "file (--database server.db) to have something to back up"
)
_UNSAFE = (
    "The SQLite of this server's Python is built for one thread, so it makes no copy while the "
    "server runs; end the server, and copy its file"
)
_LOST = (
    "the database %s was not closed by the server that had it last, and its log %s is missing or "
    "damaged: the latest tasks, steps and charges before that server's end may be missing, unless "
    "another program has written the log back. If a copy has both files, end this server and put "
    "both in place"
)
_MARK_OPEN = (
    "CREATE TABLE IF NOT EXISTS file_owner (one INTEGER PRIMARY KEY, is_open INTEGER NOT NULL)",
    # Two changes, since SQLite does not write an unchanged value. The log has a commit until the
    # file is closed.
    "INSERT INTO file_owner VALUES (1, 0) ON CONFLICT (one) DO UPDATE SET is_open = 0",
    "UPDATE file_owner SET is_open = 1",
    # The file itself has the mark from now on.
    "PRAGMA wal_checkpoint",
)
_MARK_CLOSED = (
    # The log is then overwritten, which is possible on a full disk.
    "PRAGMA wal_checkpoint",
    "UPDATE file_owner SET is_open = 0",
)

ResultT = TypeVar("ResultT")
Work = Callable[[Database], Coroutine[Any, Any, ResultT]]


@attrs.define(eq=False)
class _Group:
    """Transactions that are committed together."""

    timer: asyncio.Handle
    announced: list[tuple[str, str]] = attrs.field(factory=list)
    waiting: list["asyncio.Future[sqlite3.Error | None]"] = attrs.field(factory=list)

    def wait(self) -> "asyncio.Future[sqlite3.Error | None]":
        """Return a future that is set at the commit, to None or to its error."""
        waiter: asyncio.Future[sqlite3.Error | None] = asyncio.get_running_loop().create_future()
        self.waiting.append(waiter)
        return waiter

    def end(self, error: sqlite3.Error | None) -> None:
        """Set the futures of all waiting transactions."""
        for waiter in self.waiting:
            if not waiter.done():
                waiter.set_result(error)


class SqliteDatabase(Database):
    """SQLite in a locked file that no other process can open, or in memory.

    ConfigurationError is raised if the file is in use or damaged, belongs to another version or
    another program, or cannot be created, read or written.
    """

    def __init__(self, path: Path | None = None) -> None:
        self.path = path
        self.is_kept = path is not None
        self._search = asyncio.Lock()
        self.heard: Callable[[str, str], object] = lambda _subject, _news: None
        """Called with each announcement after its commit."""
        self._gathers = False
        self._group: _Group | None = None
        self._is_working = False
        self.place = "in memory" if path is None else str(path)
        self._reserve: Reserve | None = None
        self._backup: Callable[[], Backup | None] = lambda: None
        if path is not None:
            _make_private(path)
            self._reserve = Reserve(path)
        self._connection = sqlite3.connect(
            # A server may be created in one thread and run in another, but not in two at once.
            ":memory:" if path is None else path,
            timeout=0,
            isolation_level=None,
            check_same_thread=False,
            cached_statements=256,
        )
        # Closes the file of a server that was never started.
        self._closing: weakref.finalize[[sqlite3.Connection], SqliteDatabase] = weakref.finalize(
            self, sqlite3.Connection.close, self._connection
        )
        try:
            self._prepare()
        except BaseException as error:
            self._closing()
            if not isinstance(error, (sqlite3.Error, OSError, StorageUnavailableError)):
                raise
            place = f"the database {'in memory' if path is None else path}"
            raise ConfigurationError(_explanation(place, error)) from error
        if self._reserve is not None:
            self._reserve.fill()

    @property
    def version(self) -> int | None:
        """The number of changed rows; None in a transaction, which may be rolled back."""
        return None if self._connection.in_transaction else self._connection.total_changes

    async def rows(self, statement: str, **values: Any) -> list[Row]:
        """Execute a statement."""
        if not statement.startswith("SELECT"):
            return await self.transact(lambda at: at.rows(statement, **values))
        self._commit()
        try:
            return self.execute(statement, values)
        except sqlite3.Error as error:
            raise self._unavailable(error) from error

    def execute(self, statement: str, values: Mapping[str, Any]) -> list[Row]:
        """Execute a statement in the open transaction."""
        return self._connection.execute(statement, values).fetchall()

    @property
    def joined(self) -> Database:
        """The database, with rows that are not committed yet."""
        return _Transaction(self, [])

    async def newest(self, last: int, most: int, find: FindRows[ResultT]) -> list[ResultT]:
        """Return rows up to a position, newest first."""
        found: list[ResultT] = []
        while last > 0 and len(found) < most:
            # One search at a time: many of them would otherwise delay all other work.
            async with self._search:
                first = max(1, last - _LOOKED_AT + 1)
                found += await find(first, last, most - len(found))
                await asyncio.sleep(0)
            last = first - 1
        return found

    async def transact(self, work: Work[ResultT]) -> ResultT:
        """Call `work` in a transaction."""
        try:
            if not self._gathers:
                return self._transact("IMMEDIATE", work)
            assert not self._is_working
            is_first = self._group is None
            group = self._group or self._new_group()
        except sqlite3.Error as error:
            raise self._unavailable(error) from error
        try:
            result = self._take_part(group, work, is_first=is_first)
        except Exception as error:
            # It may be based on rows of others, which are valid after their commit.
            failure = await group.wait() if self._group is group else None
            if failure is None and isinstance(error, sqlite3.Error):
                failure = error
            if failure is None:
                raise
            raise self._unavailable(failure) from failure
        if (failure := await group.wait()) is not None:
            raise self._unavailable(failure) from failure
        return result

    async def transact_with_reserve(self, work: Work[ResultT]) -> ResultT:
        """Call `work` in a transaction that is possible though the disk is full, if it is small."""
        try:
            return await self.transact(work)
        except StorageFullError:
            if self._reserve is None:
                raise
            # In one turn of the loop, so that no other call takes the room.
            while self._reserve.release():
                with contextlib.suppress(StorageFullError):
                    return self.at_once(self.transact(work))
            raise
        finally:
            if self._reserve is not None:
                self._reserve.fill()

    def gather(self) -> None:
        """Commit the transactions of one turn together from now on, in the loop of a server."""
        self._gathers = self.is_kept

    def at_once(self, work: Coroutine[Any, Any, ResultT]) -> ResultT:
        """Run work, and commit its transactions before it returns."""
        self._commit()
        gathers, self._gathers = self._gathers, False
        try:
            return immediate(work)
        finally:
            self._gathers = gathers

    def _new_group(self) -> _Group:
        self._connection.execute("BEGIN IMMEDIATE")
        self._group = _Group(asyncio.get_running_loop().call_soon(self._commit))
        return self._group

    def _take_part(self, group: _Group, work: Work[ResultT], *, is_first: bool) -> ResultT:
        """Call `work` in the open transaction, and undo it alone if it fails."""
        execute = self._connection.execute
        announced: list[tuple[str, str]] = []
        if not is_first:
            execute("SAVEPOINT work")
        self._is_working = True
        try:
            result = immediate(work(_Transaction(self, announced)))
        except BaseException as error:
            reason = error if isinstance(error, sqlite3.Error) else sqlite3.OperationalError()
            if is_first or not self._connection.in_transaction:
                # A full disk has rolled back the whole group already.
                self._leave(group, reason)
            else:
                execute("ROLLBACK TO work")
                execute("RELEASE work")
            raise
        finally:
            self._is_working = False
        if not is_first:
            execute("RELEASE work")
        group.announced += announced
        return result

    def _commit(self) -> None:
        """Commit the open transaction, and set the futures of its group."""
        assert not self._is_working, "work reads and writes with the database that it is given"
        group = self._group
        if group is None:
            return
        try:
            self._connection.execute("COMMIT")
        except sqlite3.Error as error:
            self._leave(group, error)
            return
        self._group = None
        group.timer.cancel()
        group.end(None)
        for subject, news in group.announced:
            self.heard(subject, news)

    def _leave(self, group: _Group, error: sqlite3.Error) -> None:
        """Roll back the open transaction, and pass the error to its group."""
        self._group = None
        group.timer.cancel()
        if self._connection.in_transaction:
            self._connection.execute("ROLLBACK")
        group.end(error)

    def _transact(self, kind: str, work: Work[ResultT]) -> ResultT:
        announced: list[tuple[str, str]] = []
        self._connection.execute(f"BEGIN {kind}")
        try:
            result = immediate(work(_Transaction(self, announced)))
            self._connection.execute("COMMIT")
        except BaseException:
            # Errors such as a full disk have already rolled it back.
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
            raise
        for subject, news in announced:
            self.heard(subject, news)
        return result

    async def announce(self, subject: str, news: str) -> None:
        """Notify the only server."""
        self.heard(subject, news)

    async def back_up(self) -> Backup:
        """Make a whole copy while the server writes; the caller closes it.

        It has all that was committed before, and what is committed until it is finished.

        Raises:
            UnsupportedError: The database is in memory.
            TooManyError: Another copy is not closed yet.
            StorageUnavailableError: There is no room for it, or the file cannot be read.
        """
        if self.path is None:
            raise UnsupportedError(_IN_MEMORY)
        if sqlite3.threadsafety != _SERIALIZED:
            raise UnsupportedError(_UNSAFE)
        before = self._backup()
        if before is not None and before.is_open:
            raise TooManyError("Another backup is being made; try again when it has ended")
        backup = Backup(self.path)
        self._backup = weakref.ref(backup)  # its answer may never be sent
        try:
            await backup.make(self._connection)
        except BaseException as error:
            backup.close()
            if isinstance(error, sqlite3.Error):
                raise self._unavailable(error) from error
            raise
        return backup

    def close(self) -> None:
        """Write the log back into the file, and close it; a memory database stays readable."""
        if self.path is not None:
            if (backup := self._backup()) is not None:
                backup.close()
            self._commit()
            self._gathers = False
            self._closing()

    def _unavailable(self, error: sqlite3.Error) -> StorageUnavailableError:
        code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF
        kind = StorageFullError if code == sqlite3.SQLITE_FULL else StorageUnavailableError
        return kind(_explanation(HIDDEN_PLACE, error))

    def _pragma(self, name: str) -> Any:
        return self._connection.execute(f"PRAGMA {name}").fetchone()[0]

    def _prepare(self) -> None:
        execute = self._connection.execute
        execute("PRAGMA temp_store = MEMORY")
        # The function of SQLite converts ASCII letters only.
        self._connection.create_function("LOWER", 1, _lower, deterministic=True)
        if self.path is None:
            self._make_tables(0)
            return
        # Exclusive: no shared-memory file, and no second server that runs the same schedules.
        execute("PRAGMA locking_mode = EXCLUSIVE")
        application, version = self._pragma("application_id"), self._pragma("user_version")
        if application != _APPLICATION and self._pragma("schema_version"):
            raise ConfigurationError(
                f"{self.path} is the database of another program; name another file"
            )
        if version not in {0, SCHEMA_VERSION}:
            raise wrong_version(self.place, version)
        is_small = self.path.stat().st_size <= _CHECKED_BYTES
        if is_small and self._pragma("quick_check(1)") != "ok":
            raise sqlite3.DatabaseError("the check of its pages failed")
        # After the checks, since the file could belong to another program.
        self.path.chmod(0o600)
        is_backup = self._pragma("journal_mode") != "wal"  # it was never open, or is new
        execute("PRAGMA journal_mode = WAL")
        # Loses nothing if the process dies. A power failure may lose the last commits.
        execute("PRAGMA synchronous = NORMAL")
        if not is_backup and self._was_open():
            self._check_log(self.path)
        self._make_tables(version)
        self._closing.detach()
        self._closing = weakref.finalize(self, _close, self._connection)
        _execute(self._connection, _MARK_OPEN)

    def _was_open(self) -> bool:
        """Whether the last process did not close the file; False for a new file."""
        find = self._connection.execute
        if not find("SELECT 1 FROM sqlite_master WHERE name = 'file_owner'").fetchone():
            return False
        return find("SELECT 1 FROM file_owner WHERE is_open").fetchone() is not None

    def _check_log(self, path: Path) -> None:
        """Warn if the log of a dead process lacks commits, before anything is written."""
        log = path.resolve()
        log = log.with_name(f"{log.name}-wal")
        read = self._connection.execute("PRAGMA wal_checkpoint").fetchone()[1]
        if lacks_commits(log, read):
            _logger.warning(_LOST, path, log)

    def _make_tables(self, version: int) -> None:
        async def work(at: Database) -> None:
            if version == SCHEMA_VERSION:
                return
            for statement in TABLES:
                await at.rows(statement.format(**_DIALECT))
            await at.rows(f"PRAGMA application_id = {_APPLICATION}")
            await at.rows(f"PRAGMA user_version = {SCHEMA_VERSION}")

        # Takes the lock, which is then kept until the end, even without a change.
        self._transact("EXCLUSIVE", work)


class _Transaction(Database):
    """The database inside a transaction, with rows that are not committed yet."""

    def __init__(self, database: SqliteDatabase, announced: list[tuple[str, str]]) -> None:
        self._execute = database.execute
        self._announced = announced
        self.place = database.place
        self.is_kept = database.is_kept
        self.objects = database.objects

    async def rows(self, statement: str, **values: Any) -> list[Row]:
        return self._execute(statement, values)

    async def transact(self, work: Work[ResultT]) -> ResultT:
        return await work(self)

    async def announce(self, subject: str, news: str) -> None:
        self._announced.append((subject, news))


def _execute(connection: sqlite3.Connection, statements: tuple[str, ...]) -> None:
    # Without the mark, only the warning is lost: no reason to refuse work on a full disk.
    with contextlib.suppress(sqlite3.Error):
        for each in statements:
            connection.execute(each)


def _close(connection: sqlite3.Connection) -> None:
    _execute(connection, _MARK_CLOSED)
    connection.close()


def _lower(text: Any) -> Any:
    return text.lower() if isinstance(text, str) else text


def _make_private(path: Path) -> None:
    """Create the file for its owner only; SQLite would make it readable for all users."""
    if not path.parent.is_dir():
        raise ConfigurationError(
            f"the database {path} cannot be used: there is no folder {path.parent}; make it, or "
            "name another file"
        )
    try:
        is_new = not path.exists()
        if not is_new and not stat.S_ISREG(path.stat().st_mode):
            raise ConfigurationError(f"the database {path} is not a file; name another one")
        _check_writable(path, path.parent if is_new else path)
        _check_writable(path, path.parent)  # the folder of the log
        if is_new:
            os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    except FileExistsError:
        pass  # another server creates it concurrently; one of them gets the lock
    except (OSError, ValueError) as error:
        raise ConfigurationError(_explanation(f"the database {path}", error)) from error


def _check_writable(path: Path, place: Path) -> None:
    # Without opening the file: closing it would drop the lock of a server in this process.
    has_effective = os.access in os.supports_effective_ids
    if not os.access(place, os.R_OK | os.W_OK, effective_ids=has_effective):
        raise ConfigurationError(
            f"the database {path} cannot be used: {place} cannot be written by this user; change "
            "its permissions, or name a file elsewhere"
        )


def _explanation(place: str, error: Exception) -> str:
    if isinstance(error, StorageUnavailableError):
        return str(error)
    if isinstance(error, sqlite3.ProgrammingError):
        return f"{place} cannot be used: the server is closed"
    if not isinstance(error, sqlite3.Error):
        return f"{place} cannot be used: {error}; name another file"
    # The last byte of an extended code is the primary code.
    code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_CORRUPT) & 0xFF
    return _EXPLANATIONS.get(code, _EXPLANATION).format(place=place, error=error)

"""A copy of a SQLite database that is made while the server writes to it.

SQLite's online backup copies some pages at a time, and copies a page again that the server writes
meanwhile. A step locks the connection, so a statement of the server waits for one step at most.
"""

import asyncio
import contextlib
import os
import shutil
import sqlite3
import tempfile
import threading
import time
import weakref
from pathlib import Path

from browser_use_async import system
from browser_use_async.server.errors import StorageFullError, StorageUnavailableError

_PAGES = 32
"""How many pages are copied in a step, in about a tenth of a millisecond."""
_PAUSE = 0.001
"""Seconds between two steps, in which the server works."""
_LEFT_BYTES = 64 * 1024 * 1024
"""What a copy leaves free on the disk, for what the server itself writes."""
_MEGABYTE = 1024 * 1024
# The header of a file says whether there is a log beside it, which a copy does not have. See
# https://sqlite.org/fileformat2.html#file_format_version_numbers.
_LOG_VERSIONS, _WITHOUT_LOG = 18, b"\x01\x01"


class Backup:
    """A copy in a file of its own, which has no name, so that a kill leaves nothing behind.

    Args:
        database: The file of the database, on whose disk the copy is.

    Raises:
        StorageUnavailableError: No file can be made there.
    """

    def __init__(self, database: Path) -> None:
        self._folder = database.resolve().parent
        try:
            self._file, name = tempfile.mkstemp(".copy", ".browser-use-", self._folder)
        except OSError as error:
            raise StorageUnavailableError(
                f"No copy can be made beside the server's database: {error.strerror}"
            ) from error
        self._path = Path(name)
        self._is_stopped = False
        self._working = threading.Lock()
        self._end = weakref.finalize(self, _delete, self._file, self._path)

    @property
    def is_open(self) -> bool:
        """Whether the copy is being made or read."""
        return self._end.alive

    @property
    def size(self) -> int:
        """The bytes of the finished copy."""
        return os.fstat(self._file).st_size

    async def make(self, source: sqlite3.Connection) -> None:
        """Copy a database, in a thread.

        Raises:
            StorageUnavailableError: There is no room for a copy, or it was closed.
            sqlite3.Error: The database cannot be read, or the copy cannot be written.
        """
        pages, page_size = (
            source.execute(f"PRAGMA {name}").fetchone()[0] for name in ("page_count", "page_size")
        )
        needed, free = pages * page_size + _LEFT_BYTES, shutil.disk_usage(self._folder).free
        if free < needed:
            raise StorageFullError(
                f"A backup needs {-(-needed // _MEGABYTE)} MB on the disk of the server's "
                f"database, which has {free // _MEGABYTE} MB free; make room on it, and try again"
            )
        await asyncio.to_thread(self._make, source)

    async def read(self, wanted: range) -> bytes:
        """Read a range of bytes of the finished copy; one caller at a time."""
        return await asyncio.to_thread(self._read, wanted)

    def close(self) -> None:
        """Delete the copy. If it is still being made, this waits for one step."""
        self._is_stopped = True
        with self._working:
            self._end()

    # --- in a thread ------------------------------------------------------------------------

    def _make(self, source: sqlite3.Connection) -> None:
        with self._working:
            self._let_work()
            target = sqlite3.connect(self._path, isolation_level=None)
            with contextlib.closing(target):
                if system.IS_POSIX:
                    self._path.unlink()
                # It need not survive a crash, and so the last step has little to write.
                for setting in ("synchronous = OFF", "journal_mode = OFF", "cache_size = -1024"):
                    target.execute(f"PRAGMA {setting}")
                source.backup(target, pages=_PAGES, progress=self._let_work, sleep=_PAUSE)
            os.lseek(self._file, _LOG_VERSIONS, os.SEEK_SET)
            os.write(self._file, _WITHOUT_LOG)

    def _let_work(self, *_pages: int) -> None:
        time.sleep(_PAUSE)
        if self._is_stopped:
            raise StorageUnavailableError("The server ends, or nobody waits for the copy")

    def _read(self, wanted: range) -> bytes:
        os.lseek(self._file, wanted.start, os.SEEK_SET)
        return os.read(self._file, len(wanted))


def _delete(file: int, path: Path) -> None:
    os.close(file)
    with contextlib.suppress(OSError):  # it has no name any more
        path.unlink()

"""Room on the disk of a database, kept for changes that must be possible when the disk is full."""

import os
from contextlib import suppress
from pathlib import Path

RESERVE_BYTES = 1024 * 1024
_PIECE_BYTES = 64 * 1024


class Reserve:
    """A file beside the database that has no use but its size.

    Args:
        database: The file of the database.
    """

    def __init__(self, database: Path) -> None:
        # On the disk that the log of the database is on.
        database = database.resolve()
        self._path = database.with_name(f"{database.name}-reserve")

    def fill(self) -> None:
        """Take the room, or as much of it as there is."""
        with suppress(OSError):
            file = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
            try:
                missing = RESERVE_BYTES - os.fstat(file).st_size
                while missing > 0:
                    # Random, since a file system may need no room for zeros.
                    missing -= os.write(file, os.urandom(min(missing, _PIECE_BYTES)))
            finally:
                os.close(file)

    def release(self) -> bool:
        """Give a piece of the room free; returns False if nothing is left."""
        try:
            file = os.open(self._path, os.O_WRONLY)
        except OSError:
            return False
        try:
            size = os.fstat(file).st_size
            os.ftruncate(file, max(0, size - _PIECE_BYTES))
            os.fsync(file)  # some file systems have the room only then
        except OSError:
            return False
        finally:
            os.close(file)
        return size > 0

"""The file that a download writes to, beside its target: `.browser-use-4f0c2a9b7d1e6358.part`."""

import asyncio
import contextlib
import os
import secrets
import threading
from pathlib import Path
from typing import BinaryIO

from browser_use_async import system

WRITE_BYTES = 1024 * 1024  # collected before a write


class TemporaryFile:
    """A new file in the folder of its target. It is renamed to the target, or removed.

    Only a process that is killed leaves one behind. Its name is its own, and nothing reads it.
    """

    def __init__(self, target: Path) -> None:
        self.size = 0  # bytes that were added
        self._target = target
        # In the same folder, since a rename is atomic only within one file system.
        self._path = target.with_name(f".browser-use-{secrets.token_hex(8)}.part")
        self._file: BinaryIO | None = None
        self._chunks: list[bytes] = []
        self._collected = 0
        # A thread goes on after its task was cancelled. The file is removed when that has ended,
        # and what comes later finds it closed.
        self._lock = threading.Lock()
        self._is_removed = False

    async def open(self) -> None:
        """Create the file, and its folder if there is none."""
        await asyncio.to_thread(self._open)

    async def add(self, chunk: bytes) -> None:
        """Add bytes at the end."""
        self._chunks.append(chunk)
        self._collected += len(chunk)
        self.size += len(chunk)
        if self._collected >= WRITE_BYTES:
            # A thread for many chunks, since the way to it costs more than a small write.
            await asyncio.to_thread(self._write, self._take())

    async def truncate(self) -> None:
        """Remove the bytes."""
        self._take()
        self.size = 0
        await asyncio.to_thread(self._truncate)

    async def commit(self, *, overwrite: bool) -> None:
        """Rename the file to its target, atomically and after its bytes are on the disk.

        Raises:
            FileExistsError: The target exists, and is not to be overwritten.
        """
        await asyncio.to_thread(self._commit, self._take(), overwrite=overwrite)

    async def discard(self) -> None:
        """Remove the file, unless it was renamed."""
        removing = asyncio.get_running_loop().run_in_executor(None, self._remove)
        try:
            await asyncio.wait([removing])
        except asyncio.CancelledError:  # in the meantime, as when another download has failed
            await asyncio.wait([removing])
            raise

    def _take(self) -> list[bytes]:
        chunks, self._chunks, self._collected = self._chunks, [], 0
        return chunks

    # --- in a thread ------------------------------------------------------------------------

    def _open(self) -> None:
        with self._lock:
            if not self._is_removed:
                self._target.parent.mkdir(parents=True, exist_ok=True)
                # "x", so that nothing that is there is written to, nor what a link leads to.
                self._file = self._path.open("xb")

    def _write(self, chunks: list[bytes]) -> None:
        with self._lock:
            assert self._file is not None
            self._file.writelines(chunks)

    def _truncate(self) -> None:
        with self._lock:
            assert self._file is not None
            self._file.seek(0)
            self._file.truncate()

    def _commit(self, last: list[bytes], *, overwrite: bool) -> None:
        with self._lock:
            assert self._file is not None
            self._file.writelines(last)
            self._file.flush()
            os.fsync(self._file.fileno())
            self._file.close()  # else Windows would not rename it
            if overwrite:
                self._path.replace(self._target)
            else:
                system.rename_to_free_name(self._path, self._target)

    def _remove(self) -> None:
        with self._lock:
            self._is_removed = True
            if self._file is not None:
                with contextlib.suppress(OSError):  # the disk does not take the last bytes
                    self._file.close()
                with contextlib.suppress(OSError):  # it was renamed
                    self._path.unlink()

"""The unfinished file beside its target: `report.pdf.4f0c2a9b7d1e6358.part`.

The middle is a hash of the file's identity and version (ETag and size), so a part is only ever
continued by bytes of the same version. Whoever writes to a part holds a lock on it (`flock`): a
second download of the same file, in this process or another, takes a part with a random name,
and both end as the same whole file. The lock dies with its process, so after a crash the next
download of the same version finds the part and goes on from its length; bytes are only appended,
so what is there is always a beginning of the file. Parts are opened without following symbolic
links, and one that is not a plain file of the same user's is left alone.

All of this blocks, `write` for as long as the disk wants (see `sink`). A lock inside each
`PartFile` keeps a write in a thread, which a cancelled task abandoned, from meeting a closed file.
"""

import contextlib
import fcntl
import os
import re
import secrets
import stat
import threading
from collections.abc import Sequence
from pathlib import Path

from browser_use_async.files.names import MAX_NAME_BYTES, cut_to

__all__ = ["PartFile"]

_ENDING = re.compile(r"\.[0-9a-f]{16}\.part")
_ENDING_BYTES = 22
_FLAGS = os.O_WRONLY | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK


class PartFile:
    """One part, opened and locked. Use `open`.

    Attributes:
        path: Where it is.
        size: How many bytes it has.
    """

    def __init__(self, target: Path, path: Path, descriptor: int) -> None:
        self.path = path
        self.size = os.fstat(descriptor).st_size
        self._target = target
        self._descriptor: int | None = descriptor
        self._lock = threading.Lock()

    @classmethod
    def open(cls, target: Path, tag: str | None) -> "PartFile":
        """Open the part of a version, or a new one if that is taken or there is no version.

        Makes the directory if it is not there.
        Parts that crashed downloads of other versions to the same target left are removed.

        Raises:
            OSError: It cannot be opened.
        """
        target.parent.mkdir(parents=True, exist_ok=True)
        if tag is not None:
            path = _beside(target, tag)
            descriptor = _open_locked(path)
            if descriptor is not None:
                _remove_left_overs(target, path)
                return cls(target, path, descriptor)
        while True:
            path = _beside(target, secrets.token_hex(8))
            descriptor = _open_locked(path)
            if descriptor is not None:
                return cls(target, path, descriptor)

    def write(self, chunks: Sequence[bytes]) -> None:
        """Append bytes. Does nothing after the part was closed.

        Raises:
            OSError: They cannot be written.
        """
        with self._lock:
            if self._descriptor is None:
                return
            rest: list[bytes | memoryview] = list(chunks)
            while rest:  # joined to one text first, they would cost twice the processor time
                written = os.writev(self._descriptor, rest)
                self.size += written
                while rest and written >= len(rest[0]):
                    written -= len(rest.pop(0))
                if written:
                    rest[0] = memoryview(rest[0])[written:]

    def empty(self) -> None:
        """Throw the bytes away.

        Raises:
            OSError: It cannot be done.
        """
        with self._lock:
            if self._descriptor is not None:
                os.ftruncate(self._descriptor, 0)
                self.size = 0

    def commit(self) -> None:
        """Give the file its final name, in one step and after its bytes are on the disk.

        Raises:
            OSError: It cannot be done.
        """
        with self._lock:
            if self._descriptor is not None:
                os.fsync(self._descriptor)
                self.path.replace(self._target)
                self._close()

    def release(self) -> None:
        """Close the part and leave it to be continued later."""
        with self._lock:
            self._close()

    def discard(self) -> None:
        """Remove the part."""
        with self._lock:
            if self._descriptor is not None:
                with contextlib.suppress(OSError):
                    self.path.unlink()
                self._close()

    def _close(self) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)  # and unlock
            self._descriptor = None


def _beside(target: Path, tag: str) -> Path:
    return target.with_name(f"{cut_to(MAX_NAME_BYTES - _ENDING_BYTES, target.name)}.{tag}.part")


def _open_locked(path: Path) -> int | None:
    """Open and lock a part, or None if somebody else has it or may have made it."""
    try:
        descriptor = os.open(path, _FLAGS | os.O_CREAT | os.O_EXCL, 0o666)
    except FileExistsError:
        try:
            descriptor = os.open(path, _FLAGS)
        except FileNotFoundError:  # finished in between
            return None
    if _is_ours(descriptor) and _is_locked(descriptor) and _is_still_at(descriptor, path):
        return descriptor
    os.close(descriptor)
    return None


def _is_ours(descriptor: int) -> bool:
    # In a directory that others can write to, they could prepare a part, or a second name of it.
    status = os.fstat(descriptor)
    plain = stat.S_ISREG(status.st_mode) and status.st_nlink == 1
    return plain and status.st_uid == os.geteuid()


def _is_locked(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _is_still_at(descriptor: int, path: Path) -> bool:
    # Between opening and locking, its owner may have renamed it to the finished file.
    try:
        there = path.lstat()
    except FileNotFoundError:
        return False
    return os.path.samestat(there, os.fstat(descriptor))


def _remove_left_overs(target: Path, own: Path) -> None:
    start = cut_to(MAX_NAME_BYTES - _ENDING_BYTES, target.name)
    for name in os.listdir(target.parent):  # noqa: PTH208 - the names are enough
        path = target.with_name(name)
        if path == own or not name.startswith(start) or not _ENDING.fullmatch(name[len(start) :]):
            continue
        with contextlib.suppress(OSError):
            descriptor = _open_locked(path)
            if descriptor is not None:
                path.unlink()
                os.close(descriptor)

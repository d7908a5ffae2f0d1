"""The unfinished file beside its target: `report.pdf.4f0c2a9b7d1e6358.part`."""

# The middle is a hash of the file's identity and version (ETag and size), so a part is only ever
# continued by bytes of the same version. The writer of a part has a lock on it (`flock`): a
# second download of the same file, in this process or another, uses a part with a random name, and
# both end as the same whole file. The lock ends with its process, so after a crash the next
# download of the same version finds the part and continues from its length; bytes are only
# appended, so the content is always a beginning of the file. Parts are opened without following
# symbolic links, and one that is not a regular file of the same user is left alone.
#
# `PartFile` blocks; `PartWriter` writes to it from the event loop.

import asyncio
import contextlib
import hashlib
import os
import re
import secrets
import stat
import threading
from collections.abc import Mapping, Sequence
from datetime import datetime
from email.utils import parsedate_to_datetime
from pathlib import Path

import attrs

from browser_use_async import system
from browser_use_async.files.names import MAX_NAME_BYTES, truncate

_ENDING = re.compile(r"\.[0-9a-f]{16}\.part")
_ENDING_BYTES = 22  # of the text that _ENDING matches
# NO_WAIT, because opening a FIFO of that name would wait for a reader
_FLAGS = os.O_WRONLY | os.O_APPEND | system.BINARY | system.NO_FOLLOW | system.NO_WAIT
_STRONG_ETAG = re.compile(r'"[\x21\x23-\x7e]{1,1000}"')
_DIGITS = re.compile(r"\d{1,18}", re.ASCII)
WRITE_BYTES = 256 * 1024  # collected before a write
WRITE_CHUNKS = 512  # one system call writes them all: `writev` accepts at least 1024
SLOW_SECONDS = 0.01  # a write of this length makes the next ones use a thread


@attrs.frozen
class FileVersion:
    """The version of a file in a reply."""

    # A strong ETag, else a `Last-Modified` that is old enough to be unique, else None. A weak ETag
    # does not guarantee equal bytes, so it must not be used to continue a part.
    validator: str | None = None
    total: int | None = None  # the file's size in bytes, or None if the reply does not say

    @classmethod
    def from_headers(cls, headers: Mapping[str, str]) -> "FileVersion":
        """The version in a reply with the whole file."""
        etag = headers.get("ETag", "")
        length = headers.get("Content-Length", "")
        return cls(
            etag if _STRONG_ETAG.fullmatch(etag) else _stable_date(headers),
            int(length) if _DIGITS.fullmatch(length) else None,
        )

    @property
    def is_resumable(self) -> bool:
        """Whether a part of this version can be recognized, and is known to be incomplete."""
        return self.validator is not None and self.total is not None

    def tag(self, identity: str) -> str:
        """A short name for this version of one file."""
        text = f"{identity}\n{self.validator}\n{self.total}"
        return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()[:16]

    def is_continued_by(self, headers: Mapping[str, str], offset: int) -> bool:
        """Whether a partial reply has the rest of this version."""
        if self.total is None:
            return False
        expected = f"bytes {offset}-{self.total - 1}/{self.total}"
        etag = headers.get("ETag")
        # If the validator is a date, there is no ETag to compare: `If-Range` has decided.
        same = etag is None or etag == self.validator or not str(self.validator).startswith('"')
        return same and headers.get("Content-Range", "").strip().lower() == expected


def _stable_date(headers: Mapping[str, str]) -> str | None:
    """`Last-Modified`, unless the file may have changed again within the same second."""
    # RFC 9110, 8.8.2.2: a date is a strong validator only if `Date` is a second later.
    modified, now = _date(headers.get("Last-Modified")), _date(headers.get("Date"))
    if modified is None or now is None or (now - modified).total_seconds() < 1:
        return None
    return headers["Last-Modified"]


def _date(text: str | None) -> datetime | None:
    try:
        moment = parsedate_to_datetime(text or "")
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    return moment if moment.tzinfo is not None else None


class PartFile:
    """One part, opened and locked; created by `open`."""

    def __init__(self, target: Path, path: Path, descriptor: int, *, is_found_again: bool) -> None:
        self.path = path
        self.is_found_again = is_found_again  # whether a later download looks for its name
        self.size = os.fstat(descriptor).st_size  # bytes
        self._target = target
        self._descriptor: int | None = descriptor
        # A cancelled task can leave a write behind in a thread. The lock protects a descriptor that
        # was closed meanwhile and may already belong to another file.
        self._lock = threading.Lock()

    @classmethod
    def open(cls, target: Path, tag: str | None) -> "PartFile":
        """Open the part of a version, or a new part if that one is in use or has no version."""
        # Creates the directory if it does not exist, and removes parts of other versions of the
        # same target that crashed downloads have left.
        target.parent.mkdir(parents=True, exist_ok=True)
        _remove_second_names(target)
        if tag is not None and system.IS_POSIX:  # without locks names are not shared
            path = _beside(target, tag)
            descriptor = _open_locked(path)
            if descriptor is not None:
                _remove_stale_parts(target, path)
                return cls(target, path, descriptor, is_found_again=True)
        # A name of its own: such a part is not continued by a later download.
        while True:
            path = _beside(target, secrets.token_hex(8))
            descriptor = _open_locked(path)
            if descriptor is not None:
                return cls(target, path, descriptor, is_found_again=False)

    def write(self, chunks: Sequence[bytes]) -> None:
        """Append bytes. Does nothing after the part was closed."""
        with self._lock:
            if self._descriptor is None:
                return
            rest: list[bytes | memoryview] = list(chunks)
            # The system may write only a part of them, as on a disk that is nearly full.
            while rest:
                written = system.write_chunks(self._descriptor, rest)
                self.size += written
                while rest and written >= len(rest[0]):
                    written -= len(rest.pop(0))
                if written:
                    rest[0] = memoryview(rest[0])[written:]

    def truncate(self) -> None:
        """Remove the bytes."""
        with self._lock:
            if self._descriptor is not None:
                os.ftruncate(self._descriptor, 0)
                self.size = 0

    def commit(self, *, overwrite: bool = False) -> None:
        """Rename the part to its target, atomically and after its bytes are on the disk."""
        with self._lock:
            if self._descriptor is not None:
                os.fsync(self._descriptor)
                if not system.IS_POSIX:
                    self._close()  # else Windows would not rename it
                if overwrite:
                    self.path.replace(self._target)
                else:
                    _rename_to_free_name(self.path, self._target)
                self._close()

    def close(self) -> None:
        """Close the part and leave it for a later download to continue."""
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


def _rename_to_free_name(path: Path, target: Path) -> None:
    # POSIX renames over existing files; only a link fails atomically if the name is taken.
    try:
        system.link(path, target)
    except FileExistsError:
        raise
    except OSError:  # a file system without hard links
        # Created first, so that no file of another program is replaced.
        os.close(os.open(target, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666))
        path.replace(target)
    else:
        path.unlink(missing_ok=True)


def _beside(target: Path, tag: str) -> Path:
    return target.with_name(f"{truncate(MAX_NAME_BYTES - _ENDING_BYTES, target.name)}.{tag}.part")


def _open_locked(path: Path) -> int | None:
    """Open and lock a part, or None if another download has it or another user may have made it."""
    try:
        descriptor = os.open(path, _FLAGS | os.O_CREAT | os.O_EXCL, 0o666)
    except FileExistsError:
        try:
            descriptor = os.open(path, _FLAGS)
        except FileNotFoundError:  # its download has finished meanwhile
            return None
    if _is_ours(descriptor) and system.try_lock(descriptor) and _is_still_at(descriptor, path):
        return descriptor
    os.close(descriptor)
    return None


def _is_ours(descriptor: int) -> bool:
    # If others can write to the directory, they could prepare a part, or a second name of it.
    status = os.fstat(descriptor)
    plain = stat.S_ISREG(status.st_mode) and status.st_nlink == 1
    return plain and system.is_own(status)


def _is_still_at(descriptor: int, path: Path) -> bool:
    # Between opening and locking, its owner may have renamed it to the finished file, or may have
    # been killed while it had both names.
    try:
        there = path.lstat()
    except FileNotFoundError:
        return False
    return there.st_nlink == 1 and os.path.samestat(there, os.fstat(descriptor))


def _parts_beside(target: Path) -> list[Path]:
    start = truncate(MAX_NAME_BYTES - _ENDING_BYTES, target.name)
    return [
        target.with_name(name)
        for name in os.listdir(target.parent)  # noqa: PTH208 - the names are enough
        if name.startswith(start) and _ENDING.fullmatch(name[len(start) :])
    ]


def _remove_second_names(target: Path) -> None:
    """Remove the second name of a part that a crash has left during the renaming."""
    with contextlib.suppress(OSError):
        there = target.lstat()
        if there.st_nlink > 1:
            for path in _parts_beside(target):
                if os.path.samestat(path.lstat(), there):
                    path.unlink()


def _remove_stale_parts(target: Path, own: Path) -> None:
    for path in _parts_beside(target):
        if path == own:
            continue
        with contextlib.suppress(OSError):
            # Locked first: a part that another download is writing to is not stale.
            descriptor = _open_locked(path)
            if descriptor is not None:
                path.unlink()
                os.close(descriptor)


class PartWriter:
    """Writes to a part from the event loop, one write at a time."""

    # Usually a write of a quarter of a megabyte goes to memory, and takes a tenth of a millisecond.
    # The way to a thread and back would halve the speed of a download. So bytes are written
    # directly until one write is slow; from then on a thread writes them while the next ones
    # arrive.

    def __init__(self, part: PartFile) -> None:
        self._part = part
        self._chunks: list[bytes] = []
        self._bytes = 0
        self._slow = False
        self._writing: asyncio.Future[None] | None = None

    async def write(self, chunk: bytes) -> None:
        """Add bytes; waits only if the disk is slower, and raises if the previous write failed."""
        self._chunks.append(chunk)
        self._bytes += len(chunk)
        if self._bytes >= WRITE_BYTES or len(self._chunks) >= WRITE_CHUNKS:
            await self._start_write()

    async def flush(self) -> None:
        """Wait until everything is written."""
        if self._chunks:
            await self._start_write()
        await self._finish_write()

    async def _start_write(self) -> None:
        await self._finish_write()
        chunks, self._chunks, self._bytes = self._chunks, [], 0
        loop = asyncio.get_running_loop()
        if self._slow:
            self._writing = loop.run_in_executor(None, self._part.write, chunks)
            self._writing.add_done_callback(_retrieve_exception)
            return
        started = loop.time()
        self._part.write(chunks)
        self._slow = loop.time() - started > SLOW_SECONDS

    async def _finish_write(self) -> None:
        if self._writing is not None:
            await self._writing
            self._writing = None


def _retrieve_exception(writing: "asyncio.Future[None]") -> None:
    # After a cancellation nothing awaits the last write, and asyncio would log its exception.
    if not writing.cancelled():
        writing.exception()

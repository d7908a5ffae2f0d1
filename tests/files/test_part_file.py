"""Parts on the disk: links, locks, remains, and a disk that refuses or is slow."""

import asyncio
import errno
import fcntl
import gc
import os
import resource
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path

import pytest

from browser_use_async import BrowserUseSession
from browser_use_async.errors import FileTransferError
from browser_use_async.files.part_file import WRITE_BYTES, WRITE_CHUNKS, PartFile, PartWriter
from tests.files.contents import listing
from tests.support.patience import until
from tests.support.permissions import as_ordinary_user
from tests.support.storage import TASK, FakeStorage, cut_after, refusing

NAME = "report.bin"
TAG = "0123456789abcdef"
CONTENT = bytes(range(256)) * 4000


def part_of(directory: Path, tag: str = TAG) -> Path:
    """The path of the part of a version."""
    return directory / f"{NAME}.{tag}.part"


@contextmanager
def opened(directory: Path, tag: str | None = TAG) -> Iterator[PartFile]:
    """A part, closed at the end."""
    part = PartFile.open(directory / NAME, tag)
    try:
        yield part
    finally:
        part.close()


# --- one part -----------------------------------------------------------------------------------


def test_a_part_becomes_the_file(tmp_path: Path) -> None:
    """A file written in pieces has the final name after `commit`, and only then."""
    with opened(tmp_path) as part:
        part.write([b"ab", b"c"])
        part.write([b"def"])
        before = listing(tmp_path)
        part.commit()

    assert before == [part_of(tmp_path)]
    assert listing(tmp_path) == [tmp_path / NAME]
    assert (tmp_path / NAME).read_bytes() == b"abcdef"


def test_a_part_that_was_left_is_found(tmp_path: Path) -> None:
    """A part of the same version continues after its bytes."""
    with opened(tmp_path) as part:
        part.write([b"abc"])
    with opened(tmp_path) as part:
        assert part.size == 3
        part.write([b"def"])
        part.commit()

    assert (tmp_path / NAME).read_bytes() == b"abcdef"


def test_after_the_end_nothing_is_written(tmp_path: Path) -> None:
    """A late write of an abandoned thread does nothing, whatever the end was."""
    for end in (PartFile.commit, PartFile.close, PartFile.discard):
        part = PartFile.open(tmp_path / NAME, None)
        part.write([b"abc"])
        end(part)
        for late in (PartFile.commit, PartFile.truncate, PartFile.close, PartFile.discard):
            late(part)
        part.write([b"def"])

    assert (tmp_path / NAME).read_bytes() == b"abc"
    assert len(listing(tmp_path)) == 2


def test_a_part_can_be_emptied(tmp_path: Path) -> None:
    """A part that starts again contains nothing of its former content."""
    with opened(tmp_path) as part:
        part.write([b"abc"])
        part.truncate()
        part.write([b"d"])

        assert part.size == 1
        assert part_of(tmp_path).read_bytes() == b"d"


def test_many_small_pieces_are_written_whole(tmp_path: Path) -> None:
    """Pieces that the system accepts only in part, as a pipe would, are written completely."""
    with opened(tmp_path) as part:
        part.write([bytes((number % 256,)) * number for number in range(1, 500)])

        assert part.size == sum(range(1, 500))


def test_long_names_leave_room_for_the_ending(tmp_path: Path) -> None:
    """A file whose name has the full length can have a part beside it."""
    target = tmp_path / ("x" * 251 + ".bin")
    part = PartFile.open(target, TAG)
    part.write([b"abc"])
    part.commit()

    assert target.read_bytes() == b"abc"


def test_a_file_that_is_there_is_not_replaced(tmp_path: Path) -> None:
    """By default a part does not take a name that is in use; the part stays."""
    (tmp_path / NAME).write_bytes(b"mine")
    with opened(tmp_path) as part:
        part.write([b"abc"])
        with pytest.raises(FileExistsError):
            part.commit()
        refused = (tmp_path / NAME).read_bytes()
        part.commit(overwrite=True)

    assert refused == b"mine"
    assert (tmp_path / NAME).read_bytes() == b"abc"
    assert listing(tmp_path) == [tmp_path / NAME]


@pytest.mark.parametrize("taken", [False, True])
def test_a_file_system_without_hard_links(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, taken: bool
) -> None:
    """There a file is named only if its name is free, as elsewhere."""

    def refuse(*_paths: object, **_options: object) -> None:
        raise PermissionError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "link", refuse)
    if taken:
        (tmp_path / NAME).write_bytes(b"mine")
    with opened(tmp_path) as part:
        part.write([b"abc"])
        with pytest.raises(FileExistsError) if taken else nullcontext():
            part.commit()

    assert (tmp_path / NAME).read_bytes() == (b"mine" if taken else b"abc")
    assert listing(tmp_path)[0] == tmp_path / NAME
    assert len(listing(tmp_path)) == 1 + taken


@pytest.mark.parametrize("tag", [TAG, "f" * 16, None])
def test_a_second_name_of_the_file_is_removed(tmp_path: Path, tag: str | None) -> None:
    """A crash while the file got its name can leave it under both names, and no more."""
    (tmp_path / NAME).write_bytes(b"whole")
    part_of(tmp_path).hardlink_to(tmp_path / NAME)
    with opened(tmp_path, tag) as part:
        part.write([b"abc"])
        part.commit(overwrite=True)

    assert listing(tmp_path) == [tmp_path / NAME]
    assert (tmp_path / NAME).read_bytes() == b"abc"


def test_left_overs_of_other_versions_are_removed(tmp_path: Path) -> None:
    """Parts of the same target without an owner are removed; everything else stays."""
    stays = [
        tmp_path / f"{NAME}.part",
        tmp_path / f"{NAME}.{TAG}.part.bak",
        tmp_path / f"other.{TAG}.part",
        tmp_path / f"{NAME}.0123.part",
    ]
    for path in stays:
        path.write_bytes(b"1")
    part_of(tmp_path, "f" * 16).write_bytes(b"1")
    (tmp_path / f"{NAME}.{'e' * 16}.part").mkdir()
    part_of(tmp_path, "d" * 16).symlink_to(stays[0])

    with opened(tmp_path, "c" * 16), opened(tmp_path):
        left = {path.name for path in tmp_path.iterdir()}

    assert {path.name for path in stays} <= left
    assert part_of(tmp_path, "f" * 16).name not in left
    assert part_of(tmp_path, "c" * 16).name in left, "it was locked"
    assert {part_of(tmp_path, each * 16).name for each in "de"} <= left, "it was no part"


@pytest.mark.parametrize("dangling", [False, True], ids=["to-a-file", "dangling"])
async def test_a_target_that_is_a_link_is_refused(
    session: BrowserUseSession, storage: FakeStorage, tmp_path: Path, dangling: bool
) -> None:
    """A link in the place of the file is refused before anything is sent."""
    storage.keep(NAME, CONTENT)
    outside = tmp_path / "outside.bin"
    if not dangling:
        outside.write_bytes(b"untouched")
    directory = tmp_path / "in"
    directory.mkdir()
    (directory / NAME).symlink_to(outside)

    with refusing(FileTransferError):
        await session.download_output_file(TASK, NAME, directory)
    with refusing(FileTransferError):
        await session.download_output_file(TASK, NAME, directory / NAME)

    assert not storage.api.requests
    assert outside.exists() is not dangling


@pytest.mark.parametrize("kind", ["directory", "fifo", "device"])
async def test_a_target_that_is_no_plain_file_is_refused(
    session: BrowserUseSession, storage: FakeStorage, tmp_path: Path, kind: str
) -> None:
    """A directory, a FIFO or a device is not replaced."""
    target = tmp_path / NAME
    if kind == "directory":
        target.mkdir()
    elif kind == "fifo":
        os.mkfifo(target)
    destination = Path("/dev/null") if kind == "device" else tmp_path

    with refusing(FileTransferError) as caught:
        await session.download_output_file(TASK, NAME, destination)

    assert "no plain file" in str(caught.value)
    assert not storage.api.requests


async def test_a_link_that_appears_meanwhile(
    session: BrowserUseSession, storage: FakeStorage, tmp_path: Path
) -> None:
    """The place is checked again at the end; the file is then not written."""
    storage.keep(NAME, CONTENT)
    outside = tmp_path / "outside.bin"
    target = tmp_path / "in" / NAME

    def plant(received: int, total: int | None) -> None:
        if not target.is_symlink():
            target.symlink_to(outside)

    with refusing(FileTransferError):
        await session.download_output_file(TASK, NAME, target, on_progress=plant)

    assert not outside.exists()


def _make_link(path: Path, outside: Path) -> None:
    path.symlink_to(outside)


def _make_second_name(path: Path, outside: Path) -> None:
    path.hardlink_to(outside)


@pytest.mark.parametrize("make", [_make_link, _make_second_name], ids=["link", "second-name"])
async def test_a_part_that_is_a_link_is_not_written_to(
    session: BrowserUseSession, storage: FakeStorage, tmp_path: Path, make: "object"
) -> None:
    """A link, or a second name of a file, in the place of the part is not followed."""
    storage.keep(NAME, CONTENT)
    storage.next = [cut_after(1000)]
    storage.behave = cut_after(0)
    directory = tmp_path / "in"
    with refusing(FileTransferError):
        await session.download_output_file(TASK, NAME, directory / NAME)
    (part,) = listing(directory)
    part.unlink()
    outside = tmp_path / "outside.bin"
    outside.write_bytes(b"untouched")
    assert callable(make)
    make(part, outside)
    storage.behave = cut_after(len(CONTENT))

    if make is _make_link:
        with refusing(FileTransferError):
            await session.download_output_file(TASK, NAME, directory / NAME)
        assert not (directory / NAME).exists()
    else:
        await session.download_output_file(TASK, NAME, directory / NAME)
        assert (directory / NAME).read_bytes() == CONTENT

    assert outside.read_bytes() == b"untouched"


@contextmanager
def files_no_larger_than(size: int) -> Iterator[None]:
    """Let the system refuse bytes beyond this size, as a full disk does."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.parametrize("limit", [0, 300_000, len(CONTENT) - 1])
async def test_a_full_disk(
    session: BrowserUseSession, storage: FakeStorage, tmp_path: Path, limit: int
) -> None:
    """A disk that is full is a typed error, and its space is released."""
    storage.keep(NAME, CONTENT)

    with files_no_larger_than(limit), pytest.raises(FileTransferError) as caught:
        await session.download_output_file(TASK, NAME, tmp_path)

    assert caught.value.task_id == TASK
    assert "cannot be written" in str(caught.value)
    assert isinstance(caught.value.__cause__, OSError)
    assert len(storage.requests) == 1
    assert not listing(tmp_path)


@pytest.mark.parametrize(
    "destination", ["/dev/null/report.bin", "/proc/report.bin", "/proc/new/report.bin", "a\0b"]
)
async def test_a_place_that_takes_no_files(
    session: BrowserUseSession, storage: FakeStorage, destination: str
) -> None:
    """A path below a file, in a read-only directory, or with a NUL is a typed error."""
    storage.keep(NAME, CONTENT)

    with refusing(FileTransferError) as caught:
        await session.download_output_file(TASK, NAME, destination)

    assert caught.value.task_id == TASK


@pytest.fixture
def sealed(tmp_path: Path) -> Iterator[Path]:
    """A directory without write permission."""
    directory = tmp_path / "sealed"
    directory.mkdir(0o500)
    with as_ordinary_user():
        yield directory


async def test_no_permission(
    session: BrowserUseSession, storage: FakeStorage, sealed: Path
) -> None:
    """A directory without write permission is a typed error."""
    storage.keep(NAME, CONTENT)

    with refusing(FileTransferError) as caught:
        await session.download_output_file(TASK, NAME, sealed)

    assert isinstance(caught.value.__cause__, PermissionError)
    assert not listing(sealed)


def test_a_part_has_one_owner(tmp_path: Path) -> None:
    """The second one gets a part with a random name, and both can finish."""
    with opened(tmp_path) as first, opened(tmp_path) as second:
        first.write([b"first"])
        second.write([b"second"])

        assert first.path == part_of(tmp_path)
        assert second.path != first.path
        assert second.size == 6
        first.commit()
        second.commit(overwrite=True)

    assert (tmp_path / NAME).read_bytes() == b"second"
    assert listing(tmp_path) == [tmp_path / NAME]


def test_a_lock_of_another_process_counts(tmp_path: Path) -> None:
    """A part that is locked through another open file is left alone."""
    part_of(tmp_path).write_bytes(b"theirs")
    with part_of(tmp_path).open("rb") as theirs:
        fcntl.flock(theirs, fcntl.LOCK_EX)

        with opened(tmp_path) as part:
            assert part.path != part_of(tmp_path)
            assert part.size == 0

    assert part_of(tmp_path).read_bytes() == b"theirs"


@pytest.mark.parametrize("new", [None, b"newcomer"], ids=["renamed", "and-made-anew"])
def test_the_finished_file_is_not_taken_for_a_part(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, new: bytes | None
) -> None:
    """A part that its owner renames between its opening and its locking here is not written to."""
    owner = PartFile.open(tmp_path / NAME, TAG)
    owner.write([b"whole"])
    lock = fcntl.flock

    def lock_late(descriptor: int, operation: int) -> None:
        owner.commit()
        if new is not None:
            part_of(tmp_path).write_bytes(new)
        lock(descriptor, operation)

    monkeypatch.setattr(fcntl, "flock", lock_late)

    with opened(tmp_path) as part:
        part.write([b"other"])

    assert (tmp_path / NAME).read_bytes() == b"whole"


# --- from the event loop ------------------------------------------------------------------------

PIECES = [bytes((number,)) * WRITE_BYTES for number in range(6)]


class Disk(PartFile):
    """A part on a disk that can be slow and can fail."""

    seconds = 0.0
    fails_at = 0

    def write(self, chunks: Sequence[bytes]) -> None:
        """Record the thread, take the time, fail or write."""
        self.threads.append(threading.get_ident())
        time.sleep(self.seconds)
        if len(self.threads) == self.fails_at:
            raise OSError(28, "No space left on device")
        super().write(chunks)

    @property
    def threads(self) -> list[int]:
        """The threads that wrote, in order."""
        return self.__dict__.setdefault("_threads", [])  # type: ignore[no-any-return]


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Disk]:
    """A quick disk."""
    part = Disk.open(tmp_path / "file.bin", None)
    assert isinstance(part, Disk)
    yield part
    part.discard()


async def _write_all(writer: PartWriter) -> None:
    for piece in PIECES:
        await writer.write(piece)
    await writer.flush()


async def test_a_quick_disk_is_written_on_the_spot(disk: Disk) -> None:
    """No thread is needed, and every byte is there in order."""
    await _write_all(PartWriter(disk))

    assert disk.path.read_bytes() == b"".join(PIECES)
    assert disk.threads[0] == threading.get_ident()


async def test_a_slow_disk_makes_the_loop_wait_once(disk: Disk) -> None:
    """After the first slow write the others happen in threads, one at a time and in order."""
    disk.seconds = 0.02
    await _write_all(PartWriter(disk))

    assert disk.path.read_bytes() == b"".join(PIECES)
    assert disk.threads[0] == threading.get_ident()
    assert threading.get_ident() not in disk.threads[1:]


@pytest.mark.parametrize("number", [1, 2, 3, 6])
async def test_a_write_that_fails_raises(disk: Disk, number: int) -> None:
    """In the loop or in a thread, the error is raised before the end."""
    disk.seconds, disk.fails_at = 0.02, number

    with pytest.raises(OSError, match="No space"):
        await _write_all(PartWriter(disk))


async def test_a_failed_write_without_a_waiter_is_silent(
    disk: Disk, caplog: pytest.LogCaptureFixture
) -> None:
    """The error of a write without a waiter, as after a cancellation, is not reported."""
    disk.seconds, disk.fails_at = 0.02, 2
    writer = PartWriter(disk)
    await writer.write(PIECES[0])
    await writer.write(PIECES[1])
    del writer
    await until(lambda: len(disk.threads) == 2)
    await asyncio.sleep(0.05)
    gc.collect()

    assert len(disk.threads) == 2
    assert not caplog.records


async def test_small_pieces_are_collected(disk: Disk) -> None:
    """Single bytes are not written one by one, nor more at once than a system call accepts."""
    writer = PartWriter(disk)
    for _ in range(WRITE_CHUNKS + 1):
        await writer.write(b"x")
    before = list(disk.threads)
    await writer.flush()

    assert len(before) == 1
    assert len(disk.threads) == 2
    assert disk.size == WRITE_CHUNKS + 1

"""Downloads and the disk: links, names, and a disk that is full, slow or not ours."""

import asyncio
import errno
import os
import secrets
import threading
from collections.abc import Callable
from contextlib import nullcontext
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from browser_use_async.errors import FileTransferError
from tests.files.contents import NAME, listing
from tests.support.patience import PATIENCE, until
from tests.support.permissions import as_ordinary_user, files_no_larger_than
from tests.support.storage import TASK, refusing

CONTENT = bytes(range(256)) * 10_000


# --- places -------------------------------------------------------------------------------------


@pytest.mark.parametrize("dangling", [False, True], ids=["to-a-file", "dangling"])
async def test_a_target_that_is_a_link_is_refused(session, storage, tmp_path, dangling):
    """A link in the place of the file is refused before anything is sent."""
    storage.keep(NAME, CONTENT)
    outside = tmp_path / "outside.bin"
    if not dangling:
        outside.write_bytes(b"untouched")
    directory = tmp_path / "in"
    directory.mkdir()
    (directory / NAME).symlink_to(outside)

    with refusing(FileTransferError):
        await session.files.download_output_file(TASK, NAME, directory)
    with refusing(FileTransferError):
        await session.files.download_output_file(TASK, NAME, directory / NAME)

    assert not storage.api.requests
    assert outside.exists() is not dangling


@pytest.mark.parametrize("kind", ["directory", "fifo", "device"])
async def test_a_target_that_is_no_plain_file_is_refused(session, storage, tmp_path, kind):
    """A directory, a FIFO or a device is not replaced."""
    target = tmp_path / NAME
    if kind == "directory":
        target.mkdir()
    elif kind == "fifo":
        os.mkfifo(target)
    destination = Path("/dev/null") if kind == "device" else tmp_path

    with refusing(FileTransferError) as caught:
        await session.files.download_output_file(TASK, NAME, destination)

    assert "no plain file" in str(caught.value)
    assert not storage.api.requests


async def test_a_link_that_appears_meanwhile(session, storage, tmp_path):
    """The place is checked again at the end; the file is then not written."""
    storage.keep(NAME, CONTENT)
    outside = tmp_path / "outside.bin"
    target = tmp_path / "in" / NAME

    def plant(received: int, total: int | None) -> None:
        if not target.is_symlink():
            target.symlink_to(outside)

    with refusing(FileTransferError):
        await session.files.download_output_file(TASK, NAME, target, on_progress=plant)

    assert not outside.exists()


async def test_the_temporary_file_is_a_new_one(session, storage, tmp_path, monkeypatch):
    """A link in its place is not followed, and stays."""
    storage.keep(NAME, CONTENT)
    outside = tmp_path / "outside.bin"
    outside.write_bytes(b"untouched")
    monkeypatch.setattr(secrets, "token_hex", lambda size: "0" * 2 * size)
    link = tmp_path / "in" / f".browser-use-{'0' * 16}.part"
    link.parent.mkdir()
    link.symlink_to(outside)

    with refusing(FileTransferError):
        await session.files.download_output_file(TASK, NAME, link.parent)

    assert outside.read_bytes() == b"untouched"
    assert listing(link.parent) == [link]


async def test_a_name_of_the_full_length(session, storage, tmp_path):
    """A file with the longest name that file systems accept is downloaded."""
    name = "x" * 251 + ".bin"
    storage.keep(name, CONTENT)

    path = await session.files.download_output_file(TASK, name, tmp_path)

    assert path.name == name
    assert path.read_bytes() == CONTENT


async def test_others_may_read_the_file_as_any_other(session, storage, tmp_path):
    """Its mode is that of a file that a program of this user creates."""
    storage.keep(NAME, CONTENT)
    (tmp_path / "other").touch()

    path = await session.files.download_output_file(TASK, NAME, tmp_path)

    assert path.stat().st_mode == (tmp_path / "other").stat().st_mode


def _refuse_links(*_paths: object, **_options: object) -> None:
    raise PermissionError(errno.EPERM, "Operation not permitted")


@pytest.mark.parametrize("taken", [False, True])
async def test_a_file_system_without_hard_links(session, storage, tmp_path, monkeypatch, taken):
    """There a file is named only if its name is free, as elsewhere."""
    storage.keep(NAME, CONTENT)
    monkeypatch.setattr(os, "link", _refuse_links)
    sync = os.fsync

    def take_the_name(descriptor: int) -> None:
        sync(descriptor)
        if taken:  # at the last moment
            (tmp_path / NAME).write_bytes(b"mine")

    monkeypatch.setattr(os, "fsync", take_the_name)
    with refusing(FileTransferError) if taken else nullcontext():
        await session.files.download_output_file(TASK, NAME, tmp_path)

    assert (tmp_path / NAME).read_bytes() == (b"mine" if taken else CONTENT)
    assert listing(tmp_path) == [tmp_path / NAME]


# --- what disks refuse --------------------------------------------------------------------------


@pytest.mark.parametrize("limit", [0, 300_000, len(CONTENT) - 1])
async def test_a_full_disk(session, storage, tmp_path, limit):
    """A disk that is full is a typed error, and its space is released."""
    storage.keep(NAME, CONTENT)

    with files_no_larger_than(limit), pytest.raises(FileTransferError) as caught:
        await session.files.download_output_file(TASK, NAME, tmp_path)

    assert caught.value.task_id == TASK
    assert "cannot be written" in str(caught.value)
    assert isinstance(caught.value.__cause__, OSError)
    assert len(storage.requests) == 1
    assert not listing(tmp_path)


@pytest.mark.parametrize(
    "destination", ["/dev/null/report.bin", "/proc/report.bin", "/proc/new/report.bin", "a\0b"]
)
async def test_a_place_that_takes_no_files(session, storage, destination):
    """A path below a file, in a read-only directory, or with a NUL is a typed error."""
    storage.keep(NAME, CONTENT)

    with refusing(FileTransferError) as caught:
        await session.files.download_output_file(TASK, NAME, destination)

    assert caught.value.task_id == TASK


@pytest.fixture
def sealed(tmp_path):
    """A directory without write permission."""
    directory = tmp_path / "sealed"
    directory.mkdir(0o500)
    with as_ordinary_user():
        yield directory


async def test_no_permission(session, storage, sealed):
    """A directory without write permission is a typed error."""
    storage.keep(NAME, CONTENT)

    with refusing(FileTransferError) as caught:
        await session.files.download_output_file(TASK, NAME, sealed)

    assert isinstance(caught.value.__cause__, PermissionError)
    assert not listing(sealed)


# --- slow disks ---------------------------------------------------------------------------------


SlowDisk = tuple[threading.Event, Callable[[], None]]


@pytest.fixture
def slow_disk(monkeypatch):
    """A disk that keeps and removes files only once told to: whether it was asked, and the word."""
    asked, goes_on = threading.Event(), threading.Event()
    real: dict[str, Callable[[Any], None]] = {"fsync": os.fsync, "unlink": os.unlink}

    def wait(name: str, file: Any) -> None:
        asked.set()
        assert goes_on.wait(PATIENCE)
        real[name](file)

    for name in real:
        monkeypatch.setattr(os, name, partial(wait, name))
    yield asked, goes_on.set
    goes_on.set()


async def test_a_slow_disk_does_not_stop_the_loop(session, storage, tmp_path, slow_disk):
    """While the disk keeps the bytes, the loop goes on, and the file has not its name yet."""
    storage.keep(NAME, CONTENT)
    asked, go_on = slow_disk
    download = asyncio.create_task(session.files.download_output_file(TASK, NAME, tmp_path))

    await until(asked.is_set)
    before = (tmp_path / NAME).exists()
    go_on()

    assert (await download).read_bytes() == CONTENT
    assert not before


async def test_cancelling_while_the_file_gets_its_name(
    session, storage, tmp_path, monkeypatch, slow_disk
):
    """The thread that names it goes on; the file is whole then, and nothing is beside it."""
    storage.keep(NAME, CONTENT)
    monkeypatch.setattr(os, "link", _refuse_links)
    asked, go_on = slow_disk
    download = asyncio.create_task(session.files.download_output_file(TASK, NAME, tmp_path))

    await until(asked.is_set)
    download.cancel()
    await asyncio.sleep(0.05)  # without a lock the file would be removed now
    go_on()
    with pytest.raises(asyncio.CancelledError):
        await download

    assert listing(tmp_path) == [tmp_path / NAME]
    assert (tmp_path / NAME).read_bytes() == CONTENT


async def test_cancelling_while_the_file_is_removed(session, storage, tmp_path, slow_disk):
    """A download that has failed ends only when nothing of it is left."""
    storage.keep(NAME, CONTENT)
    asked, go_on = slow_disk

    def stop(received: int, total: int | None) -> None:
        raise LookupError("enough")

    download = asyncio.create_task(
        session.files.download_output_file(TASK, NAME, tmp_path, on_progress=stop)
    )
    await until(asked.is_set)
    download.cancel()
    await asyncio.sleep(0.05)
    ended = download.done()
    go_on()
    with pytest.raises(asyncio.CancelledError):
        await download

    assert not ended
    assert not listing(tmp_path)

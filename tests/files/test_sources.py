"""The sources of uploads, and what is refused before anything is sent."""

import io
import os
import threading
from collections.abc import AsyncIterator

import pytest

from browser_use_async.api.limits import CONTENT_TYPES, MAX_FILE_BYTES
from browser_use_async.errors import (
    FileTransferError,
    InvalidRequestError,
    UnsafeFileNameError,
    UnsupportedFileError,
)
from tests.files.sources import CONTENT, NAME, SOURCES, as_path
from tests.support.storage import (
    StoredFile,
    refusing,
)
from tests.support.wire import Connection, Request


@pytest.mark.parametrize("source", SOURCES.values(), ids=SOURCES)
async def test_a_file_is_uploaded(session, storage, tmp_path, source):
    """Every kind of source arrives complete, with its length and the signed type."""
    opened = source(tmp_path)

    name = await session.files.upload(opened, file_name=NAME)

    if hasattr(opened, "close"):
        opened.close()
    (request,) = storage.requests
    assert name == NAME
    assert storage.api.requests[0].json == {"file_name": NAME, "content_type": "text/csv"}
    assert request.method == "PUT"
    assert request.headers["content-type"] == "text/csv"
    assert request.headers["content-length"] == str(len(CONTENT))
    assert "transfer-encoding" not in request.headers
    assert request.body == CONTENT


async def test_names_are_the_sources_own(session, storage, tmp_path):
    """Paths and opened files have a name; other sources need `file_name`."""
    path = as_path(tmp_path)

    assert await session.files.upload(path) == NAME
    with path.open("rb") as file:
        assert await session.files.upload(file) == NAME
    with refusing(InvalidRequestError) as caught:
        await session.files.upload(CONTENT)
    with refusing(InvalidRequestError), os.fdopen(os.open(path, os.O_RDONLY), "rb") as numbered:
        await session.files.upload(numbered)

    assert caught.value.field == "file_name"
    assert len(storage.uploads) == 2


@pytest.mark.parametrize("suffix", CONTENT_TYPES)
async def test_types_come_from_the_name(session, storage, suffix):
    """Each suffix of the API's list, in any case, has its content type."""
    await session.files.upload(b"1", file_name=f"a{suffix.upper()}")

    assert storage.requests[0].headers["content-type"] == CONTENT_TYPES[suffix]


async def test_another_type_of_the_list_can_be_said(session, storage):
    """`content_type` has priority over the name."""
    await session.files.upload(b"1", file_name="a.txt", content_type="text/markdown")

    assert storage.requests[0].headers["content-type"] == "text/markdown"


async def test_the_largest_file_is_taken(session, storage):
    """Ten megabytes are uploaded in one piece."""
    await session.files.upload(bytes(MAX_FILE_BYTES), file_name="a.pdf")

    assert [len(body) for body in storage.uploads] == [MAX_FILE_BYTES]


@pytest.mark.parametrize("name", ["a.exe", "a", "a.", "csv", "a.csv.exe", ".csv"])
async def test_other_types_are_refused(session, storage, name):
    """A suffix that is not on the API's list is refused, whatever type is given."""
    kind = UnsafeFileNameError if name == "a." else UnsupportedFileError

    with refusing(kind):
        await session.files.upload(b"1", file_name=name)
    with refusing(kind):
        await session.files.upload(b"1", file_name=name, content_type="text/csv")

    assert not storage.api.requests


@pytest.mark.parametrize(
    "kind", ["application/x-msdownload", "", "text/csv; charset=utf-8", "a\nb"]
)
async def test_other_content_types_are_refused(session, storage, kind):
    """A content type that is not on the API's list is refused."""
    with refusing(UnsupportedFileError):
        await session.files.upload(b"1", file_name=NAME, content_type=kind)

    assert not storage.api.requests


@pytest.mark.parametrize(
    "name", ["../../a.csv", "/a.csv", "a\\b.csv", "CON.csv", "-a.csv", "x" * 300]
)
async def test_unsafe_names_are_refused(session, storage, name):
    """A name that is not safe for a download is not safe for an upload."""
    with refusing(UnsafeFileNameError):
        await session.files.upload(b"1", file_name=name)

    assert not storage.api.requests


@pytest.mark.parametrize("size", [0, MAX_FILE_BYTES + 1])
async def test_other_sizes_are_refused(session, storage, tmp_path, size):
    """No bytes, and one byte too many, are refused from every source."""
    path = tmp_path / NAME
    with path.open("wb") as file:
        file.truncate(size)

    with refusing(UnsupportedFileError):
        await session.files.upload(path, file_name=NAME)
    with refusing(UnsupportedFileError):
        await session.files.upload(io.BytesIO(bytes(size)), file_name=NAME)
    with pytest.raises(UnsupportedFileError):  # comparing all of ten megabytes takes seconds
        await session.files.upload(bytes(size), file_name=NAME)

    assert not storage.api.requests


async def test_only_plain_files_are_read(session, storage, tmp_path):
    """A directory and a FIFO are refused at once; a missing file and a NUL are errors."""
    (tmp_path / "folder.csv").mkdir()
    os.mkfifo(tmp_path / "fifo.csv")

    with refusing(FileTransferError):
        await session.files.upload(tmp_path / "folder.csv")
    with refusing(UnsupportedFileError):
        await session.files.upload(tmp_path / "fifo.csv")
    with refusing(FileTransferError) as caught:
        await session.files.upload(tmp_path / "missing.csv")
    with refusing(FileTransferError):
        await session.files.upload("a\0b.csv", file_name=NAME)

    assert "missing.csv" in str(caught.value)
    assert not storage.api.requests


async def _generator() -> AsyncIterator[bytes]:
    yield CONTENT


class _AsyncStream:
    async def read(self, size: int = -1) -> bytes:
        return CONTENT


class _NonBlockingStream:
    def read(self, size: int = -1) -> None:
        return None


@pytest.mark.parametrize(
    ("source", "advice"),
    [
        (io.StringIO("text"), "in binary mode"),
        (_AsyncStream(), "when awaited"),
        (_NonBlockingStream(), "in binary mode"),
    ],
    ids=["text", "async", "non-blocking"],
)
async def test_only_bytes_are_sent(session, storage, source, advice):
    """A stream whose `read()` returns no bytes is refused."""
    with refusing(InvalidRequestError) as caught:
        await session.files.upload(source, file_name=NAME)

    assert advice in str(caught.value)
    assert caught.value.field == "source"
    assert not storage.api.requests


@pytest.mark.parametrize(
    "source", [None, 5, ["a"], _generator()], ids=["None", "int", "list", "gen"]
)
async def test_other_things_are_refused(session, storage, source):
    """An object that is neither path nor bytes nor stream is refused."""
    with refusing(InvalidRequestError) as caught:
        await session.files.upload(source, file_name=NAME)

    assert caught.value.field == "source"
    assert not storage.api.requests


async def test_an_error_of_the_stream_comes_out(session, storage):
    """An exception of the user's own stream is raised unchanged."""
    closed = io.BytesIO(b"1")
    closed.close()

    with refusing(ValueError):
        await session.files.upload(closed, file_name=NAME)

    assert not storage.api.requests


async def test_a_file_that_changes_meanwhile(session, storage, tmp_path):
    """The file is read once, so both attempts send its first content, though it changed."""
    path = as_path(tmp_path)

    async def change(connection: Connection, request: Request, file: StoredFile) -> None:
        path.write_bytes(b"something else" * 50_000)
        connection.finish()

    storage.next = [change]

    await session.files.upload(path)

    assert storage.uploads == [CONTENT] * 2


async def test_reading_does_not_block_the_loop(session, storage):
    """A stream is read in a thread."""
    threads: set[int] = set()

    class Stream(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            threads.add(threading.get_ident())
            return super().read(size)

    await session.files.upload(Stream(b"1"), file_name=NAME)

    assert threads
    assert threading.get_ident() not in threads

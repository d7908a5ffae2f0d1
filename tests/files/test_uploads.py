"""Uploads: what is refused before anything is sent, and that what arrives is whole (G1-G4)."""

import asyncio
import io
import os
import threading
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from browser_use_async import BrowserUseSession, RetryPolicy, RetryScheduled
from browser_use_async.contract.file_types import CONTENT_TYPES, MAX_FILE_BYTES
from browser_use_async.errors import (
    BadRequestError,
    FileTransferError,
    InvalidRequestError,
    SessionClosedError,
    UnsafeFileNameError,
    UnsupportedFileError,
)
from tests.bench import ONCE, Connect
from tests.files.storage import (
    SIGNATURE,
    FakeStorage,
    StoredFile,
    redirect,
    refuse,
    refusing,
    say,
    send_raw,
)
from tests.wire import Connection, Request, response

NAME = "data.csv"
CONTENT = bytes(range(256)) * 400


def as_path(directory: Path) -> Path:
    """The content as a file, by its path."""
    (directory / NAME).write_bytes(CONTENT)
    return directory / NAME


def as_text(directory: Path) -> str:
    """The content as a file, by the text of its path."""
    return str(as_path(directory))


def as_file(directory: Path) -> Any:
    """The content as an opened file."""
    return as_path(directory).open("rb")


def as_raw_file(directory: Path) -> Any:
    """The content as an opened file, whose `read` may give less than asked for."""
    return as_path(directory).open("rb", buffering=0)


SOURCES: dict[str, Callable[[Path], Any]] = {
    "path": as_path,
    "text": as_text,
    "bytes": lambda _directory: CONTENT,
    "bytearray": lambda _directory: bytearray(CONTENT),
    "memoryview": lambda _directory: memoryview(CONTENT),
    "stream": lambda _directory: io.BytesIO(CONTENT),
    "file": as_file,
    "raw-file": as_raw_file,
}


@pytest.mark.parametrize("source", SOURCES.values(), ids=SOURCES)
async def test_a_file_is_uploaded(
    session: BrowserUseSession,
    storage: FakeStorage,
    tmp_path: Path,
    source: Callable[[Path], Any],
) -> None:
    """Every kind of source arrives whole, with its length and the type that was signed."""
    opened = source(tmp_path)

    name = await session.upload_file(opened, file_name=NAME)

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


async def test_names_are_the_sources_own(
    session: BrowserUseSession, storage: FakeStorage, tmp_path: Path
) -> None:
    """Paths and opened files have a name; without one of its own a source needs `file_name`."""
    path = as_path(tmp_path)

    assert await session.upload_file(path) == NAME
    with path.open("rb") as file:
        assert await session.upload_file(file) == NAME
    with refusing(InvalidRequestError) as caught:
        await session.upload_file(CONTENT)
    with refusing(InvalidRequestError), os.fdopen(os.open(path, os.O_RDONLY), "rb") as numbered:
        await session.upload_file(numbered)

    assert caught.value.field == "file_name"
    assert len(storage.uploads) == 2


@pytest.mark.parametrize("suffix", CONTENT_TYPES)
async def test_types_come_from_the_name(
    session: BrowserUseSession, storage: FakeStorage, suffix: str
) -> None:
    """Each suffix of the API's list, in any case, has its content type."""
    await session.upload_file(b"1", file_name=f"a{suffix.upper()}")

    assert storage.requests[0].headers["content-type"] == CONTENT_TYPES[suffix]


async def test_another_type_of_the_list_can_be_said(
    session: BrowserUseSession, storage: FakeStorage
) -> None:
    """`content_type` overrules the name."""
    await session.upload_file(b"1", file_name="a.txt", content_type="text/markdown")

    assert storage.requests[0].headers["content-type"] == "text/markdown"


async def test_the_largest_file_is_taken(session: BrowserUseSession, storage: FakeStorage) -> None:
    """Ten megabytes go up in one piece."""
    await session.upload_file(bytes(MAX_FILE_BYTES), file_name="a.pdf")

    assert [len(body) for body in storage.uploads] == [MAX_FILE_BYTES]


# --- G1 -----------------------------------------------------------------------------------------


async def _die(connection: Connection, request: Request, file: StoredFile) -> None:
    connection.finish()


async def _die_rudely(connection: Connection, request: Request, file: StoredFile) -> None:
    connection.reset()


@pytest.mark.parametrize("death", [_die, _die_rudely], ids=["closed", "reset"])
@pytest.mark.parametrize("source", SOURCES.values(), ids=SOURCES)
async def test_g1_an_upload_that_dies_is_sent_again_whole(
    session: BrowserUseSession,
    storage: FakeStorage,
    tmp_path: Path,
    source: Callable[[Path], Any],
    death: Any,
) -> None:
    """G1: however often the connection dies after the body, what is stored is never empty."""
    storage.next = [death, death]
    opened = source(tmp_path)

    await session.upload_file(opened, file_name=NAME)

    if hasattr(opened, "close"):
        opened.close()
    assert storage.uploads == [CONTENT] * 3
    assert len(storage.api.requests) == 1


async def test_g1_one_attempt_is_one_request(storage: FakeStorage, connect: Connect) -> None:
    """G1: there is no hidden second attempt: with `max_attempts=1` one request is an error."""
    session = await connect(storage.api, retry=ONCE)
    storage.behave = _die

    with refusing(FileTransferError) as caught:
        await session.upload_file(CONTENT, file_name=NAME)

    assert storage.uploads == [CONTENT]
    assert "again is safe" in str(caught.value)


async def test_g1_transient_refusals_are_retried_and_told(
    storage: FakeStorage, connect: Connect
) -> None:
    """G1: 503 is sent again as the policy says, with one event each and no URL in it."""
    told: list[object] = []
    policy = RetryPolicy(max_attempts=3, base_delay=0.0)
    session = await connect(storage.api, retry=policy, on_event=told.append)
    storage.behave = refuse(503, "SlowDown", "Please reduce your request rate.")

    with refusing(FileTransferError) as caught:
        await session.upload_file(CONTENT, file_name=NAME)

    assert storage.uploads == [CONTENT] * 3
    assert "after 3 attempts: status 503 (SlowDown: Please reduce" in str(caught.value)
    assert [event.operation for event in told if isinstance(event, RetryScheduled)] == [
        "upload_file",
        "upload_file",
    ]
    assert SIGNATURE not in repr(told)


async def test_a_stalled_upload_is_sent_again(storage: FakeStorage, connect: Connect) -> None:
    """A storage that does not answer within `timeout` is asked again."""
    session = await connect(storage.api, timeout=0.2)

    async def silence(connection: Connection, request: Request, file: StoredFile) -> None:
        await connection.stall()

    storage.next = [silence]

    await session.upload_file(b"1", file_name=NAME)

    assert storage.uploads == [b"1"] * 2


# --- G2 -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["a.exe", "a", "a.", "csv", "a.csv.exe", ".csv"])
async def test_g2_other_types_are_refused(
    session: BrowserUseSession, storage: FakeStorage, name: str
) -> None:
    """G2: a suffix that is not on the API's list is refused, whatever type is said."""
    kind = UnsafeFileNameError if name == "a." else UnsupportedFileError

    with refusing(kind):
        await session.upload_file(b"1", file_name=name)
    with refusing(kind):
        await session.upload_file(b"1", file_name=name, content_type="text/csv")

    assert not storage.api.requests


@pytest.mark.parametrize(
    "kind", ["application/x-msdownload", "", "text/csv; charset=utf-8", "a\nb"]
)
async def test_g2_other_content_types_are_refused(
    session: BrowserUseSession, storage: FakeStorage, kind: str
) -> None:
    """G2: a content type that is not on the API's list is refused."""
    with refusing(UnsupportedFileError):
        await session.upload_file(b"1", file_name=NAME, content_type=kind)

    assert not storage.api.requests


@pytest.mark.parametrize(
    "name", ["../../a.csv", "/a.csv", "a\\b.csv", "CON.csv", "-a.csv", "x" * 300]
)
async def test_g2_unsafe_names_are_refused(
    session: BrowserUseSession, storage: FakeStorage, name: str
) -> None:
    """G2: what would be no safe name for a download is none for an upload."""
    with refusing(UnsafeFileNameError):
        await session.upload_file(b"1", file_name=name)

    assert not storage.api.requests


@pytest.mark.parametrize("size", [0, MAX_FILE_BYTES + 1])
async def test_g2_other_sizes_are_refused(
    session: BrowserUseSession, storage: FakeStorage, tmp_path: Path, size: int
) -> None:
    """G2: nothing, and one byte too many, are refused from every source."""
    path = tmp_path / NAME
    with path.open("wb") as file:
        file.truncate(size)

    with refusing(UnsupportedFileError):
        await session.upload_file(path, file_name=NAME)
    with refusing(UnsupportedFileError):
        await session.upload_file(io.BytesIO(bytes(size)), file_name=NAME)
    with pytest.raises(UnsupportedFileError):  # looking at all of ten megabytes takes seconds
        await session.upload_file(bytes(size), file_name=NAME)

    assert not storage.api.requests


async def test_g2_only_plain_files_are_read(
    session: BrowserUseSession, storage: FakeStorage, tmp_path: Path
) -> None:
    """G2: a directory and a FIFO are refused at once; a missing file and a NUL are errors."""
    (tmp_path / "folder.csv").mkdir()
    os.mkfifo(tmp_path / "fifo.csv")

    with refusing(FileTransferError):
        await session.upload_file(tmp_path / "folder.csv")
    with refusing(UnsupportedFileError):
        await session.upload_file(tmp_path / "fifo.csv")
    with refusing(FileTransferError) as caught:
        await session.upload_file(tmp_path / "missing.csv")
    with refusing(FileTransferError):
        await session.upload_file("a\0b.csv", file_name=NAME)

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
    "source",
    [io.StringIO("text"), _AsyncStream(), _NonBlockingStream()],
    ids=["text", "async", "non-blocking"],
)
async def test_g2_only_bytes_are_sent(
    session: BrowserUseSession, storage: FakeStorage, source: Any
) -> None:
    """G2: a stream whose `read()` gives no bytes is refused."""
    with refusing(InvalidRequestError) as caught:
        await session.upload_file(source, file_name=NAME)

    assert caught.value.field == "source"
    assert not storage.api.requests


@pytest.mark.parametrize(
    "source", [None, 5, ["a"], _generator()], ids=["None", "int", "list", "gen"]
)
async def test_g2_other_things_are_refused(
    session: BrowserUseSession, storage: FakeStorage, source: Any
) -> None:
    """G2: what is neither path nor bytes nor stream is refused."""
    with refusing(InvalidRequestError) as caught:
        await session.upload_file(source, file_name=NAME)

    assert caught.value.field == "source"
    assert not storage.api.requests


async def test_an_error_of_the_stream_comes_out(
    session: BrowserUseSession, storage: FakeStorage
) -> None:
    """What the user's own stream raises is the user's own."""
    closed = io.BytesIO(b"1")
    closed.close()

    with refusing(ValueError):
        await session.upload_file(closed, file_name=NAME)

    assert not storage.api.requests


# --- G3 -----------------------------------------------------------------------------------------


async def test_g3_a_file_that_changes_meanwhile(
    session: BrowserUseSession, storage: FakeStorage, tmp_path: Path
) -> None:
    """G3: the file is read once, so both attempts send what it was, though it grew and changed."""
    path = as_path(tmp_path)

    async def change(connection: Connection, request: Request, file: StoredFile) -> None:
        path.write_bytes(b"something else" * 50_000)
        connection.finish()

    storage.next = [change]

    await session.upload_file(path)

    assert storage.uploads == [CONTENT] * 2


async def test_reading_does_not_block_the_loop(
    session: BrowserUseSession, storage: FakeStorage
) -> None:
    """A stream is read in a thread."""
    threads: set[int] = set()

    class Stream(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            threads.add(threading.get_ident())
            return super().read(size)

    await session.upload_file(Stream(b"1"), file_name=NAME)

    assert threads
    assert threading.get_ident() not in threads


# --- G4 -----------------------------------------------------------------------------------------


async def test_g4_an_expired_url_is_renewed(
    session: BrowserUseSession, storage: FakeStorage
) -> None:
    """G4: after a 403 the file goes to a new URL."""
    storage.next = [refuse(403)]

    await session.upload_file(CONTENT, file_name=NAME)

    assert storage.uploads == [CONTENT] * 2
    assert [request.target[-1] for request in storage.requests] == ["0", "1"]


async def test_g4_a_url_is_renewed_once(session: BrowserUseSession, storage: FakeStorage) -> None:
    """G4: a second 403 is the end; status and S3's words are told, not the signature in them."""
    storage.behave = refuse(403, "SignatureDoesNotMatch", "The signature does not match.")

    with refusing(FileTransferError) as caught:
        await session.upload_file(CONTENT, file_name=NAME)

    words = "status 403 (SignatureDoesNotMatch: The signature does not match.)"
    assert words in str(caught.value)
    assert len(storage.api.requests) == 2
    assert len(storage.requests) == 2


@pytest.mark.parametrize(
    "answer",
    [refuse(404, "NoSuchBucket", "No."), redirect("/elsewhere"), say(response(304))],
    ids=["404", "redirect", "304"],
)
async def test_g4_other_refusals_are_final(
    session: BrowserUseSession, storage: FakeStorage, answer: Any
) -> None:
    """G4: what a new URL cannot cure is not repeated; redirects of an upload are not followed."""
    storage.behave = answer

    with refusing(FileTransferError):
        await session.upload_file(CONTENT, file_name=NAME)

    assert len(storage.api.requests) == 1
    assert len(storage.requests) == 1


@pytest.mark.parametrize("status", [200, 201, 204])
async def test_every_2xx_is_a_success(
    session: BrowserUseSession, storage: FakeStorage, status: int
) -> None:
    """Storages other than S3 answer 201 or 204."""
    storage.behave = say(response(status) if status != 204 else b"HTTP/1.1 204 No\r\n\r\n")

    assert await session.upload_file(CONTENT, file_name=NAME) == NAME


async def test_an_error_of_the_api_is_the_api_error(
    session: BrowserUseSession, storage: FakeStorage
) -> None:
    """What the API says against a file is its own error."""
    storage.api_replies = [response(400, '{"detail": "Unsupported content type"}')]

    with refusing(BadRequestError):
        await session.upload_file(CONTENT, file_name=NAME)

    assert not storage.requests


async def test_garbage_is_no_success(session: BrowserUseSession, storage: FakeStorage) -> None:
    """A reply that is no HTTP is never taken for an upload that arrived."""
    storage.behave = send_raw(b"nonsense\r\n\r\n")

    with refusing(FileTransferError):
        await session.upload_file(CONTENT, file_name=NAME)

    assert len(storage.uploads) == 4


async def test_closing_the_session_ends_uploads(storage: FakeStorage, connect: Connect) -> None:
    """`aclose()` ends an upload under way; afterwards nothing is read or sent."""
    session = await connect(storage.api)
    started = asyncio.Event()

    async def silence(connection: Connection, request: Request, file: StoredFile) -> None:
        started.set()
        await connection.stall()

    storage.behave = silence
    upload = asyncio.create_task(session.upload_file(CONTENT, file_name=NAME))
    await started.wait()
    await session.aclose()

    with refusing(SessionClosedError):
        await upload
    with refusing(SessionClosedError):
        await session.upload_file("/nowhere.csv")

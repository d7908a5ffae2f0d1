"""Uploads: a source is read once and checked, and its bytes go to a signed URL of the API."""

import asyncio
import inspect
import os
import stat
from collections.abc import Awaitable, Callable
from pathlib import Path, PurePath
from typing import Protocol

from browser_use_async import system
from browser_use_async.api.endpoint_table import Effect
from browser_use_async.api.limits import CONTENT_TYPES, MAX_FILE_BYTES, content_type_of
from browser_use_async.errors import FileTransferError, InvalidRequestError, UnsupportedFileError
from browser_use_async.events import RetryScheduled
from browser_use_async.files.names import check_name
from browser_use_async.files.transfer import EXPIRED_URL_STATUSES
from browser_use_async.transport.client import Transport
from browser_use_async.transport.response import Outcome, OutcomeKind
from browser_use_async.transport.retry import Retrying
from browser_use_async.transport.signed_urls import SignedUrl
from browser_use_async.transport.storage import StoredFile
from browser_use_async.types import UploadUrl

_READ_BYTES = 1024 * 1024  # in one `read`


class BinaryStream(Protocol):
    """An object with a blocking `read` that returns bytes, such as a file in binary mode."""

    def read(self, size: int, /) -> bytes:
        """Return at most so many bytes; none at the end."""
        ...


Source = str | os.PathLike[str] | bytes | bytearray | memoryview | BinaryStream
# Requests a signed URL for a file's name and content type.
CreateUrl = Callable[[str, str], Awaitable[UploadUrl]]


async def upload(
    transport: Transport,
    create_url: CreateUrl,
    source: Source,
    file_name: str | None,
    content_type: str | None,
) -> str:
    """Upload a file; returns its name. After a transient fault the same bytes are sent again."""
    transport.bind()
    # Read whole before the URL is requested: a retry sends the same bytes, and a signed URL
    # expires while a slow source is read.
    file = await read_source(source, file_name, content_type)
    outcome, attempts = await _put(transport, create_url, file)
    if outcome.status in EXPIRED_URL_STATUSES:  # a new URL may be enough
        outcome, attempts = await _put(transport, create_url, file)
    if outcome.kind is OutcomeKind.ACCEPTED:
        return file.name
    times = "" if attempts == 1 else f" after {attempts} attempts"
    raise FileTransferError(
        f"{file.name} could not be uploaded{times}: {outcome.problem}; uploading it again is safe"
    )


async def _put(
    transport: Transport, create_url: CreateUrl, file: StoredFile
) -> tuple[Outcome, int]:
    """Send a file to a new URL; returns the last outcome and the number of attempts."""
    given = await create_url(file.name, file.content_type)
    what = f"{file.name} was not uploaded: the URL that the API gave"
    url = transport.storage.checked(SignedUrl(given.upload_url), what)

    def emit_retry(outcome: Outcome, failures: int, pause: float) -> None:
        event = RetryScheduled("upload_file", None, failures, pause, outcome.problem)
        transport.observers.notify(event)

    async def put() -> Outcome:
        return await transport.storage.put(url, file)

    # PUT of the same bytes to the same URL is idempotent, whatever happened to the first one.
    retrying = Retrying(
        policy=transport.retry,
        effect=lambda: Effect.IDEMPOTENT,
        rng=transport.rng,
        sleep=transport.storage.sleep,
        on_retry=emit_retry,
    )
    return await retrying.go_on(await put(), put)


async def read_source(
    source: Source, file_name: str | None, content_type: str | None
) -> StoredFile:
    """Read a file whole and check that the API accepts it."""
    name = _name_of(source) if file_name is None else file_name
    check_name(name)
    # The name and the type are checked first, since they cost nothing.
    kind = _checked_type(name, content_type)
    file = StoredFile(name, await _read_source(source), kind)
    size = len(file.content)
    if not size:
        raise UnsupportedFileError(f"{name} is empty; nothing was sent")
    if size > MAX_FILE_BYTES:
        raise UnsupportedFileError(
            f"{name} is larger than {MAX_FILE_BYTES} bytes, the most that the API takes; "
            "nothing was sent"
        )
    return file


def _name_of(source: Source) -> str:
    given: object = source  # a stream's name may be anything, such as a file descriptor
    if not isinstance(source, str | os.PathLike):
        given = getattr(source, "name", None)
    if isinstance(given, str | os.PathLike):
        return PurePath(os.fspath(given)).name
    raise InvalidRequestError(
        "file_name: what is uploaded has no name of its own, so pass one; nothing was sent",
        field="file_name",
    )


def _checked_type(name: str, content_type: str | None) -> str:
    by_name = content_type_of(name)
    if by_name is None:
        raise UnsupportedFileError(
            f"the API does not take files like {name!r}, only {', '.join(CONTENT_TYPES)}; "
            "nothing was sent"
        )
    if content_type is None:
        return by_name
    if content_type not in CONTENT_TYPES.values():
        raise UnsupportedFileError(
            f"the API does not take the content type {content_type!r}, only "
            f"{', '.join(dict.fromkeys(CONTENT_TYPES.values()))}; nothing was sent"
        )
    return content_type


async def _read_source(source: Source) -> bytes:
    if isinstance(source, bytes | bytearray | memoryview):
        return bytes(source)
    if isinstance(source, str | os.PathLike):
        return await asyncio.to_thread(_content_at, Path(source))
    if callable(getattr(source, "read", None)):
        return await asyncio.to_thread(_content_in, source)
    raise InvalidRequestError(
        f"source: {type(source).__name__} is no path, no bytes and no binary stream; nothing was "
        "sent",
        field="source",
    )


def _content_at(path: Path) -> bytes:
    try:
        with open(path, "rb", opener=_open_at_once) as file:
            # `fstat` on the opened file, because the path can change between two calls.
            status = os.fstat(file.fileno())
            if not stat.S_ISREG(status.st_mode):
                raise UnsupportedFileError(f"{path} is no plain file; nothing was sent")
            return _content_in(file)
    except (OSError, ValueError) as error:  # ValueError: a path with a NUL in it
        raise FileTransferError(f"{path} cannot be read ({error}); nothing was sent") from error


def _open_at_once(path: str, flags: int) -> int:
    return os.open(path, flags | system.NO_WAIT)


def _content_in(stream: BinaryStream) -> bytes:
    """The rest of a stream, or one byte more than the API accepts."""
    # In pieces, since a stream without an end must not fill the memory.
    content = bytearray()
    while len(content) <= MAX_FILE_BYTES:
        chunk = _checked_chunk(stream.read(min(_READ_BYTES, MAX_FILE_BYTES + 1 - len(content))))
        if not chunk:
            break
        content += chunk
    return bytes(content)


def _checked_chunk(chunk: object) -> bytes:
    if isinstance(chunk, bytes | bytearray | memoryview):
        return bytes(chunk)
    advice = "open it in binary mode"
    if inspect.iscoroutine(chunk):
        chunk.close()  # else Python warns that it was never awaited
        advice = "it is asynchronous: pass what it gives when awaited"
    raise InvalidRequestError(
        f"source: its read() gives {type(chunk).__name__} and not bytes; {advice}. "
        "Nothing was sent",
        field="source",
    )

"""Sources of an upload: a path, bytes or a binary stream, read once into bytes and checked."""

import asyncio
import inspect
import os
import stat
from pathlib import Path, PurePath
from typing import Protocol

import attrs

from browser_use_async import system
from browser_use_async.api.limits import CONTENT_TYPES, MAX_FILE_BYTES, content_type_of
from browser_use_async.errors import FileTransferError, InvalidRequestError, UnsupportedFileError
from browser_use_async.files.names import check_name
from browser_use_async.transport.storage import StoredContent

_READ_BYTES = 1024 * 1024  # in one `read`


class BinaryStream(Protocol):
    """Something with a blocking `read` that gives bytes, such as a file opened in binary mode."""

    def read(self, size: int, /) -> bytes:
        """At most so many bytes; none at the end."""
        ...


Source = str | os.PathLike[str] | bytes | bytearray | memoryview | BinaryStream


@attrs.frozen
class UploadFile:
    """A file, ready to be sent any number of times."""

    name: str  # its name at the service
    stored: StoredContent  # its bytes and their type


async def read_source(
    source: Source, file_name: str | None, content_type: str | None
) -> UploadFile:
    """Read a file whole and check that the API takes it.

    Raises:
        InvalidRequestError: The file has no name, or is not of bytes.
        UnsupportedFileError: Its type or its size is one that the API does not take.
        UnsafeFileNameError: Its name would trouble a file system.
        FileTransferError: It cannot be read.
    """
    name = _name_of(source) if file_name is None else file_name
    check_name(name)
    # The name and the type are checked first, since they cost nothing.
    kind = _checked_type(name, content_type)
    upload = UploadFile(name, StoredContent(await _content_of(source), kind))
    size = len(upload.stored.content)
    if not size:
        raise UnsupportedFileError(f"{name} is empty; nothing was sent")
    if size > MAX_FILE_BYTES:
        raise UnsupportedFileError(
            f"{name} is larger than {MAX_FILE_BYTES} bytes, the most that the API takes; "
            "nothing was sent"
        )
    return upload


def _name_of(source: Source) -> str:
    given: object = source  # the name of a stream can be anything, such as a file descriptor
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


async def _content_of(source: Source) -> bytes:
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
    """What is left in a stream, or one byte more than the API takes."""
    # Read in pieces: a stream without an end must not fill the memory.
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
    if inspect.iscoroutine(chunk):
        chunk.close()  # or Python warns that it was never awaited
    raise InvalidRequestError(
        f"source: its read() gives {type(chunk).__name__} and not bytes; open it in binary mode. "
        "Nothing was sent",
        field="source",
    )

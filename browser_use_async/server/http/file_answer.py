"""The answer to a download, of which one part at a time is in memory."""

import logging
from collections.abc import Callable, Coroutine, Generator, Mapping
from contextlib import AbstractContextManager, contextmanager
from typing import Any

from aiohttp import web

from browser_use_async.server.errors import StorageUnavailableError
from browser_use_async.server.http.places import Places
from browser_use_async.server.storage.files import in_parts

# How many downloads of one file, and of all files of one owner, are answered at once.
MOST_OF_FILE = 20
MOST_OF_OWNER = 50

_PIECE_BYTES = 256 * 1024  # that are written to the connection together

_logger = logging.getLogger(__name__)


class Downloads:
    """The downloads under way, each of which costs the memory of a part."""

    def __init__(self) -> None:
        self._of_owner = Places(MOST_OF_OWNER, "downloads of this owner are under way")
        self._of_file = Places(MOST_OF_FILE, "downloads of this file are under way")

    def refusal(self, owner: str, file: tuple[str, str]) -> str | None:
        """Why no further one of a file, by the id of its task and its name, may begin, or None."""
        return self._of_file.refusal(file) or self._of_owner.refusal(owner)

    @contextmanager
    def one_more(self, owner: str, file: tuple[str, str]) -> Generator[None]:
        """Count a download until the end of the block."""
        with self._of_owner.taken(owner), self._of_file.taken(file):
            yield


class FileAnswer(web.StreamResponse):
    """Some consecutive bytes of a file, of which `first` are those of the first part."""

    def __init__(
        self,
        read: Callable[[range], Coroutine[Any, Any, bytes]],
        wanted: range,
        first: bytes,
        place: AbstractContextManager[object],
        *,
        status: int,
        headers: Mapping[str, str],
    ) -> None:
        super().__init__(status=status, headers=headers)
        self.content_length = len(wanted)
        self._bytes_of = read
        self._wanted = wanted
        self._first = first
        self._place = place  # counts the download while it is sent

    async def whole(self) -> bytes:
        """All of its bytes, for faults that send others."""
        return await self._bytes_of(self._wanted)

    async def write_eof(self, data: bytes = b"") -> None:
        """Send the bytes as fast as the client reads them."""
        # Here and not in the handler, so that faults get an answer that is not sent yet.
        with self._place:
            parts = in_parts(self._wanted)
            if next(parts, None) is not None:
                await self._send(self._first)
                self._first = b""
            for each in parts:
                await self._send(await self._read(each))
            await super().write_eof(data)

    async def _send(self, part: bytes) -> None:
        view = memoryview(part)
        for start in range(0, len(part), _PIECE_BYTES):
            await self.write(view[start : start + _PIECE_BYTES])

    async def _read(self, wanted: range) -> bytes:
        try:
            part = await self._bytes_of(wanted)
        except StorageUnavailableError as error:
            _logger.error("a download broke off: %s", error)  # noqa: TRY400 - it says all
            raise ConnectionResetError("the file cannot be read any more") from error
        if len(part) != len(wanted):
            raise ConnectionResetError("the file was deleted while it was sent")
        return part

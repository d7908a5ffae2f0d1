"""An API that gives signed URLs, and the storage that they lead to, each on a port of its own.

The storage keeps files as object storage does: strong ETags, ranges, refusals in XML. Its answer
can be replaced, request by request:

    storage.keep("report.csv", content)
    storage.next += [cut_after(1000), refuse(403)]
"""

import asyncio
import hashlib
import json
import re
import traceback
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import AsyncExitStack, contextmanager
from types import TracebackType
from typing import Self, TypeVar
from urllib.parse import quote, unquote

import attrs
import pytest

from tests.support.hygiene import SIGNATURE, raises
from tests.support.wire import Connection, Request, WireServer, response

__all__ = [
    "SIGNATURE",
    "TASK",
    "Behaviour",
    "FakeStorage",
    "StoredFile",
    "chunked",
    "cut_after",
    "redirect",
    "refuse",
    "refusing",
    "say",
    "send_raw",
    "whole",
]

TASK = "task-1"

ErrorT = TypeVar("ErrorT", bound=BaseException)


@contextmanager
def refusing(kind: type[ErrorT]) -> "Iterator[pytest.ExceptionInfo[ErrorT]]":
    """`raises` that searches for signatures too, also in the local variables of each frame.

    Args:
        kind: The exact class that is expected.
    """
    with raises(kind) as caught:
        yield caught

    shown = traceback.TracebackException.from_exception(caught.value, capture_locals=True)
    assert SIGNATURE not in "".join(shown.format())
    assert SIGNATURE not in repr(caught.value)


@attrs.frozen
class StoredFile:
    """A file of the storage.

    Attributes:
        content: Its bytes.
        headers: The headers of every reply with it.
        ranges: Whether ranges are supported.
    """

    content: bytes = attrs.field(repr=False)
    headers: tuple[tuple[str, str], ...] = ()
    ranges: bool = True

    def header(self, name: str) -> str | None:
        """The value of a header."""
        return dict(self.headers).get(name)

    def reply(self, request: Request) -> bytes:
        """The reply to a request for it, all of it or the requested range.

        Args:
            request: The request.
        """
        asked = re.fullmatch(r"bytes=(\d+)-", request.headers.get("range", ""))
        validator = request.headers.get("if-range")
        same = validator in {self.header("ETag"), self.header("Last-Modified")}
        if asked is None or not self.ranges or not same:
            return response(200, self.content, self.headers)
        start, size = int(asked[1]), len(self.content)
        place = ("Content-Range", f"bytes {start}-{size - 1}/{size}")
        return response(206, self.content[start:], (*self.headers, place))


Behaviour = Callable[[Connection, Request, StoredFile], Awaitable[None]]


async def whole(connection: Connection, request: Request, file: StoredFile) -> None:
    """Reply completely."""
    connection.send(file.reply(request))


def say(reply: bytes) -> Behaviour:
    """Reply with exactly these bytes.

    Args:
        reply: The bytes.
    """

    async def behave(connection: Connection, request: Request, file: StoredFile) -> None:
        connection.send(reply)

    return behave


def send_raw(reply: bytes, *, rudely: bool = False) -> Behaviour:
    """Reply with exactly these bytes and close.

    Args:
        reply: The bytes.
        rudely: Whether the connection is reset and not closed.
    """

    async def behave(connection: Connection, request: Request, file: StoredFile) -> None:
        connection.send(reply)
        if rudely:
            await _sent(connection)
            connection.reset()
        else:
            connection.finish()

    return behave


def cut_after(count: int, *, rudely: bool = False) -> Behaviour:
    """Begin a good reply and break off after so many bytes of the body.

    Args:
        count: How many.
        rudely: Whether the connection is reset and not closed.
    """

    async def behave(connection: Connection, request: Request, file: StoredFile) -> None:
        reply = file.reply(request)
        head = reply.index(b"\r\n\r\n") + 4
        await send_raw(reply[: head + count], rudely=rudely)(connection, request, file)

    return behave


async def _sent(connection: Connection) -> None:
    # A reset drops undelivered bytes, so there is some time before it.
    await connection.drained()
    await asyncio.sleep(0.03)


def refuse(
    status: int, code: str = "AccessDenied", message: str = "Request has expired"
) -> Behaviour:
    """Refuse in the words of S3, which repeat the signature.

    Args:
        status: The status.
        code: S3's word for it.
        message: S3's sentence.
    """

    async def behave(connection: Connection, request: Request, file: StoredFile) -> None:
        body = (
            f'<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>{code}</Code>'
            f"<Message>{message}</Message><SignatureProvided>{SIGNATURE}</SignatureProvided>"
            f"<StringToSign>{request.target}</StringToSign></Error>"
        )
        connection.send(response(status, body, content_type="application/xml"))

    return behave


def redirect(location: str, status: int = 307) -> Behaviour:
    """Redirect to another place.

    Args:
        location: Where to.
        status: How.
    """
    return say(response(status, headers=[("Location", location)]))


def chunked(pieces: Sequence[bytes], *, ended: bool = True) -> Behaviour:
    """Reply in chunks, without a length.

    Args:
        pieces: The chunks.
        ended: Whether the last chunk, which marks the end, comes.
    """
    body = b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces)
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    return send_raw(head + body + (b"0\r\n\r\n" if ended else b""))


class FakeStorage:
    """The API and the storage. Use as an async context manager.

    Attributes:
        api: The server of the API.
        server: The server of the storage.
        api_replies: The API's replacement answers to the next requests.
        next: The storage's answers to the next requests, one each.
        behave: Its answer to the others.
        url_of: Makes the signed URL of a file; it gets the file's path and how many were made.
        recordings: The paths that get-task-media lists.
        screenshots: The paths that get-task-screenshots lists.
        uploads: The bodies of all PUT requests, in order.
    """

    def __init__(self) -> None:
        self.api = WireServer(self._answer_api)
        self.server = WireServer(self._answer_storage)
        self.api_replies: list[bytes] = []
        self.next: list[Behaviour] = []
        self.behave: Behaviour = whole
        self.url_of: Callable[[str, int], str] = self.signed
        self.recordings: list[str] = []
        self.screenshots: list[str] = []
        self._files: dict[str, StoredFile] = {}
        self._urls = 0
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Self:
        await self._stack.enter_async_context(self.api)
        await self._stack.enter_async_context(self.server)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self._stack.__aexit__(kind, error, traceback)

    # --- for tests --------------------------------------------------------------------------

    def keep(
        self, name: str, content: bytes, *headers: tuple[str, str], ranges: bool = True
    ) -> StoredFile:
        """Store a file, which replaces one of the same name.

        Args:
            name: Its path in the storage.
            content: Its bytes.
            headers: Its headers; by default a strong ETag.
            ranges: Whether ranges are supported.
        """
        etag = ("ETag", f'"{hashlib.md5(content).hexdigest()}"')
        file = StoredFile(content, headers or (etag,), ranges)
        self._files[name] = file
        return file

    def signed(self, path: str, number: int) -> str:
        """A signed URL in S3's form.

        Args:
            path: The path, which is quoted.
            number: How many were made before.
        """
        place = f"http://127.0.0.1:{self.server.port}/{quote(path)}"
        query = "X-Amz-Credential=AKIA%2F2025&X-Amz-Expires=900&X-Amz-Signature="
        return f"{place}?{query}{SIGNATURE}-{number}"

    @property
    def requests(self) -> list[Request]:
        """The requests that came to the storage."""
        return self.server.requests

    @property
    def uploads(self) -> list[bytes]:
        """The bodies of all PUT requests."""
        return [request.body for request in self.requests if request.method == "PUT"]

    @property
    def ranges(self) -> list[str | None]:
        """The requested ranges, None for a whole file."""
        return [request.headers.get("range") for request in self.requests]

    # --- their answers ----------------------------------------------------------------------

    async def _answer_api(self, connection: Connection) -> None:
        while True:
            request = await connection.read_request()
            if self.api_replies:
                connection.send(self.api_replies.pop(0))
            else:
                connection.send(response(200, self._api_answer(request)))

    def _api_answer(self, request: Request) -> str:
        path = request.target.removeprefix("/api/v1")
        if path == "/uploads/presigned-url":
            return json.dumps({"upload_url": self._url(request.json["file_name"])})
        if path == f"/task/{TASK}/media":
            return json.dumps({"recordings": [self._url(each) for each in self.recordings]})
        if path == f"/task/{TASK}/screenshots":
            return json.dumps({"screenshots": [self._url(each) for each in self.screenshots]})
        name = path.removeprefix(f"/task/{TASK}/output-file/")
        return json.dumps({"download_url": self._url(unquote(name))})

    def _url(self, path: str) -> str:
        url = self.url_of(path, self._urls)
        self._urls += 1
        return url

    async def _answer_storage(self, connection: Connection) -> None:
        while True:
            request = await connection.read_request()
            name = unquote(request.target.partition("?")[0][1:])
            file = self._files.get(name, StoredFile(b""))
            behave = self.next.pop(0) if self.next else self.behave
            await behave(connection, request, file)

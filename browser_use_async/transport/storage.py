"""Requests to file storage, by signed URLs and without the API key."""

# Signed URLs grant access by themselves. So requests to them have no credentials and no cookies,
# pass through no middleware or trace of the user, follow redirects only where `SignedUrl` allows
# it, and no error shows their URL.

import asyncio
import contextlib
import html
import io
import logging
import re
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine, Mapping
from typing import Any, TypeVar

import aiohttp
import attrs

from browser_use_async.errors import FileTransferError, SessionClosedError
from browser_use_async.logs import LOGGER
from browser_use_async.transport.config import USER_AGENT, Configuration
from browser_use_async.transport.connection_pool import CONNECT_SECONDS, ConnectionPool, PoolOptions
from browser_use_async.transport.error_factory import printable_line
from browser_use_async.transport.response import (
    FAILURES,
    Outcome,
    OutcomeKind,
    Reply,
    classify_error,
    kind_of_status,
)
from browser_use_async.transport.signed_urls import SignedUrl

ResultT = TypeVar("ResultT")

MAX_REDIRECTS = 5
READ_BUFFER = 256 * 1024  # bytes; with aiohttp's 64 kB the socket is paused after every read
SLOWEST_UPLOAD = 64 * 1024  # bytes per second on top of the session's timeout
MAX_REFUSAL = 16 * 1024  # bytes of an error body that are read
_MAX_REFUSAL_TEXT = 300  # characters
_XML = re.compile(r"<(Code|Message)>(.*?)</\1>", re.DOTALL)
_REDIRECTS = frozenset({301, 302, 303, 307, 308})


class StorageError(Exception):
    """A transfer that did not succeed; internal, and its outcome shows no URL."""

    def __init__(self, outcome: Outcome) -> None:
        super().__init__(outcome.problem)
        self.outcome = outcome


@attrs.frozen
class StoredFile:
    """A file to upload."""

    name: str  # its name at the service
    content: bytes = attrs.field(repr=lambda content: f"<{len(content)} bytes>")
    content_type: str  # the media type for which the URL was signed


class StorageReply:
    """A reply whose body is still to be read. Its repr shows no URL, unlike aiohttp's own."""

    __slots__ = ("_end", "_response", "_storage", "headers", "status")

    def __init__(self, storage: "Storage", response: aiohttp.ClientResponse) -> None:
        self._storage = storage
        self._response = response
        self.status = response.status
        self.headers: Mapping[str, str] = response.headers
        self._end = _connection_end(response)

    async def read(self) -> bytes:
        """The bytes that were received, or none at the end; raises if the body broke off."""
        return await self._storage.while_open(self._read())

    async def _read(self) -> bytes:
        try:
            chunk = await self._response.content.readany()
            if not chunk and self._end is not None:
                await self._end
        except FAILURES as error:
            outcome = classify_error(error, sent=True)
            chunk = _unread(self._response.content)
        else:
            return chunk
        if chunk:  # received before the connection broke; the next call raises
            return chunk
        raise StorageError(outcome)

    async def start_of_body(self) -> bytes:
        """The first bytes of an error body, as many as a message can use."""
        start = bytearray()
        with contextlib.suppress(StorageError):  # the status alone says enough
            while len(start) < MAX_REFUSAL and (chunk := await self.read()):
                start += chunk
        return bytes(start[:MAX_REFUSAL])

    def close(self) -> None:
        """Release the connection, or close it if the body was not read to its end."""
        if self._end is not None:
            self._end.cancel()
        self._response.close()

    def __repr__(self) -> str:
        return f"<StorageReply {self.status}>"


def _unread(content: aiohttp.StreamReader) -> bytes:
    # aiohttp discards these bytes, and has no public name for them. Without them a download over a
    # connection that always breaks early would never advance.
    read: Callable[[int], bytes] | None = getattr(content, "_read_nowait", None)
    return b"" if read is None else read(-1)


def _connection_end(response: aiohttp.ClientResponse) -> "asyncio.Future[Any] | None":
    """The end of the connection, for a body without a length of its own."""
    # aiohttp returns such a body as whole even if the connection was reset.
    headers = response.headers
    if "Content-Length" in headers or "Transfer-Encoding" in headers:
        return None
    connection = response.connection
    closed = (
        None if connection is None or connection.protocol is None else connection.protocol.closed
    )
    return None if closed is None else asyncio.ensure_future(closed)


@attrs.define(eq=False, repr=False)
class Storage:
    """Uploads to and downloads from signed URLs, one attempt at a time."""

    _configuration: Configuration
    _options: PoolOptions
    _bind: Callable[[], object]
    sleep: Callable[[float], Awaitable[None]]
    _pool: ConnectionPool | None = None
    _timeouts: set[asyncio.Timeout] = attrs.field(factory=set)

    def checked(self, url: SignedUrl, what: str, task_id: str | None = None) -> SignedUrl:
        """A URL of the API; raises if it must not be used. `what` begins the message."""
        api, is_allowed = self._configuration.base_url, self._configuration.allow_insecure_http
        problem = url.problem(api=api, allow_insecure_http=is_allowed)
        if problem is None:
            return url
        raise FileTransferError(
            f"{what} is not used, because {problem}; allow_insecure_http=True allows http:// in a "
            "network of yours",
            task_id=task_id,
        )

    async def put(self, url: SignedUrl, stored: StoredFile) -> Outcome:
        """Upload a file, in one request."""
        # The session's timeout, and the time for the content on a slow line.
        seconds = self._configuration.timeout + len(stored.content) / SLOWEST_UPLOAD
        headers = {"Content-Type": stored.content_type}
        try:
            reply = await self.while_open(self._send("PUT", url, headers, seconds, stored))
        except StorageError as error:
            return error.outcome
        with contextlib.closing(reply):
            return await _classified(reply, url)

    @contextlib.asynccontextmanager
    async def get(self, url: SignedUrl, headers: Mapping[str, str]) -> AsyncGenerator[StorageReply]:
        """The reply to one download request, with status 200 or 206 after some redirects."""
        with contextlib.closing(await self._follow(url, headers)) as reply:
            yield reply

    async def aclose(self) -> None:
        """Close the connections. Transfers under way get `SessionClosedError`."""
        now = asyncio.get_running_loop().time()
        for timeout in self._timeouts:
            if not timeout.expired():
                timeout.reschedule(now)
        if self._pool is not None:
            await self._pool.aclose()

    def abandon(self) -> None:
        """Close the connections without waiting."""
        if self._pool is not None:
            self._pool.abandon()

    async def _follow(self, url: SignedUrl, headers: Mapping[str, str]) -> StorageReply:
        # Lengths and ranges are those of the file only if nothing is compressed.
        asked = {**headers, "Accept-Encoding": "identity"}
        for _ in range(MAX_REDIRECTS + 1):
            sending = self._send("GET", url, asked, self._configuration.timeout)
            reply = await self.while_open(sending)
            if reply.status in {200, 206}:
                return reply
            with contextlib.closing(reply):
                if reply.status not in _REDIRECTS:
                    raise StorageError(await _classified(reply, url))
                url = self._next(url, reply)
        raise StorageError(_not_sent(f"the storage redirects more than {MAX_REDIRECTS} times"))

    def _next(self, url: SignedUrl, reply: StorageReply) -> SignedUrl:
        target = url.redirected(reply.headers.get("Location", ""))
        problem = url.redirect_problem(
            target, allow_insecure_http=self._configuration.allow_insecure_http
        )
        if problem is None:
            return target
        raise StorageError(_not_sent(f"the storage's redirect is not followed, because {problem}"))

    async def _send(
        self,
        method: str,
        url: SignedUrl,
        headers: Mapping[str, str],
        seconds: float,
        stored: StoredFile | None = None,
    ) -> StorageReply:
        self._bind()
        if self._pool is None:
            self._pool = ConnectionPool.storage(self._options)
        pool = self._pool
        started = asyncio.get_running_loop().time()
        try:
            # Until the answer begins: its body may take any time while bytes come.
            async with asyncio.timeout(seconds):
                response = await pool.session.request(
                    method,
                    url.reveal(),
                    # Written piece by piece, unlike bytes; a fresh one for each attempt.
                    data=None if stored is None else io.BytesIO(stored.content),
                    headers={**headers, "User-Agent": USER_AGENT},
                    allow_redirects=False,
                    raise_for_status=False,
                    auto_decompress=False,
                    timeout=aiohttp.ClientTimeout(
                        total=None, sock_connect=CONNECT_SECONDS, sock_read=seconds
                    ),
                    middlewares=pool.middlewares,
                    read_bufsize=READ_BUFFER,
                )
        except FAILURES as error:
            outcome = classify_error(error, sent=True)
        else:
            _log(method, url, str(response.status), started)
            return StorageReply(self, response)
        _log(method, url, outcome.problem, started)
        # Raised here and not where it was caught: aiohttp's exceptions and frames contain the URL.
        raise StorageError(outcome)

    async def while_open(self, work: Coroutine[Any, Any, ResultT]) -> ResultT:
        """Await something; closing the session interrupts it."""
        # No time limit: closing the session reschedules it to now.
        timeout = asyncio.timeout(None)
        self._timeouts.add(timeout)
        try:
            async with timeout:
                return await work
        except TimeoutError:
            pass
        finally:
            self._timeouts.discard(timeout)
        # Raised here and not where it was caught, for the same reason as in `_send`.
        raise SessionClosedError("the session was closed while a file was under way")


def _log(method: str, url: SignedUrl, result: str, started: float) -> None:
    if LOGGER.isEnabledFor(logging.DEBUG):
        seconds = asyncio.get_running_loop().time() - started
        host = url.reveal().host  # only this: the rest of it is a secret
        LOGGER.debug("%s a file at %s: %s in %.0f ms", method, host, result, seconds * 1000)


async def _classified(reply: StorageReply, url: SignedUrl) -> Outcome:
    """The outcome of an attempt whose reply is not a file."""
    body = await reply.start_of_body()
    problem = refusal_text(reply.status, body, url)
    return Outcome(
        kind_of_status(reply.status),
        reply=Reply(reply.status, reply.headers, body),
        problem=problem,
    )


def _not_sent(problem: str) -> Outcome:
    return Outcome(OutcomeKind.NOT_SENT, problem=problem, transient=False)


def refusal_text(status: int, body: bytes, url: SignedUrl) -> str:
    """What storage says about a refusal, without the secrets that it echoes."""
    text = body.decode("utf-8", "replace")
    # Of S3's XML only the code and the message are shown: the rest repeats keys and signatures.
    found = {name: html.unescape(value) for name, value in _XML.findall(text)}
    said = ": ".join(found[name] for name in ("Code", "Message") if name in found) or text
    shown = printable_line(url.redact(html.unescape(said)), _MAX_REFUSAL_TEXT)
    return f"status {status} ({shown})" if shown else f"status {status}"

"""Connections of clients, with limits of number and time, and without logs of their content.

aiohttp waits for ever for the rest of a head, and logs and echoes the line of a malformed request,
in which there may be a key or the link of a live page.
"""

import asyncio
import json
import logging
import math
import socket
import struct
from collections import Counter
from collections.abc import Callable
from http import HTTPStatus
from typing import Any, cast

from aiohttp import StreamReader, hdrs, web

from browser_use_async import system
from browser_use_async.server.http.access import network_of
from browser_use_async.server.http.large_answers import in_pieces
from browser_use_async.server.loops import log_failure

# Seconds for the head of a request, from its first byte or from the connection on.
HEAD_SECONDS = 10.0
# Seconds without a request after which a connection is closed.
IDLE_SECONDS = 75.0
# Seconds for the body of a request.
BODY_SECONDS = 60.0
# Seconds in which a client takes `WRITE_BYTES` of an answer, or the rest.
WRITE_SECONDS = 60.0
WRITE_BYTES = 60 * 1024
# The most bytes of further requests that may come while one is answered.
MOST_AHEAD = 64 * 1024
# The most connections of one address to a server that other machines reach.
MOST_OF_ADDRESS = 64
# How many descriptors a process asks for that is only a server.
DESCRIPTORS = 65536

_MOST = 4096
_SPARED = 128  # descriptors for browsers, files and the server's own connections
_UNSENT = 128 * 1024  # bytes of an answer that the system keeps for a connection

_NO_LINGERING = struct.pack("ii", 1, 0)

_logger = logging.getLogger(__name__)


def most_connections() -> int:
    """The number of connections that leaves enough descriptors for everything else."""
    limits = system.descriptor_limits()
    return _MOST if limits is None else min(_MOST, max(limits[0] - _SPARED, limits[0] // 2))


def limit_unsent(listener: socket.socket) -> None:
    """Limit how much of unread answers the system buffers."""
    # The default is some megabytes for each connection, which no limit of the process counts.
    if (option := getattr(socket, "TCP_NOTSENT_LOWAT", None)) is not None:
        listener.setsockopt(socket.IPPROTO_TCP, option, _UNSENT)


class Connections:
    """The connections of one server.

    Of more than there may be, the one that has waited longest is closed: for a request, for the
    body of one, or for its client to take an answer. If none waits, the new one is refused.

    Args:
        most: How many there may be.
        most_of_address: How many there may be from one address, or None for any number.
    """

    def __init__(self, most: int, most_of_address: int | None = None) -> None:
        self._most = most
        self._most_of_address = math.inf if most_of_address is None else most_of_address
        self._all: set[_Connection] = set()
        self._of_address: Counter[str] = Counter()
        self._waiting: dict[_Connection, None] = {}  # for its client, the longest first

    def factory(self, server: web.Server, **options: Any) -> "Callable[[], web.RequestHandler]":
        """The factory of the protocol of each connection, with options of `web.RequestHandler`."""
        return lambda: _Connection(self, server, **options)

    def opened(self, connection: "_Connection") -> None:
        """Count a connection."""
        address = connection.address
        if self._of_address[address] >= self._most_of_address:
            longest = (each for each in self._waiting if each.address == address)
            self._replace(next(longest, None), connection, 429, "from your address")
        elif len(self._all) >= self._most:
            self._replace(next(iter(self._waiting), None), connection, 503, "to this server")
        else:
            self._count(connection)

    def _replace(
        self, surplus: "_Connection | None", new: "_Connection", status: int, place: str
    ) -> None:
        if surplus is None:
            most = self._most_of_address if status == HTTPStatus.TOO_MANY_REQUESTS else self._most
            new.refuse(status, f"There are {most} connections {place} already, which are the most")
            return
        surplus.cut()
        self.closed(surplus)  # at once, since the next one may come before it is closed
        self._count(new)

    def _count(self, connection: "_Connection") -> None:
        self._all.add(connection)
        self._of_address[connection.address] += 1
        self._waiting[connection] = None

    def waits(self, connection: "_Connection") -> None:
        """Record that a connection waits for its client from now on."""
        if connection in self._all:
            self._waiting.pop(connection, None)
            self._waiting[connection] = None

    def works(self, connection: "_Connection") -> None:
        """Record that a connection does not wait for its client."""
        self._waiting.pop(connection, None)

    def closed(self, connection: "_Connection") -> None:
        """Forget a connection."""
        if connection not in self._all:
            return
        self._all.discard(connection)
        self._waiting.pop(connection, None)
        self._of_address[connection.address] -= 1
        if not self._of_address[connection.address]:
            del self._of_address[connection.address]


class _Connection(web.RequestHandler):
    __slots__ = (
        "_ahead",
        "_body",
        "_clock",
        "_connections",
        "_deadline",
        "_is_idle",
        "_is_unread",
        "_left",
        "_timer",
        "_wire",
        "address",
    )

    def __init__(self, connections: Connections, server: web.Server, **options: Any) -> None:
        loop = asyncio.get_running_loop()
        super().__init__(server, loop=loop, **options)
        self._connections = connections
        self._clock = loop
        self._timer: asyncio.TimerHandle | None = None
        self._deadline = math.inf
        self._body: StreamReader | None = None  # of the request under way
        self._ahead = 0  # bytes of later requests
        self._is_idle = False
        self._is_unread = False  # whether the client reads an answer more slowly than it is made
        self.address = ""
        self._left = 0  # bytes that the client had not read when the deadline was set

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # aiohttp forgets its own when it closes, while the transport waits for the client. That of
        # uvloop is no subclass.
        self._wire = cast("asyncio.Transport", transport)
        self.address = network_of(str((transport.get_extra_info("peername") or ("",))[0]))
        super().connection_made(transport)
        self._limit(HEAD_SECONDS)
        self._connections.opened(self)

    def connection_lost(self, exc: BaseException | None) -> None:
        self._cancel_timer()
        self._connections.closed(self)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._is_idle:
            self._is_idle = False
            self._body = None  # that of the next one may come before its head is handed on
            self._limit(HEAD_SECONDS)
        elif self._body is not None and self._body.is_eof():
            self._ahead += len(data)
            if self._ahead > MOST_AHEAD:
                _logger.info("more than %d bytes of requests came behind one", MOST_AHEAD)
                self.cut()
                return
        super().data_received(data)

    def pause_writing(self) -> None:
        super().pause_writing()
        self._is_unread = True
        self._await_client()

    def resume_writing(self) -> None:
        super().resume_writing()
        self._is_unread = False
        self._await_client()

    def begin(self, request: web.BaseRequest) -> None:
        """Record that the head of a request is complete."""
        self._is_idle = False
        self._ahead = 0
        # A WebSocket has no requests.
        self._body = None if hdrs.UPGRADE in request.headers else request.content
        if not request.content.is_eof():
            request.content.on_eof(self._await_client)
        self._await_client()

    async def finish_response(
        self, request: web.BaseRequest, resp: web.StreamResponse, start_time: float | None
    ) -> tuple[web.StreamResponse, bool]:
        pieces = in_pieces(resp)
        try:
            return await super().finish_response(request, resp, start_time)
        finally:
            if pieces is not None:
                # Where the client has gone, aiohttp's error keeps this frame until the next
                # collection of garbage.
                pieces.close()
            self._is_idle = True
            self._await_client()

    def cut(self) -> None:
        """Close at once, without waiting for a client that does not read."""
        self._cancel_timer()
        if self._wire.get_write_buffer_size():
            # Else the system would keep what was sent, and try to deliver it.
            wire: socket.socket = self._wire.get_extra_info("socket")
            wire.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGERING)
        self._wire.abort()

    def refuse(self, status: int, detail: str) -> None:
        """Answer any request with an error, and close."""
        body = json.dumps({"detail": detail})
        self._wire.write(
            f"HTTP/1.1 {status} {HTTPStatus(status).phrase}\r\nRetry-After: 1\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n"
            f"Connection: close\r\n\r\n{body}".encode()
        )
        self._wire.close()

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """Answer an invalid request, or an internal error, with a fixed text."""
        if status >= 500 and exc is not None:
            log_failure(_logger, "answering a request", exc)
        else:
            _logger.debug("a malformed request was refused with %d", status)
        if request.writer.output_size > 0:
            raise ConnectionError("the response is under way already")
        response = web.Response(status=status, text=HTTPStatus(status).phrase)
        response.force_close()
        return response

    def log_exception(self, *args: Any, **kw: Any) -> None:
        """Log an error without the text of the exception."""
        error = kw.get("exc_info")
        if isinstance(error, web.RequestPayloadError):
            _logger.debug("a malformed body was refused")
        elif isinstance(error, BaseException):
            log_failure(_logger, "answering a request", error)
        else:
            _logger.error("a request could not be answered")

    def log_debug(self, *args: Any, **kw: Any) -> None:
        """Log nothing: aiohttp's message would quote what a client sent."""

    def _await_client(self) -> None:
        """Set the deadline of the client's next action, if there is one."""
        if self._is_unread:
            seconds = WRITE_SECONDS
            self._left = self._wire.get_write_buffer_size()
        elif self._is_idle:
            seconds = IDLE_SECONDS
        elif self._body is not None and not self._body.is_eof():
            seconds = BODY_SECONDS
        else:
            self._connections.works(self)
            self._deadline = math.inf
            return
        self._connections.waits(self)
        self._limit(seconds)

    def _limit(self, seconds: float) -> None:
        """Cut the connection after some seconds."""
        self._deadline = self._clock.time() + seconds
        # One timer and not one for each of the three limits of a request: it checks the deadline,
        # and is never later than the shortest limit.
        if self._timer is None and seconds < math.inf:
            self._timer = self._clock.call_later(min(seconds, HEAD_SECONDS), self._check_limit)

    def _check_limit(self) -> None:
        self._timer = None
        left = self._deadline - self._clock.time()
        if left > 0:
            self._limit(left)
        elif self._is_unread and self._left - self._wire.get_write_buffer_size() >= WRITE_BYTES:
            self._await_client()
        else:
            if self._is_unread:
                took = "a client took less than %d bytes of an answer in %d s; it was cut"
                _logger.info(took, WRITE_BYTES, WRITE_SECONDS)
            self.cut()

    def _cancel_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


def note_request(request: web.BaseRequest) -> None:
    """Record in the connection that the head of a request is complete."""
    if isinstance(request.protocol, _Connection):
        request.protocol.begin(request)

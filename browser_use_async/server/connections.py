"""Connections of clients: bounded in number and time, and silent about what they sent.

aiohttp waits for ever for the rest of a head, and logs and echoes the line of a malformed request,
in which there may be a key or the link of a live page.
"""

import asyncio
import logging
import math
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Any

from aiohttp import StreamReader, web

from browser_use_async import system
from browser_use_async.server.responses import log_failure

# Seconds for the head of a request, from its first byte or from the connection on.
HEAD_SECONDS = 10.0
# Seconds without a request after which a connection is closed.
IDLE_SECONDS = 75.0
# Seconds for the body of a request.
BODY_SECONDS = 60.0
# How many a process that is a server and nothing else asks for.
DESCRIPTORS = 65536

_MOST = 4096
_SPARED = 128  # descriptors for browsers, files and the server's own connections

_logger = logging.getLogger(__name__)


def most_connections() -> int:
    """Number of connections that leaves the process descriptors for everything else."""
    limits = system.descriptor_limits()
    return _MOST if limits is None else min(_MOST, max(limits[0] - _SPARED, limits[0] // 2))


class Connections:
    """The connections of one server.

    Args:
        most: How many there may be. Of more, the one that has waited longest for a request is
            closed; if all are answered, the new one.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._all: set[_Connection] = set()
        self._waiting: dict[_Connection, None] = {}  # for a request, the longest first

    def factory(self, server: web.Server, **options: Any) -> "Callable[[], web.RequestHandler]":
        """What makes the protocol of each connection.

        Args:
            server: The server of aiohttp, which hands the requests on.
            options: Those of `web.RequestHandler`.
        """
        return lambda: _Connection(self, server, **options)

    def opened(self, connection: "_Connection") -> None:
        """Count a connection."""
        if len(self._all) >= self._most:
            surplus = next(iter(self._waiting), connection)
            surplus.cut()
            self.closed(surplus)  # at once: the next one may come before it is gone
            if surplus is connection:
                return
        self._all.add(connection)
        self._waiting[connection] = None

    def waits(self, connection: "_Connection") -> None:
        """Note that a connection waits for a request."""
        if connection in self._all:
            self._waiting[connection] = None

    def works(self, connection: "_Connection") -> None:
        """Note that a request of a connection is being answered."""
        self._waiting.pop(connection, None)

    def closed(self, connection: "_Connection") -> None:
        """Forget a connection."""
        self._all.discard(connection)
        self._waiting.pop(connection, None)


class _Connection(web.RequestHandler):
    __slots__ = ("_body", "_clock", "_connections", "_deadline", "_is_idle", "_timer")

    def __init__(self, connections: Connections, server: web.Server, **options: Any) -> None:
        loop = asyncio.get_running_loop()
        super().__init__(server, loop=loop, **options)
        self._connections = connections
        self._clock = loop
        self._timer: asyncio.TimerHandle | None = None
        self._deadline = math.inf
        self._body: StreamReader | None = None  # what the deadline is for, if it is a body
        self._is_idle = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
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
            self._limit(HEAD_SECONDS)
        super().data_received(data)

    def begin(self, request: web.BaseRequest) -> None:
        """Note that the head of a request is whole."""
        self._is_idle = False
        self._connections.works(self)
        if request.content.is_eof():
            self._limit(math.inf)
        else:
            self._limit(BODY_SECONDS, request.content)

    async def finish_response(
        self, request: web.BaseRequest, resp: web.StreamResponse, start_time: float | None
    ) -> tuple[web.StreamResponse, bool]:
        finished = await super().finish_response(request, resp, start_time)
        self._is_idle = True
        self._connections.waits(self)
        self._limit(IDLE_SECONDS)
        return finished

    def cut(self) -> None:
        """Close at once, without waiting for a client that does not take what was sent."""
        self._cancel_timer()
        if self.transport is not None:
            self.transport.abort()

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """Answer what is no proper request, or what went wrong, with fixed words."""
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
        """Log what went wrong without the text of the exception."""
        error = kw.get("exc_info")
        if isinstance(error, web.RequestPayloadError):
            _logger.debug("a malformed body was refused")
        elif isinstance(error, BaseException):
            log_failure(_logger, "answering a request", error)
        else:
            _logger.error("a request could not be answered")

    def log_debug(self, *args: Any, **kw: Any) -> None:
        """Log nothing: what aiohttp says here quotes what a client sent."""

    def _limit(self, seconds: float, body: StreamReader | None = None) -> None:
        """Cut the connection after some seconds, unless the body is whole then."""
        self._deadline, self._body = self._clock.time() + seconds, body
        # Not a timer for each limit, of which a request has three: the one that there is looks at
        # the deadline, and is never later than the shortest limit.
        if self._timer is None and seconds < math.inf:
            self._timer = self._clock.call_later(min(seconds, HEAD_SECONDS), self._check_limit)

    def _check_limit(self) -> None:
        self._timer = None
        left = self._deadline - self._clock.time()
        if left > 0:
            self._limit(left, self._body)
        elif self._body is None or not self._body.is_eof():
            self.cut()

    def _cancel_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


@web.middleware
async def note_request(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    """Tell the connection that the head of a request is whole."""
    if isinstance(request.protocol, _Connection):
        request.protocol.begin(request)
    return await handler(request)

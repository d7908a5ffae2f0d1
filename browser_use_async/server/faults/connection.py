"""Deliberately broken connections and partial responses."""

import asyncio
import socket
import struct

from aiohttp import web

# SO_LINGER with a timeout of 0: close() sends RST instead of FIN.
_NO_LINGER = struct.pack("ii", 1, 0)


class LostResponse(web.StreamResponse):
    """A response that is not sent, because the connection is closed."""

    async def prepare(self, request: web.BaseRequest) -> None:
        """Send nothing."""

    async def write_eof(self, data: bytes = b"") -> None:
        """Send nothing."""


def close_connection(request: web.Request, by: str | None, last: bytes = b"") -> LostResponse:
    """Close the connection of a request, and return a response for its handler to return."""
    transport = request.transport
    if transport is not None:  # else the client has closed it already
        if last:
            _writable(transport).write(last)
        if by == "rst":
            _reset_on_close(transport)
            _writable(transport).abort()
        else:
            transport.close()
    answer = LostResponse()
    answer.force_close()
    return answer


def body_of(response: web.StreamResponse, request: web.Request) -> bytes | None:
    """The body of a response, or None if it has none or is not held in memory."""
    if not isinstance(response, web.Response) or request.method == "HEAD":
        return None
    return bytes(response.body) if isinstance(response.body, bytes | bytearray) else None


async def start_response(
    response: web.StreamResponse, request: web.Request, length: int
) -> web.StreamResponse:
    """Send the headers of a response, and return a stream for its body."""
    partial = web.StreamResponse(
        status=response.status, reason=response.reason, headers=response.headers
    )
    partial.content_length = length
    await partial.prepare(request)
    return partial


def _writable(transport: asyncio.BaseTransport) -> asyncio.WriteTransport:
    assert isinstance(transport, asyncio.WriteTransport)
    return transport


def _reset_on_close(transport: asyncio.BaseTransport) -> None:
    connection: socket.socket = transport.get_extra_info("socket")
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGER)

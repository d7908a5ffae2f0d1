"""How a connection is broken on purpose, and how an answer is sent in part."""

import asyncio
import socket
import struct

from aiohttp import web

__all__ = ["LostResponse", "body_of", "close_connection", "start_response"]

_NO_LINGER = struct.pack("ii", 1, 0)


class LostResponse(web.StreamResponse):
    """Stands for an answer that is not sent, because the connection is closed."""

    async def prepare(self, request: web.BaseRequest) -> None:
        """Send nothing."""

    async def write_eof(self, data: bytes = b"") -> None:
        """Send nothing."""


def close_connection(request: web.Request, by: str | None, last: bytes = b"") -> LostResponse:
    """Close a request's connection, and give what is to be returned as its answer."""
    transport = request.transport
    if transport is not None:  # else the client was faster
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
    """The bytes that an answer would send, or None if they are none or not in memory."""
    if not isinstance(response, web.Response) or request.method == "HEAD":
        return None
    return bytes(response.body) if isinstance(response.body, bytes | bytearray) else None


async def start_response(
    response: web.StreamResponse, request: web.Request, length: int
) -> web.StreamResponse:
    """Send the head of an answer, and give what its body can be written to."""
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

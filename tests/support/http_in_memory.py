"""The server's side of a connection over the network in memory: one request after the other."""

import asyncio

from tests.support.wire import Request, content_length

__all__ = ["HttpConnection"]


class HttpConnection(asyncio.Protocol):
    """Reads requests; subclasses decide on answers and faults.

    Attributes:
        transport: Its way to the client.
    """

    def __init__(self) -> None:
        self.transport: asyncio.Transport
        self._received = bytearray()
        self._is_busy = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        """Read on."""
        self._received += data
        self._read()

    def serve(self, request: Request) -> None:
        """Answer a request, and call `go_on` behind the answer."""
        raise NotImplementedError

    def breaks_off(self, start: bytes, size: int | None) -> bool:
        """Whether the connection breaks before the next request is served.

        Args:
            start: The bytes so far.
            size: Its length in bytes; None while its head is not whole.
        """
        del start, size
        return False

    def go_on(self) -> None:
        """Read the next request."""
        self._is_busy = False
        self._read()

    def _read(self) -> None:
        if self._is_busy or not self._received:
            return
        end = self._received.find(b"\r\n\r\n") + 4
        size = end + content_length(self._received[:end]) if end >= 4 else None
        if self.breaks_off(bytes(self._received), size) or size is None:
            return
        if len(self._received) >= size:
            request = Request.parse(bytes(self._received[:end]), bytes(self._received[end:size]))
            del self._received[:size]
            self._is_busy = True
            self.serve(request)

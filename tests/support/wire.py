"""A raw socket server for tests: it does exactly what its script says, and records every byte.

async def cut(connection):
    await connection.read_request()
    connection.send(b"HTTP/1.1 200 OK")
    connection.reset()

async with WireServer(cut) as server:
    ...
"""

import asyncio
import contextlib
import json
import socket
import ssl
import struct
from collections.abc import Awaitable, Callable, Sequence
from types import TracebackType
from typing import Any, Self

import attrs

__all__ = [
    "Connection",
    "Request",
    "Script",
    "WireServer",
    "answering",
    "bound_socket",
    "content_length",
    "response",
]


class ClientGoneError(Exception):
    """The client closed the connection while the script waited for it."""


@attrs.frozen
class Request:
    """One HTTP request, as received.

    Attributes:
        method: Its method.
        target: Path and query, byte for byte.
        headers: Its headers, names in lower case.
        body: Its body.
        raw: All of it.
    """

    method: str
    target: str
    headers: dict[str, str]
    body: bytes
    raw: bytes

    @property
    def json(self) -> Any:
        """The body as JSON."""
        return json.loads(self.body)

    @classmethod
    def parse(cls, head: bytes, body: bytes) -> Self:
        """Read a request.

        Args:
            head: Everything up to and with the empty line.
            body: The rest.
        """
        first, *lines = head.decode("latin-1").split("\r\n")[:-2]
        method, target, _version = first.split(" ")
        pairs = (line.partition(":") for line in lines)
        headers = {name.lower(): value.strip() for name, _, value in pairs}
        return cls(method, target, headers, body, head + body)


Script = Callable[["Connection"], Awaitable[None]]


class Connection(asyncio.Protocol):
    """One accepted connection: the script's operations, and the received data.

    Attributes:
        received: Every byte that came, whether the script read it or not.
        position: How many of them the script has read.
        client_closed: Whether the client closed its side.
    """

    def __init__(self, server: "WireServer") -> None:
        self.received = bytearray()
        self.position = 0
        self.client_closed = False
        self.lost = asyncio.Event()
        self._server = server
        self._news = asyncio.Event()
        self._writable = asyncio.Event()
        self._writable.set()
        self._transport: asyncio.Transport

    # --- asyncio calls these ----------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Start the script."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._server.adopt(self)

    def data_received(self, data: bytes) -> None:
        """Record, and wake the script."""
        self.received += data
        self._news.set()

    def eof_received(self) -> bool:
        """Leave this side open: whether and how it closes is the script's choice."""
        self.client_closed = True
        self._news.set()
        return self._transport.get_extra_info("sslcontext") is None

    def connection_lost(self, exc: Exception | None) -> None:
        """Wake the script for the last time."""
        self.client_closed = True
        self.lost.set()
        self._news.set()
        self._writable.set()

    def pause_writing(self) -> None:
        """Record that the client is slower than the script."""
        self._writable.clear()

    def resume_writing(self) -> None:
        """Let the script continue."""
        self._writable.set()

    # --- scripts call these -----------------------------------------------------------------

    async def read(self, count: int) -> bytes:
        """Exactly this many more bytes.

        Args:
            count: How many.

        Raises:
            ClientGoneError: The client closed before.
        """
        while len(self.received) < self.position + count:
            await self._wait()
        self.position += count
        return bytes(self.received[self.position - count : self.position])

    async def read_request(self) -> Request:
        """One whole request, recorded in `server.requests`."""
        while (end := self.received.find(b"\r\n\r\n", self.position)) < 0:
            await self._wait()
        head = await self.read(end + 4 - self.position)
        request = Request.parse(head, await self.read(content_length(head)))
        self._server.note(request)
        return request

    def send(self, data: bytes) -> None:
        """Send bytes.

        Args:
            data: What to send.
        """
        self._transport.write(data)

    async def drained(self) -> None:
        """Wait until the client has read most of the sent bytes, or has disconnected."""
        await self._writable.wait()
        # A write that fails is reported in the loop's next turn, and writing is never paused for a
        # client that has disconnected: without this a script that only writes and drains never gets
        # the error.
        await asyncio.sleep(0)

    async def drip(self, data: bytes, pause: float) -> None:
        """Send byte by byte until the client disconnects.

        Args:
            data: What to send.
            pause: Seconds between two bytes.
        """
        for number in data:
            if self.lost.is_set():
                return
            self.send(bytes((number,)))
            await asyncio.sleep(pause)

    def finish(self) -> None:
        """Close with FIN, after everything was sent."""
        self._transport.close()

    def reset(self) -> None:
        """Close with RST. Bytes that were sent before may or may not arrive."""
        connection: socket.socket = self._transport.get_extra_info("socket")
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._transport.abort()

    async def stall(self) -> None:
        """Do nothing until the client closes."""
        while not self.client_closed:
            self._news.clear()
            await self._news.wait()

    async def _wait(self) -> None:
        if self.client_closed:
            raise ClientGoneError
        self._news.clear()
        await self._news.wait()


class WireServer:
    """Listens on a port of its own and runs the script for each connection.

    Args:
        script: What to do with each connection. When it returns, the connection is closed.
        tls: A server-side TLS context, or None for plain sockets.
        listener: A bound socket to listen on, or None for a port of its own.

    Attributes:
        connections: All connections, in order.
        requests: All requests that scripts read, in order.
    """

    def __init__(
        self,
        script: Script,
        tls: ssl.SSLContext | None = None,
        listener: socket.socket | None = None,
    ) -> None:
        self.connections: list[Connection] = []
        self.requests: list[Request] = []
        self._script = script
        self._tls = tls
        self._listener = listener if listener is not None else bound_socket()
        self._tasks: set[asyncio.Task[None]] = set()
        self._failures: list[BaseException] = []
        self._news = asyncio.Event()
        self._server: asyncio.Server

    async def __aenter__(self) -> Self:
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(
            lambda: Connection(self), sock=self._listener, ssl=self._tls, backlog=512
        )
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for connection in self.connections:
            connection.finish()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(1):
                    await connection.lost.wait()
        if error is None and self._failures:
            raise self._failures[0]

    @property
    def port(self) -> int:
        """The port."""
        port: int = self._listener.getsockname()[1]
        return port

    @property
    def url(self) -> str:
        """The base URL for a session."""
        return f"{'https' if self._tls else 'http'}://127.0.0.1:{self.port}/api/v1"

    @property
    def bytes_received(self) -> int:
        """How many bytes came over all connections."""
        return sum(len(connection.received) for connection in self.connections)

    def adopt(self, connection: Connection) -> None:
        """Run the script for a new connection."""
        self.connections.append(connection)
        task = asyncio.get_running_loop().create_task(self._run(connection))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def note(self, request: Request) -> None:
        """Record a request."""
        self.requests.append(request)
        self._news.set()

    async def requests_seen(self, count: int = 1) -> None:
        """Wait until this many requests were read.

        Args:
            count: How many.
        """
        while len(self.requests) < count:
            self._news.clear()
            await self._news.wait()

    async def _run(self, connection: Connection) -> None:
        try:
            await self._script(connection)
        except ClientGoneError:
            pass
        except Exception as error:  # noqa: BLE001 - a broken script must fail its test
            self._failures.append(error)
        finally:
            connection.finish()


def bound_socket() -> socket.socket:
    """A loopback socket with a free port, which refuses connections until a server listens."""
    # Only where the protocol is named does asyncio send small pieces without waiting for an
    # acknowledgement, which takes 40 ms of real time.
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.bind(("127.0.0.1", 0))
    return listener


def content_length(head: bytes | bytearray) -> int:
    """The length of the body that follows the head of a request, in bytes."""
    for line in bytes(head).split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            return int(value)
    return 0


def response(
    status: int = 200,
    body: bytes | str = b"",
    headers: Sequence[tuple[str, str]] = (),
    *,
    content_type: str = "application/json",
) -> bytes:
    """The bytes of a well-formed response.

    Args:
        status: The HTTP status.
        body: The body.
        headers: More headers.
        content_type: The body's type.
    """
    content = body.encode() if isinstance(body, str) else body
    lines = [
        f"HTTP/1.1 {status} Status",
        f"Content-Type: {content_type}",
        f"Content-Length: {len(content)}",
        *(f"{name}: {value}" for name, value in headers),
    ]
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + content


def answering(*responses: bytes) -> Script:
    """A script that answers requests in order, on any connection.

    Args:
        responses: The answers; the last one is repeated.
    """
    left = list(responses)

    async def script(connection: Connection) -> None:
        while True:
            await connection.read_request()
            connection.send(left.pop(0) if len(left) > 1 else left[0])

    return script

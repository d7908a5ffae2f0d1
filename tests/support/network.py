"""A network in memory: a connection is two transports, a wire contains the data in flight.

A client reaches it through an aiohttp connector, so everything above the socket is the real
thing. A server is any asyncio protocol.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from enum import Enum, auto
from typing import Any

import aiohttp
import attrs
from aiohttp.client_proto import ResponseHandler

__all__ = ["Admission", "Machine", "MemoryTransport", "Network"]

LATENCY = 0.01  # seconds from one side to the other, by default


class Admission(Enum):
    """The outcome of an attempt to connect."""

    ACCEPTED = auto()
    REFUSED = auto()
    HANGING = auto()


class _End(Enum):
    FIN = auto()
    RST = auto()


class _SocketOptions:
    """Takes the place of the socket of a transport, on which aiohttp sets options."""

    family = None

    def setsockopt(self, *_option: object) -> None:
        """Accept any option: an abort is an RST here in any case."""


class _Wire:
    """One direction of a connection: everything arrives in order, after the latency."""

    def __init__(self, latency: float, deliver: Callable[["bytes | _End"], None]) -> None:
        self._loop = asyncio.get_running_loop()
        self._latency = latency
        self._deliver = deliver
        self._in_flight: deque[tuple[float, bytes | _End]] = deque()
        self._timer: asyncio.TimerHandle | None = None

    def send(self, item: "bytes | _End") -> None:
        self._in_flight.append((self._loop.time() + self._latency, item))
        if self._timer is None:
            self._timer = self._loop.call_at(self._in_flight[0][0], self._arrive)

    def lose_all(self) -> None:
        """Lose all data in flight."""
        self._in_flight.clear()

    def _arrive(self) -> None:
        self._timer = None
        now = self._loop.time() + 1e-9
        while self._in_flight and self._in_flight[0][0] <= now:
            self._deliver(self._in_flight.popleft()[1])
        if self._in_flight:
            self._timer = self._loop.call_at(self._in_flight[0][0], self._arrive)


class MemoryTransport(asyncio.Transport):
    """One side of a connection.

    Args:
        protocol: Whose side it is.
        machine: The machine that it is on, or None for one that never crashes.
    """

    def __init__(self, protocol: asyncio.BaseProtocol, machine: "Machine | None") -> None:
        super().__init__()
        self._loop = asyncio.get_running_loop()
        self._protocol = protocol
        self._machine = machine
        self._closing = False
        self._lost = False
        self._reading = True
        self._unread: deque[bytes | _End] = deque()
        self._wire: _Wire

    def attach(self, peer: "MemoryTransport", latency: float) -> None:
        """Connect to the other side.

        Args:
            peer: The other side.
            latency: Seconds.
        """
        self._wire = _Wire(latency, peer.arrived)

    def arrived(self, item: "bytes | _End") -> None:
        """Handle data from the other side."""
        if self._lost:
            return
        if not self._reading or self._unread:
            self._unread.append(item)
        elif self._machine is None or self._machine.happens(f"arrived {_size(item)}"):
            self._deliver_item(item)

    def _deliver_item(self, item: "bytes | _End") -> None:
        match item:
            case _End.RST:
                self._lose(ConnectionResetError(104, "Connection reset by peer"))
            case _End.FIN:
                assert isinstance(self._protocol, asyncio.Protocol)
                if not self._protocol.eof_received():
                    self.close()
            case bytes() if not self._closing:
                assert isinstance(self._protocol, asyncio.Protocol)
                self._protocol.data_received(item)
            case _:
                pass

    def _lose(self, error: Exception | None) -> None:
        if self._lost:
            return
        self._lost = self._closing = True
        if self._machine is not None:
            self._machine.transports.pop(self, None)
        self._loop.call_soon(self._protocol.connection_lost, error)

    def crash(self, *, delivered: bool) -> None:
        """The machine of this side crashes; its kernel resets the connection.

        Args:
            delivered: Whether bytes in flight still arrive.
        """
        if not delivered:
            self._wire.lose_all()
        self._wire.send(_End.RST)
        self._lose(ConnectionResetError(104, "this machine has crashed"))

    # --- called by protocols --------------------------------------------------------------------

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Send bytes."""
        if self._closing or not data:
            return
        if self._machine is None or self._machine.happens(f"sent {len(data)}"):
            self._wire.send(bytes(data))

    def close(self) -> None:
        """Send FIN after everything that was sent."""
        if not self._closing:
            self._wire.send(_End.FIN)
            self._lose(None)

    def abort(self) -> None:
        """Send RST."""
        if not self._closing:
            self._wire.send(_End.RST)
            self._lose(None)

    def is_closing(self) -> bool:
        """Whether this side has closed or lost the connection."""
        return self._closing

    def pause_reading(self) -> None:
        """Buffer incoming data."""
        self._reading = False

    def resume_reading(self) -> None:
        """Deliver the buffered data."""
        self._reading = True
        while self._unread and self._reading and not self._lost:
            self._deliver_item(self._unread.popleft())

    def is_reading(self) -> bool:
        """Whether reading is not paused."""
        return self._reading and not self._closing

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        """The information of a real transport."""
        if name == "socket":
            return _SocketOptions()
        return ("127.0.0.1", 80) if name in {"peername", "sockname"} else default

    def get_protocol(self) -> asyncio.BaseProtocol:
        """Whose side it is."""
        return self._protocol

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        """Replace the protocol."""
        self._protocol = protocol

    def get_write_buffer_size(self) -> int:
        """Wires accept everything at once."""
        return 0


def _size(item: "bytes | _End") -> str:
    return item.name if isinstance(item, _End) else str(len(item))


@attrs.define(eq=False)
class Machine:
    """The computer that a client runs on; it can crash between any two events.

    Attributes:
        on_event: Called with each event; may crash the machine.
        alive: Whether it runs. Sends and stores of a crashed one have no effect.
        transports: Its open connections, oldest first.
    """

    on_event: Callable[[str], None] = lambda _event: None
    alive: bool = True
    transports: dict[MemoryTransport, None] = attrs.field(factory=dict)

    def happens(self, event: str) -> bool:
        """Report an event that is about to take effect.

        Args:
            event: Its name.

        Returns:
            Whether it takes effect: not if the machine has crashed, or crashes now.
        """
        if self.alive:
            self.on_event(event)
        return self.alive

    def crash(self, *, delivered: bool) -> None:
        """Crash: connections are reset, and nothing takes effect any more.

        Args:
            delivered: Whether bytes in flight still arrive.
        """
        self.alive = False
        for transport in tuple(self.transports):
            transport.crash(delivered=delivered)


@attrs.define(eq=False)
class Network:
    """Connects clients to one server.

    Attributes:
        accept: Makes the server's side of a new connection.
        admit: Decides over an attempt to connect.
        latency: Seconds from one side to the other, asked for each connection.
    """

    accept: Callable[[], asyncio.BaseProtocol]
    admit: Callable[[], Admission] = lambda: Admission.ACCEPTED
    latency: Callable[[], float] = lambda: LATENCY

    def connector(self, machine: Machine) -> Callable[..., aiohttp.BaseConnector]:
        """The function with which a session of this machine makes its connectors.

        Args:
            machine: Where the client runs.
        """

        def make(*, ssl: object = True, **options: Any) -> aiohttp.BaseConnector:
            return _Connector(self, machine, **options)

        return make

    def join(self, client: asyncio.BaseProtocol, machine: Machine) -> None:
        """Connect a client with the server.

        Args:
            client: The client's protocol.
            machine: Where it runs.
        """
        server = self.accept()
        latency = self.latency()
        near, far = MemoryTransport(client, machine), MemoryTransport(server, None)
        near.attach(far, latency)
        far.attach(near, latency)
        machine.transports[near] = None
        client.connection_made(near)
        server.connection_made(far)


class _Connector(aiohttp.BaseConnector):
    """aiohttp's pool, with connections in memory."""

    def __init__(self, network: Network, machine: Machine, **options: Any) -> None:
        super().__init__(**options)
        self._network = network
        self._machine = machine

    # The one private name of aiohttp that this depends on; tests compare with real sockets.
    async def _create_connection(
        self, req: aiohttp.ClientRequest, traces: object, timeout: aiohttp.ClientTimeout
    ) -> ResponseHandler:
        await asyncio.sleep(2 * self._network.latency())
        admission = self._network.admit()
        alive = self._machine.happens(f"connecting {admission.name}")
        if not alive or admission is Admission.REFUSED:
            refusal = ConnectionRefusedError(111, "Connect call failed")
            raise aiohttp.ClientConnectorError(req.connection_key, refusal)
        if admission is Admission.HANGING:
            assert timeout.sock_connect is not None
            await asyncio.sleep(timeout.sock_connect)
            raise aiohttp.ConnectionTimeoutError(f"Connection timeout to host {req.url}")
        client = ResponseHandler(loop=asyncio.get_running_loop())
        self._network.join(client, self._machine)
        return client

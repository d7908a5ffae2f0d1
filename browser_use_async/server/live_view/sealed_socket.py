"""Messages between two servers, which only the holders of their common key can read and write."""

from collections.abc import AsyncGenerator

from aiohttp import ClientWebSocketResponse, WSMsgType, web

from browser_use_async.server.encryption import Seal

_KIND = "relay-message"


class SealedSocket:
    """A WebSocket between two servers.

    Each message is encrypted for one connection, one direction and one position, so that a third
    party can neither read messages nor alter, repeat, drop or reorder them.

    Args:
        socket: The WebSocket.
        seal: The key that both servers have.
        connection: A text that differs from that of every other connection.
        asks: Whether this server asks for the browser; the other one shows it.
    """

    def __init__(
        self,
        socket: ClientWebSocketResponse | web.WebSocketResponse,
        seal: Seal,
        connection: str,
        *,
        asks: bool,
    ) -> None:
        self._socket = socket
        self._seal = seal
        asking, showing = f"{connection}/asks", f"{connection}/shows"
        self._out, self._in = (asking, showing) if asks else (showing, asking)
        self._sent = self._received = 0

    @property
    def closed(self) -> bool:
        """Whether the connection has ended."""
        return self._socket.closed

    async def send(self, message: bytes) -> None:
        """Send a message."""
        place, self._sent = f"{self._out}/{self._sent}", self._sent + 1
        await self._socket.send_bytes(self._seal.encrypt(_KIND, place, message))

    async def messages(self) -> AsyncGenerator[bytes, None]:
        """The other server's messages, until the connection ends.

        Raises:
            ValueError: A message is not one of the other server, or not the next one.
        """
        async for message in self._socket:
            if message.type is not WSMsgType.BINARY:
                raise ValueError("a message between servers must be binary")
            place, self._received = f"{self._in}/{self._received}", self._received + 1
            yield self._seal.decrypt(_KIND, place, message.data)

    async def aclose(self) -> None:
        """End the connection."""
        await self._socket.close()

"""A proxy for one TCP server whose connections can be cut, held and healed."""

import asyncio
import contextlib
from collections.abc import Callable
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit, urlunsplit

__all__ = ["TcpProxy", "through", "without_notifications"]

_CHUNK = 65536
_TERMINATE = b"X\0\0\0\4"  # the last message of a client of PostgreSQL


class TcpProxy:
    """Forwards bytes, unless they are cut or held.

    Args:
        host: Of the server.
        port: Of the server.
        rewrite: Changes the server's bytes on their way to the client.
    """

    def __init__(
        self, host: str, port: int, rewrite: Callable[[bytes], bytes] | None = None
    ) -> None:
        self._target = host, port
        self._rewrite = rewrite
        self._open = asyncio.Event()
        self._open.set()
        self._tells_ends = asyncio.Event()
        self._tells_ends.set()
        self._is_cut = False
        self._streams: set[asyncio.StreamWriter] = set()
        self._server: asyncio.Server

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self._server.sockets[0].getsockname()[1])

    def cut(self) -> None:
        """End all connections and accept no new ones."""
        self._is_cut = True
        for stream in self._streams:
            stream.transport.abort()

    def hold(self) -> None:
        """Forward nothing, and end nothing, as a network that loses every packet."""
        self._open.clear()

    def hide_ends(self) -> None:
        """Do not report the ends of clients' connections to PostgreSQL."""
        self._tells_ends.clear()

    def heal(self) -> None:
        """Forward everything again."""
        self._is_cut = False
        self._open.set()
        self._tells_ends.set()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        return self

    async def __aexit__(
        self,
        error_class: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._server.close()
        self.cut()
        self.heal()
        self._is_cut = True
        await self._server.wait_closed()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._is_cut:
            writer.transport.abort()
            return
        self._streams.add(writer)
        try:
            server_reader, server_writer = await asyncio.open_connection(*self._target)
        except OSError:
            writer.transport.abort()
            self._streams.discard(writer)
            return
        self._streams.add(server_writer)
        both = (
            self._pump(reader, server_writer, None),
            self._pump(server_reader, writer, self._rewrite),
        )
        try:
            # Cancelled when the loop ends; asyncio would write about it to stderr.
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.gather(*both)
        finally:
            for each in (writer, server_writer):
                each.transport.abort()
                self._streams.discard(each)

    async def _pump(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        rewrite: Callable[[bytes], bytes] | None,
    ) -> None:
        with contextlib.suppress(ConnectionError):
            while chunk := await reader.read(_CHUNK):
                await self._open.wait()
                if chunk == _TERMINATE:
                    await self._tells_ends.wait()
                writer.write(chunk if rewrite is None else rewrite(chunk))
                await writer.drain()
        with contextlib.suppress(OSError, RuntimeError):
            writer.write_eof()


def through(postgres: str, proxy: TcpProxy) -> str:
    """The address of a database, by way of a proxy."""
    parts = urlsplit(postgres)
    return urlunsplit(parts._replace(netloc=f"{parts.username}@127.0.0.1:{proxy.port}"))


def without_notifications(data: bytes) -> bytes:
    """PostgreSQL's bytes without the notification of the SDK's own check."""
    at = data.find(b"browser_use_check_")
    start = at - 9  # behind the type, the length and the sender's process
    if at < 0 or data[start : start + 1] != b"A":
        return data
    size = 1 + int.from_bytes(data[start + 1 : start + 5], "big")
    return data[:start] + data[start + size :]

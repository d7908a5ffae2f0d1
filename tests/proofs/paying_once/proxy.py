"""A proxy that understands HTTP well enough to break it at a byte, or to change its headers."""

import asyncio
import contextlib
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit, urlunsplit

import attrs

__all__ = ["PASSED", "Cut", "Message", "Proxy", "Rules"]

_END = b"\r\n\r\n"


@attrs.frozen
class Message:
    """A request or an answer."""

    head: bytes  # up to and with the empty line
    body: bytes = b""

    @property
    def whole(self) -> bytes:
        """All its bytes."""
        return self.head + self.body

    @property
    def start(self) -> str:
        """Its first line."""
        return self.head.split(b"\r\n", 1)[0].decode("latin-1")

    @property
    def creates(self) -> bool:
        """Whether it is a request for a task."""
        return self.start.startswith("POST ") and self.start.split()[1].endswith("/run-task")

    def header(self, name: str) -> str | None:
        """The value of a header, or None."""
        for line in self.head.split(b"\r\n")[1:]:
            key, _colon, value = line.decode("latin-1").partition(":")
            if key.lower() == name.lower():
                return value.strip()
        return None

    def without(self, *names: str) -> Self:
        """The message without some headers."""
        dropped = tuple(f"{name.lower()}:" for name in names)
        lines = self.head.removesuffix(_END).split(b"\r\n")
        kept = [each for each in lines if not each.decode("latin-1").lower().startswith(dropped)]
        return attrs.evolve(self, head=b"\r\n".join(kept) + _END)

    def with_headers(self, *headers: tuple[str, str]) -> Self:
        """The message with more headers."""
        lines = b"".join(f"\r\n{name}: {value}".encode("latin-1") for name, value in headers)
        return attrs.evolve(self, head=self.head.removesuffix(_END) + lines + _END)

    @classmethod
    async def read(cls, reader: asyncio.StreamReader) -> Self:
        """Read one, or raise `IncompleteReadError`."""
        message = cls(await reader.readuntil(_END))
        length = int(message.header("Content-Length") or 0)
        return attrs.evolve(message, body=await reader.readexactly(length) if length else b"")


@attrs.frozen
class Cut:
    """Where the connection breaks; None for nowhere."""

    request_bytes: int | None = None  # that reach the server
    answer_bytes: int | None = None  # that reach the client
    rudely: bool = False  # with RST instead of FIN


PASSED = Cut()


class Rules:
    """The rules of a proxy for messages: by default it changes nothing."""

    def cut(self, request: Message) -> Cut:
        """Where the connection of a request breaks."""
        del request
        return PASSED

    def forwarded(self, request: Message) -> Message:
        """The request as the server gets it."""
        return request

    def known(self, request: Message) -> Message | None:
        """The answer, if the server need not be asked."""
        del request
        return None

    def answered(self, request: Message, answer: Message) -> Message:
        """The answer as the client gets it."""
        del request
        return answer


@attrs.define(eq=False)
class Proxy:
    """Stands in front of a server, and follows its rules. Use as a context manager.

    Attributes:
        target: The base URL of the server.
        rules: What it does to messages.
    """

    target: str
    rules: Rules
    _server: asyncio.Server = attrs.field(init=False)
    _streams: set[asyncio.StreamWriter] = attrs.field(factory=set, init=False)

    @property
    def base_url(self) -> str:
        """The base URL for a client."""
        host, port = self._server.sockets[0].getsockname()[:2]
        return urlunsplit(urlsplit(self.target)._replace(netloc=f"{host}:{port}"))

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._server.close()
        for each in self._streams:
            each.transport.abort()
        await self._server.wait_closed()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._streams.add(writer)
        try:
            with contextlib.suppress(OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
                await self._serve(reader, writer)
        finally:
            writer.transport.abort()
            self._streams.discard(writer)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        address = urlsplit(self.target)
        while True:
            request = await Message.read(reader)
            cut, asked = self.rules.cut(request), self.rules.forwarded(request)
            if (known := self.rules.known(request)) is not None:
                writer.write(known.whole)
                continue
            # Anew for each request, so that no idle connection is found closed.
            up_reader, up_writer = await asyncio.open_connection(address.hostname, address.port)
            try:
                if cut.request_bytes is not None:
                    up_writer.write(asked.whole[: cut.request_bytes])
                    await _end(up_writer, rudely=cut.rudely)
                    await _end(writer, rudely=cut.rudely)
                    return
                up_writer.write(asked.whole)
                answer = self.rules.answered(request, await Message.read(up_reader))
            finally:
                up_writer.transport.abort()
            if cut.answer_bytes is not None:
                writer.write(answer.whole[: cut.answer_bytes])
                await _end(writer, rudely=cut.rudely)
                return
            writer.write(answer.whole)
            await writer.drain()


async def _end(writer: asyncio.StreamWriter, *, rudely: bool) -> None:
    await writer.drain()
    if rudely:
        writer.transport.abort()
    else:
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()

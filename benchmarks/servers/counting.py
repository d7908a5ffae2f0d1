"""A server that executes creating POSTs, loses the answer to the first one, and counts.

Every run of a client gets a port of its own, so that many runs go on at once and none is
counted for another. An `Idempotency-Key` of every client is honoured.
"""

import asyncio
import contextlib
import json
import socket
import struct
from enum import StrEnum
from http import HTTPMethod, HTTPStatus
from multiprocessing.connection import Connection

import attrs

from benchmarks.servers.answers import APIS, Api, Made
from benchmarks.servers.process import ServerProcess

__all__ = ["Count", "CountingServer", "Fault"]


class Fault(StrEnum):
    """The fault of the answer to the first creating POST, which is executed."""

    NONE = "none"
    FIN = "closed (FIN)"
    RST = "reset (RST)"
    UNAVAILABLE = "503"
    STALL = "no answer in time"


@attrs.frozen
class Count:
    """The requests of one port.

    Attributes:
        posts: Creating POSTs.
        created: The ids that they made.
        keys: The different idempotency keys in them.
        others: Other requests, as "GET /path".
    """

    posts: int
    created: tuple[str, ...]
    keys: int
    others: tuple[str, ...]


@attrs.define
class _Port:
    api: Api
    fault: Fault
    made: list[Made] = attrs.field(factory=list)
    by_key: dict[str, Made] = attrs.field(factory=dict)
    posts: int = 0
    others: list[str] = attrs.field(factory=list)
    server: asyncio.Server = attrs.field(init=False)

    async def open(self) -> int:
        self.server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        port: int = self.server.sockets[0].getsockname()[1]
        return port

    def close(self) -> Count:
        self.server.close()
        return Count(
            self.posts,
            tuple(made.id for made in self.made),
            len(self.by_key),
            tuple(self.others),
        )

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while await self._exchange(reader, writer):
                pass
        writer.close()

    async def _exchange(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Answer one request, and return whether the connection goes on."""
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        method, target, _version = head[0].split(" ")
        headers = {
            name.lower(): value.strip()
            for name, _colon, value in (line.partition(":") for line in head[1:-2])
        }
        body = await reader.readexactly(int(headers.get("content-length", "0")))
        path = target.partition("?")[0]
        if (method, path) == (HTTPMethod.POST, self.api.creates):
            return await self._create(headers, body, reader, writer)
        self.others.append(f"{method} {path}")
        answer = self.api.read(path, self.made) if method == HTTPMethod.GET else None
        _send(writer, HTTPStatus.NOT_FOUND if answer is None else HTTPStatus.OK, answer)
        return True

    async def _create(
        self,
        headers: dict[str, str],
        body: bytes,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> bool:
        self.posts += 1
        made = self._make(headers.get("idempotency-key"), body)
        fault = self.fault if self.posts == 1 else Fault.NONE
        if fault is Fault.NONE:
            _send(writer, HTTPStatus.OK, self.api.created(made))
        elif fault is Fault.UNAVAILABLE:
            _send(writer, HTTPStatus.SERVICE_UNAVAILABLE, {"detail": "try again later"})
        elif fault is Fault.STALL:
            await reader.read()  # until the client closes
        elif fault is Fault.RST:
            connection = writer.get_extra_info("socket")
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            writer.transport.abort()
        return fault in {Fault.NONE, Fault.UNAVAILABLE}

    def _make(self, key: str | None, body: bytes) -> Made:
        if key is not None and key in self.by_key:
            return self.by_key[key]
        is_json = body.startswith(b"{")  # the others are forms or compressed, and not read
        made = Made(json.loads(body) if is_json else {})
        self.made.append(made)
        if key is not None:
            self.by_key[key] = made
        return made


def _send(writer: asyncio.StreamWriter, status: HTTPStatus, answer: object) -> None:
    body = json.dumps(answer).encode()
    writer.write(
        f"HTTP/1.1 {status} {status.phrase}\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\n\r\n".encode()
        + body
    )


def _serve(pipe: Connection) -> None:
    """Open and close ports as the pipe says, until the process is ended."""

    async def forever() -> None:
        ports: dict[int, _Port] = {}
        loop = asyncio.get_running_loop()
        while True:
            order = await loop.run_in_executor(None, pipe.recv)
            if isinstance(order, int):
                pipe.send(ports.pop(order).close())
                continue
            port = _Port(APIS[order[0]], order[1])
            number = await port.open()
            ports[number] = port
            pipe.send(number)

    with contextlib.suppress(EOFError, KeyboardInterrupt):
        asyncio.run(forever())


class CountingServer(ServerProcess):
    """The server's process, seen from the benchmark's. Use as a context manager."""

    def __init__(self) -> None:
        super().__init__(_serve)

    def open(self, api: str, fault: Fault) -> int:
        """Listen on a new port.

        Args:
            api: The name of the service to be.
            fault: What becomes of the answer to its first creating POST.

        Returns:
            The port.
        """
        self.pipe.send((api, fault))
        port: int = self.pipe.recv()
        return port

    def close(self, port: int) -> Count:
        """Stop listening on a port, and return what came over it."""
        self.pipe.send(port)
        count: Count = self.pipe.recv()
        return count

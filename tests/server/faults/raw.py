"""One request over a raw socket, and its whole answer, however malformed."""

import asyncio
import json
from typing import Any

import attrs

from browser_use_async.server import LocalServer

__all__ = ["Exchange", "create", "exchange"]


@attrs.frozen
class Exchange:
    """The data of one connection.

    Attributes:
        received: Every byte.
        ended: `fin` or `rst`: how the server ended it.
        seconds: How long it took.
    """

    received: bytes
    ended: str
    seconds: float

    @property
    def head(self) -> str:
        """Status line and headers, or what is in their place."""
        return self.received.partition(b"\r\n\r\n")[0].decode("latin-1")

    @property
    def body(self) -> bytes:
        """The data after the head."""
        return self.received.partition(b"\r\n\r\n")[2]

    @property
    def headers(self) -> dict[str, str]:
        """The headers, names in lower case."""
        pairs = (line.partition(": ") for line in self.head.split("\r\n")[1:])
        return {name.lower(): value for name, _, value in pairs}

    @property
    def status(self) -> int:
        """The HTTP status, or 0 if there is none."""
        words = self.head.split(" ")
        return int(words[1]) if words[0] == "HTTP/1.1" else 0

    @property
    def is_whole(self) -> bool:
        """Whether this is an answer of HTTP whose body has the length that it declares."""
        return bool(self.status) and int(self.headers["content-length"]) == len(self.body)


async def exchange(
    server: LocalServer, method: str, path: str, value: Any = None, *, key: str | None = None
) -> Exchange:
    """Send one request on a connection of its own, and read until the server ends it.

    Args:
        server: Where to.
        method: The method.
        path: The path below the server's address.
        value: The JSON value that is the body, or None for no body.
        key: The key to bring, instead of the server's.
    """
    host, port = server.url.removeprefix("http://").split(":")
    body = b"" if value is None else json.dumps(value).encode()
    lines = [
        f"{method} {path} HTTP/1.1",
        f"Host: {host}:{port}",
        f"Authorization: Bearer {key or server.api_key}",
        "Content-Type: application/json",
        f"Content-Length: {len(body)}",
        "Connection: close",
        "\r\n",
    ]
    loop = asyncio.get_running_loop()
    begun = loop.time()
    reader, writer = await asyncio.open_connection(host, int(port))
    received, ended = bytearray(), "fin"
    try:
        writer.write("\r\n".join(lines).encode() + body)
        while part := await reader.read(65536):
            received += part
    except ConnectionResetError:
        ended = "rst"
    finally:
        writer.transport.abort()
        await asyncio.sleep(0)  # the transport closes its socket in the next turn of the loop
    return Exchange(bytes(received), ended, loop.time() - begun)


async def create(server: LocalServer, task: str = "Do it") -> Exchange:
    """Send one run-task.

    Args:
        server: Where to.
        task: The text of the task.
    """
    return await exchange(server, "POST", "/api/v1/run-task", {"task": task})

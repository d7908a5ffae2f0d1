"""Web servers that answer with given bytes, which no HTTP library would send."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

from tests.support.wire import Connection, Script, WireServer

__all__ = ["page", "raw_server"]


def page(
    body: bytes = b"",
    *,
    status: str = "200 OK",
    headers: Mapping[str, str] | None = None,
) -> bytes:
    """The bytes of a proper answer.

    Args:
        body: The body.
        status: Status and reason.
        headers: Headers that replace or join the usual ones.
    """
    lines = {"Content-Type": "text/html", "Content-Length": str(len(body)), **(headers or {})}
    head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
    return f"HTTP/1.1 {status}\r\n{head}\r\n".encode() + body


@asynccontextmanager
async def raw_server(answers: Mapping[str, bytes] | Script) -> AsyncIterator[str]:
    """Serve bytes by path, or run a script; yields the address without a slash.

    Args:
        answers: Answers by path, 404 for all others; or a script.
    """

    async def by_path(connection: Connection) -> None:
        request = await connection.read_request()
        assert isinstance(answers, Mapping)
        connection.send(answers.get(request.target, page(status="404 Not Found")))

    async with WireServer(by_path if isinstance(answers, Mapping) else answers) as server:
        yield f"http://127.0.0.1:{server.port}"

"""Drives an ASGI application by hand: its lifespan, and one request at a time."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, MutableMapping
from contextlib import asynccontextmanager
from typing import Any

import attrs

__all__ = ["Answer", "alive", "request"]

Message = MutableMapping[str, Any]
Application = Callable[
    [Message, Callable[[], Awaitable[Message]], Callable[[Message], Awaitable[None]]],
    Awaitable[None],
]


@attrs.frozen
class Answer:
    """The answer of the application.

    Attributes:
        status: The HTTP status.
        headers: The headers, names in lower case.
        body: The body, all of its parts.
    """

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """The body as JSON."""
        return json.loads(self.body)


@asynccontextmanager
async def alive(application: Application) -> AsyncIterator[None]:
    """The application between its startup and its shutdown."""
    incoming: asyncio.Queue[Message] = asyncio.Queue()
    outgoing: asyncio.Queue[Message] = asyncio.Queue()
    scope = {"type": "lifespan", "asgi": {"version": "3.0"}, "state": {}}
    work = asyncio.ensure_future(application(scope, incoming.get, outgoing.put))
    await incoming.put({"type": "lifespan.startup"})
    assert (await outgoing.get())["type"] == "lifespan.startup.complete"
    try:
        yield
    finally:
        await incoming.put({"type": "lifespan.shutdown"})
        await work
        assert (await outgoing.get())["type"] == "lifespan.shutdown.complete"


async def request(
    application: Application,
    method: str,
    path: str,
    content: object = None,
    leaving: asyncio.Event | None = None,
) -> Answer:
    """Make one request.

    Args:
        application: The application.
        method: The HTTP method.
        path: The path.
        content: What to send as JSON.
        leaving: Once it is set, the client has left; by default it stays.
    """
    body = json.dumps(content).encode()
    messages: list[Message] = []
    sent = asyncio.Event()

    async def receive() -> Message:
        if sent.is_set():
            await (leaving or asyncio.Event()).wait()
            return {"type": "http.disconnect"}
        sent.set()
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: Message) -> None:
        messages.append(message)

    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "root_path": "",
        "headers": [(b"content-type", b"application/json")],
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 80),
    }
    await application(scope, receive, send)
    start, *parts = messages
    headers = {name.decode().lower(): value.decode() for name, value in start["headers"]}
    return Answer(start["status"], headers, b"".join(part.get("body", b"") for part in parts))

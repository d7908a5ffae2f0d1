"""A receiver as an ASGI application, without any framework."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, MutableMapping
from typing import TYPE_CHECKING, Any

from browser_use_async.webhooks.reception import Head

if TYPE_CHECKING:
    from browser_use_async.webhooks.receiver import WebhookReceiver

__all__ = ["AsgiApplication"]

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]


class AsgiApplication:
    """Answers the scopes http and lifespan.

    An object and not a method, because frameworks take a function for a handler of their own and
    an object for an application.
    """

    def __init__(self, receiver: "WebhookReceiver") -> None:
        self._receiver = receiver

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Serve one scope."""
        if scope["type"] == "lifespan":
            await self._live(receive, send)
        elif scope["type"] == "http":
            await self._answer(scope, receive, send)
        elif scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.close", "code": 1000})
        else:
            raise ValueError(f"there is no answer to the ASGI scope {scope['type']!r}")

    async def _live(self, receive: Receive, send: Send) -> None:
        while True:
            message = await receive()
            if message["type"] == "lifespan.startup":
                await send({"type": "lifespan.startup.complete"})
            else:
                await self._receiver.aclose()
                await send({"type": "lifespan.shutdown.complete"})
                return

    async def _answer(self, scope: Message, receive: Receive, send: Send) -> None:
        head = Head.of(scope["method"], _paths(scope), scope["headers"])
        answer = await self._receiver.answer(head, _chunks(receive))
        length = (b"content-length", str(len(answer.body)).encode())
        headers = [
            (name.lower().encode(), value.encode())
            for name, value in answer.headers.items()
            if name != "Connection" or scope.get("http_version", "1.1").startswith("1")
        ]
        start = {"type": "http.response.start", "status": answer.status}
        await send({**start, "headers": [*headers, length]})
        await send({"type": "http.response.body", "body": answer.body})


def _paths(scope: Message) -> list[str]:
    """The path with and without the part that whoever mounted the application has dealt with."""
    path, root = scope["path"], scope.get("root_path", "")
    whole = path if path.startswith(root) else root + path
    return [each.rstrip("/") or "/" for each in (path, whole, whole[len(root) :])]


async def _chunks(receive: Receive) -> AsyncGenerator[bytes, None]:
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ConnectionResetError("the caller hung up")
        yield message.get("body", b"")
        if not message.get("more_body", False):
            return
        # A server that has all of a body at hand would never let others have a turn.
        await asyncio.sleep(0)

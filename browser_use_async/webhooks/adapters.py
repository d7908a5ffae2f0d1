"""Adapters of a receiver to ASGI and to aiohttp; neither is imported here."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Awaitable, Callable, MutableMapping
from typing import TYPE_CHECKING, Any

from browser_use_async.webhooks.verifier import RequestHead

if TYPE_CHECKING:
    from aiohttp import web

    from browser_use_async.webhooks.receiver import WebhookReceiver

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]


class AsgiApplication:
    """A receiver as an ASGI application, for the scopes http and lifespan."""

    # An object and not a method: frameworks treat a function as a handler of their own, and an
    # object as an application.

    def __init__(self, receiver: "WebhookReceiver") -> None:
        self._receiver = receiver

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Serve one scope."""
        if scope["type"] == "lifespan":
            await self._live(receive, send)
        elif scope["type"] == "http":
            await self._answer(scope, receive, send)
        elif scope["type"] == "websocket":
            # A handshake has to be received before it can be refused.
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
        head = RequestHead.of(scope["method"], _paths(scope), scope["headers"])
        answer = await self._receiver.answer(head, _asgi_chunks(receive))
        length = (b"content-length", str(len(answer.body)).encode())
        # HTTP/2 and later have no header `Connection`.
        headers = [
            (name.lower().encode(), value.encode())
            for name, value in answer.headers.items()
            if name != "Connection" or scope.get("http_version", "1.1").startswith("1")
        ]
        start = {"type": "http.response.start", "status": answer.status}
        await send({**start, "headers": [*headers, length]})
        await send({"type": "http.response.body", "body": answer.body})


def _paths(scope: Message) -> list[str]:
    """The path with and without the prefix under which the application is mounted."""
    # Frameworks differ in whether `path` still has the prefix that `root_path` names.
    path, root = scope["path"], scope.get("root_path", "")
    whole = path if path.startswith(root) else root + path
    return [each.rstrip("/") or "/" for each in (path, whole, whole[len(root) :])]


async def _asgi_chunks(receive: Receive) -> AsyncGenerator[bytes, None]:
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ConnectionResetError("the caller hung up")
        yield message.get("body", b"")
        if not message.get("more_body", False):
            return
        # A server that has the whole body already would never yield to other tasks.
        await asyncio.sleep(0)


# --- aiohttp --------------------------------------------------------------------------------


async def respond(receiver: "WebhookReceiver", request: "web.Request") -> "web.StreamResponse":
    """Answer one call of a handler of aiohttp."""
    # Imported here: loading `aiohttp.web` takes time, and only users of this adapter need it.
    from aiohttp import web  # noqa: PLC0415

    path = request.path.rstrip("/") or "/"
    head = RequestHead.of(request.method, [path], request.headers.items())
    answer = await receiver.answer(head, _aiohttp_chunks(request))
    response = web.Response(status=answer.status, body=answer.body, headers=answer.headers)
    if not request.content.is_eof():
        await _close_connection(request, response)
    return response


async def _aiohttp_chunks(request: "web.Request") -> AsyncGenerator[bytes, None]:
    if request.content.at_eof():  # a middleware has read it, or it is empty
        yield await request.read()
        return
    async for chunk in request.content.iter_any():
        yield chunk


async def _close_connection(request: "web.Request", response: "web.Response") -> None:
    """Answer and close the connection: aiohttp would read the rest of the body for seconds."""
    response.force_close()
    with contextlib.suppress(ConnectionError):  # the caller has closed it already
        await response.prepare(request)
        await response.write_eof()
    request.protocol.force_close()

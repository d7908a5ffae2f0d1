"""A receiver as a handler of aiohttp; loaded with its first call, because of `aiohttp.web`."""

import contextlib
from collections.abc import AsyncGenerator
from typing import TYPE_CHECKING

from aiohttp import web

from browser_use_async.webhooks.reception import Head

if TYPE_CHECKING:
    from browser_use_async.webhooks.receiver import WebhookReceiver

__all__ = ["respond"]


async def respond(receiver: "WebhookReceiver", request: web.Request) -> web.StreamResponse:
    """Answer one call."""
    path = request.path.rstrip("/") or "/"
    head = Head.of(request.method, [path], request.headers.items())
    answer = await receiver.answer(head, _chunks(request))
    response = web.Response(status=answer.status, body=answer.body, headers=answer.headers)
    if not request.content.is_eof():
        await _hang_up(request, response)
    return response


async def _chunks(request: web.Request) -> AsyncGenerator[bytes, None]:
    if request.content.at_eof():  # a middleware has read it, or there is none
        yield await request.read()
        return
    async for chunk in request.content.iter_any():
        yield chunk


async def _hang_up(request: web.Request, response: web.Response) -> None:
    """Answer, and close: aiohttp would go on reading the rest of the body for seconds."""
    response.force_close()
    with contextlib.suppress(ConnectionError):  # the caller has hung up already
        await response.prepare(request)
        await response.write_eof()
    request.protocol.force_close()

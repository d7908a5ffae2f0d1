"""Serves one receiver in each framework, over real sockets."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

from aiohttp import web
from hypercorn.asyncio import serve
from hypercorn.config import Config

from browser_use_async.webhooks import WebhookReceiver
from tests.support.wire import bound_socket

__all__ = ["FRAMEWORKS", "PATH", "in_aiohttp", "serving_asgi"]

PATH = "/hooks/browser-use"
Serving = Callable[[WebhookReceiver], AbstractAsyncContextManager[str]]


@asynccontextmanager
async def in_aiohttp(receiver: WebhookReceiver) -> AsyncIterator[str]:
    """The receiver as a handler of aiohttp; its address."""
    application = web.Application()
    application.router.add_route("*", PATH, receiver.aiohttp_handler)
    runner = web.AppRunner(application, access_log=None, shutdown_timeout=1.0)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, backlog=512).start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}{PATH}"
    finally:
        await runner.cleanup()


@asynccontextmanager
async def serving_asgi(application: Any) -> AsyncIterator[str]:
    """Any ASGI application with its lifespan; the root of its address."""
    listener = bound_socket()
    listener.listen(512)
    port = listener.getsockname()[1]
    config = Config()
    config.bind = [f"fd://{listener.detach()}"]
    config.accesslog = config.errorlog = None
    config.graceful_timeout = 1.0
    ends = asyncio.Event()
    work = asyncio.create_task(serve(application, config, shutdown_trigger=ends.wait))
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        ends.set()
        await asyncio.wait([work])
        if not work.cancelled():  # as its dispatcher of several applications ends on Python 3.13
            work.result()


@asynccontextmanager
async def _alone(receiver: WebhookReceiver) -> AsyncIterator[str]:
    async with serving_asgi(receiver.asgi) as root:
        yield root + PATH


@asynccontextmanager
async def _in_fastapi(receiver: WebhookReceiver) -> AsyncIterator[str]:
    from fastapi import FastAPI

    application = FastAPI()
    application.add_route(PATH, receiver.asgi)  # type: ignore[arg-type] # an application, no function
    async with serving_asgi(application) as root:
        yield root + PATH


@asynccontextmanager
async def _in_starlette(receiver: WebhookReceiver) -> AsyncIterator[str]:
    from starlette.applications import Starlette
    from starlette.routing import Mount

    async with serving_asgi(Starlette(routes=[Mount("/hooks", receiver.asgi)])) as root:
        yield root + PATH


@asynccontextmanager
async def _in_quart(receiver: WebhookReceiver) -> AsyncIterator[str]:
    from hypercorn.middleware import DispatcherMiddleware
    from quart import Quart

    application = DispatcherMiddleware({"/hooks": receiver.asgi, "": Quart("app")})
    async with serving_asgi(application) as root:
        yield root + PATH


@asynccontextmanager
async def _in_a_route_of_quart(receiver: WebhookReceiver) -> AsyncIterator[str]:
    from quart import Quart, request

    application = Quart("app")

    @application.post(PATH)
    async def hook() -> tuple[bytes, int, Mapping[str, str]]:
        answer = receiver.receive(await request.get_data(), request.headers)
        return answer.body, answer.status, answer.headers

    async with serving_asgi(application) as root:
        yield root + PATH


FRAMEWORKS: dict[str, Serving] = {
    "aiohttp": in_aiohttp,
    "ASGI alone": _alone,
    "FastAPI": _in_fastapi,
    "Starlette": _in_starlette,
    "Quart": _in_quart,
    "a route of Quart": _in_a_route_of_quart,
}

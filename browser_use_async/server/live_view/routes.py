"""Routes of `/live/TOKEN` and `/share/TOKEN`, and of their WebSockets."""

import asyncio
from collections.abc import Callable
from urllib.parse import urlsplit

from aiohttp import WSCloseCode, web

from browser_use_async.server.backend import Backend
from browser_use_async.server.live_view.connection import LiveConnection
from browser_use_async.server.pages import live_page
from browser_use_async.server.responses import RefusalError
from browser_use_async.server.storage import TaskRecord

_MAX_MESSAGE_BYTES = 64 * 1024
_HEARTBEAT_SECONDS = 20.0


def add_live_routes(application: web.Application, backend: Backend) -> None:
    """Add the routes; the token in the path is their only authentication."""
    sockets: set[web.WebSocketResponse] = set()

    def add(place: str, find: Callable[[str], TaskRecord | None], may_steer: bool) -> None:
        async def page(request: web.Request) -> web.Response:
            return live_page(_find_task(request, find), backend.links, may_steer=may_steer)

        async def socket(request: web.Request) -> web.WebSocketResponse:
            record = _find_task(request, find)
            _check_origin(request, backend.links.url)
            return await _serve(request, sockets, record, backend, may_steer)

        path = f"/{place}/{{token}}"
        application.router.add_get(path, page, name=f"{place}_page")
        application.router.add_get(f"{path}/socket", socket, name=f"{place}_socket")

    # Open sockets would otherwise hold up the shutdown until its time limit.
    async def close_sockets(application: web.Application) -> None:
        closing = (each.close(code=WSCloseCode.GOING_AWAY) for each in [*sockets])
        await asyncio.gather(*closing, return_exceptions=True)

    add("live", backend.store.task_of_live_token, may_steer=True)
    add("share", backend.store.task_of_share_token, may_steer=False)
    application.on_shutdown.append(close_sockets)


def _find_task(request: web.Request, find: Callable[[str], TaskRecord | None]) -> TaskRecord:
    record = find(request.match_info["token"])
    if record is None:
        raise RefusalError(404, "Not Found")
    return record


def _check_origin(request: web.Request, url: str) -> None:
    """Refuse connections from pages of other origins.

    A page that embeds the live page in a frame is allowed: the origin is that of the live page.
    """
    # Browsers do not apply the same-origin policy to WebSockets; they only send the origin.
    origin = request.headers.get("Origin")
    if origin is None:
        return  # not a browser
    if urlsplit(origin).netloc not in {request.host, urlsplit(url).netloc}:
        raise RefusalError(403, "Only the pages of this server may connect")


async def _serve(
    request: web.Request,
    sockets: set[web.WebSocketResponse],
    record: TaskRecord,
    backend: Backend,
    may_steer: bool,
) -> web.WebSocketResponse:
    # Frames are compressed images already.
    socket = web.WebSocketResponse(
        heartbeat=_HEARTBEAT_SECONDS, max_msg_size=_MAX_MESSAGE_BYTES, compress=False
    )
    await socket.prepare(request)
    sockets.add(socket)
    try:
        await LiveConnection(socket, record, backend, may_steer).run()
    finally:
        sockets.discard(socket)
    return socket

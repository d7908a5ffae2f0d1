"""The route at which servers show each other the browsers of their tasks."""

import asyncio
import logging
from contextlib import suppress
from weakref import WeakSet

from aiohttp import WSCloseCode, WSMsgType, web

from browser_use_async.server.backend import Backend
from browser_use_async.server.executors.view import View, close_frames
from browser_use_async.server.live_view.messages import (
    Command,
    FrameAck,
    MessageRefusedError,
    read_message,
)
from browser_use_async.server.live_view.relay import NODE_HEADER, READY, Relay
from browser_use_async.server.responses import RefusalError, log_failure

_logger = logging.getLogger(__name__)

_HEARTBEAT_SECONDS = 20.0
_MAX_MESSAGE_BYTES = 64 * 1024
_NOT_A_NODE = "Only servers that share this one's database and key may ask for a browser"


def add_relay_route(application: web.Application, backend: Backend, relay: Relay) -> None:
    """Add the route; a pass sealed under the servers' key is its only authentication."""
    sockets = WeakSet[web.WebSocketResponse]()

    async def show(request: web.Request) -> web.WebSocketResponse:
        task_id = request.match_info["task_id"]
        if not relay.is_pass(request.headers.get(NODE_HEADER, ""), task_id):
            raise RefusalError(403, _NOT_A_NODE)
        record = await backend.tasks.of_any_owner(task_id)
        socket = web.WebSocketResponse(
            heartbeat=_HEARTBEAT_SECONDS, max_msg_size=_MAX_MESSAGE_BYTES, compress=False
        )
        await socket.prepare(request)
        sockets.add(socket)
        view = None if record is None else backend.runner.view(record)
        if view is not None:
            await _Shown(socket, view, task_id).run()
        await socket.close()
        return socket

    async def close_sockets(application: web.Application) -> None:
        closing = (each.close(code=WSCloseCode.GOING_AWAY) for each in [*sockets])
        await asyncio.gather(*closing, return_exceptions=True)

    application.router.add_get("/relay/{task_id}", show, name="relay")
    application.on_shutdown.append(close_sockets)


class _Shown:
    """Sends the frames of a browser to another server, and does in it what comes back."""

    def __init__(self, socket: web.WebSocketResponse, view: View, task_id: str) -> None:
        self._socket = socket
        self._view = view
        self._task_id = task_id
        self._frame_acked = asyncio.Event()

    async def run(self) -> None:
        streaming = asyncio.get_running_loop().create_task(self._send_frames())
        try:
            with suppress(ConnectionError):
                async for message in self._socket:
                    if message.type is WSMsgType.TEXT:
                        await self._handle_message(message.data)
        finally:
            streaming.cancel()
            await asyncio.gather(streaming, return_exceptions=True)

    async def _send_frames(self) -> None:
        frames = self._view.frames()
        try:
            with suppress(ConnectionError):
                await self._socket.send_json({"type": READY})
                async for frame in frames:
                    self._frame_acked.clear()
                    heading = {"width": frame.width, "height": frame.height}
                    await self._socket.send_json({"media_type": frame.media_type, **heading})
                    await self._socket.send_bytes(frame.image)
                    await self._frame_acked.wait()
        except Exception as error:  # noqa: BLE001 - an executor may raise anything
            log_failure(_logger, f"the browser of task {self._task_id} is not shown", error)
        finally:
            await close_frames(frames)
        await self._socket.close()

    async def _handle_message(self, text: str) -> None:
        try:
            message = read_message(text)
        except MessageRefusedError as refused:
            _logger.warning("a server sent for task %s: %s", self._task_id, refused)
            return
        if isinstance(message, FrameAck):
            self._frame_acked.set()
        elif not isinstance(message, Command):  # those are written to the database by who gets them
            try:
                await self._view.put(message)
            except Exception as error:  # noqa: BLE001 - an executor may raise anything
                log_failure(_logger, f"the browser of task {self._task_id} took no input", error)

"""The browser of a task that another server carries out, watched and steered from here.

The server that a page is connected to opens a WebSocket to the one that has the browser. What it
shows is a document sealed under the key that all of them share, so that no one else may do so.
"""

import asyncio
import base64
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from datetime import datetime, timedelta
from weakref import WeakSet

import aiohttp
import attrs
from aiohttp import WSCloseCode, WSMsgType, web
from yarl import URL

from browser_use_async.errors import ConfigurationError
from browser_use_async.server.backend import Backend
from browser_use_async.server.encryption import Seal
from browser_use_async.server.executors.view import Frame, Input, View, close_frames
from browser_use_async.server.live_view.messages import (
    Command,
    FrameAck,
    MessageRefusedError,
    input_message,
    read_message,
)
from browser_use_async.server.responses import RefusalError, log_failure
from browser_use_async.server.shared_database import Nodes

_logger = logging.getLogger(__name__)

# The header with which one server shows another that it is one of them.
NODE_HEADER = "Browser-Use-Node"
# The first message of a server that has the browser.
READY = "ready"
MAX_FRAME_BYTES = 32 * 1024 * 1024

_PASS_SECONDS = 120.0  # for clocks that differ by less than the database allows
_CONNECT_SECONDS = 5.0
_HEARTBEAT_SECONDS = 10.0
_ODD_ANSWERS = (ValueError, KeyError, TypeError)

_NO_ADDRESS = (
    "The browser of this task is on another server, which has told no address at which others "
    "reach it; start that server with --node-url to be shown its pages and to act in them"
)
_NOT_REACHED = (
    "The browser of this task is on another server, which does not answer at its --node-url"
)
_MAX_MESSAGE_BYTES = 64 * 1024
_NOT_A_NODE = "Only servers that share this one's database and key may ask for a browser"


class RelayUnavailableError(Exception):
    """The server that has the browser cannot be asked; the text says why."""


@attrs.define(eq=False)
class RemoteView:
    """A browser that is shown by another server."""

    socket: aiohttp.ClientWebSocketResponse

    async def frames(self) -> AsyncIterator[Frame]:
        """Frames as the other server sends them, each when the one before it was taken."""
        heading = None
        async for message in self.socket:
            if message.type is WSMsgType.TEXT:
                heading = message.json()
            elif message.type is WSMsgType.BINARY and heading is not None:
                yield Frame(
                    message.data, heading["media_type"], heading["width"], heading["height"]
                )
                await self._send({"type": "drawn"})

    async def put(self, event: Input) -> None:
        """Send on what a person does."""
        await self._send(input_message(event))

    async def aclose(self) -> None:
        """End the connection."""
        await self.socket.close()

    async def _send(self, message: dict[str, object]) -> None:
        # Closed: the browser has ended, in which nothing happens any more.
        with suppress(ConnectionError):
            if not self.socket.closed:
                await self.socket.send_json(message)


class Relay:
    """Finds the server that has the browser of a task, and proves to it that this one may ask.

    Args:
        nodes: Where the servers are reached.
        seal: The key that all of them share.
        worker: The id of this server.
        now: The time, at which passes expire.
    """

    def __init__(self, nodes: Nodes, seal: Seal, worker: str, now: Callable[[], datetime]) -> None:
        self._nodes = nodes
        self._seal = seal
        self._worker = worker
        self._now = now
        self._http: aiohttp.ClientSession | None = None

    async def view(self, task_id: str) -> RemoteView | None:
        """The browser of a task on another server, or None if that has none to show now.

        Raises:
            RelayUnavailableError: The other server has no address, or does not answer.
        """
        worker, url = await self._nodes.of_task(task_id)
        if worker is None or worker == self._worker:
            return None
        if url is None:
            raise RelayUnavailableError(_NO_ADDRESS)
        try:
            async with asyncio.timeout(_CONNECT_SECONDS):
                return await self._connect(URL(url), worker, task_id)
        # The last ones are those of somebody else who answers there.
        except (aiohttp.ClientError, OSError, TimeoutError, *_ODD_ANSWERS) as error:
            _logger.warning("the server at %s does not show task %s: %r", url, task_id, error)
            raise RelayUnavailableError(_NOT_REACHED) from error

    async def _connect(self, url: URL, worker: str, task_id: str) -> RemoteView | None:
        if self._http is None:
            self._http = aiohttp.ClientSession()
        socket = await self._http.ws_connect(
            url / "relay" / task_id,
            headers={NODE_HEADER: self.new_pass(worker, task_id)},
            heartbeat=_HEARTBEAT_SECONDS,
            max_msg_size=MAX_FRAME_BYTES,
        )
        try:
            first = await socket.receive()
            if first.type is WSMsgType.TEXT and first.json()["type"] == READY:
                return RemoteView(socket)
        except BaseException:
            await socket.close()
            raise
        await socket.close()
        return None

    def new_pass(self, worker: str, task_id: str) -> str:
        """What opens the browser of a task on one server, for two minutes."""
        expires = (self._now() + timedelta(seconds=_PASS_SECONDS)).timestamp()
        sealed = self._seal.close("relay", f"{worker}/{task_id}", {"expires": expires})
        return base64.urlsafe_b64encode(sealed).decode()

    def is_pass(self, text: str, task_id: str) -> bool:
        """Whether a server that shares the key wants to see the browser of a task on this one."""
        try:
            sealed = base64.urlsafe_b64decode(text)
            document = self._seal.open("relay", f"{self._worker}/{task_id}", sealed)
        except (ValueError, ConfigurationError):
            return False
        return bool(self._now().timestamp() < document["expires"])

    async def aclose(self) -> None:
        """End all connections."""
        if self._http is not None:
            await self._http.close()


def add_relay_route(application: web.Application, backend: Backend, relay: Relay) -> None:
    """Add the route; a pass sealed under the servers' key is its only authentication."""
    sockets = WeakSet[web.WebSocketResponse]()

    async def show(request: web.Request) -> web.WebSocketResponse:
        task_id = request.match_info["task_id"]
        if not relay.is_pass(request.headers.get(NODE_HEADER, ""), task_id):
            raise RefusalError(403, _NOT_A_NODE)
        record = await backend.tasks.of_any_owner(id=task_id)
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

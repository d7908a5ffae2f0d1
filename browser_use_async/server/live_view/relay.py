"""The browser of a task that another server carries out, watched and steered from here.

The server that a page is connected to opens a WebSocket to the one that has the browser. Each
proves to the other that it has the key that all servers share, and encrypts its messages with it.
"""

import asyncio
import base64
import json
import logging
import secrets
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing, suppress
from datetime import datetime, timedelta
from weakref import WeakSet

import aiohttp
import attrs
from aiohttp import ClientHandlerType, WSCloseCode, web
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
from browser_use_async.server.live_view.sealed_socket import SealedSocket
from browser_use_async.server.responses import RefusalError, log_failure
from browser_use_async.server.shared_database import Nodes

_logger = logging.getLogger(__name__)

# The header with which one server shows another that it is one of them.
NODE_HEADER = "Browser-Use-Node"
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

    socket: SealedSocket

    async def frames(self) -> AsyncIterator[Frame]:
        """Frames as the other server sends them, each when the one before it was taken."""
        async with aclosing(self.socket.messages()) as messages:
            async for message in messages:
                heading, _, image = message.partition(b"\n")
                yield Frame(image, **json.loads(heading))
                await self._send({"type": "drawn"})

    async def put(self, event: Input) -> None:
        """Send on what a person does."""
        await self._send(input_message(event))

    async def aclose(self) -> None:
        """End the connection."""
        await self.socket.aclose()

    async def _send(self, message: dict[str, object]) -> None:
        # Closed: the browser has ended, in which nothing happens any more.
        with suppress(ConnectionError):
            if not self.socket.closed:
                await self.socket.send(json.dumps(message).encode())


@attrs.frozen
class Pass:
    """What a server shows that asks for the browser of a task."""

    nonce: str  # of this connection alone
    expires: float


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
            self._http = aiohttp.ClientSession(middlewares=(_refuse_redirect,))
        place, nonce = f"{worker}/{task_id}", secrets.token_hex(16)
        socket = await self._http.ws_connect(
            url / "relay" / task_id,
            headers={NODE_HEADER: self._new_pass(place, nonce)},
            heartbeat=_HEARTBEAT_SECONDS,
            max_msg_size=MAX_FRAME_BYTES,
        )
        try:
            # A server that opens the pass and answers under its nonce has the key.
            sealed = await socket.receive_bytes()
            answer = json.loads(self._seal.decrypt("relay-answer", f"{place}/{nonce}", sealed))
        except BaseException:
            await socket.close()
            raise
        if answer["has_browser"]:
            connection = f"{place}/{nonce}/{answer['nonce']}"
            return RemoteView(SealedSocket(socket, self._seal, connection, asks=True))
        await socket.close()
        return None

    def _new_pass(self, place: str, nonce: str) -> str:
        expires = (self._now() + timedelta(seconds=_PASS_SECONDS)).timestamp()
        sealed = self._seal.close("relay", place, attrs.asdict(Pass(nonce, expires)))
        return base64.urlsafe_b64encode(sealed).decode()

    def read_pass(self, text: str, task_id: str) -> Pass | None:
        """The pass of a server that shares the key, or None if it opens nothing here and now."""
        try:
            sealed = base64.urlsafe_b64decode(text)
            shown = Pass(**self._seal.open("relay", f"{self._worker}/{task_id}", sealed))
        except (ValueError, ConfigurationError):
            return None
        return shown if self._now().timestamp() < shown.expires else None

    async def answer(
        self, socket: web.WebSocketResponse, shown: Pass, task_id: str, *, has_browser: bool
    ) -> SealedSocket:
        """Prove to the server that asks that this one has the key."""
        # This nonce makes messages useless that were recorded with an earlier use of the pass.
        nonce, place = secrets.token_hex(16), f"{self._worker}/{task_id}/{shown.nonce}"
        answer = json.dumps({"nonce": nonce, "has_browser": has_browser}).encode()
        await socket.send_bytes(self._seal.encrypt("relay-answer", place, answer))
        return SealedSocket(socket, self._seal, f"{place}/{nonce}", asks=False)

    async def aclose(self) -> None:
        """End all connections."""
        if self._http is not None:
            await self._http.close()


async def _refuse_redirect(
    request: aiohttp.ClientRequest, handler: ClientHandlerType
) -> aiohttp.ClientResponse:
    response = await handler(request)
    if response.status in range(300, 400):
        response.close()
        raise aiohttp.ClientConnectionError("a server of this database does not redirect")
    return response


def add_relay_route(application: web.Application, backend: Backend, relay: Relay) -> None:
    """Add the route; a pass sealed under the servers' key is its only authentication."""
    sockets = WeakSet[web.WebSocketResponse]()

    async def show(request: web.Request) -> web.WebSocketResponse:
        task_id = request.match_info["task_id"]
        shown = relay.read_pass(request.headers.get(NODE_HEADER, ""), task_id)
        if shown is None:
            raise RefusalError(403, _NOT_A_NODE)
        record = await backend.tasks.of_any_owner(id=task_id)
        socket = web.WebSocketResponse(
            heartbeat=_HEARTBEAT_SECONDS, max_msg_size=_MAX_MESSAGE_BYTES, compress=False
        )
        await socket.prepare(request)
        sockets.add(socket)
        view = None if record is None else backend.runner.view(record)
        with suppress(ConnectionError):
            sealed = await relay.answer(socket, shown, task_id, has_browser=view is not None)
            if view is not None:
                await _Shown(sealed, view, task_id).run()
        await socket.close()
        return socket

    async def close_sockets(application: web.Application) -> None:
        closing = (each.close(code=WSCloseCode.GOING_AWAY) for each in [*sockets])
        await asyncio.gather(*closing, return_exceptions=True)

    application.router.add_get("/relay/{task_id}", show, name="relay")
    application.on_shutdown.append(close_sockets)


class _Shown:
    """Sends the frames of a browser to another server, and does in it what comes back."""

    def __init__(self, socket: SealedSocket, view: View, task_id: str) -> None:
        self._socket = socket
        self._view = view
        self._task_id = task_id
        self._frame_acked = asyncio.Event()

    async def run(self) -> None:
        streaming = asyncio.get_running_loop().create_task(
            self._send_frames(), name=f"browser-use: relays frames of task {self._task_id}"
        )
        try:
            with suppress(ConnectionError):
                async with aclosing(self._socket.messages()) as messages:
                    async for message in messages:
                        await self._handle_message(message.decode())
        except ValueError as error:
            _logger.warning(
                "the connection for task %s was tampered with: %s", self._task_id, error
            )
        finally:
            streaming.cancel()
            await asyncio.gather(streaming, return_exceptions=True)

    async def _send_frames(self) -> None:
        frames = self._view.frames()
        try:
            with suppress(ConnectionError):
                async for frame in frames:
                    self._frame_acked.clear()
                    heading = attrs.asdict(frame)
                    image = heading.pop("image")
                    await self._socket.send(json.dumps(heading).encode() + b"\n" + image)
                    await self._frame_acked.wait()
        except Exception as error:  # noqa: BLE001 - an executor may raise anything
            log_failure(_logger, f"the browser of task {self._task_id} is not shown", error)
        finally:
            await close_frames(frames)
        await self._socket.aclose()

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

"""The client side of a live page, without a browser: its WebSocket."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp

from tests.server.calling import Caller
from tests.support.patience import PATIENCE

__all__ = ["LiveSocket", "live_socket", "running_task"]


class LiveSocket:
    """Does what a live page's script does, as the test commands.

    Attributes:
        state: The newest state.
        states: All of them.
        frames: The headings of all frames.
        images: Their pictures.
        replies: The confirmations and refusals.
        closed_with: The code with which the server closed the connection.
        draws: Whether each frame is confirmed at once.
    """

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._socket = socket
        self.states: list[dict[str, Any]] = []
        self.frames: list[dict[str, Any]] = []
        self.images: list[bytes] = []
        self.replies: list[dict[str, Any]] = []
        self.closed_with: int | None = None
        self.draws = True

    @property
    def state(self) -> dict[str, Any]:
        """The newest state."""
        return self.states[-1]

    async def say(self, **message: Any) -> None:
        """Send a message."""
        await self._socket.send_json(message)

    async def raw(self, text: str) -> None:
        """Send a text that need not be a message."""
        await self._socket.send_str(text)

    async def order(self, name: str) -> dict[str, Any]:
        """Press a button; the reply."""
        return await self.ask(type="order", name=name)

    async def ask(self, **message: Any) -> dict[str, Any]:
        """Send a message that is replied to; the reply."""
        count = len(self.replies)
        await self.say(**message)
        await self.until(lambda: len(self.replies) > count)
        return self.replies[-1]

    async def until(self, condition: Any) -> None:
        """Read until a condition is true."""
        async with asyncio.timeout(PATIENCE):
            while not condition():
                await self._read()

    async def drain(self) -> None:
        """Read until the server closes the connection."""
        await self.until(lambda: self.closed_with is not None)

    async def _read(self) -> None:
        message = await self._socket.receive()
        if message.type is aiohttp.WSMsgType.BINARY:
            self.images.append(message.data)
            if self.draws:
                await self.say(type="drawn")
        elif message.type is aiohttp.WSMsgType.TEXT:
            self._take(message.json())
        else:
            assert self.closed_with is None, f"the server has hung up with {self.closed_with}"
            self.closed_with = self._socket.close_code

    def _take(self, message: dict[str, Any]) -> None:
        kind = message.pop("type")
        if kind == "state":
            self.states.append(message)
        elif kind == "frame":
            self.frames.append(message)
        else:
            self.replies.append({"type": kind, **message})

    @property
    def steps(self) -> list[str]:
        """The goals of all steps so far, in order."""
        return [step["next_goal"] for state in self.states for step in state["steps"]]


@asynccontextmanager
async def live_socket(
    http: aiohttp.ClientSession, url: str, **options: Any
) -> AsyncGenerator[LiveSocket]:
    """Connect as the page at an address would.

    Args:
        http: A client.
        url: The page's address.
        options: For the client.
    """
    async with http.ws_connect(f"{url}/socket", **options) as socket:
        yield LiveSocket(socket)


async def running_task(caller: Caller, text: str = "Do it") -> dict[str, Any]:
    """Create a task that is shared too, and wait until it runs; its JSON."""
    task_id = await caller.create(text, enable_public_share=True)
    task: dict[str, Any] = await caller.reached(task_id, "running")
    return task

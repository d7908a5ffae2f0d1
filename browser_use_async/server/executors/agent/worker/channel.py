"""Messages between the server and an agent, JSON with its length in front, and the agent's end."""

import asyncio
import json
import os
import signal
import threading
from collections.abc import Mapping
from typing import Any, BinaryIO, Literal, NotRequired, TypedDict

HEADER_BYTES = 4


def pack(message: Mapping[str, Any]) -> bytes:
    """The bytes of a message."""
    body = json.dumps(message).encode()
    return len(body).to_bytes(HEADER_BYTES, "big") + body


class Order(TypedDict):
    """One task: the first message to an agent's process."""

    task: str
    max_steps: int
    allowed_domains: list[str]
    schema: str | None
    secrets: dict[str, Any]
    viewport: tuple[int, int]
    highlight_elements: bool
    takes_screenshots: bool
    uploads: list[str]
    cookies: list[dict[str, Any]]
    folder: str
    browser_url: str
    base_url: str
    key: str
    model: str
    model_seconds: int
    sees_pictures: bool
    # The script that describes elements and pages, if actions are recorded for a script
    describe: str | None


class MadeFile(TypedDict):
    """A file that the agent leaves behind, with its path in the order's folder."""

    name: str
    path: str
    is_download: bool


class Message(TypedDict):
    """A report of an agent's process; `checkpoint` asks whether the next step may begin."""

    kind: Literal["checkpoint", "step", "noted", "finished", "failed"]
    text: NotRequired[str]
    next_goal: NotRequired[str]
    evaluation: NotRequired[str]
    url: NotRequired[str]
    screenshot: NotRequired[str]
    files: NotRequired[list[MadeFile]]
    cookies: NotRequired[list[dict[str, Any]]]
    # Of an action that was noted: its name and parameters, the moment and the page right before it,
    # its element, and what went wrong with it or with the note
    action: NotRequired[str]
    params: NotRequired[dict[str, Any]]
    at: NotRequired[float]
    page: NotRequired[Any]
    element: NotRequired[Any]
    error: NotRequired[str]
    unnoted: NotRequired[str]


class Channel:
    """Messages to and from the server.

    A thread of its own listens: it ends this process, with all that it has started, as soon as
    the other end of the pipe is closed, whatever the agent is doing meanwhile.
    """

    def __init__(self, incoming: BinaryIO, outgoing: BinaryIO) -> None:
        self._incoming = incoming
        self._outgoing = outgoing
        self._loop: asyncio.AbstractEventLoop | None = None
        self._leave = asyncio.Event()

    @classmethod
    def take_over(cls) -> "Channel":
        """Move the pipes off standard input and output, out of reach of prints."""
        incoming, outgoing = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
        nothing = os.open(os.devnull, os.O_RDONLY)
        os.dup2(nothing, 0)
        os.close(nothing)
        os.dup2(2, 1)
        return cls(incoming, outgoing)

    def read_order(self) -> Order:
        """Wait for the first message."""
        order: Order = self._read()
        return order

    def listen(self) -> None:
        """Begin to listen for further messages of the server, in the running event loop."""
        self._loop = asyncio.get_running_loop()
        threading.Thread(target=self._listen, name="lifeline", daemon=True).start()

    def send(self, message: Message) -> None:
        """Send a message to the server."""
        self._outgoing.write(pack(message))
        self._outgoing.flush()

    async def ask_leave(self) -> None:
        """Wait until the next step may be taken: at once, unless the task is paused."""
        self._leave.clear()
        self.send({"kind": "checkpoint"})
        await self._leave.wait()

    def _read(self) -> Any:
        header = self._incoming.read(HEADER_BYTES)
        if len(header) < HEADER_BYTES:
            raise EOFError
        return json.loads(self._incoming.read(int.from_bytes(header, "big")))

    def _listen(self) -> None:
        assert self._loop is not None
        try:
            while True:
                self._read()  # the server says nothing but that the next step may be taken
                self._loop.call_soon_threadsafe(self._leave.set)
        except (EOFError, OSError, ValueError, RuntimeError):
            os.killpg(os.getpgrp(), signal.SIGKILL)

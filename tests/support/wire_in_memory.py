"""The scripted server of the socket tests, reached through the network in memory."""

import asyncio
import socket
from types import TracebackType
from typing import Self

from tests.support.network import Network
from tests.support.wire import Connection, Script, WireServer

__all__ = ["WireServerInMemory"]


class WireServerInMemory(WireServer):
    """Runs the script for each connection, over wires in memory.

    Args:
        script: What to do with each connection.
        network: The network; its server becomes this one.
    """

    def __init__(self, script: Script, network: Network) -> None:
        super().__init__(script, listener=socket.socket())
        self._listener.close()  # nothing listens on it
        network.accept = lambda: Connection(self)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    @property
    def url(self) -> str:
        """The base URL for a session."""
        return "http://127.0.0.1:80/api/v1"

"""A running browser: its process, the connection to it, and the windows that it opens."""

import asyncio
import contextlib
from collections.abc import Mapping
from typing import Any, Protocol, Self

from browser_use_async.server.executors.chromium.connection import (
    BrowserLostError,
    Connection,
    DevToolsError,
    Session,
)
from browser_use_async.server.executors.chromium.process import BrowserProcess

_ALIVE_SECONDS = 5.0


class Visitor(Protocol):
    """Somebody with windows of their own in the browser."""

    def window_opened(self, session: Session, target_id: str, *, waits: bool) -> None:
        """Take over a window.

        Args:
            session: Commands for it.
            target_id: Its id.
            waits: Whether it waits to be set up.
        """

    def window_closed(self, session_id: str) -> None:
        """Let go of a window.

        Args:
            session_id: The session with which it was taken over.
        """

    def download_begun(self, event: Mapping[str, Any]) -> bool:
        """Note that a download begins, if it is one of the visitor's.

        Args:
            event: What the browser says about it.

        Returns:
            Whether it is.
        """
        ...

    def download_moved(self, event: Mapping[str, Any]) -> None:
        """Note how far a download is, which may be anybody's.

        Args:
            event: What the browser says about it.
        """


class Browser:
    """One browser process for many tasks, each with a context of its own.

    Args:
        process: The process.
        connection: The connection.

    Attributes:
        process: The process.
        commands: Commands for the browser as a whole.
    """

    def __init__(self, process: BrowserProcess, connection: Connection) -> None:
        self.process = process
        self._connection = connection
        self.commands = connection.session()
        self._visitors: dict[str, Visitor] = {}
        self.commands.on("Target.attachedToTarget", self._attached)
        self.commands.on("Target.detachedFromTarget", self._detached)
        self.commands.on("Browser.downloadWillBegin", self._download_begun)
        self.commands.on("Browser.downloadProgress", self._download_moved)

    @classmethod
    async def start(cls, program: str) -> Self:
        """Start a browser.

        Args:
            program: The browser's file.

        Raises:
            BrowserNotStartedError: It did not start.
            DevToolsError: It does not take commands.
        """
        process = await BrowserProcess.start(program)
        try:
            browser = cls(process, await Connection.open(process.url))
        except BaseException:
            await process.end()
            raise
        try:
            await browser.commands.send(
                "Target.setAutoAttach", autoAttach=True, waitForDebuggerOnStart=True, flatten=True
            )
        except BaseException:
            await browser.aclose()
            raise
        return browser

    @property
    def is_lost(self) -> bool:
        """Whether it has ended."""
        return self._connection.lost.done()

    async def is_alive(self) -> bool:
        """Whether it still answers."""
        try:
            await self.commands.send("Browser.getVersion", seconds=_ALIVE_SECONDS)
        except DevToolsError:
            return False
        return True

    async def admit(self, visitor: Visitor, proxy_port: int) -> str:
        """A new context, which shares nothing with others: no cookies, no cache, no storage.

        Args:
            visitor: Who takes its windows over.
            proxy_port: The port on this machine through which all of its connections go.

        Returns:
            The context's id.

        Raises:
            DevToolsError: There is none.
        """
        answer = await self.commands.send(
            "Target.createBrowserContext",
            disposeOnDetach=True,
            proxyServer=f"http://127.0.0.1:{proxy_port}",
            # Nothing goes past the proxy, this machine's own addresses included.
            proxyBypassList="<-loopback>",
        )
        context_id: str = answer["browserContextId"]
        self._visitors[context_id] = visitor
        return context_id

    async def dismiss(self, context_id: str) -> None:
        """Close a context with all of its windows.

        Args:
            context_id: The context.

        Raises:
            DevToolsError: The browser hangs, so that it has to be ended as a whole.
        """
        self._visitors.pop(context_id, None)
        with contextlib.suppress(BrowserLostError):  # gone with it
            await self.commands.send(
                "Target.disposeBrowserContext", browserContextId=context_id, seconds=_ALIVE_SECONDS
            )

    async def aclose(self) -> None:
        """End it."""
        await self._connection.aclose()
        await asyncio.shield(self.process.end())

    def _attached(self, event: Mapping[str, Any]) -> None:
        target = event["targetInfo"]
        session = self._connection.session(event["sessionId"])
        visitor = self._visitors.get(target.get("browserContextId", ""))
        waits = bool(event["waitingForDebugger"])
        if visitor is not None and target["type"] == "page":
            visitor.window_opened(session, target["targetId"], waits=waits)
        elif waits:
            session.post("Runtime.runIfWaitingForDebugger")

    def _detached(self, event: Mapping[str, Any]) -> None:
        for visitor in self._visitors.values():
            visitor.window_closed(event["sessionId"])

    def _download_begun(self, event: Mapping[str, Any]) -> None:
        any(visitor.download_begun(event) for visitor in self._visitors.values())

    def _download_moved(self, event: Mapping[str, Any]) -> None:
        for visitor in tuple(self._visitors.values()):
            visitor.download_moved(event)

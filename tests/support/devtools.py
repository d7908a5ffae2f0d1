"""The DevTools protocol: commands and events of many pages over one WebSocket."""

import asyncio
import json
from collections import defaultdict
from collections.abc import Callable, Mapping
from itertools import count
from typing import Any, Self

import aiohttp
import attrs

ANSWER_SECONDS = 15.0
"""How long a page may take for an ordinary command before it counts as hung."""

Listener = Callable[[Mapping[str, Any]], None]


class DevToolsError(Exception):
    """A command without a result. Its text is a clause for a person."""


class CommandFailedError(DevToolsError):
    """The browser answered that it cannot do it."""


class NoAnswerError(DevToolsError):
    """The browser, or the page, did not answer in time."""


class PageLostError(DevToolsError):
    """The page has been closed, or has crashed."""


class BrowserLostError(DevToolsError):
    """The browser has ended."""


@attrs.frozen
class _Waiting:
    method: str
    session_id: str
    answer: "asyncio.Future[Mapping[str, Any]]"


class Connection:
    """One WebSocket to one browser.

    Args:
        client: The HTTP client that made the WebSocket, closed with it.
        websocket: The WebSocket.

    Attributes:
        lost: Done when the browser is gone.
    """

    def __init__(
        self, client: aiohttp.ClientSession, websocket: aiohttp.ClientWebSocketResponse
    ) -> None:
        self._client = client
        self._websocket = websocket
        self._numbers = count(1)
        self._waiting: dict[int, _Waiting] = {}
        self._listeners: dict[tuple[str, str], list[Listener]] = defaultdict(list)
        self._outgoing: asyncio.Queue[str] = asyncio.Queue()
        loop = asyncio.get_running_loop()
        self.lost: asyncio.Future[None] = loop.create_future()
        self._work = [loop.create_task(self._read()), loop.create_task(self._write())]

    @classmethod
    async def open(cls, url: str) -> Self:
        """Connect.

        Args:
            url: The browser's `ws://` address.

        Raises:
            BrowserLostError: Nothing answers there.
        """
        client = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=None))
        try:
            # Screenshots are large, and memory limits are not needed for the browser on this
            # machine. Pyright does not see the fields of aiohttp's class.
            patience = aiohttp.ClientWSTimeout(ws_close=2.0)  # pyright: ignore[reportCallIssue]
            websocket = await client.ws_connect(url, max_msg_size=0, compress=0, timeout=patience)
        except (aiohttp.ClientError, OSError) as error:
            await client.close()
            raise BrowserLostError("the browser does not take commands") from error
        except BaseException:
            await client.close()
            raise
        return cls(client, websocket)

    def session(self, session_id: str = "") -> "Session":
        """Commands and events of one target, by default of the browser itself.

        Args:
            session_id: The id that the browser gave when it attached the target.
        """
        return Session(self, session_id)

    def listen(self, session_id: str, event: str, listener: Listener) -> None:
        """Call a listener with the parameters of each event of a kind.

        Args:
            session_id: Whose events.
            event: Their name, such as `Page.loadEventFired`.
            listener: Called in the order of the events; does not wait.
        """
        self._listeners[session_id, event].append(listener)

    def forget(self, session_id: str, error: DevToolsError) -> None:
        """Forget a target that is gone; pending waiters get the error.

        Args:
            session_id: The target's session.
            error: The error.
        """
        for key in [key for key in self._listeners if key[0] == session_id]:
            del self._listeners[key]
        for waiting in [one for one in self._waiting.values() if one.session_id == session_id]:
            if not waiting.answer.done():
                waiting.answer.set_exception(error)

    def check(self) -> None:
        """Make sure that the browser still runs.

        Raises:
            BrowserLostError: It is not.
        """
        if self.lost.done():
            raise BrowserLostError("the browser has ended unexpectedly")

    def post(self, method: str, parameters: Mapping[str, Any], session_id: str) -> int:
        """Send a command without waiting for its answer.

        Args:
            method: The command.
            parameters: Its parameters.
            session_id: The target.

        Returns:
            The number of the command.
        """
        number = next(self._numbers)
        message: dict[str, Any] = {"id": number, "method": method, "params": parameters}
        if session_id:
            message["sessionId"] = session_id
        self._outgoing.put_nowait(json.dumps(message))
        return number

    async def send(
        self, method: str, parameters: Mapping[str, Any], session_id: str, seconds: float
    ) -> Mapping[str, Any]:
        """Send a command and wait for its answer.

        Args:
            method: The command.
            parameters: Its parameters.
            session_id: The target.
            seconds: How long to wait.

        Raises:
            DevToolsError: There is no result.
        """
        self.check()
        answer: asyncio.Future[Mapping[str, Any]] = asyncio.get_running_loop().create_future()
        number = self.post(method, parameters, session_id)
        self._waiting[number] = _Waiting(method, session_id, answer)
        try:
            async with asyncio.timeout(seconds):
                return await answer
        except TimeoutError:
            raise NoAnswerError(f"{method} was not answered within {seconds:g} s") from None
        finally:
            del self._waiting[number]

    async def aclose(self) -> None:
        """Close the connection."""
        for work in self._work:
            work.cancel()
        await asyncio.gather(*self._work, return_exceptions=True)
        await self._websocket.close()
        await self._client.close()
        self._lose()

    async def _write(self) -> None:
        while True:
            try:
                await self._websocket.send_str(await self._outgoing.get())
            except (ConnectionError, aiohttp.ClientError):
                return  # the reader notices too, and wakes all waiters

    async def _read(self) -> None:
        try:
            async for message in self._websocket:
                if message.type is aiohttp.WSMsgType.TEXT:
                    self._take(json.loads(message.data))
        finally:
            self._lose()

    def _take(self, message: Mapping[str, Any]) -> None:
        number = message.get("id")
        if number is None:
            key = message.get("sessionId", ""), message["method"]
            for listener in tuple(self._listeners.get(key, ())):
                listener(message["params"])
            return
        waiting = self._waiting.get(number)
        if waiting is None or waiting.answer.done():
            return
        if "error" in message:
            problem = str(message["error"].get("message", "")).rstrip(".")
            waiting.answer.set_exception(CommandFailedError(f"{waiting.method}: {problem}"))
        else:
            waiting.answer.set_result(message["result"])

    def _lose(self) -> None:
        if not self.lost.done():
            self.lost.set_result(None)
        for waiting in self._waiting.values():
            if not waiting.answer.done():
                error = BrowserLostError("the browser has ended unexpectedly")
                waiting.answer.set_exception(error)


@attrs.frozen
class Session:
    """Commands and events of one target.

    Attributes:
        connection: The connection to its browser.
        id: The browser's id for the session; empty for the browser itself.
    """

    connection: Connection
    id: str

    async def send(
        self, method: str, *, seconds: float = ANSWER_SECONDS, **parameters: Any
    ) -> Mapping[str, Any]:
        """Send a command and wait for its answer.

        Args:
            method: The command, such as `Page.navigate`.
            seconds: How long to wait.
            parameters: Its parameters, in the protocol's own spelling.

        Raises:
            DevToolsError: There is no result.
        """
        return await self.connection.send(method, parameters, self.id, seconds)

    def post(self, method: str, **parameters: Any) -> None:
        """Send a command without waiting for its answer.

        Args:
            method: The command.
            parameters: Its parameters.
        """
        self.connection.post(method, parameters, self.id)

    def on(self, event: str, listener: Listener) -> None:
        """Call a listener with the parameters of each event of a kind.

        Args:
            event: The name of the event.
            listener: Called in the order of the events; does not wait.
        """
        self.connection.listen(self.id, event, listener)

"""One request on the wire. Belongs to the event loop and the process in which it first does."""

import asyncio
import contextlib
import os
from collections.abc import Callable

import aiohttp
from aiohttp.http import HttpProcessingError
from multidict import CIMultiDict, istr
from yarl import URL

from browser_use_async import errors
from browser_use_async.api.endpoint_table import Effect
from browser_use_async.transport.configuration import Configuration
from browser_use_async.transport.lanes import (
    TIMEOUT,
    Lane,
    LaneOptions,
    SentMark,
    drop_connection,
)
from browser_use_async.transport.prepared import PreparedRequest
from browser_use_async.transport.response import (
    ConnectionLostError,
    Outcome,
    Reply,
    UnreadableBodyError,
    classify_error,
    classify_reply,
    read_body,
)
from browser_use_async.transport.user_agent import USER_AGENT

__all__ = ["Connections"]

_FAILURES = (
    aiohttp.ClientError,
    ConnectionLostError,
    HttpProcessingError,  # aiohttp without its C parser lets it out while a body is read
    UnreadableBodyError,
    TimeoutError,
    OSError,
)
# After a lost answer these are not sent again, so no answer may be lost to a dead connection.
_OWN_LANE = frozenset({Effect.SWITCHES, Effect.CREATES})


class _ThisProcess:
    """The number of this process.

    The system is asked at each fork, and not at each call: that would cost more than all else
    that is looked at before one.
    """

    def __init__(self) -> None:
        self._ask()
        os.register_at_fork(after_in_child=self._ask)

    def _ask(self) -> None:
        self.id = os.getpid()


_THIS_PROCESS = _ThisProcess()


class Connections:
    """The lanes of a transport, and the time that an attempt may take."""

    def __init__(
        self,
        configuration: Configuration,
        options: LaneOptions,
        http: aiohttp.ClientSession | None,
    ) -> None:
        self._configuration = configuration
        self._options = options
        self._http = http
        self._loop: asyncio.AbstractEventLoop | None = None
        self._process = 0
        self._closed = False
        self._kept_headers: dict[tuple[bool, bool], CIMultiDict[str]] = {}
        self._shared: Lane
        self._fresh: Lane
        self._ended: asyncio.Event
        self._running: set[asyncio.Timeout] = set()  # of the attempts in progress
        if http is not None:
            Lane.borrowed(http, options)  # refuses before anything is connected

    async def send(
        self, prepared: PreparedRequest, on_sent: Callable[[], None] | None = None
    ) -> Outcome:
        """Send one request, once, and say what became of it.

        Raises:
            SessionClosedError: The session was closed meanwhile.
        """
        lane = self._fresh if prepared.endpoint.effect in _OWN_LANE else self._shared
        mark = SentMark(on_sent) if lane.marks else None
        # The timeout starts here; time spent queued in the governor does not count.
        self._refuse_if_closed()
        try:
            async with asyncio.timeout(self._configuration.timeout) as timeout:
                self._running.add(timeout)
                try:
                    return await self._exchange(prepared, lane, mark)
                finally:
                    self._running.discard(timeout)
        except _FAILURES as error:
            if not self._closed:
                return classify_error(error, sent=mark is None or mark.sent)
        except RuntimeError:
            if not lane.session.closed:
                raise
        self._refuse_if_closed()
        raise errors.SessionClosedError("the aiohttp session passed as http= is closed")

    async def rest(self, seconds: float) -> None:
        """Sleep between two attempts, but not beyond the end of the session."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._ended.wait()

    async def _exchange(
        self, prepared: PreparedRequest, lane: Lane, mark: SentMark | None
    ) -> Outcome:
        response = await lane.session.request(
            prepared.endpoint.method,
            URL(self._configuration.base_url + prepared.target, encoded=True),
            data=None if prepared.body is None else prepared.body.content,
            headers=self._headers(prepared),
            allow_redirects=False,
            raise_for_status=False,
            auto_decompress=False,
            timeout=TIMEOUT,
            middlewares=lane.middlewares,
            trace_request_ctx=mark,
        )
        try:
            body = await read_body(response)
        except BaseException:
            response.close()
            raise
        outcome = classify_reply(prepared, Reply(response.status, response.headers, body))
        if outcome.path is not None:
            # Perhaps the answer to somebody else's question, and the next one would be as well.
            drop_connection(response)
        return outcome

    def _headers(self, prepared: PreparedRequest) -> CIMultiDict[str]:
        kind = prepared.endpoint.authenticated, prepared.body is not None
        if kind not in self._kept_headers:
            self._kept_headers[kind] = self._make_headers(*kind)
        return self._kept_headers[kind]

    def _make_headers(self, authenticated: bool, has_body: bool) -> CIMultiDict[str]:
        # Names that are lower-cased once and not at every request.
        headers = CIMultiDict(
            {
                istr("Accept"): "application/json",
                istr("Accept-Encoding"): "gzip",
                istr("User-Agent"): USER_AGENT,
            }
        )
        if has_body:
            headers[istr("Content-Type")] = "application/json"
        key = self._configuration.api_key
        if key is not None and authenticated:
            headers[istr("Authorization")] = f"Bearer {key.reveal()}"
        return headers

    # --- life -----------------------------------------------------------------------------

    @property
    def loop(self) -> asyncio.AbstractEventLoop | None:
        """The loop that they belong to, or None before their first use."""
        return self._loop

    def bind(self) -> asyncio.AbstractEventLoop:
        """The loop that they belong to; connects on first use.

        Raises:
            SessionClosedError: After `aclose()`.
            WrongEventLoopError: In another loop, or in a forked process.
        """
        if self._closed:
            raise errors.SessionClosedError("the session is closed; create a new one")
        loop = asyncio.get_running_loop()
        if self._loop is None:
            self._connect(loop)
        elif self._process != _THIS_PROCESS.id:
            raise errors.WrongEventLoopError(
                f"the session was used in process {self._process} before the fork; "
                f"create a new one in process {_THIS_PROCESS.id}"
            )
        else:
            self._refuse_other_loop(loop)
        return loop

    def _refuse_other_loop(self, loop: asyncio.AbstractEventLoop) -> None:
        if self._loop is not loop:
            raise errors.WrongEventLoopError(
                f"the session belongs to {self._loop!r} and was used in {loop!r}; "
                "create one session for each event loop, or run everything in one asyncio.run()"
            )

    def _connect(self, loop: asyncio.AbstractEventLoop) -> None:
        self._shared = (
            Lane.shared(self._options)
            if self._http is None
            else Lane.borrowed(self._http, self._options)
        )
        self._fresh = Lane.paying(self._options)
        self._ended = asyncio.Event()
        self._loop, self._process = loop, _THIS_PROCESS.id

    def _refuse_if_closed(self) -> None:
        if self._closed:
            raise errors.SessionClosedError(
                "the session was closed while the call was under way; whether it was carried out "
                "is not known"
            )

    @property
    def is_open(self) -> bool:
        """Whether there are connections to close."""
        return self._loop is not None and not self._closed

    @property
    def is_here(self) -> bool:
        """Whether the running loop of this process is theirs, or they have none yet."""
        if self._loop is None:
            return True
        return self._loop is asyncio.get_running_loop() and self._process == _THIS_PROCESS.id

    @property
    def is_orphaned(self) -> bool:
        """Whether the loop that they belong to is closed, so that nobody there can wait."""
        return self._loop is not None and self._loop.is_closed()

    async def aclose(self) -> None:
        """Close the connections. Calls under way get `SessionClosedError`.

        Once the loop that they belong to is closed, any other may close them.

        Raises:
            WrongEventLoopError: In another loop, which cannot close these connections.
        """
        if self._closed:
            return
        loop = asyncio.get_running_loop()
        if self._loop is None or self._process != _THIS_PROCESS.id:
            # After a fork the connections are the other process's, and so is what watches them.
            self._closed = True
            return
        if self.is_orphaned:
            self.abandon()
            self._closed = True
            return
        self._refuse_other_loop(loop)
        self._closed = True
        self._ended.set()
        for timeout in tuple(self._running):
            timeout.reschedule(loop.time())
        try:
            await self._shared.aclose()
        finally:  # cancelled too, it leaves neither open
            await self._fresh.aclose()

    def abandon(self) -> bool:
        """Drop what is still open, when there is no loop left to close it in."""
        if not self.is_open or self._process != _THIS_PROCESS.id:
            return False
        # Not marked as closed: whether somebody closed them is asked once more, to warn.
        self._shared.abandon()
        self._fresh.abandon()
        return True

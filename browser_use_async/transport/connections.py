"""One request on the wire, in the event loop and the process that the connections belong to."""

import asyncio
import contextlib
import os
from collections.abc import Awaitable, Callable
from types import SimpleNamespace

import aiohttp
from multidict import CIMultiDict, istr
from yarl import URL

from browser_use_async import errors
from browser_use_async.api.endpoint_table import Effect
from browser_use_async.api.long_poll import CHANGES_HEADER
from browser_use_async.api.submission_key import KEY_HEADER
from browser_use_async.transport.config import USER_AGENT, Configuration
from browser_use_async.transport.connection_pool import (
    PAYING,
    TIMEOUT,
    ConnectionPool,
    PoolOptions,
    drop_connection,
)
from browser_use_async.transport.request import PreparedRequest, classify_reply
from browser_use_async.transport.response import (
    FAILURES,
    Outcome,
    Reply,
    classify_error,
    read_body,
)
from browser_use_async.transport.service import SubmissionKeys

# These are not sent again after a lost answer, so they use new connections, which are not dead. But
# if the service keeps submission keys, creating calls are sent again and may reuse connections.
_NEW_CONNECTION = frozenset({Effect.SWITCHES, Effect.CREATES})
LONG_POLL_MARGIN = 5.0  # seconds for the way of the answer to a long poll
FEW_CONNECTIONS = 10  # too few for a long poll to occupy one of them

# The id of this process, updated at each fork: calling `getpid` in each call would be slow.
_THIS_PROCESS = SimpleNamespace(id=os.getpid())
if hasattr(os, "register_at_fork"):  # else there is no fork, as on Windows
    os.register_at_fork(after_in_child=lambda: setattr(_THIS_PROCESS, "id", os.getpid()))


class Connections:
    """The connection pools of a session, and the timeout of each attempt."""

    def __init__(
        self,
        configuration: Configuration,
        options: PoolOptions,
        http: aiohttp.ClientSession | None,
        keys: SubmissionKeys,
    ) -> None:
        self._configuration = configuration
        self._options = options
        self._http = http
        self._keys = keys
        self.loop: asyncio.AbstractEventLoop | None = None  # their loop, from the first use on
        self._process = 0
        self._closed = False
        self._headers_by_kind: dict[tuple[bool, bool], CIMultiDict[str]] = {}
        self._shared: ConnectionPool
        self._paying: ConnectionPool
        self._keyed: ConnectionPool | None = None
        self._closing: asyncio.Event
        self._timeouts: set[asyncio.Timeout] = set()  # of the attempts in progress
        if http is not None:
            ConnectionPool.borrowed(http, options)  # refuses before anything is connected

    async def send(self, prepared: PreparedRequest) -> Outcome:
        """Send one request, once, and classify the result; raises if the session is closed."""
        pool = self._pool_of(prepared)
        # A pool that does not track this counts the request as sent.
        prepared.is_sent = not pool.tracks_sent
        # The timeout starts here; time spent queued in the rate limiter does not count.
        self._refuse_if_closed()
        try:
            async with asyncio.timeout(self._seconds_for(prepared)) as timeout:
                self._timeouts.add(timeout)
                try:
                    return await self._exchange(prepared, pool)
                finally:
                    self._timeouts.discard(timeout)
        except FAILURES as error:
            if not self._closed:
                return classify_error(error, sent=prepared.is_sent)
        except RuntimeError:
            # aiohttp raises this for a closed session, which its owner may have closed.
            if not pool.session.closed:
                raise
        self._refuse_if_closed()
        raise errors.SessionClosedError("the aiohttp session passed as http= is closed")

    def _pool_of(self, prepared: PreparedRequest) -> ConnectionPool:
        if prepared.endpoint.effect not in _NEW_CONNECTION:
            return self._shared
        if prepared.key is None or not self._keys.are_kept:
            return self._paying
        if self._keyed is None:
            self._keyed = ConnectionPool.paying(self._options, keeps=True)
        return self._keyed

    def _seconds_for(self, prepared: PreparedRequest) -> float:
        ordinary, wait = self._configuration.timeout, prepared.wait
        if wait is None or not wait.seconds:
            return ordinary
        return wait.seconds + min(ordinary, LONG_POLL_MARGIN)

    async def sleep(self, seconds: float) -> None:
        """Sleep between two attempts; closing the session ends it."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._closing.wait()

    async def _exchange(self, prepared: PreparedRequest, pool: ConnectionPool) -> Outcome:
        response = await self._request(prepared, pool)
        try:
            body = await read_body(response)
        except BaseException:
            # The connection has unread data, so it must not serve another call.
            response.close()
            raise
        outcome = classify_reply(prepared, Reply(response.status, response.headers, body))
        if outcome.path is not None:
            # It may be the answer to another request; then the next answers would be wrong, too.
            drop_connection(response)
        return outcome

    async def _request(
        self, prepared: PreparedRequest, pool: ConnectionPool
    ) -> aiohttp.ClientResponse:
        before = PAYING.set(prepared) if pool.tracks_sent else None
        try:
            return await pool.session.request(
                prepared.endpoint.method,
                # Already quoted: yarl would quote it differently.
                URL(self._configuration.base_url + prepared.target, encoded=True),
                data=None if prepared.body is None else prepared.body.content,
                headers=self._headers(prepared),
                allow_redirects=False,
                raise_for_status=False,
                auto_decompress=False,
                timeout=TIMEOUT,
                middlewares=pool.middlewares,
            )
        finally:
            if before is not None:
                PAYING.reset(before)

    async def read(
        self,
        prepared: PreparedRequest,
        seconds: float,
        consume: Callable[[aiohttp.ClientResponse, asyncio.Timeout], Awaitable[None]],
    ) -> Outcome | None:
        """Send a read once, and consume its answer in pieces; returns the outcome of a failure."""
        # The consumer may reschedule the timeout.
        self._refuse_if_closed()
        try:
            async with asyncio.timeout(seconds) as timeout:
                self._timeouts.add(timeout)
                try:
                    response = await self._request(prepared, self._shared)
                    try:
                        await consume(response, timeout)
                    finally:
                        # At the end of an answer the connection returns to its pool.
                        response.close()
                finally:
                    self._timeouts.discard(timeout)
        except FAILURES as error:
            self._refuse_if_closed()
            return classify_error(error, sent=True)
        return None

    def has_room_for_long_poll(self) -> bool:
        """Whether a long poll leaves enough connections for other calls."""
        connector = self._shared.session.connector
        limits = () if connector is None else (connector.limit, connector.limit_per_host)
        return all(limit == 0 or limit >= FEW_CONNECTIONS for limit in limits)

    def _headers(self, prepared: PreparedRequest) -> CIMultiDict[str]:
        kind = prepared.endpoint.authenticated, prepared.body is not None
        if kind not in self._headers_by_kind:
            self._headers_by_kind[kind] = self._make_headers(*kind)
        headers = self._headers_by_kind[kind]
        if prepared.wait is None and prepared.key is None:
            return headers
        own = headers.copy()
        if prepared.key is not None:
            own[KEY_HEADER] = prepared.key
        if prepared.wait is not None:
            own["Prefer"] = str(prepared.wait)
        if prepared.cursor is not None:
            own[CHANGES_HEADER] = prepared.cursor
            own["Accept-Encoding"] = "identity"  # a compressed stream arrives in whole blocks only
        return own

    def _make_headers(self, authenticated: bool, has_body: bool) -> CIMultiDict[str]:
        # `istr` names are lower-cased once and not for each request.
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

    def bind(self) -> asyncio.AbstractEventLoop:
        """Their loop; connects on first use, and refuses any other loop."""
        if self._closed:
            raise errors.SessionClosedError("the session is closed; create a new one")
        loop = asyncio.get_running_loop()
        if self.loop is None:
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
        if self.loop is not loop:
            raise errors.WrongEventLoopError(
                "the session belongs to another event loop than the one that uses it now; create "
                "one session for each event loop, or run everything in one asyncio.run()"
            )

    def _connect(self, loop: asyncio.AbstractEventLoop) -> None:
        self._shared = (
            ConnectionPool.shared(self._options)
            if self._http is None
            else ConnectionPool.borrowed(self._http, self._options)
        )
        self._paying = ConnectionPool.paying(self._options)
        self._closing = asyncio.Event()
        self.loop, self._process = loop, _THIS_PROCESS.id

    def _refuse_if_closed(self) -> None:
        if self._closed:
            raise errors.SessionClosedError(
                "the session was closed while the call was under way; the service may have carried "
                "it out"
            )

    @property
    def is_open(self) -> bool:
        """Whether there are connections to close."""
        return self.loop is not None and not self._closed

    @property
    def is_in_own_loop(self) -> bool:
        """Whether they belong to the running loop of this process, or to none yet."""
        if self.loop is None:
            return True
        return self.loop is asyncio.get_running_loop() and self._process == _THIS_PROCESS.id

    @property
    def is_loop_closed(self) -> bool:
        """Whether the loop that they belong to is closed, so that nothing can be awaited in it."""
        return self.loop is not None and self.loop.is_closed()

    async def aclose(self) -> None:
        """Close the connections; refuses any other loop than their own, unless that is closed."""
        if self._closed:
            return
        loop = asyncio.get_running_loop()
        # After a fork the connections and the loop belong to the parent process.
        if self.loop is None or self._process != _THIS_PROCESS.id or self.is_loop_closed:
            self.abandon()
            self._closed = True
            return
        self._refuse_other_loop(loop)
        self._closed = True
        self._closing.set()
        for timeout in tuple(self._timeouts):
            # Each attempt times out now, and finds the session closed. An attempt that has already
            # timed out ends by itself.
            if not timeout.expired():
                timeout.reschedule(loop.time())
        async with contextlib.AsyncExitStack() as closing:  # each, also when cancelled
            for pool in self._pools():
                closing.push_async_callback(pool.aclose)

    def abandon(self) -> bool:
        """Drop open connections without a loop to close them in; returns whether there were any."""
        if not self.is_open or self._process != _THIS_PROCESS.id:
            return False
        # Not set to closed: the session still warns that it was never closed.
        for pool in self._pools():
            pool.abandon()
        return True

    def _pools(self) -> list[ConnectionPool]:
        keyed = [] if self._keyed is None else [self._keyed]
        return [self._shared, self._paying, *keyed]

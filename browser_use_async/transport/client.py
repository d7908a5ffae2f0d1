"""One call from start to end: attempts, their outcomes, and the error or the answer."""

import asyncio
import contextlib
import logging
import os
import random
from collections.abc import Callable
from typing import Any, NoReturn

import aiohttp
from aiohttp.http import HttpProcessingError
from multidict import CIMultiDict
from yarl import URL

from browser_use_async import errors
from browser_use_async.contract.table import Effect, Endpoint
from browser_use_async.models import RetryScheduled, SessionEvent
from browser_use_async.transport.configuration import Configuration
from browser_use_async.transport.deadlines import Deadlines
from browser_use_async.transport.failures import error_of
from browser_use_async.transport.judging import (
    ConnectionLostError,
    judge_failure,
    judge_reply,
)
from browser_use_async.transport.lanes import (
    TIMEOUT,
    Lane,
    LaneOptions,
    SentMark,
    drop_connection,
)
from browser_use_async.transport.outcome import Outcome, OutcomeKind, Reply, may_try_again
from browser_use_async.transport.prepared import PreparedRequest, prepare
from browser_use_async.transport.reading import UnreadableBodyError, read_body
from browser_use_async.transport.retry import Retrying, RetryPolicy
from browser_use_async.transport.storage import Storage
from browser_use_async.transport.user_agent import user_agent

__all__ = ["Transport"]

_LOGGER = logging.getLogger("browser_use_async")
MAX_IN_FLIGHT = 100
_FAILURES = (
    aiohttp.ClientError,
    ConnectionLostError,
    HttpProcessingError,  # aiohttp without its C parser lets it out while a body is read
    UnreadableBodyError,
    TimeoutError,
    OSError,
)
_ONCE = RetryPolicy(max_attempts=1)
_OWN_LANE = frozenset({Effect.CREATES, Effect.PAYS})


class Transport:
    """Makes calls. Belongs to the event loop and the process in which it first does.

    Args:
        configuration: Where the API is.
        retry: How often and how fast failed calls are repeated.
        options: What the user passes through to aiohttp.
        http: The user's own session for reads and idempotent calls, or None.
        on_event: Told about retries; an exception of its own is logged and goes no further.
        draw: The source of chance for pauses.
    """

    def __init__(
        self,
        configuration: Configuration,
        *,
        retry: RetryPolicy,
        options: LaneOptions,
        http: aiohttp.ClientSession | None = None,
        on_event: Callable[[SessionEvent], None] | None = None,
        draw: random.Random | None = None,
    ) -> None:
        self.configuration = configuration
        self.retry = retry
        self.draw = draw if draw is not None else random.Random()  # noqa: S311 - jitter
        self.storage = Storage(configuration, options, self.bind, self._rest)
        self._options = options
        self._http = http
        self._on_event = on_event
        self._loop: asyncio.AbstractEventLoop | None = None
        self._process = 0
        self._closed = False
        self._shared: Lane
        self._fresh: Lane
        self._slots: asyncio.Semaphore
        self._ended: asyncio.Event
        self._deadlines: Deadlines
        if http is not None:
            Lane.borrowed(http, options)  # refuses before anything is connected

    # --- calls ----------------------------------------------------------------------------

    async def call(self, endpoint: Endpoint, request: Any = None, body: Any = None) -> Any:
        """Make a call, repeating it where that is safe, and give its typed answer.

        Args:
            endpoint: The row of the table.
            request: The path or query parameters.
            body: The body.

        Raises:
            BrowserUseError: The call did not succeed; which subclass says why.
        """
        return await self._answer(prepare(endpoint, request, body), self.retry)

    async def call_once(self, endpoint: Endpoint, request: Any = None, body: Any = None) -> Any:
        """Make a call in exactly one request, for callers that repeat in their own way.

        Args:
            endpoint: The row of the table.
            request: The path or query parameters.
            body: The body.

        Raises:
            BrowserUseError: The call did not succeed; which subclass says why.
        """
        return await self._answer(prepare(endpoint, request, body), _ONCE)

    async def _answer(self, prepared: PreparedRequest, retry: RetryPolicy) -> Any:
        outcome, attempts = await self.outcome_of(prepared, retry)
        if outcome.kind is OutcomeKind.ACCEPTED:
            return outcome.value
        # Raised here and not where it was caught: no frame or exception of aiohttp, which hold
        # the key and whole bodies, hangs on to it.
        raise self.error_of(prepared, outcome, attempts)

    def error_of(
        self, prepared: PreparedRequest, outcome: Outcome, attempts: int
    ) -> errors.BrowserUseError:
        """A fresh error for a call that did not succeed.

        Args:
            prepared: The request.
            outcome: What became of the last attempt.
            attempts: How many were made.
        """
        return error_of(prepared, outcome, attempts, self._hidden(prepared))

    async def outcome_of(
        self, prepared: PreparedRequest, retry: RetryPolicy | None = None
    ) -> tuple[Outcome, int]:
        """Make a call and say what became of it.

        Args:
            prepared: The request.
            retry: How often to repeat it; by default as the session does.

        Returns:
            The last outcome, and how many requests were made.
        """
        loop = self.bind()
        if prepared.endpoint.authenticated and self.configuration.api_key is None:
            raise errors.ConfigurationError(
                "no API key: pass api_key=, or set BROWSER_USE_API_KEY; nothing was sent. "
                "`browser-use-async serve` runs a server of your own and prints its key"
            )

        policy = self.retry if retry is None else retry
        first = await self._attempt(prepared, loop)
        effect = prepared.endpoint.effect
        if policy.max_attempts == 1 or not may_try_again(effect, first):
            return first, 1

        def tell(outcome: Outcome, failures: int, pause: float) -> None:
            self.emit(
                RetryScheduled(
                    prepared.endpoint.name, prepared.task_id, failures, pause, outcome.problem
                )
            )

        retrying = Retrying(policy, effect, self.draw, tell, self._rest)
        return await retrying.after(first, lambda: self._attempt(prepared, loop))

    async def _attempt(self, prepared: PreparedRequest, loop: asyncio.AbstractEventLoop) -> Outcome:
        """One request on the wire."""
        lane = self._fresh if prepared.endpoint.effect in _OWN_LANE else self._shared
        mark = SentMark() if lane.marks else None
        async with self._slots:
            # The clock starts when there is a slot: waiting for one is nobody's timeout.
            self._refuse_if_closed()
            limit = self._deadlines.start()
            try:
                async with limit:
                    return await self._exchange(prepared, lane, mark)
            except _FAILURES as error:
                if not self._closed:
                    return judge_failure(error, sent=mark is None or mark.sent)
            except RuntimeError:
                if not lane.session.closed:
                    raise
            finally:
                self._deadlines.forget(limit)
        self._refuse_if_closed()
        raise errors.SessionClosedError("the aiohttp session passed as http= is closed")

    async def _rest(self, seconds: float) -> None:
        """Sleep between two attempts, but not beyond the end of the session."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._ended.wait()

    async def _exchange(
        self, prepared: PreparedRequest, lane: Lane, mark: SentMark | None
    ) -> Outcome:
        response = await lane.session.request(
            prepared.endpoint.method,
            URL(self.configuration.base_url + prepared.target, encoded=True),
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
        outcome = judge_reply(prepared, Reply(response.status, response.headers, body))
        if outcome.path is not None:
            # Perhaps the answer to somebody else's question, and the next one would be as well.
            drop_connection(response)
        return outcome

    def _headers(self, prepared: PreparedRequest) -> CIMultiDict[str]:
        headers = CIMultiDict(
            {
                "Accept": "application/json",
                "Accept-Encoding": "gzip",
                "User-Agent": user_agent(),
            }
        )
        if prepared.body is not None:
            headers["Content-Type"] = "application/json"
        key = self.configuration.api_key
        if key is not None and prepared.endpoint.authenticated:
            headers["Authorization"] = f"Bearer {key.reveal()}"
        return headers

    def _hidden(self, prepared: PreparedRequest) -> tuple[str, ...]:
        key = self.configuration.api_key
        secrets = prepared.body.secrets if prepared.body is not None else None
        return (*(() if key is None else (key.reveal(),)), *(secrets or {}).values())

    # --- life -----------------------------------------------------------------------------

    def bind(self) -> asyncio.AbstractEventLoop:
        """The loop that this transport belongs to; connects on first use.

        Raises:
            SessionClosedError: After `aclose()`.
            WrongEventLoopError: In another loop, or in a forked process.
        """
        if self._closed:
            raise errors.SessionClosedError("the session is closed; create a new one")
        loop = asyncio.get_running_loop()
        if self._loop is None:
            self._connect(loop)
        elif self._process != os.getpid():
            raise errors.WrongEventLoopError(
                f"the session was used in process {self._process} before the fork; "
                f"create a new one in process {os.getpid()}"
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
        self._slots = asyncio.Semaphore(MAX_IN_FLIGHT)
        self._ended = asyncio.Event()
        self._deadlines = Deadlines(loop, self.configuration.timeout)
        self._loop, self._process = loop, os.getpid()

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

    def emit(self, event: SessionEvent) -> None:
        """Tell the user's callback; an exception of its own is logged and goes no further.

        Args:
            event: What happened.
        """
        if self._on_event is None:
            return
        try:
            self._on_event(event)
        except Exception:
            _LOGGER.exception("on_event raised")

    async def aclose(self) -> None:
        """Close the connections. Calls under way get `SessionClosedError`.

        Raises:
            WrongEventLoopError: In another loop, which cannot close these connections.
        """
        if self._closed:
            return
        loop = asyncio.get_running_loop()
        if self._loop is None or self._process != os.getpid():
            # After a fork the connections are the other process's, and so is what watches them.
            self._closed = True
            return
        self._refuse_other_loop(loop)
        self._closed = True
        self._ended.set()
        self._deadlines.end_all()
        await self._shared.aclose()
        await self._fresh.aclose()
        await self.storage.aclose()

    def __del__(self) -> None:
        # The session has warned already; three more warnings of aiohttp would hide that one.
        connected = getattr(self, "_loop", None) is not None
        if connected and not self._closed and self._process == os.getpid():
            self._shared.abandon()
            self._fresh.abandon()
            self.storage.abandon()

    def __reduce__(self) -> NoReturn:
        raise TypeError("a session is not pickled; create one in the other process")

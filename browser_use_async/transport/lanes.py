"""The aiohttp sessions behind a transport: shared, for calls that cost money, for storage."""

import asyncio
import re
from collections.abc import Callable, Sequence
from ssl import SSLContext
from types import SimpleNamespace

import aiohttp
from aiohttp import ClientHandlerType, ClientMiddlewareType, ClientRequest, ClientResponse

from browser_use_async.errors import ConfigurationError
from browser_use_async.transport.closed_loops import close_at_once
from browser_use_async.transport.response import ConnectionLostError
from browser_use_async.transport.surroundings import MakeConnector

__all__ = ["TIMEOUT", "Lane", "LaneOptions", "SentMark", "drop_connection"]

CONNECT_SECONDS = 10.0
# Without a total: aiohttp's own can swallow a deadline that stands around it.
TIMEOUT = aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_SECONDS)
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
KEEP_ALIVE_SECONDS = 75.0  # above every sensible poll interval: a new TLS connection costs 7x


class SentMark:
    """Set just before the first byte of a request leaves this machine."""

    __slots__ = ("_on_sent", "sent")

    def __init__(self, on_sent: Callable[[], None] | None = None) -> None:
        self._on_sent = on_sent
        self.sent = False

    def set(self) -> None:
        """Take note that it leaves."""
        self.sent = True
        if self._on_sent is not None:
            self._on_sent()


# The sessions that are ours and open. What dies together has its __del__ called in any order, and
# aiohttp's would complain before ours had closed them; so they live until it has.
_OPEN: set[aiohttp.ClientSession] = set()


async def _no_hidden_retry(request: ClientRequest, handler: ClientHandlerType) -> ClientResponse:
    """Keep one attempt one request: aiohttp silently sends GET, PUT and DELETE twice."""
    try:
        return await handler(request)
    except (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError) as error:
        raise ConnectionLostError(error) from None


async def _mark_sent(
    _session: aiohttp.ClientSession,
    context: SimpleNamespace,
    _parameters: aiohttp.TraceRequestHeadersSentParams,
) -> None:
    mark = context.trace_request_ctx
    if isinstance(mark, SentMark):
        mark.set()


def _sent_trace() -> aiohttp.TraceConfig:
    trace = aiohttp.TraceConfig()
    trace.on_request_headers_sent.append(_mark_sent)
    return trace


def drop_connection(response: ClientResponse) -> None:
    """Close the connection that an answer came over, so that it is not used again."""
    # The pool has the connection back already, and aiohttp no public name for it.
    protocol = getattr(response.content, "_protocol", None)
    if protocol is not None:
        protocol.close()


def _refuse_a_switch(value: object) -> None:
    """Refuse aiohttp's `ssl=False`, with which it checks no certificate."""
    if value is not None and not isinstance(value, SSLContext):
        raise ConfigurationError(
            "ssl must be an ssl.SSLContext, such as ssl.create_default_context(cafile=...), "
            f"not {type(value).__name__}: certificates are always checked"
        )


class LaneOptions:
    """What the user passes through to aiohttp.

    Raises:
        ConfigurationError: `ssl` is no context.
    """

    __slots__ = ("connector", "middlewares", "proxy", "ssl", "trace_configs")

    def __init__(
        self,
        proxy: str | None = None,
        ssl: SSLContext | None = None,
        trace_configs: Sequence[aiohttp.TraceConfig] = (),
        middlewares: Sequence[ClientMiddlewareType] = (),
        connector: MakeConnector = aiohttp.TCPConnector,
    ) -> None:
        _refuse_a_switch(ssl)
        self.proxy = proxy
        self.ssl = ssl
        self.trace_configs = trace_configs
        self.middlewares = middlewares
        self.connector = connector


class Lane:
    """One aiohttp session and how it is used."""

    __slots__ = ("_loop", "marks", "middlewares", "owned", "session")

    def __init__(
        self,
        session: aiohttp.ClientSession,
        middlewares: tuple[ClientMiddlewareType, ...],
        *,
        marks: bool,
        owned: bool,
    ) -> None:
        self._loop = asyncio.get_running_loop() if owned else None
        self.session = session
        self.middlewares = middlewares
        self.marks = marks
        self.owned = owned

    @classmethod
    def shared(cls, options: LaneOptions) -> "Lane":
        """The lane of reads and idempotent calls: pooled connections."""
        connector = options.connector(
            limit=0,  # the transport bounds calls in flight; a second queue would eat timeouts
            keepalive_timeout=KEEP_ALIVE_SECONDS,
            ssl=True if options.ssl is None else options.ssl,
        )
        return cls._of(connector, options, list(options.trace_configs), marks=False)

    @classmethod
    def paying(cls, options: LaneOptions) -> "Lane":
        """The lane of calls that create or cost something: a fresh connection for each.

        A pooled connection can be dead without our knowing, or hold an answer that was meant for
        somebody else.
        """
        connector = options.connector(
            limit=0,
            force_close=True,
            ssl=True if options.ssl is None else options.ssl,
        )
        traces = [_sent_trace(), *options.trace_configs]
        return cls._of(connector, options, traces, marks=True)

    @classmethod
    def storage(cls, options: LaneOptions) -> "Lane":
        """The lane of signed URLs: pooled connections, and nothing of the user's but the route.

        A signed URL grants access by itself, so middlewares and traces, which were written for
        the API and may add credentials or keep records, never see one.
        """
        connector = options.connector(
            limit=0,
            ssl=True if options.ssl is None else options.ssl,
        )
        bare = LaneOptions(proxy=options.proxy, ssl=options.ssl, connector=options.connector)
        return cls._of(connector, bare, [], marks=False)

    @classmethod
    def _of(
        cls,
        connector: aiohttp.BaseConnector,
        options: LaneOptions,
        traces: list[aiohttp.TraceConfig],
        *,
        marks: bool,
    ) -> "Lane":
        session = aiohttp.ClientSession(
            connector=connector,
            cookie_jar=aiohttp.DummyCookieJar(),
            trust_env=False,
            timeout=TIMEOUT,
            auto_decompress=False,
            proxy=options.proxy,
            trace_configs=traces,
        )
        _OPEN.add(session)
        return cls(session, (_no_hidden_retry, *options.middlewares), marks=marks, owned=True)

    @classmethod
    def borrowed(cls, session: aiohttp.ClientSession, options: LaneOptions) -> "Lane":
        """The user's own session, for reads and idempotent calls.

        Raises:
            ConfigurationError: The session would send credentials or a host of its own.
        """
        if session.trust_env:
            raise ConfigurationError(
                "http= has trust_env=True, which sends the key to proxies, and credentials from "
                "netrc to hosts, that this package does not know; create it with trust_env=False"
            )
        if session.auth is not None:
            raise ConfigurationError(
                "http= has auth=, which takes the place of the API key; create it without"
            )
        for name, value in session.headers.items():
            if name.lower() == "host" or _CONTROL.search(name + value):
                raise ConfigurationError(
                    "http= has a default header Host, or one with a line break or another control "
                    "character in it; create it without"
                )
        # A per-request list replaces the session's own, for which aiohttp has no public name.
        own: Sequence[ClientMiddlewareType] = getattr(session, "_middlewares", ())
        return cls(
            session,
            (_no_hidden_retry, *options.middlewares, *own),
            marks=False,
            owned=False,
        )

    async def aclose(self) -> None:
        """Close the session if it is ours."""
        if self.owned:
            _OPEN.discard(self.session)
            await self.session.close()

    def abandon(self) -> None:
        """Close the session, if it is ours, without waiting, and without a word from aiohttp.

        This works in any loop, in none, and after the session's own loop was closed.
        """
        connector = self.session.connector
        if self._loop is not None and connector is not None:
            _OPEN.discard(self.session)
            self.session.detach()
            close_at_once(connector, self._loop)

"""Connection pools: aiohttp sessions for reads, for calls that cost money, and for storage."""

import re
from collections.abc import Sequence
from contextvars import ContextVar
from ssl import SSLContext
from typing import Any, cast

import aiohttp
import attrs
from aiohttp import ClientMiddlewareType, ClientResponse
from aiohttp.connector import Connection

from browser_use_async.errors import ConfigurationError
from browser_use_async.transport.config import MakeConnector
from browser_use_async.transport.request import PreparedRequest
from browser_use_async.transport.response import no_hidden_retry

CONNECT_SECONDS = 10.0
# Without a total: aiohttp's own can swallow a deadline that stands around it.
TIMEOUT = aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_SECONDS)
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
KEEP_ALIVE_SECONDS = 75.0  # above every sensible poll interval: a new TLS connection costs 7x


# The open sessions that we own. Objects that are collected together have __del__ called in any
# order, and aiohttp's would warn before ours had closed the session, so they are kept alive here.
_OPEN: set[aiohttp.ClientSession] = set()


# The paying call that the running code makes.
PAYING: ContextVar[PreparedRequest | None] = ContextVar("browser_use_async.paying", default=None)


class _PayingRequest(aiohttp.ClientRequest):
    """A request that reports when its first byte is about to be written."""

    # A trace would do the same at a fourth of the cost of a call: with one, aiohttp makes an object
    # for each of nine moments. What a middleware sends over the same session counts as well, so
    # that a call is rather searched for in vain.

    async def send(self, conn: Connection) -> ClientResponse:
        prepared, transport = PAYING.get(), conn.transport
        # To a transport that closes aiohttp writes nothing.
        if prepared is not None and transport is not None and not transport.is_closing():
            prepared.is_sent = True
            if prepared.submitting is not None:
                prepared.submitting.on_sent()
        return await super().send(conn)


def drop_connection(response: ClientResponse) -> None:
    """Close the connection that an answer came over, so that it is not used again."""
    # The pool has the connection back already, and aiohttp no public name for it.
    protocol = getattr(response.content, "_protocol", None)
    if protocol is not None:
        protocol.close()


@attrs.frozen(eq=False, repr=False)
class PoolOptions:
    """What the user passes through to aiohttp; raises if `ssl` is no context."""

    proxy: str | None = None
    ssl: SSLContext | None = None
    trace_configs: Sequence[aiohttp.TraceConfig] = ()
    middlewares: Sequence[ClientMiddlewareType] = ()
    make_connector: MakeConnector = attrs.field(default=aiohttp.TCPConnector, alias="connector")

    def __attrs_post_init__(self) -> None:
        # aiohttp takes `False` too, with which it checks no certificate.
        given = cast("object", self.ssl)
        if given is not None and not isinstance(given, SSLContext):
            raise ConfigurationError(
                "ssl must be an ssl.SSLContext, such as ssl.create_default_context(cafile=...), "
                f"not {type(given).__name__}: certificates are always checked"
            )
        if isinstance(self.proxy, str) and not self.proxy.startswith(("http://", "https://")):
            raise ConfigurationError(
                "proxy must be the URL of an HTTP proxy, such as http://proxy.example:3128"
            )

    def connector(self, **settings: Any) -> aiohttp.BaseConnector:
        """A new connector, with the user's certificates."""
        # The rate limiter bounds calls in flight; time in a second queue would count as
        # time of the attempt.
        return self.make_connector(limit=0, ssl=self.ssl or True, **settings)


@attrs.frozen(eq=False, repr=False)
class ConnectionPool:
    """One aiohttp session, its connections and its middlewares."""

    session: aiohttp.ClientSession
    middlewares: tuple[ClientMiddlewareType, ...]
    tracks_sent: bool = False  # whether requests report that their first byte is written
    is_own: bool = False  # whether the session was made here, and not by the user

    @classmethod
    def shared(cls, options: PoolOptions) -> "ConnectionPool":
        """For reads and idempotent calls: connections are kept and used again."""
        return cls._of(options.connector(keepalive_timeout=KEEP_ALIVE_SECONDS), options)

    @classmethod
    def paying(cls, options: PoolOptions, *, keeps: bool = False) -> "ConnectionPool":
        """For calls that create or cost something: a new connection for each, or kept ones."""
        # A kept connection may be dead already, or still hold the answer to an earlier request.
        connector = (
            options.connector(keepalive_timeout=KEEP_ALIVE_SECONDS)
            if keeps
            else options.connector(force_close=True)
        )
        return cls._of(connector, options, request=_PayingRequest)

    @classmethod
    def storage(cls, options: PoolOptions) -> "ConnectionPool":
        """For signed URLs: connections are kept, and only `proxy` and `ssl` are the user's."""
        # A signed URL grants access by itself, so middlewares and traces, which were written for
        # the API and may add credentials or keep records, never see one.
        return cls._of(options.connector(), attrs.evolve(options, middlewares=(), trace_configs=()))

    @classmethod
    def _of(
        cls,
        connector: aiohttp.BaseConnector,
        options: PoolOptions,
        *,
        request: type[aiohttp.ClientRequest] = aiohttp.ClientRequest,
    ) -> "ConnectionPool":
        session = aiohttp.ClientSession(
            connector=connector,
            # What a server sets is never sent back; proxies and netrc of the environment are
            # ignored.
            cookie_jar=aiohttp.DummyCookieJar(),
            trust_env=False,
            timeout=TIMEOUT,
            auto_decompress=False,
            proxy=options.proxy,
            trace_configs=list(options.trace_configs),
            request_class=request,
        )
        _OPEN.add(session)
        # Outermost, so that the user's middlewares see aiohttp's own exceptions.
        middlewares = no_hidden_retry, *options.middlewares
        return cls(session, middlewares, request is _PayingRequest, is_own=True)

    @classmethod
    def borrowed(cls, session: aiohttp.ClientSession, options: PoolOptions) -> "ConnectionPool":
        """The user's own session; raises if it would send credentials or a host of its own."""
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
        return cls(session, (no_hidden_retry, *options.middlewares, *own))

    async def aclose(self) -> None:
        """Close the session if we own it."""
        if self.is_own:
            _OPEN.discard(self.session)
            await self.session.close()

    def abandon(self) -> None:
        """Close an own session without waiting, in any loop and in none.

        Where its own loop is closed, Python warns of each connection and closes it when it is
        collected.
        """
        connector = self.session.connector
        if self.is_own and connector is not None:
            _OPEN.discard(self.session)
            # Without its connector it counts as closed, and warns of nothing when it is collected.
            self.session.detach()
            closing = connector.close().__await__()
            next(closing, None)  # one step does everything but to wait for the peers
            closing.close()

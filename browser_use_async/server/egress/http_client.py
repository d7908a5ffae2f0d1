"""The HTTP client of the server: one request, one bounded response, no redirects, no cookies.

Where requests may go is up to an egress policy, which judges the address that is connected to.
Redirects and retries are up to the caller; each hop is a request that is judged anew.
"""

import asyncio
import contextlib
import zlib
from collections.abc import Awaitable, Callable, Mapping
from functools import partial

import aiohttp
import attrs
from aiohttp import ClientHandlerType, ClientRequest, ClientResponse
from multidict import CIMultiDict, CIMultiDictProxy
from yarl import URL

from browser_use_async.server.egress.policy import Destination, EgressPolicy, Refusal
from browser_use_async.server.egress.resolver import (
    EgressRefusedError,
    JudgingResolver,
    NameLookups,
    UnknownHostError,
    is_public,
)

# The most bytes of a response body, before and after decompression.
MAX_BODY = 5 * 1024 * 1024

CONNECT_SECONDS = 10.0
SILENCE_SECONDS = 10.0
EXCHANGE_SECONDS = 30.0
USER_AGENT = "browser-use-async-server"

_BEGINNING_SECONDS = 2.0  # for the beginning of an optional body


class HttpClientError(Exception):
    """A request without a usable response; the text is a clause for a message."""


@attrs.frozen
class HttpResponse:
    """The response of another server."""

    url: str  # the requested address
    status: int  # the HTTP status
    reason: str  # the reason phrase
    # The headers; there may be several of one name
    headers: CIMultiDictProxy[str] = attrs.field(repr=False)
    body: bytes = attrs.field(repr=False)  # the decompressed body
    is_public: bool = True  # whether it came from a public host


class HttpRefusedError(HttpClientError):
    """The policy does not allow the request.

    Attributes:
        refusal: What was refused, and why.
    """

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(f"{refusal}")
        self.refusal = refusal


class HttpClient:
    """Sends requests with limits of time and size, to addresses that a policy allows.

    Each has a connection of its own, to an address that was judged. One client is for one task: the
    names of others do not hold up its look-ups. It needs no closing.
    """

    def __init__(
        self,
        policy: EgressPolicy,
        *,
        connect: float = CONNECT_SECONDS,
        silence: float = SILENCE_SECONDS,
        exchange: float = EXCHANGE_SECONDS,
    ) -> None:
        # Never `total=`: two timers that fire in one turn of the loop can swallow a deadline of
        # the caller. `asyncio.timeout` bounds the whole exchange instead.
        self._timeout = aiohttp.ClientTimeout(total=None, sock_connect=connect, sock_read=silence)
        self._exchange = exchange
        self._policy = policy
        self._lookups = NameLookups()

    async def send(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
        limit: int = MAX_BODY,
        from_public: bool = False,
        whole: bool = True,
    ) -> HttpResponse:
        """Send one request, once.

        With `from_public` the address came out of a page of a public host, which must not lead to
        private ones. Without `whole` the head is the answer, whatever becomes of the body: up to
        `limit` bytes of its beginning are given.

        Raises:
            HttpRefusedError: The policy does not allow it.
            HttpClientError: There is no usable answer.
        """
        target = _checked(url)
        policy = self._policy.after_public() if from_public else self._policy
        resolver = JudgingResolver(policy, self._lookups)
        try:
            async with asyncio.timeout(self._exchange):
                addresses = await resolver.judge(Destination.of(target))
                async with self._session(resolver) as session:
                    read = partial(_read if whole else _read_beginning, limit=limit)
                    answer = await _exchange(session, method, target, headers or {}, body, read)
        except TimeoutError:
            raise HttpClientError("it did not answer in time") from None
        except EgressRefusedError as error:
            raise HttpRefusedError(error.refusal) from None
        except UnknownHostError as error:
            raise HttpClientError(str(error)) from None
        except aiohttp.ClientError as error:
            raise HttpClientError(_explained(error, target)) from error
        except UnicodeError:  # a host name without a valid IDNA form
            raise HttpClientError("that is not a valid address") from None
        return attrs.evolve(answer, is_public=is_public(addresses))

    def _session(self, resolver: JudgingResolver) -> aiohttp.ClientSession:
        return aiohttp.ClientSession(
            # No pooled connections: one may be dead, and no request is sent twice.
            connector=aiohttp.TCPConnector(
                resolver=resolver, use_dns_cache=False, force_close=True
            ),
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=self._timeout,
            trust_env=False,
            auto_decompress=False,
            middlewares=(_no_second_attempt,),
        )


async def _exchange(
    session: aiohttp.ClientSession,
    method: str,
    url: URL,
    headers: Mapping[str, str],
    body: bytes | None,
    read: Callable[[ClientResponse], Awaitable[bytes]],
) -> HttpResponse:
    sent = CIMultiDict({"User-Agent": USER_AGENT, "Accept-Encoding": "gzip"})
    # Headers of the caller replace the defaults.
    sent.update(headers)
    async with session.request(
        method, url, headers=sent, data=body, allow_redirects=False
    ) as response:
        plain = await read(response)
    return HttpResponse(str(url), response.status, response.reason or "", response.headers, plain)


async def _no_second_attempt(request: ClientRequest, handler: ClientHandlerType) -> ClientResponse:
    # aiohttp repeats some requests by itself when a connection breaks. An exception of another
    # class prevents that.
    try:
        return await handler(request)
    except aiohttp.ClientConnectorError:
        raise
    except (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError) as error:
        raise HttpClientError("the connection broke off before an answer came") from error


def _checked(url: str) -> URL:
    try:
        target = URL(url)
    except ValueError:
        raise HttpClientError("that is not a valid address") from None
    if target.scheme not in {"http", "https"} or not target.host:
        raise HttpClientError("only http and https addresses can be opened")
    if target.user is not None or target.password is not None:
        raise HttpClientError("addresses with a user name or password are not opened")
    return target.with_fragment(None)


def _explained(error: aiohttp.ClientError, url: URL) -> str:
    if isinstance(error, aiohttp.ClientSSLError):
        return "its certificate is not trusted, or it does not speak TLS"
    if isinstance(error, aiohttp.ClientConnectorError):
        return f"nothing answers at {url.host}:{url.port}"
    if isinstance(error, aiohttp.ClientPayloadError):
        return "its answer broke off"
    return "its answer is not proper HTTP"


async def _read(response: ClientResponse, limit: int) -> bytes:
    too_large = f"it is larger than {limit:,} bytes"
    if (response.content_length or 0) > limit:
        raise HttpClientError(too_large)
    body = bytearray()
    while chunk := await response.content.readany():
        body += chunk
        # Counted as well: Content-Length may be missing.
        if len(body) > limit:
            raise HttpClientError(too_large)
    encoding = response.headers.get("Content-Encoding", "identity").strip().lower()
    if not body or encoding in {"", "identity"}:
        return bytes(body)
    if encoding != "gzip":
        raise HttpClientError("it came in an encoding that was not asked for")
    return await asyncio.to_thread(_gunzip, bytes(body), limit, too_large)


async def _read_beginning(response: ClientResponse, limit: int) -> bytes:
    body = bytearray()
    with contextlib.suppress(aiohttp.ClientError, TimeoutError):
        async with asyncio.timeout(_BEGINNING_SECONDS):
            while len(body) < limit and (chunk := await response.content.readany()):
                body += chunk
    if response.headers.get("Content-Encoding", "").strip().lower() == "gzip":
        with contextlib.suppress(zlib.error):
            return zlib.decompressobj(wbits=31).decompress(body, limit)
    return bytes(body[:limit])


def _gunzip(body: bytes, limit: int, too_large: str) -> bytes:
    decompressor = zlib.decompressobj(wbits=31)
    try:
        # The limit bounds the output too: a few kilobytes can expand to gigabytes.
        plain = decompressor.decompress(body, limit)
    except zlib.error:
        raise HttpClientError("its compressed answer is damaged") from None
    if decompressor.unconsumed_tail:
        raise HttpClientError(too_large)
    if not decompressor.eof:
        raise HttpClientError("its compressed answer broke off")
    return plain

"""The HTTP client of the server: one request, one bounded response, no redirects, no cookies.

Redirects and retries are up to the caller, who checks each address again.
"""

import asyncio
import zlib
from collections.abc import Mapping

import aiohttp
import attrs
from aiohttp import ClientHandlerType, ClientRequest, ClientResponse
from multidict import CIMultiDict, CIMultiDictProxy
from yarl import URL

MAX_BODY = 5 * 1024 * 1024
"""The most bytes of a response body, before and after decompression."""

CONNECT_SECONDS = 10.0
SILENCE_SECONDS = 10.0
EXCHANGE_SECONDS = 30.0
USER_AGENT = "browser-use-async-server"


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


class HttpClient:
    """Sends requests that are bounded in time and size.

    Connects lazily, in the event loop that sends the first request.
    """

    def __init__(
        self,
        *,
        connect: float = CONNECT_SECONDS,
        silence: float = SILENCE_SECONDS,
        exchange: float = EXCHANGE_SECONDS,
    ) -> None:
        # Never `total=`: two timers that fire in one turn of the loop can swallow a deadline of
        # the caller. `asyncio.timeout` bounds the whole exchange instead.
        self._timeout = aiohttp.ClientTimeout(total=None, sock_connect=connect, sock_read=silence)
        self._exchange = exchange
        self._session: aiohttp.ClientSession | None = None

    async def send(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
        limit: int = MAX_BODY,
    ) -> HttpResponse:
        """Send one request, once.

        Raises:
            HttpClientError: There is no usable answer.
        """
        target = _checked(url)
        try:
            async with asyncio.timeout(self._exchange):
                return await self._exchange_once(method, target, headers or {}, body, limit)
        except TimeoutError:
            raise HttpClientError("it did not answer in time") from None
        except aiohttp.ClientError as error:
            raise HttpClientError(_explained(error, target)) from error
        except UnicodeError:  # a host name without a valid IDNA form
            raise HttpClientError("that is not a valid address") from None

    async def aclose(self) -> None:
        """Close the connections. The next request would open new ones."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def _exchange_once(
        self, method: str, url: URL, headers: Mapping[str, str], body: bytes | None, limit: int
    ) -> HttpResponse:
        sent = CIMultiDict({"User-Agent": USER_AGENT, "Accept-Encoding": "gzip"})
        # Headers of the caller replace the defaults.
        sent.update(headers)
        async with self._opened().request(
            method, url, headers=sent, data=body, allow_redirects=False
        ) as response:
            plain = await _read(response, limit)
        return HttpResponse(
            str(url), response.status, response.reason or "", response.headers, plain
        )

    def _opened(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = aiohttp.ClientSession(
                # A pooled connection may be dead, and no request is sent a second time.
                connector=aiohttp.TCPConnector(force_close=True),
                cookie_jar=aiohttp.DummyCookieJar(),
                timeout=self._timeout,
                trust_env=False,
                auto_decompress=False,
                middlewares=(_no_second_attempt,),
            )
        return self._session


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
    if isinstance(error, aiohttp.ClientConnectorDNSError):
        return f"the host name {url.host} is not known"
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
    return _gunzip(bytes(body), limit, too_large)


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

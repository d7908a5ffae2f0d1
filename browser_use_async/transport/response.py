"""The outcome of one attempt: accepted, not sent, rejected or ambiguous."""

# This module classifies exceptions, statuses and bodies, and reads bodies without trusting them:
# their size is limited, and a cut body is an error. aiohttp is not asked to decompress: it returns
# half of a compressed stream as if it were whole, and expands 300 kB to 300 MB.

import ssl
import zlib
from collections.abc import Mapping
from enum import StrEnum
from typing import Any

import aiohttp
import attrs
from aiohttp import ClientHandlerType, ClientRequest, ClientResponse
from aiohttp.http import HttpProcessingError

from browser_use_async import errors
from browser_use_async.api.submission_key import SUPPORTED_HEADER, TRUE
from browser_use_async.system import no_connection

MAX_BODY = 32 * 1024 * 1024  # bytes of a JSON body, before and after decompression
UNMEASURED = 2 * 1024 * 1024  # bytes decompressed at once; a larger body is measured first
PIECE = 256 * 1024  # bytes in memory while a body is measured


class UnreadableBodyError(Exception):
    """A body that is too large, truncated or of an encoding that was not asked for."""


class OutcomeKind(StrEnum):
    """Whether the service carried the request out."""

    ACCEPTED = "accepted"
    NOT_SENT = "not sent"  # provably, so it had no effect
    REJECTED = "rejected"  # the service refused before doing anything
    AMBIGUOUS = "ambiguous"  # it may or may not have happened


# Not frozen: that would double the cost of creating one, and each attempt creates one.
@attrs.define
class Reply:
    """A whole response."""

    status: int  # the HTTP status
    headers: Mapping[str, str] = attrs.field(repr=False)  # its headers, case-insensitive
    body: bytes = attrs.field(repr=lambda body: f"<{len(body)} bytes>")  # the decoded body


@attrs.define  # not frozen, for the same reason
class Outcome:
    """The classified result of one attempt."""

    kind: OutcomeKind
    value: Any = attrs.field(default=None, repr=False)  # the decoded answer of an accepted attempt
    reply: Reply | None = None  # the whole reply, if there was one
    problem: str = ""  # what went wrong, without secrets and URL queries
    path: str | None = None  # where in the JSON the answer was wrong, if that was the problem
    timed_out: bool = False  # whether a timeout was the problem
    transient: bool = True  # whether the same attempt may succeed a moment later
    pause_left: float | None = None  # seconds of a pause, if nothing was sent because of it
    doubted: bool = False  # whether an earlier attempt of the same call may have been carried out
    repeated: bool = False  # whether the previous attempt had the same wrong answer

    @property
    def status(self) -> int | None:
        """The HTTP status, if a whole reply came back."""
        return None if self.reply is None else self.reply.status


# Statuses of a service that did nothing, provided that it validates and limits before it creates.
# 301, 307 and 308 ask for the same request at another address. 302, 303 and 304 are not here: a 303
# answers a POST that was carried out, and many frameworks send 302 in its place. 521-523, 525 and
# 526 come from an edge that reached no origin.
_REJECTED = frozenset(
    {301, 307, 308}
    | {400, 401, 402, 403, 404, 405, 411, 413, 414, 415, 422, 429, 501, 505}
    | {521, 522, 523, 525, 526}
)
TRANSIENT_STATUSES = frozenset({408, 425, 429, 500, 502, 503, 504, *range(520, 531)})


_TRANSIENT_ERRORS = (
    errors.APIConnectionError,
    errors.InternalServerError,
    errors.RateLimitError,
    errors.ResponseDecodeError,
    errors.ConflictError,
)


def is_transient(error: BaseException) -> bool:
    """Whether a poll that failed with this error may succeed later."""
    if isinstance(error, errors.APIStatusError) and (
        error.status in TRANSIENT_STATUSES or is_redirect(error.status)
    ):
        return True
    return isinstance(error, _TRANSIENT_ERRORS)


def is_redirect(status: int) -> bool:
    """Whether a status names another address. For a read it is no answer of the service."""
    return 300 <= status < 400


def kind_of_status(status: int) -> OutcomeKind:
    """The kind of an outcome by its status alone."""
    if 200 <= status < 300:
        return OutcomeKind.ACCEPTED
    if status in _REJECTED:
        return OutcomeKind.REJECTED
    return OutcomeKind.AMBIGUOUS


def says_no_free_slot(reply: Reply) -> bool:
    """Whether a 429 says that too many tasks run at once, not that calls come too fast."""
    return reply.status == 429 and b"too many concurrent" in reply.body[:4096].lower()


# --- from exceptions and replies to outcomes ----------------------------------------------------


class ConnectionLostError(Exception):
    """Wraps aiohttp's connection error so that aiohttp's automatic retry does not catch it."""

    def __init__(self, error: aiohttp.ClientError) -> None:
        super().__init__()
        self.error = error


async def no_hidden_retry(request: ClientRequest, handler: ClientHandlerType) -> ClientResponse:
    """Prevent aiohttp from silently sending GET, PUT and DELETE twice."""
    try:
        return await handler(request)
    except (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError) as error:
        raise ConnectionLostError(error) from None


def classify_error(error: BaseException, *, sent: bool) -> Outcome:
    """The outcome of an attempt without a whole reply."""
    if isinstance(error, ConnectionLostError):
        error = error.error
    not_sent = _why_not_sent(error, sent=sent)
    if not_sent is not None:
        return not_sent
    for kind, problem in _AMBIGUOUS:
        if isinstance(error, kind):
            return _ambiguous(problem or str(error), timed_out=kind is TimeoutError)
    return _ambiguous("the connection broke")


def _why_not_sent(error: BaseException, *, sent: bool) -> Outcome | None:
    """The outcome of a request that provably never left, or None if it may have."""
    match error:
        case aiohttp.ClientConnectorCertificateError():
            return _not_sent(f"the certificate of {error.host} is not trusted", transient=False)
        case aiohttp.ServerFingerprintMismatch():
            return _not_sent("the server's certificate has another fingerprint", transient=False)
        case aiohttp.ClientHttpProxyError():
            text = f"the proxy refused with status {error.status}"
            return _not_sent(text, transient=error.status >= 500)
        case aiohttp.ClientConnectorDNSError():
            return _not_sent(f"the name {error.host} could not be resolved")
        case aiohttp.ClientConnectorError(os_error=ssl.SSLError(reason=reason)) if (
            reason in _PLAIN_HTTP
        ):
            text = f"{error.host}:{error.port} speaks http and not https; write http:// in its URL"
            return _not_sent(text, transient=False)
        case aiohttp.ClientConnectorError():
            return _not_sent(no_connection(f"{error.host}:{error.port}", error.os_error))
        case aiohttp.ConnectionTimeoutError():
            return _not_sent("connecting took too long", timed_out=True)
        case TimeoutError() if not sent:
            return _not_sent("the time was up before the request was sent", timed_out=True)
        case _:
            return None


# What OpenSSL says of an answer that is no TLS.
_PLAIN_HTTP = frozenset({"WRONG_VERSION_NUMBER", "PACKET_LENGTH_TOO_LONG", "RECORD_LAYER_FAILURE"})


# Most special first: aiohttp's exceptions inherit from one another.
_AMBIGUOUS: tuple[tuple[type[BaseException], str], ...] = (
    (TimeoutError, "no answer came in time"),
    (UnreadableBodyError, ""),
    (aiohttp.ServerDisconnectedError, "the server closed the connection without an answer"),
    (aiohttp.ClientPayloadError, "the answer broke off in the middle"),
    # aiohttp gives unreadable replies the status 400, as if the server had refused.
    (aiohttp.ClientResponseError, "the answer is not well-formed HTTP"),
    (HttpProcessingError, "the answer is not well-formed HTTP"),
)


def _not_sent(problem: str, *, transient: bool = True, timed_out: bool = False) -> Outcome:
    return Outcome(OutcomeKind.NOT_SENT, problem=problem, transient=transient, timed_out=timed_out)


def _ambiguous(problem: str, *, timed_out: bool = False) -> Outcome:
    return Outcome(OutcomeKind.AMBIGUOUS, problem=problem, timed_out=timed_out)


def says_supported(reply: Reply) -> bool:
    """Whether an answer says that the service keeps submission keys."""
    return reply.headers.get(SUPPORTED_HEADER, "").strip() == TRUE


# What an attempt that brought no whole reply raises.
FAILURES = (
    aiohttp.ClientError,
    ConnectionLostError,
    HttpProcessingError,  # aiohttp without its C parser lets it out while a body is read
    UnreadableBodyError,
    TimeoutError,
    OSError,
)


# --- bodies -------------------------------------------------------------------------------------


async def read_body(response: aiohttp.ClientResponse, limit: int = MAX_BODY) -> bytes:
    """The whole decoded body; raises `UnreadableBodyError` if it is not whole."""
    chunks: list[bytes] = []
    size = 0
    content = response.content
    while not content.at_eof():
        chunk = await content.readany()
        # Counted as they come, so that little more than the limit is ever held.
        size += len(chunk)
        if size > limit:
            raise UnreadableBodyError(f"the body is larger than {limit} bytes")
        chunks.append(chunk)
    body = chunks[0] if len(chunks) == 1 else b"".join(chunks)
    encoding = response.headers.get("Content-Encoding", "").strip().lower()
    if encoding in {"", "identity"}:
        return body
    if encoding == "gzip":
        return gunzip(body, limit)
    raise UnreadableBodyError("the body has a content encoding that was not asked for")


def gunzip(body: bytes, limit: int = MAX_BODY) -> bytes:
    """Decompress, whole or with `UnreadableBodyError`: damaged, truncated or too large."""
    decompressor = zlib.decompressobj(wbits=31)  # 31: a gzip header, and the largest window
    problem = None
    try:
        plain = decompressor.decompress(body, min(limit, UNMEASURED))
        if decompressor.unconsumed_tail and not _stays_within(decompressor, limit - len(plain)):
            problem = f"the body expands beyond {limit} bytes"
        else:
            plain += decompressor.decompress(decompressor.unconsumed_tail)
    except zlib.error:
        raise UnreadableBodyError("the gzip stream is damaged") from None
    if problem is None and not decompressor.eof:
        problem = "the gzip stream is truncated"
    elif decompressor.unused_data:
        problem = "the gzip stream has something behind its end"
    if problem is not None:
        raise UnreadableBodyError(problem)
    return plain


def _stays_within(decompressor: "zlib._Decompress", limit: int) -> bool:
    """Whether the rest of a stream has no more bytes than that."""
    # Decompressed once to count and once to keep, so that a bomb never fills the memory.
    trial = decompressor.copy()
    left, rest = limit, decompressor.unconsumed_tail
    while rest and left >= 0:
        left -= len(trial.decompress(rest, PIECE))
        rest = trial.unconsumed_tail
    return left >= 0

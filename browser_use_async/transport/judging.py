"""From an exception or a reply to an outcome. Knows aiohttp's exceptions; does no I/O."""

import os
import ssl

import aiohttp
from aiohttp.http import HttpProcessingError

from browser_use_async.contract.conversion import decode_response
from browser_use_async.errors import ResponseDecodeError
from browser_use_async.transport.outcome import Outcome, OutcomeKind, Reply, kind_of_status
from browser_use_async.transport.prepared import PreparedRequest
from browser_use_async.transport.reading import UnreadableBodyError

__all__ = ["ConnectionLostError", "judge_failure", "judge_reply"]


class ConnectionLostError(Exception):
    """aiohttp's own exception in a coat that its hidden second attempt does not recognise."""

    def __init__(self, error: aiohttp.ClientError) -> None:
        super().__init__()
        self.error = error


def judge_failure(error: BaseException, *, sent: bool) -> Outcome:
    """The outcome of an attempt that brought no whole reply.

    Args:
        error: What was raised.
        sent: Whether the request may have left this machine, as far as the trace can tell.
    """
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
    """Say why the request provably never left, or None if it may have."""
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
        case aiohttp.ClientConnectorError():
            return _not_sent(
                f"no connection to {error.host}:{error.port}: {_reason(error.os_error)}"
            )
        case aiohttp.ConnectionTimeoutError():
            return _not_sent("connecting took too long", timed_out=True)
        case TimeoutError() if not sent:
            return _not_sent("the time was up before the request was sent", timed_out=True)
        case _:
            return None


def _reason(error: OSError) -> str:
    if isinstance(error, ssl.SSLError):
        return f"TLS: {error.reason or type(error).__name__}"
    # asyncio's own text is "Connect call failed" and an address, so the system's is taken.
    text = os.strerror(error.errno) if error.errno else error.strerror
    return text or type(error).__name__


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


def judge_reply(prepared: PreparedRequest, reply: Reply) -> Outcome:
    """The outcome of an attempt that brought a whole reply.

    A good status with a body that is not what the API promises is ambiguous: something was done,
    and what it was cannot be told.

    Args:
        prepared: The request that was sent.
        reply: What came back.
    """
    kind = kind_of_status(reply.status)
    if kind is not OutcomeKind.ACCEPTED:
        return Outcome(kind, reply=reply, problem=f"status {reply.status}")
    problem, path = "", "$"
    try:
        value = decode_response(prepared.endpoint, reply.body)
    except ResponseDecodeError as error:
        problem, path = str(error), error.path
    else:
        if not prepared.endpoint.checks_identity or value.id == prepared.task_id:
            return Outcome(kind, value=value, reply=reply)
        problem, path = "the answer is about another task", "$.id"
    return Outcome(OutcomeKind.AMBIGUOUS, reply=reply, problem=problem, path=path)

"""A request, encoded for the wire and safe to show in messages, and what its reply says."""

import json
import re
import uuid
from collections.abc import Awaitable, Callable, Mapping
from functools import cache
from typing import Any, NoReturn
from urllib.parse import quote, urlencode

import attrs

from browser_use_async import errors
from browser_use_async.api.endpoint_table import Endpoint
from browser_use_async.api.long_poll import Wait
from browser_use_async.api.serialization import StatusPage, decode_response, encode_request
from browser_use_async.api.submission_key import KEY_HEADER, are_same, format_key
from browser_use_async.transport.response import (
    Outcome,
    OutcomeKind,
    Reply,
    kind_of_status,
    says_supported,
)
from browser_use_async.types import UNSET, SecretMapping

OnHeaders = Callable[[Mapping[str, str]], None]

_PLAIN = re.compile(r"[A-Za-z0-9_-]+")


class Payload:
    """The bytes of a body; its repr shows only their number, since they may be task secrets."""

    # No attrs class: `attrs.asdict` would show its content.
    __slots__ = ("content", "secrets")

    def __init__(self, content: bytes, secrets: SecretMapping | None = None) -> None:
        self.content = content
        self.secrets = secrets

    def __repr__(self) -> str:
        return f"<{len(self.content)} bytes of JSON>"

    def __reduce__(self) -> NoReturn:
        raise TypeError("the body of a request is not pickled: it can contain task secrets")


@attrs.frozen(eq=False, repr=False)
class Submitting:
    """What a call that pays once does at each attempt."""

    ends_at: float  # the loop time after which its answer is not used
    before_sending: Callable[[], Awaitable[None]] | None  # awaited before each attempt
    on_sent: Callable[[], None]  # called when the first byte of an attempt is written
    # Returns the outcome of an accepted attempt; its answer may make it ambiguous
    claim: Callable[[Outcome], Awaitable[Outcome]]
    on_failure: Callable[[Outcome], None]  # called with each outcome that was not accepted


# Not frozen: that would double the cost of creating one, and each call creates one.
@attrs.define
class PreparedRequest:
    """One call with everything that goes on the wire, except the key."""

    endpoint: Endpoint  # the row of the table
    target: str  # path and query below the base URL, encoded
    body: Payload | None  # the JSON, or None
    task_id: str | None  # the task that the call is about, for error messages
    wait: Wait | None = None  # of a long poll: how long the answer may take
    cursor: str | None = None  # from which a list call is to stream changes
    rows: int | None = None  # how many rows of a list are asked for
    known: StatusPage | None = None  # the last answer, which need not be read again
    key: str | None = None  # the value of `Idempotency-Key`
    resource_id: str | None = None  # the id that the answer must have, if it must have one
    arrived: int | None = None  # its arrival number, by which it keeps its place in the queue
    is_patient: bool = False  # whether it waits for pauses of any length
    attempts: int = 0  # how many requests were made for it
    most_attempts: int = 0  # how many may be made
    about: Any = attrs.field(default=None, repr=False)  # what observers are notified about
    submitting: Submitting | None = attrs.field(default=None, repr=False)  # if it pays once
    # Called with the headers of an answer that was accepted
    on_headers: OnHeaders | None = attrs.field(default=None, repr=False)
    is_doubted: bool = False  # whether an answer to it was lost
    is_sent: bool = False  # whether the attempt under way may have left this machine

    def __str__(self) -> str:
        return f"{self.endpoint.method} {self.target.partition('?')[0]}"


def prepare(
    endpoint: Endpoint,
    request: Any = None,
    body: Any = None,
    key: str | None = None,
    owner: str | None = None,
) -> PreparedRequest:
    """Encode a call; raises `InvalidRequestError` if an id could reach another route."""
    target = endpoint.path
    if endpoint.parameters is not None:
        for name in _names(request.__class__):
            target = target.replace(f"{{{name}}}", _segment(name, getattr(request, name)))
    elif endpoint.query is not None:
        target = f"{target}?{_query(request)}"
    if owner is not None:
        target += "&?"["?" not in target] + urlencode({"owner": _identifier("owner", owner)})
    task_id = getattr(request, "task_id", None)
    prepared = PreparedRequest(endpoint, target, _payload(body), task_id)
    if endpoint.takes_key:
        prepared.key = format_key(uuid.uuid4().hex if key is None else key)
    if endpoint.query is not None:
        prepared.rows = getattr(request, "limit", None)
    if endpoint.identity is not None:
        prepared.resource_id = task_id if task_id is not None else request.profile_id
    return prepared


def _query(request: Any) -> str:
    # Checked like a path segment: an id is an id, wherever it travels.
    given = {
        name: _identifier(name, value) if isinstance(value, str) else value
        for name in _names(request.__class__)
        if (value := getattr(request, name)) is not UNSET
    }
    if {*map(type, given.values())} <= {int}:  # the fast path of pages: digits need no encoding
        return "&".join([f"{name}={value}" for name, value in given.items()])
    return urlencode(given, quote_via=quote)


def _payload(body: Any) -> Payload | None:
    if body is None:
        return None
    content = json.dumps(encode_request(body), separators=(",", ":")).encode()
    secrets = getattr(body, "secrets", None)
    return Payload(content, secrets if isinstance(secrets, SecretMapping) else None)


@cache  # `attrs.fields` takes longer than encoding a small request
def _names(model: type[Any]) -> tuple[str, ...]:
    return tuple(field.name for field in attrs.fields(model))


def _segment(name: str, value: object) -> str:
    if isinstance(value, str) and _PLAIN.fullmatch(value):
        return value  # the fast path of polls: every id of the service looks like this
    return quote(_identifier(name, value), safe="")


def _identifier(name: str, value: object) -> str:
    """An id that remains one path segment, however a server normalises paths."""
    if not isinstance(value, str):
        raise errors.InvalidRequestError(
            f"{name} must be a string, not {type(value).__name__}; nothing was sent", field=name
        )
    if value in {"", ".", ".."} or "/" in value or "\\" in value or not value.isprintable():
        raise errors.InvalidRequestError(
            f"{name} is {value[:100]!r}, which cannot be an id: it would reach another route of "
            "the API; nothing was sent",
            field=name,
        )
    return value


# --- replies ------------------------------------------------------------------------------------


def classify_reply(prepared: PreparedRequest, reply: Reply) -> Outcome:
    """The outcome of an attempt that brought a whole reply."""
    kind = kind_of_status(reply.status)
    if kind is not OutcomeKind.ACCEPTED:
        return Outcome(kind, reply=reply, problem=f"status {reply.status}")
    problem, path = "the answer carries the key of another request", "$"
    if not _is_of_another(prepared.key, reply):
        try:
            value = decode_response(prepared.endpoint, reply.body, prepared.known, prepared.rows)
        except errors.ResponseDecodeError as error:
            problem, path = str(error), error.path
        else:
            identity = prepared.endpoint.identity
            if identity is None or (found := getattr(value, identity)) == prepared.resource_id:
                return Outcome(kind, value=value, reply=reply)
            what = "profile" if identity == "profile_id" else "task"
            problem = f"the answer is about another {what}, {found[:100]!r}"
            path = f"$.{identity}"
    # A good status with a wrong body: something was done, and what it was is not known.
    return Outcome(OutcomeKind.AMBIGUOUS, reply=reply, problem=problem, path=path)


def _is_of_another(key: str | None, reply: Reply) -> bool:
    """Whether an answer sends back another key than that of its request, as one of a cache does."""
    echo = None if key is None else reply.headers.get(KEY_HEADER)
    # Servers of others may use the header in their own way.
    return (
        key is not None and echo is not None and says_supported(reply) and not are_same(echo, key)
    )

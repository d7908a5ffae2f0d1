"""Signatures of webhook calls: signing, and verifying bodies, headers and timestamps."""

import hashlib
import hmac
import json
import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import attrs

from browser_use_async.api.json import JsonRefusedError, read_json
from browser_use_async.api.scalars import parse_timestamp
from browser_use_async.errors import (
    ConfigurationError,
    InvalidRequestError,
    WebhookVerificationError,
)
from browser_use_async.webhooks.standard import HEADERS, StandardSignature

SIGNATURE_HEADER = "X-Browser-Use-Signature"
TIMESTAMP_HEADER = "X-Browser-Use-Timestamp"

# Bytes. A task has at most ten metadata pairs of 1,100 characters, so 1 MB is enough.
MAX_BODY = 1_048_576

# Levels of objects and arrays. The specification's events have three.
MAX_DEPTH = 32

MAX_SIGNATURES = 8  # enough while secrets are rotated
MAX_LENGTH = 64  # characters of a signature or a timestamp

_UNIX = re.compile(r"\d{1,13}(?:\.\d{1,9})?", re.ASCII)
_MILLISECONDS = 1e11  # larger numbers are milliseconds: as seconds this is the year 5138

# Any mapping or pairs, in upper or lower case, as text or as the bytes of ASGI servers.
Headers = Mapping[str, str] | Mapping[bytes, bytes] | Iterable[tuple[str | bytes, str | bytes]]


def sign(body: Mapping[str, Any] | bytes, timestamp: str, secret: str) -> str:
    """The signature that the service adds to a call.

    Raises:
        InvalidRequestError: The body is not JSON that a receiver would accept, or the timestamp
            is not valid in a header.
        ConfigurationError: The secret is no text, or blank.
    """
    if not timestamp.isascii() or not timestamp.isprintable():
        raise InvalidRequestError("the timestamp must be printable ASCII", field="timestamp")
    return signature_of(canonical_json(_signed_value(body)), timestamp, key_of(secret))


def _signed_value(body: Mapping[str, Any] | bytes) -> Any:
    try:
        # Encoded and decoded once: all keys become strings, and are sorted as at the receiver.
        text = body if isinstance(body, bytes) else json.dumps(dict(body)).encode()
        return read_body(text)
    except (JsonRefusedError, TypeError, ValueError, RecursionError) as error:
        problem = str(error) if isinstance(error, JsonRefusedError) else "it is not JSON"
    raise InvalidRequestError(f"the body cannot be signed: {problem}", field="body")


def signature_of(message: bytes, timestamp: str, key: bytes) -> str:
    """The signature of exactly these bytes."""
    return hmac.new(key, timestamp.encode("ascii") + b"." + message, hashlib.sha256).hexdigest()


def key_of(secret: object) -> bytes:
    """The key of a secret; raises `ConfigurationError`, whose text does not show it."""
    if not isinstance(secret, str):
        raise ConfigurationError(
            f"the webhook secret must be a string, not {type(secret).__name__}"
        )
    if not secret.strip():
        raise ConfigurationError("the webhook secret is blank; copy it from the dashboard")
    try:
        return secret.encode()
    except UnicodeEncodeError:
        problem = "the webhook secret contains half of a surrogate pair; copy it again"
    raise ConfigurationError(problem)


@attrs.frozen
class VerifiedCall:
    """A webhook call that is authentic and fresh."""

    # The event as it was verified. Use this and not the bytes, which another parser may read
    # differently.
    body: dict[str, Any] = attrs.field(repr=False)
    secret_index: int  # which of the secrets signed it, counted from 0
    sent_at: datetime  # the time in the timestamp header
    # The `webhook-id`, the same in all attempts; None where no signature covers one
    id: str | None = None


def verify(
    body: bytes,
    headers: Headers,
    secret: str | Sequence[str],
    *,
    tolerance: float | None = 300,
    now: datetime | None = None,
) -> VerifiedCall:
    """Check a webhook call.

    One signature has to match. The service's own signature is over the canonical JSON of the event,
    escaped or not, or over the bytes of the body. The signature of Standard Webhooks, in the
    headers `webhook-id`, `webhook-timestamp` and `webhook-signature`, is over the bytes of the
    body; for it a secret that begins with `whsec_` is base64.

    Raises:
        WebhookVerificationError: The call is not authentic, not fresh or not well formed. Its
            `status` is the status to answer with.
        ConfigurationError: A secret is no text or blank, or there is none.
    """
    # Cheap checks first: a forged call should not cost the digest of a megabyte.
    keys = keys_of(secret)
    standard, service = claims_of(headers, tolerance, now)
    body = bytes(memoryview(body))
    if len(body) > MAX_BODY:
        raise WebhookVerificationError(
            f"the body is longer than {MAX_BODY} bytes", status=413, reason="too_large"
        )
    value, problem = _read(body)
    index = None if standard is None else standard.key_index(body, keys)
    message_id, sent_at = None, None
    if standard is not None and index is not None:
        message_id, sent_at = standard.id, standard.sent_at
    elif service is not None:
        messages = _messages(body, value, problem)
        index, sent_at = _secret_index(messages, service, keys), service.sent_at
    if index is None or sent_at is None:
        raise WebhookVerificationError("no signature matches", status=403, reason="signature")
    # Raised only now: a caller without the secret must not learn how bodies are parsed.
    if problem is not None:
        raise WebhookVerificationError(f"the body is refused: {problem}", reason="body")
    if not isinstance(value, dict):
        raise WebhookVerificationError("the body is no JSON object", reason="body")
    return VerifiedCall(value, index, sent_at, message_id)


def keys_of(secret: str | Sequence[str]) -> list[bytes]:
    """The keys of one or several secrets; raises `ConfigurationError` if there is none."""
    several = secret if isinstance(secret, (list, tuple)) else [secret]
    if not several:
        raise ConfigurationError("there is no webhook secret; copy it from the dashboard")
    return [key_of(each) for each in several]


def _read(body: bytes) -> tuple[Any, str | None]:
    try:
        return read_body(body), None
    except JsonRefusedError as error:
        return None, str(error)


def _messages(body: bytes, value: Any, problem: str | None) -> Iterator[bytes]:
    # The bytes first, since they need no encoding. The service signs canonical JSON, and a gateway
    # may have reformatted the body.
    yield body
    if problem is None:
        yield canonical_json(value)
        yield canonical_json(value, escaped=False)


def _secret_index(
    messages: Iterable[bytes], claim: "ServiceSignature", keys: list[bytes]
) -> int | None:
    for message in messages:
        for index, key in enumerate(keys):
            expected = signature_of(message, claim.timestamp, key).encode()
            # `compare_digest` takes the same time, wherever two signatures differ.
            if any(hmac.compare_digest(expected, signature) for signature in claim.signatures):
                return index
    return None


# --- bodies ---------------------------------------------------------------------------------


def canonical_json(value: Any, *, escaped: bool = True) -> bytes:
    r"""Compact JSON with sorted keys, which is what the service signs."""
    return json.dumps(value, ensure_ascii=escaped, separators=(",", ":"), sort_keys=True).encode()


def read_body(body: bytes) -> Any:
    """The value of a call's body; raises `JsonRefusedError` without quoting the body."""
    if len(body) > MAX_BODY:
        raise JsonRefusedError(f"the body is longer than {MAX_BODY} bytes")
    value = read_json(body)
    _check_tree(value)
    return value


def _check_tree(value: Any) -> None:
    # Level by level: a recursive walk could exhaust the stack.
    level = [value]
    for _ in range(MAX_DEPTH + 1):
        if any(isinstance(each, float) and not math.isfinite(each) for each in level):
            raise JsonRefusedError("a number is too large")
        level = [child for each in level for child in _children(each)]
        if not level:
            return
    raise JsonRefusedError(f"the text nests deeper than {MAX_DEPTH} levels")


def _children(value: Any) -> list[Any]:
    if isinstance(value, dict):
        return list(value.values())
    return value if isinstance(value, list) else []


# --- headers --------------------------------------------------------------------------------


@attrs.frozen
class ServiceSignature:
    """The service's headers of a call, not verified yet."""

    timestamp: str
    sent_at: datetime
    signatures: Sequence[bytes]


def claims_of(
    headers: Headers, tolerance: float | None, now: datetime | None
) -> tuple[StandardSignature | None, ServiceSignature | None]:
    """The claims in the headers of either form, if they are fresh; one is enough.

    Raises:
        WebhookVerificationError: Neither has claims that could be verified.
    """
    problem, service = None, None
    standard = StandardSignature.read({name: set(_values(headers, name)) for name in HEADERS})
    try:
        if standard is not None:
            check_fresh(standard.sent_at, tolerance, now)
    except WebhookVerificationError as error:
        standard, problem = None, error
    try:
        signatures, timestamp = signatures_of(headers), timestamp_of(headers)
        service = ServiceSignature(timestamp, read_sent_at(timestamp), signatures)
        check_fresh(service.sent_at, tolerance, now)
    except WebhookVerificationError as error:
        service, problem = None, problem or error
    if standard is None and service is None and problem is not None:
        raise problem
    return standard, service


def signatures_of(headers: Headers) -> list[bytes]:
    """The well-formed signatures of one or several headers."""
    # While secrets are rotated there may be several: in repeated headers, or with commas.
    values = [
        part.strip(" \t")
        for value in _values(headers, SIGNATURE_HEADER)
        for part in value.split(",")
    ]
    given = [value for value in values if value]
    if not given:
        raise WebhookVerificationError(f"the header {SIGNATURE_HEADER} is missing", status=400)
    if len(given) > MAX_SIGNATURES:
        raise WebhookVerificationError("there are too many signatures", status=400)
    return [each.encode() for each in given if each.isascii() and len(each) == MAX_LENGTH]


def timestamp_of(headers: Headers) -> str:
    """The text of the timestamp header."""
    # Two different values are refused: it is unknown which one was signed.
    given = {value.strip(" \t") for value in _values(headers, TIMESTAMP_HEADER)} - {""}
    if not given:
        raise WebhookVerificationError(f"the header {TIMESTAMP_HEADER} is missing", status=400)
    if len(given) > 1:
        raise WebhookVerificationError("there are two different timestamps", status=400)
    (text,) = given
    if not text.isascii() or len(text) > MAX_LENGTH:
        raise WebhookVerificationError("the timestamp header is no timestamp", status=400)
    return text


def header_pairs(headers: Headers) -> Iterator[tuple[str, str]]:
    """Each header, its name in lower case."""
    given: Any = headers
    # `items()` of the frameworks' multi-dictionaries has repeated headers one by one.
    for key, value in given.items() if hasattr(given, "items") else given:
        yield _text(key).lower(), _text(value)


def _values(headers: Headers, name: str) -> Iterator[str]:
    return (value for key, value in header_pairs(headers) if key == name.lower())


def _text(value: object) -> str:
    if isinstance(value, str):
        return value
    return value.decode("latin-1") if isinstance(value, bytes) else ""


def read_sent_at(text: str) -> datetime:
    """The time in a timestamp header: unix seconds, milliseconds or ISO 8601."""
    if _UNIX.fullmatch(text):
        number = float(text)
        seconds = number / 1000 if number >= _MILLISECONDS else number
        return datetime.fromtimestamp(seconds, UTC)
    moment = parse_timestamp(text)
    if moment is None:
        raise WebhookVerificationError("the timestamp header is no timestamp", status=400)
    return moment


def check_fresh(sent_at: datetime, tolerance: float | None, now: datetime | None) -> None:
    """Raise `WebhookVerificationError` for a time too far in the past or the future."""
    if tolerance is None:
        return
    moment = datetime.now(UTC) if now is None else now
    aware = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment
    age = (aware - sent_at).total_seconds()
    # Written as `not <=`, a tolerance of NaN allows no call.
    if not abs(age) <= tolerance:
        direction = "old" if age > 0 else "ahead of this machine's clock"
        raise WebhookVerificationError(
            f"the call is {abs(age):.0f} s {direction}, and {tolerance:g} s are allowed",
            reason="stale",
        )

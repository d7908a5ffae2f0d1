"""Whether a webhook call comes from somebody who knows the secret, and comes now."""

import hmac
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import Any

import attrs

from browser_use_async.api.json import JsonRefusedError
from browser_use_async.errors import ConfigurationError, WebhookVerificationError
from browser_use_async.webhooks.bodies import MAX_BODY, canonical_json, read_body
from browser_use_async.webhooks.freshness import check_fresh, read_sent_at
from browser_use_async.webhooks.headers import Headers, signatures_of, timestamp_of
from browser_use_async.webhooks.signing import key_of, signature_of

__all__ = ["VerifiedCall", "keys_of", "verify"]


@attrs.frozen
class VerifiedCall:
    """A webhook call that is authentic and fresh."""

    # The event as it was verified. Use this and not the bytes, which may read otherwise in
    # another parser.
    body: dict[str, Any] = attrs.field(repr=False)
    secret_index: int  # which of the secrets signed it, counted from 0
    sent_at: datetime  # what the timestamp header tells


def verify(
    body: bytes,
    headers: Headers,
    secret: str | Sequence[str],
    *,
    tolerance: float | None = 300,
    now: datetime | None = None,
) -> VerifiedCall:
    """Check a webhook call.

    The signature may be over the canonical JSON of the event, escaped or not, or over the body
    just as it came.

    Raises:
        WebhookVerificationError: The call is not authentic, not fresh or not well formed. Its
            `status` is what to answer.
        ConfigurationError: A secret is no text or blank, or there is none.
    """
    keys = keys_of(secret)
    signatures, timestamp = signatures_of(headers), timestamp_of(headers)
    sent_at = read_sent_at(timestamp)
    check_fresh(sent_at, tolerance, now)
    body = bytes(memoryview(body))
    if len(body) > MAX_BODY:
        raise WebhookVerificationError(
            f"the body is longer than {MAX_BODY} bytes", status=413, reason="too_large"
        )
    value, problem = _read(body)
    index = _signer(_messages(body, value, problem), timestamp, keys, signatures)
    # Judged only now, so that nobody without the secret learns how bodies are read.
    if problem is not None:
        raise WebhookVerificationError(f"the body is refused: {problem}", reason="body")
    if not isinstance(value, dict):
        raise WebhookVerificationError("the body is no JSON object", reason="body")
    return VerifiedCall(value, index, sent_at)


def keys_of(secret: str | Sequence[str]) -> list[bytes]:
    """The keys that secrets stand for.

    Raises:
        ConfigurationError: One of them is no text or blank, or there is none.
    """
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
    yield body
    if problem is None:
        yield canonical_json(value)
        yield canonical_json(value, escaped=False)


def _signer(
    messages: Iterable[bytes], timestamp: str, keys: list[bytes], signatures: list[bytes]
) -> int:
    for message in messages:
        for index, key in enumerate(keys):
            expected = signature_of(message, timestamp, key).encode()
            if any(hmac.compare_digest(expected, signature) for signature in signatures):
                return index
    raise WebhookVerificationError("no signature matches", status=403, reason="signature")

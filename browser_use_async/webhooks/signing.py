"""The signature of a webhook call."""

import hashlib
import hmac
import json
from collections.abc import Mapping
from typing import Any

from browser_use_async.api.json import JsonRefusedError
from browser_use_async.errors import ConfigurationError, InvalidRequestError
from browser_use_async.webhooks.bodies import canonical_json, read_body

__all__ = ["SIGNATURE_HEADER", "TIMESTAMP_HEADER", "key_of", "sign", "signature_of"]

SIGNATURE_HEADER = "X-Browser-Use-Signature"
TIMESTAMP_HEADER = "X-Browser-Use-Timestamp"


def sign(body: Mapping[str, Any] | bytes, timestamp: str, secret: str) -> str:
    """The signature that the service puts on a call.

    Raises:
        InvalidRequestError: The body is not JSON that a receiver would accept, or the timestamp
            could not stand in a header.
        ConfigurationError: The secret is no text, or blank.
    """
    if not timestamp.isascii() or not timestamp.isprintable():
        raise InvalidRequestError("the timestamp must be printable ASCII", field="timestamp")
    return signature_of(canonical_json(_signed_value(body)), timestamp, key_of(secret))


def _signed_value(body: Mapping[str, Any] | bytes) -> Any:
    try:
        # Written and read once, so that keys sort as the receiver's do, who knows only strings.
        text = body if isinstance(body, bytes) else json.dumps(dict(body)).encode()
        return read_body(text)
    except (JsonRefusedError, TypeError, ValueError, RecursionError) as error:
        problem = str(error) if isinstance(error, JsonRefusedError) else "it is not JSON"
    raise InvalidRequestError(f"the body cannot be signed: {problem}", field="body")


def signature_of(message: bytes, timestamp: str, key: bytes) -> str:
    """The signature of a body just as it is."""
    return hmac.new(key, timestamp.encode("ascii") + b"." + message, hashlib.sha256).hexdigest()


def key_of(secret: object) -> bytes:
    """The key that a secret stands for.

    Raises:
        ConfigurationError: It is something else. Never echoes it.
    """
    if not isinstance(secret, str):
        raise ConfigurationError(
            f"the webhook secret must be a string, not {type(secret).__name__}"
        )
    if not secret.strip():
        raise ConfigurationError("the webhook secret is blank; copy it from the dashboard")
    try:
        return secret.encode()
    except UnicodeEncodeError:
        problem = "the webhook secret holds half of a surrogate pair"
    raise ConfigurationError(problem)

"""The two headers of a webhook call, out of whatever a web framework calls its headers."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from browser_use_async.errors import WebhookVerificationError
from browser_use_async.webhooks.signing import SIGNATURE_HEADER, TIMESTAMP_HEADER

__all__ = ["Headers", "header_pairs", "signatures_of", "timestamp_of"]

Headers = Mapping[str, str] | Mapping[bytes, bytes] | Iterable[tuple[str | bytes, str | bytes]]
"""Any mapping or pairs, in any case, as text or as the bytes that ASGI servers give."""

MAX_SIGNATURES = 8
"""More signatures than that are no rotation of secrets."""

MAX_LENGTH = 64
"""Characters of a signature, and more than any timestamp takes."""


def signatures_of(headers: Headers) -> list[bytes]:
    """The signatures that could be one: of repeated headers each, however they were joined.

    Raises:
        WebhookVerificationError: There are none, or too many.
    """
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
    """The text of the one timestamp header.

    Raises:
        WebhookVerificationError: It is missing, repeated with another value, or no ASCII text.
    """
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
    for key, value in _pairs(headers):
        yield _text(key).lower(), _text(value)


def _values(headers: Headers, name: str) -> Iterator[str]:
    return (value for key, value in header_pairs(headers) if key == name.lower())


def _pairs(headers: Any) -> Iterable[tuple[Any, Any]]:
    # `items()` of the frameworks' multi-dictionaries gives repeated headers one by one.
    pairs: Iterable[tuple[Any, Any]] = headers.items() if hasattr(headers, "items") else headers
    return pairs


def _text(value: object) -> str:
    if isinstance(value, str):
        return value
    return value.decode("latin-1") if isinstance(value, bytes) else ""

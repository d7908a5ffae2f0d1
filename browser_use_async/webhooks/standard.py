"""Signatures by the Standard Webhooks specification: headers, and signing and matching them."""

# https://github.com/standard-webhooks/standard-webhooks. The signature covers the id, the time and
# the bytes of the body, so a verified id comes from the sender.

import base64
import binascii
import hashlib
import hmac
import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime

import attrs

ID_HEADER = "webhook-id"
TIMESTAMP_HEADER = "webhook-timestamp"
SIGNATURE_HEADER = "webhook-signature"
HEADERS = (ID_HEADER, TIMESTAMP_HEADER, SIGNATURE_HEADER)

SECRET_PREFIX = b"whsec_"  # before the base64 of a secret
SHORTEST_KEY = 24  # bytes of such a secret, by the specification

MAX_SIGNATURES = 8

# Without a full stop, which separates the signed parts.
_ID = re.compile(r"[!-\-/-~]{1,255}", re.ASCII)
_SECONDS = re.compile(r"\d{1,11}", re.ASCII)
_SIGNATURE = re.compile(r"v1,([A-Za-z0-9+/]{43}=)", re.ASCII)


def standard_key(secret: bytes) -> bytes | None:
    """The key of a secret; None for `whsec_` without base64 of 24 bytes or more."""
    if not secret.startswith(SECRET_PREFIX):
        return secret
    text = secret.removeprefix(SECRET_PREFIX).rstrip(b"=")
    try:
        key = base64.b64decode(text + b"=" * (-len(text) % 4), validate=True)
    except binascii.Error:
        return None
    # A shorter key could be guessed. The text remains a secret of the service's own signature.
    return key if len(key) >= SHORTEST_KEY else None


def standard_headers(message_id: str, body: bytes, secret: str, now: datetime) -> dict[str, str]:
    """The headers of one attempt; none if the secret has no key."""
    key, seconds = standard_key(secret.encode()), str(int(now.timestamp()))
    if key is None:
        return {}
    signature = base64.b64encode(_digest(message_id, seconds, body, key)).decode()
    return {ID_HEADER: message_id, TIMESTAMP_HEADER: seconds, SIGNATURE_HEADER: f"v1,{signature}"}


def _digest(message_id: str, seconds: str, body: bytes, key: bytes) -> bytes:
    return hmac.new(key, f"{message_id}.{seconds}.".encode() + body, hashlib.sha256).digest()


@attrs.frozen
class StandardSignature:
    """The headers of a call, not verified yet."""

    id: str
    seconds: str
    signatures: Sequence[bytes]

    @classmethod
    def read(cls, headers: Mapping[str, set[str]]) -> "StandardSignature | None":
        """The claims of three well-formed headers; None if one is missing, malformed or ambiguous.

        `headers` has the different values of each name in lower case.
        """
        given = [headers.get(name, set()) for name in HEADERS]
        if any(len(values) != 1 for values in given):
            return None
        (message_id,), (seconds,), (signed,) = given
        signatures = [*_signatures(signed)]
        if not (_ID.fullmatch(message_id) and _SECONDS.fullmatch(seconds) and signatures):
            return None
        return cls(message_id, seconds, signatures)

    @property
    def sent_at(self) -> datetime:
        """The claimed time."""
        return datetime.fromtimestamp(int(self.seconds), UTC)

    def key_index(self, body: bytes, secrets: Sequence[bytes]) -> int | None:
        """The index of the secret that signed the bytes of the body, or None."""
        for index, secret in enumerate(secrets):
            key = standard_key(secret)
            if key is None:
                continue
            expected = _digest(self.id, self.seconds, body, key)
            # `compare_digest` takes the same time, wherever two signatures differ.
            if any(hmac.compare_digest(expected, each) for each in self.signatures):
                return index
        return None


def _signatures(text: str) -> Iterator[bytes]:
    """The symmetric signatures in a list, which may have several, and others."""
    for each in text.split(" ", MAX_SIGNATURES)[:MAX_SIGNATURES]:
        if match := _SIGNATURE.fullmatch(each):
            yield base64.b64decode(match[1])

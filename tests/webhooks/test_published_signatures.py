"""The signatures that the vendor publishes as examples, created and verified here."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from browser_use_async.errors import WebhookVerificationError
from browser_use_async.webhooks import sign, verify
from browser_use_async.webhooks.signature import SIGNATURE_HEADER, TIMESTAMP_HEADER

PUBLISHED = json.loads((Path(__file__).parent / "published_signatures.json").read_bytes())
VECTORS = pytest.mark.parametrize("vector", PUBLISHED["vectors"], ids=lambda each: each["name"])


def _headers(vector: dict[str, Any]) -> dict[str, str]:
    return {SIGNATURE_HEADER: vector["signature"], TIMESTAMP_HEADER: vector["timestamp"]}


def _moment(vector: dict[str, Any]) -> datetime:
    return datetime.fromtimestamp(int(vector["timestamp"]), UTC)


@VECTORS
def test_signing(vector: dict[str, Any]):
    """From the bytes and from the parsed body, whose floats and keys keep their canonical form."""
    body = vector["body"]

    for given in (body.encode(), json.loads(body)):
        assert sign(given, vector["timestamp"], PUBLISHED["secret"]) == vector["signature"]


@VECTORS
def test_verifying(vector: dict[str, Any]):
    """The right secret is accepted, and the control refused."""
    body, headers, now = vector["body"].encode(), _headers(vector), _moment(vector)

    verify(body, headers, PUBLISHED["secret"], now=now)
    with pytest.raises(WebhookVerificationError):
        verify(body, headers, "another-secret", now=now)
    with pytest.raises(WebhookVerificationError):
        verify(
            body.replace(b"idle", b"done").replace(b"1.0", b"2.0").replace(b"M", b"N"),
            headers,
            PUBLISHED["secret"],
            now=now,
        )

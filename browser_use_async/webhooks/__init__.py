"""Webhooks: signing, verifying and reading what the service sends."""

from browser_use_async.webhooks.signing import SIGNATURE_HEADER, TIMESTAMP_HEADER, sign

__all__ = ["SIGNATURE_HEADER", "TIMESTAMP_HEADER", "sign"]

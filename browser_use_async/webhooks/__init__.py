"""Webhooks: signing, verifying and reading what the service sends."""

from browser_use_async.webhooks.events import (
    Event,
    TaskStatusUpdate,
    TestEvent,
    UnknownEvent,
    WebhookStatus,
)
from browser_use_async.webhooks.signing import SIGNATURE_HEADER, TIMESTAMP_HEADER, sign
from browser_use_async.webhooks.source import EventSource
from browser_use_async.webhooks.unwrapping import unwrap
from browser_use_async.webhooks.verification import VerifiedCall, verify

__all__ = [
    "SIGNATURE_HEADER",
    "TIMESTAMP_HEADER",
    "Event",
    "EventSource",
    "TaskStatusUpdate",
    "TestEvent",
    "UnknownEvent",
    "VerifiedCall",
    "WebhookStatus",
    "sign",
    "unwrap",
    "verify",
]

"""Webhooks: signing, verifying and reading what the service sends, and receiving it."""

from typing import TYPE_CHECKING

from browser_use_async.lazy import load_on_first_use
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

if TYPE_CHECKING:
    from browser_use_async.webhooks.answers import Answer
    from browser_use_async.webhooks.metrics import ReceiverMetrics
    from browser_use_async.webhooks.receiver import WebhookReceiver

__all__ = [
    "SIGNATURE_HEADER",
    "TIMESTAMP_HEADER",
    "Answer",
    "Event",
    "EventSource",
    "ReceiverMetrics",
    "TaskStatusUpdate",
    "TestEvent",
    "UnknownEvent",
    "VerifiedCall",
    "WebhookReceiver",
    "WebhookStatus",
    "sign",
    "unwrap",
    "verify",
]

_HOMES = {"Answer": "answers", "ReceiverMetrics": "metrics", "WebhookReceiver": "receiver"}
"""Where the names come from that are loaded when they are first used."""

if not TYPE_CHECKING:
    # Those who only verify do without the receiver.
    __getattr__, __dir__ = load_on_first_use(__name__, _HOMES)

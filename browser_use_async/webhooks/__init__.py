"""Webhooks: signing, verifying and reading what the service sends, and receiving it."""

from typing import TYPE_CHECKING

from browser_use_async.lazy import load_on_first_use
from browser_use_async.webhooks.events import (
    Event,
    EventSource,
    TaskStatusUpdate,
    TestEvent,
    UnknownEvent,
    WebhookStatus,
    unwrap,
)
from browser_use_async.webhooks.signature import (
    SIGNATURE_HEADER,
    TIMESTAMP_HEADER,
    VerifiedCall,
    sign,
    verify,
)

if TYPE_CHECKING:
    from browser_use_async.webhooks.dispatcher import ReceiverMetrics
    from browser_use_async.webhooks.receiver import WebhookReceiver
    from browser_use_async.webhooks.verifier import Answer

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

# The modules of names that are loaded on first use.
_HOMES = {"Answer": "verifier", "ReceiverMetrics": "dispatcher", "WebhookReceiver": "receiver"}

if not TYPE_CHECKING:
    # A program that only verifies does not load the receiver.
    __getattr__, __dir__ = load_on_first_use(__name__, _HOMES)

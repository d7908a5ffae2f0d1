"""Webhooks: signing, verifying and reading what the service sends, and receiving it."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

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


def __getattr__(name: str) -> Any:
    """Load the receiver when it is first asked for: those who only verify do without."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    home = import_module(f"browser_use_async.webhooks.{_HOMES[name]}")
    value = globals()[name] = getattr(home, name)
    return value

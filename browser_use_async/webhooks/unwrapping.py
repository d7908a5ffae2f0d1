"""From a webhook call to a typed event."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from browser_use_async.api.scalars import parse_timestamp
from browser_use_async.api.submission_token import TOKEN_KEY
from browser_use_async.webhooks.events import (
    Event,
    TaskStatusUpdate,
    TestEvent,
    UnknownEvent,
    WebhookStatus,
)
from browser_use_async.webhooks.headers import Headers
from browser_use_async.webhooks.verification import verify

__all__ = ["STATUS_UPDATE", "TEST", "read_event", "unwrap"]

STATUS_UPDATE = "agent.task.status_update"
TEST = "test"

_KNOWN_FIELDS = frozenset({"task_id", "session_id", "status", "metadata"})


def unwrap(
    body: bytes,
    headers: Headers,
    secret: str | Sequence[str],
    *,
    tolerance: float | None = 300,
    now: datetime | None = None,
) -> Event:
    """Check a webhook call, and read what it tells.

    Raises:
        WebhookVerificationError: The call is not authentic, not fresh or not well formed. Its
            `status` is what to answer.
        ConfigurationError: A secret is no text or blank, or there is none.
    """
    return read_event(verify(body, headers, secret, tolerance=tolerance, now=now).body)


def read_event(body: dict[str, Any]) -> Event:
    """The event that a verified body tells."""
    event_type, payload = body.get("type"), body.get("payload")
    timestamp = _timestamp(body.get("timestamp"))
    if isinstance(payload, dict):
        if event_type == STATUS_UPDATE and _tells_a_status(payload):
            return _status_update(payload, timestamp)
        if event_type == TEST:
            return TestEvent(payload, timestamp)
    return UnknownEvent(_text(event_type), payload, timestamp, body)


def _tells_a_status(payload: dict[str, Any]) -> bool:
    return all(
        isinstance(payload.get(name), str) and payload[name] for name in ("task_id", "status")
    )


def _status_update(payload: dict[str, Any], timestamp: datetime | None) -> TaskStatusUpdate:
    given = payload.get("metadata")
    pairs: dict[str, Any] = given if isinstance(given, dict) else {}
    metadata = {key: value for key, value in pairs.items() if isinstance(value, str)}
    return TaskStatusUpdate(
        task_id=payload["task_id"],
        session_id=_text(payload.get("session_id")),
        status=WebhookStatus(payload["status"]),
        submission_mark=metadata.pop(TOKEN_KEY, None),
        metadata=metadata,
        timestamp=timestamp,
        extra={key: value for key, value in payload.items() if key not in _KNOWN_FIELDS},
    )


def _timestamp(value: object) -> datetime | None:
    return parse_timestamp(value) if isinstance(value, str) else None


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""

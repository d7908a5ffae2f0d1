"""What is said when, and when it is said again; without any input or output."""

import json
import uuid
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from browser_use_async.api.task_states import TaskEvent
from browser_use_async.server.storage import TaskRecord
from browser_use_async.webhooks.signature import SIGNATURE_HEADER, TIMESTAMP_HEADER, sign

__all__ = [
    "MOST_ATTEMPTS",
    "STATUS_AFTER",
    "TEST_BODY",
    "signed_headers",
    "status_body",
    "wait_after",
]

MOST_ATTEMPTS = 6
"""How often one event is sent before it is given up: once, and 5 retries."""

STATUS_AFTER: Mapping[TaskEvent | None, str] = {
    None: "initializing",
    TaskEvent.START: "started",
    TaskEvent.PAUSE: "paused",
    TaskEvent.STOP: "stopped",
    TaskEvent.FINISH: "finished",
}
"""The status that is told after an event; None is the creation.

A failure is not told at all: the API has no such status. Nor is a resumption: `started` says that
a task has started and its browser is available, which happens once.
"""


def _canonical(event: Mapping[str, Any]) -> bytes:
    # In the form that is signed, so that receivers who sign the raw bytes agree as well.
    return json.dumps(event, separators=(",", ":"), sort_keys=True).encode()


TEST_BODY = _canonical(
    {"type": "test", "timestamp": "2024-03-21T12:00:00Z", "payload": {"test": "ok"}}
)
"""What a new address must answer with a 2xx status: the content that the API documents."""


def status_body(record: TaskRecord, status: str, now: datetime) -> bytes:
    """The event that tells of a task's status."""
    # The API's browser sessions have ids of their own; here each task has one session.
    session_id = uuid.uuid5(uuid.UUID(record.id), "session")
    return _canonical(
        {
            "type": "agent.task.status_update",
            "timestamp": now.astimezone(UTC).isoformat(timespec="microseconds"),
            "payload": {
                "session_id": str(session_id),
                "task_id": record.id,
                "status": status,
                "metadata": record.metadata,
            },
        }
    )


def signed_headers(body: bytes, secret: str, now: datetime) -> dict[str, str]:
    """The headers of one attempt."""
    timestamp = str(int(now.timestamp()))
    return {
        "Content-Type": "application/json",
        TIMESTAMP_HEADER: timestamp,
        SIGNATURE_HEADER: sign(body, timestamp, secret),
    }


def wait_after(attempts: int, first: float) -> float | None:
    """Seconds until the next attempt, or None if there is none."""
    return None if attempts >= MOST_ATTEMPTS else first * 2.0 ** (attempts - 1)

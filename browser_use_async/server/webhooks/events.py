"""Webhook events: which there are, their bytes and signatures, and the retry schedule. No I/O."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from browser_use_async.server.storage import TaskRecord
from browser_use_async.server.storage.progress import TaskEvent
from browser_use_async.server.storage.records import session_id_of
from browser_use_async.webhooks.signature import SIGNATURE_HEADER, TIMESTAMP_HEADER, sign

# The most attempts for one event: the first, and 5 retries.
MOST_ATTEMPTS = 6

# The status to report after an event; None is the creation. A failure is not reported: the API has
# no such status. Nor is a resumption: `started` means that a task has started and its browser is
# available, which happens once.
STATUS_AFTER: Mapping[TaskEvent | None, str] = {
    None: "initializing",
    TaskEvent.START: "started",
    TaskEvent.PAUSE: "paused",
    TaskEvent.STOP: "stopped",
    TaskEvent.FINISH: "finished",
}


# The statuses of which webhooks can get events.
EVENTS = frozenset(STATUS_AFTER.values())


def _canonical(event: Mapping[str, Any]) -> bytes:
    # The canonical form that is signed, so that receivers may also sign the raw bytes.
    return json.dumps(event, separators=(",", ":"), sort_keys=True).encode()


# The test event, which a new webhook must answer with a 2xx status; as the API documents it.
TEST_BODY = _canonical(
    {"type": "test", "timestamp": "2024-03-21T12:00:00Z", "payload": {"test": "ok"}}
)


def status_body(record: TaskRecord, status: str, now: datetime) -> bytes:
    """Return the event for a status of a task."""
    return _canonical(
        {
            "type": "agent.task.status_update",
            "timestamp": now.astimezone(UTC).isoformat(timespec="microseconds"),
            "payload": {
                "session_id": session_id_of(record.id),
                "task_id": record.id,
                "status": status,
                "metadata": record.metadata,
            },
        }
    )


def signed_headers(body: bytes, secret: str, now: datetime) -> dict[str, str]:
    """Return the signed headers of one attempt."""
    timestamp = str(int(now.timestamp()))
    return {
        "Content-Type": "application/json",
        TIMESTAMP_HEADER: timestamp,
        SIGNATURE_HEADER: sign(body, timestamp, secret),
    }


def retry_delay(attempts: int, first: float) -> float | None:
    """Return the seconds until the next attempt, or None after the last one."""
    return None if attempts >= MOST_ATTEMPTS else first * 2.0 ** (attempts - 1)

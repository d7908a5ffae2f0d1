"""The events that webhooks get about tasks: which there are, and their bytes."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from browser_use_async.server.storage.progress import TaskEvent
from browser_use_async.server.storage.records import TaskRecord, session_id_of

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


def canonical(event: Mapping[str, Any]) -> bytes:
    """The canonical form that is signed, so that receivers may also sign the raw bytes."""
    return json.dumps(event, separators=(",", ":"), sort_keys=True).encode()


def status_body(record: TaskRecord, status: str, now: datetime) -> bytes:
    """Return the event for a status of a task."""
    return canonical(
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

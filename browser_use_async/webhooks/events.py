"""Events of webhooks: their types, and reading them from verified calls."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, ClassVar, Protocol

import attrs

from browser_use_async.api.scalars import read_moment
from browser_use_async.api.submission_token import BATCH_KEY, TOKEN_KEY, TRACE_KEY
from browser_use_async.types.enums import OpenEnum
from browser_use_async.webhooks.signature import Headers, verify

STATUS_UPDATE = "agent.task.status_update"
TEST = "test"

_KNOWN_FIELDS = frozenset({"task_id", "session_id", "status", "metadata"})


class WebhookStatus(OpenEnum):
    """The status of a task in webhooks; the API uses other terms.

    `failed` is not among the statuses that the API documents: the bundled server sends it to
    webhooks that ask for it.
    """

    INITIALIZING = "initializing"
    STARTED = "started"
    PAUSED = "paused"
    STOPPED = "stopped"
    FINISHED = "finished"
    FAILED = "failed"


@attrs.frozen
class TaskStatusUpdate:
    """A task's status changed. Events may come twice, late and out of order: ask the API."""

    task_id: str  # the task's id
    session_id: str  # the id of the browser session; empty if it was not sent
    status: WebhookStatus  # the new status, possibly one that this version does not know
    metadata: dict[str, str] = attrs.field(factory=dict)  # the pairs that the task was created with
    timestamp: datetime | None = None  # when it happened, as the event says, or None
    # The value of the metadata pair by which a session finds its own submissions, or None
    submission_mark: str | None = attrs.field(default=None, repr=False)
    # The trace of its submission, if the submitting session writes spans, or None
    traceparent: str | None = attrs.field(default=None, repr=False)
    # Fields of the payload that this version does not know
    extra: dict[str, Any] = attrs.field(factory=dict, repr=False)


@attrs.frozen
class TestEvent:
    """The event that the service sends when a webhook is registered."""

    # Else pytest would collect the class as tests.
    __test__: ClassVar[bool] = False

    # What it contains; `{"test": "ok"}` by the specification
    payload: dict[str, Any] = attrs.field(factory=dict)
    timestamp: datetime | None = None  # an arbitrary time, or None


@attrs.frozen
class UnknownEvent:
    """An authentic event of a type or shape that this version does not know."""

    type: str  # the event's type, empty when there is none
    payload: Any = attrs.field(repr=False)  # any JSON value
    timestamp: datetime | None  # when it happened, as the event says, or None
    body: dict[str, Any] = attrs.field(repr=False)  # the whole event


Event = TaskStatusUpdate | TestEvent | UnknownEvent
"""Every event."""


class EventSource(Protocol):
    """An object that receives and verifies webhooks, such as a `WebhookReceiver`."""

    def subscribe(self, callback: Callable[[Event], None], /) -> None:
        """Call a function with each event from now on."""


def unwrap(
    body: bytes,
    headers: Headers,
    secret: str | Sequence[str],
    *,
    tolerance: float | None = 300,
    now: datetime | None = None,
) -> Event:
    """Verify a webhook call, and read its event.

    Raises:
        WebhookVerificationError: The call is not authentic, not fresh or not well formed. Its
            `status` is the status to answer with.
        ConfigurationError: A secret is no text or blank, or there is none.
    """
    return read_event(verify(body, headers, secret, tolerance=tolerance, now=now).body)


def read_event(body: dict[str, Any]) -> Event:
    """The event in a verified body."""
    event_type, payload = body.get("type"), body.get("payload")
    timestamp = read_moment(body.get("timestamp"), datetime)
    if isinstance(payload, dict):
        named = [payload.get("task_id"), payload.get("status")]
        if event_type == STATUS_UPDATE and all(isinstance(each, str) and each for each in named):
            return _status_update(payload, timestamp)
        if event_type == TEST:
            return TestEvent(payload, timestamp)
    return UnknownEvent(_text(event_type), payload, timestamp, body)


def _status_update(payload: dict[str, Any], timestamp: datetime | None) -> TaskStatusUpdate:
    given = payload.get("metadata")
    pairs: dict[str, Any] = given if isinstance(given, dict) else {}
    metadata = {
        key: value for key, value in pairs.items() if isinstance(value, str) and key != BATCH_KEY
    }
    return TaskStatusUpdate(
        task_id=payload["task_id"],
        session_id=_text(payload.get("session_id")),
        status=WebhookStatus(payload["status"]),
        submission_mark=metadata.pop(TOKEN_KEY, None),
        traceparent=metadata.pop(TRACE_KEY, None),
        metadata=metadata,
        timestamp=timestamp,
        extra={key: value for key, value in payload.items() if key not in _KNOWN_FIELDS},
    )


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""

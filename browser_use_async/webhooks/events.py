"""What webhooks tell."""

from datetime import datetime
from typing import Any, ClassVar

import attrs

from browser_use_async.types.enums import OpenEnum

__all__ = ["Event", "TaskStatusUpdate", "TestEvent", "UnknownEvent", "WebhookStatus"]


class WebhookStatus(OpenEnum):
    """Where a task stands, in the words of webhooks, which are not those of the API.

    There is no word for a task that failed: the service documents no webhook for it.
    """

    INITIALIZING = "initializing"
    STARTED = "started"
    PAUSED = "paused"
    STOPPED = "stopped"
    FINISHED = "finished"


@attrs.frozen
class TaskStatusUpdate:
    """A task's status changed. Events may come twice, late and out of order: ask the API."""

    task_id: str  # the task's id
    session_id: str  # the id of the browser session; empty from senders that do not tell
    status: WebhookStatus  # the new status, possibly one that this version does not know
    metadata: dict[str, str] = attrs.field(factory=dict)  # the pairs that the task was created with
    timestamp: datetime | None = None  # when it happened, as the event says, or None
    # The value of the metadata pair by which a session finds its own submissions again, or
    # None
    submission_mark: str | None = attrs.field(default=None, repr=False)
    # Fields of the payload that this version does not know
    extra: dict[str, Any] = attrs.field(factory=dict, repr=False)


@attrs.frozen
class TestEvent:
    """What the service sends when a webhook is registered."""

    # pytest would take the class for a collection of tests wherever it is imported.
    __test__: ClassVar[bool] = False

    # What it contains; `{"test": "ok"}` by the specification
    payload: dict[str, Any] = attrs.field(factory=dict)
    timestamp: datetime | None = None  # a time that has nothing to do with now, or None


@attrs.frozen
class UnknownEvent:
    """An authentic event of a type or shape that this version does not know."""

    type: str  # the event's type, empty when there is none
    payload: Any = attrs.field(repr=False)  # what it contains, whatever that is
    timestamp: datetime | None  # when it happened, as the event says, or None
    body: dict[str, Any] = attrs.field(repr=False)  # the whole event


Event = TaskStatusUpdate | TestEvent | UnknownEvent
"""Every event."""

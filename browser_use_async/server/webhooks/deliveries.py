"""The log of what was sent."""

import uuid
from collections import deque
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import attrs

from browser_use_async.contract.timestamps import format_timestamp
from browser_use_async.server.webhooks.webhook import Webhook

__all__ = ["Attempt", "Delivery", "DeliveryLog", "delivery_as_json"]

_MOST = 10_000
"""How many deliveries are remembered; the oldest are forgotten first."""


@attrs.frozen
class Attempt:
    """One sending of an event.

    Attributes:
        at: When it was sent.
        status: The HTTP status that came back, or None if no answer came.
        problem: Why no answer came, in words.
    """

    at: datetime
    status: int | None = None
    problem: str | None = None

    @property
    def succeeded(self) -> bool:
        """Whether the receiver has the event."""
        return self.status is not None and 200 <= self.status < 300


@attrs.define(eq=False)
class Delivery:
    """One event on its way to one webhook.

    Attributes:
        webhook: Where to.
        task_id: The task that it tells of.
        status: What it tells.
        body: The event, the same bytes in each attempt.
        id: The delivery's id.
        attempts: What was sent so far; on purpose several may have succeeded.
        state: `pending`, `delivered`, or `failed` when it was given up.
    """

    webhook: Webhook
    task_id: str
    status: str
    body: bytes = attrs.field(repr=False)
    id: str = attrs.field(factory=lambda: str(uuid.uuid4()))
    attempts: list[Attempt] = attrs.field(factory=list)
    state: str = "pending"


class DeliveryLog:
    """The latest deliveries, oldest first."""

    def __init__(self) -> None:
        self._deliveries: deque[Delivery] = deque(maxlen=_MOST)

    def add(self, delivery: Delivery) -> None:
        """Remember a delivery.

        Args:
            delivery: The delivery.
        """
        self._deliveries.append(delivery)

    def __iter__(self) -> Iterator[Delivery]:
        return iter(self._deliveries)


def delivery_as_json(delivery: Delivery) -> dict[str, Any]:
    """A delivery as a JSON object, without the event and the address.

    Args:
        delivery: The delivery.
    """
    return {
        "id": delivery.id,
        "webhook_id": delivery.webhook.id,
        "task_id": delivery.task_id,
        "status": delivery.status,
        "state": delivery.state,
        "attempts": [
            {"at": format_timestamp(each.at), "status": each.status, "problem": each.problem}
            for each in delivery.attempts
        ],
    }

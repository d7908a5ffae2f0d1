"""The log of deliveries."""

import uuid
from collections import deque
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import attrs

from browser_use_async.api.scalars import format_timestamp, parse_timestamp
from browser_use_async.server.storage.keeper import Keeper

_KIND = "delivery"


@attrs.frozen
class Attempt:
    """One attempt to send an event."""

    at: datetime  # when it was sent
    status: int | None = None  # the HTTP status that came back, or None if no answer came
    problem: str | None = None  # why no answer came, in words

    @property
    def succeeded(self) -> bool:
        """Whether the receiver accepted the event."""
        return self.status is not None and 200 <= self.status < 300


@attrs.define(eq=False)
class Delivery:
    """The delivery of one event to one webhook."""

    webhook_id: str  # the id of the webhook when the event occurred
    # `Webhook.address`, which also finds a webhook that has replaced the first one
    address: str = attrs.field(repr=False)
    task_id: str  # the task
    status: str  # the reported status
    body: bytes = attrs.field(repr=False)  # the event, the same bytes in each attempt
    id: str = attrs.field(factory=lambda: str(uuid.uuid4()))  # the delivery's id
    # The attempts so far; several succeed if a fault duplicates the event
    attempts: list[Attempt] = attrs.field(factory=list)
    state: str = "pending"  # `pending`, `delivered`, or `failed` when it was given up


class DeliveryLog:
    """The latest deliveries, oldest first.

    Attributes:
        unsent: Pending ones of an earlier run, whose webhooks are not registered yet.
    """

    def __init__(self, keeper: Keeper, most: int = 10_000) -> None:
        self._keeper = keeper
        self._most = most
        self._deliveries = {
            key: _restored(key, each) for key, each in list(keeper.documents(_KIND))
        }
        self._ended = deque(each.id for each in self if each.state != "pending")
        self.unsent = [each for each in self if each.state == "pending"]

    def add(self, delivery: Delivery) -> None:
        """Add a delivery, and drop the oldest ended ones beyond the limit."""
        self._deliveries[delivery.id] = delivery
        self.save(delivery)
        # Pending deliveries are never dropped, so the log may exceed its limit for a while.
        while len(self._deliveries) > self._most and self._ended:
            oldest = self._ended.popleft()
            del self._deliveries[oldest]
            self._keeper.forget(_KIND, oldest)

    def save(self, delivery: Delivery) -> None:
        """Save the state of a delivery."""
        document = {**delivery_as_json(delivery), "address": delivery.address}
        document["body"] = delivery.body.decode()
        self._keeper.keep(_KIND, delivery.id, document)

    def finish(self, delivery: Delivery, state: str) -> None:
        """End a delivery."""
        delivery.state = state
        self._ended.append(delivery.id)
        self.save(delivery)

    def __iter__(self) -> Iterator[Delivery]:
        return iter(self._deliveries.values())


def delivery_as_json(delivery: Delivery) -> dict[str, Any]:
    """Return a delivery as a JSON object, without the event and the address."""
    return {
        "id": delivery.id,
        "webhook_id": delivery.webhook_id,
        "task_id": delivery.task_id,
        "status": delivery.status,
        "state": delivery.state,
        "attempts": [
            {"at": format_timestamp(each.at), "status": each.status, "problem": each.problem}
            for each in delivery.attempts
        ],
    }


def _restored(key: str, document: dict[str, Any]) -> Delivery:
    attempts = [
        Attempt(parse_timestamp(each["at"]) or datetime.now(UTC), each["status"], each["problem"])
        for each in document["attempts"]
    ]
    return Delivery(
        document["webhook_id"],
        document["address"],
        document["task_id"],
        document["status"],
        document["body"].encode(),
        id=key,
        attempts=attempts,
        state=document["state"],
    )

"""The outbox: events for webhooks, written in the transaction of what they tell about."""

import json
import uuid
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from browser_use_async.server.storage.database import Database
from browser_use_async.server.storage.progress import TaskEvent
from browser_use_async.server.storage.records import TaskRecord, session_id_of
from browser_use_async.server.storage.webhooks import STATUS_AFTER, WebhookRegistry

# How many of the latest deliveries of each owner are kept, and all pending ones.
MOST_DELIVERIES = 10_000

# Of how many of the latest deliveries of each owner it is kept what was sent and what came back.
KEPT_EXCHANGES = 1_000

LAST_PLACE = "SELECT COALESCE(MAX(place), 0) FROM outbox WHERE owner = :owner"


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


class Outbox:
    """The events that are written, each once for every webhook that gets it."""

    def __init__(
        self,
        webhooks: WebhookRegistry,
        now: Callable[[], datetime],
        most: int = MOST_DELIVERIES,
        exchanges: int = KEPT_EXCHANGES,
    ) -> None:
        self.webhooks = webhooks
        self._now = now
        self._most = most
        self._exchanges = exchanges

    async def write(self, at: Database, record: TaskRecord, event: TaskEvent | None) -> None:
        """Write an event about a task for all webhooks, if there is one for it."""
        status = STATUS_AFTER.get(event)
        if status is None:
            return
        webhooks = await self.webhooks.hearing(at, status)
        if not webhooks:
            return
        body = status_body(record, status, self._now())
        for webhook in webhooks:
            number = await self.add(
                at, record.owner, webhook.id, webhook.address, record.id, status, body
            )
            await at.defer("delivery", f"{webhook.address}/{record.id}", number=number)

    async def add(
        self,
        at: Database,
        owner: str,
        webhook_id: str,
        address: str,
        task_id: str,
        status: str,
        body: bytes,
    ) -> int:
        """Add an event, in a transaction, and give its number.

        The oldest ended ones of the owner beyond the limit are dropped.
        """
        place = int(await at.value(LAST_PLACE, owner=owner)) + 1
        event = {
            "owner": owner,
            "place": place,
            "webhook_id": webhook_id,
            "address": address,
            "task_id": task_id,
            "status": status,
            "body": body.decode(),
            "id": str(uuid.uuid4()),
            "attempts": [],
            "state": "pending",
        }
        ((number,),) = await at.insert("outbox", event, "RETURNING number")
        await self.forget_exchanges(at, owner, place)
        # Pending deliveries are never dropped, so the log may exceed its limit for a while.
        await at.rows(
            "DELETE FROM outbox WHERE owner = :owner AND place <= :oldest AND state <> 'pending'",
            owner=owner,
            oldest=place - self._most,
        )
        return int(number)

    async def forget_exchanges(self, at: Database, owner: str, place: int) -> None:
        """Forget what was sent and came back where an owner's newest delivery has moved the limit.

        It moves by one: no other delivery beyond it has any left.
        """
        values = {"owner": owner, "place": place - self._exchanges}
        await at.update("outbox", {"exchanges": None}, **values)

"""The outbox: events for webhooks, written in the transaction of the change that they report.

An event stays until it is delivered, and for some time after that, with the receiver's answer.
"""

import json
import uuid
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

import attrs

from browser_use_async.api.scalars import format_timestamp, parse_timestamp
from browser_use_async.server.storage.database import Database, Row
from browser_use_async.server.storage.progress import TaskEvent
from browser_use_async.server.storage.records import TaskRecord, session_id_of
from browser_use_async.server.storage.rows import beginning, from_text, to_moment, to_row, to_text
from browser_use_async.server.storage.webhooks import STATUS_AFTER, WebhookRegistry

# The number of the latest deliveries of each owner that are kept, beside pending ones.
MOST_DELIVERIES = 10_000

# The number of the latest deliveries of each owner of which pending ones are kept, too.
MOST_PENDING = 100_000

# The number of the latest deliveries of each owner whose requests and answers are kept.
KEPT_EXCHANGES = 1_000

_LAST_PLACE = "SELECT COALESCE(MAX(place), 0) FROM outbox WHERE owner = :owner"
_MOST_EXCHANGES = 6  # of one delivery; a fault may duplicate attempts

_COLUMNS = "number, webhook_id, address, task_id, status, body, id, since, due, attempts, state"
_IN_LISTS = f"{_COLUMNS}, NULL"  # lists leave the exchanges out, which are large

_OF_OWNER = "task_id IN (SELECT tasks.id FROM tasks WHERE tasks.owner = :owner)"
_SAVE = (
    "UPDATE outbox SET attempts = :attempts, state = :state, due = :due, exchanges = CASE "
    "WHEN place > (SELECT MAX(others.place) FROM outbox AS others "
    "WHERE others.owner = outbox.owner) - :kept THEN :exchanges END "
    "WHERE number = :number AND (state <> 'failed' OR :state <> 'pending')"
)
STATES = ("pending", "delivered", "failed")
"""The states of a delivery; a `failed` one is not repeated."""
_IN_STATE = " AND state = :state"
_GIVE_UP = "UPDATE outbox SET state = 'failed', due = NULL WHERE state = 'pending' AND"
_SHOWN_CHARACTERS = 120  # of a task's text in lists


@attrs.frozen
class Exchange:
    """The headers of an attempt, and its answer, if one came."""

    sent: Mapping[str, str]  # headers, with the signature, but never the secret
    milliseconds: int  # until the answer, or until the attempt failed
    headers: tuple[tuple[str, str], ...] = ()  # of the answer
    body: str = ""  # the beginning of the body of the answer
    is_cut: bool = False  # whether the answer had more than that


@attrs.frozen
class Attempt:
    """One attempt to send an event."""

    at: datetime  # when it was sent
    status: int | None = None  # the HTTP status of the answer, or None without an answer
    problem: str | None = None  # the reason why no answer came
    # The request and the answer, if these are kept
    exchange: Exchange | None = attrs.field(default=None, repr=False, eq=False)

    @property
    def succeeded(self) -> bool:
        """Whether the receiver accepted the event."""
        return self.status is not None and 200 <= self.status < 300


@attrs.define(eq=False)
class Delivery:
    """The delivery of one event to one webhook."""

    number: int  # its place in the outbox
    webhook_id: str  # the id of the webhook when the event occurred
    # `Webhook.address`, which also finds a webhook that has replaced the first one
    address: str = attrs.field(repr=False)
    task_id: str  # the task
    status: str  # the reported status
    body: bytes = attrs.field(repr=False)  # the event, the same bytes in each attempt
    id: str  # the delivery's id
    since: datetime  # when the event was written
    due: datetime | None = None  # when the next attempt is made, if one has failed
    # The attempts so far; several succeed if a fault duplicates the event
    attempts: list[Attempt] = attrs.field(factory=list)
    state: str = "pending"  # `pending`, `delivered`, or `failed` after the last attempt


@attrs.define(eq=False, repr=False)
class Outbox:
    """The events for webhooks: the latest of each owner, oldest first, and pending ones."""

    _database: Database
    webhooks: WebhookRegistry
    _now: Callable[[], datetime]

    async def write(self, at: Database, record: TaskRecord, event: TaskEvent | None) -> None:
        """Write the event of a task for each webhook that gets it."""
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
        """Add an event, in a transaction; returns its number.

        The oldest ones of the owner beyond the limits are dropped.
        """
        place = int(await at.value(_LAST_PLACE, owner=owner)) + 1
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
            "since": self._now(),
        }
        ((number,),) = await at.insert("outbox", event, "RETURNING number")
        await self._forget_exchanges(at, owner, place)
        await at.rows(
            "DELETE FROM outbox WHERE owner = :owner AND place <= :oldest "
            "AND (state <> 'pending' OR place <= :oldest_pending)",
            owner=owner,
            oldest=place - MOST_DELIVERIES,
            oldest_pending=place - MOST_PENDING,
        )
        return int(number)

    async def _forget_exchanges(self, at: Database, owner: str, place: int) -> None:
        """Delete the request and the answer of the first delivery beyond the limit.

        The limit moves by one, so older deliveries have none.
        """
        place -= KEPT_EXCHANGES
        await at.update("outbox", {"exchanges": None}, owner=owner, place=place)

    async def get(self, number: int) -> Delivery | None:
        """Return the delivery with a number, or None."""
        return await self._first("number = :number", number=number)

    async def get_of(self, owner: str, delivery_id: str) -> Delivery | None:
        """Return an owner's delivery with its requests and answers, or None."""
        condition = f"id = :id AND {_OF_OWNER}"
        return await self._first(condition, id=to_text(delivery_id), owner=owner)

    async def next_pending(self, address: str, task_id: str) -> Delivery | None:
        """Return the oldest pending event of a task for an address, or None."""
        condition = "state = 'pending' AND address = :address AND task_id = :task_id"
        oldest = f"{condition} ORDER BY number LIMIT 1"
        return await self._first(oldest, address=address, task_id=task_id)

    async def pending_tasks(self, address: str, count: int) -> list[str]:
        """Return the first tasks with an event for an address that can be sent now, in order."""
        # Only the oldest pending event of a task is ever sent, so no other one is due.
        found = await self._database.rows(
            "SELECT task_id FROM outbox WHERE state = 'pending' AND address = :address "
            "GROUP BY task_id HAVING MAX(COALESCE(due, '')) <= :now "
            "ORDER BY MIN(number) LIMIT :count",
            address=address,
            now=to_moment(self._now()),
            count=count,
        )
        return [task_id for (task_id,) in found]

    async def due_tasks(self, address: str, count: int) -> list[str]:
        """Return the tasks whose event for an address is to be sent again now, in order."""
        found = await self._database.rows(
            "SELECT task_id FROM outbox WHERE address = :address AND due <= :now "
            "ORDER BY due LIMIT :count",
            address=address,
            now=to_moment(self._now()),
            count=count,
        )
        return [task_id for (task_id,) in found]

    async def next_due(self, address: str) -> datetime | None:
        """Return when an event for an address is to be sent again next, or None."""
        statement = "SELECT MIN(due) FROM outbox WHERE address = :address AND due > :now"
        now = to_moment(self._now())
        return _moment_or_none(await self._database.value(statement, address=address, now=now))

    async def make_due(self, address: str) -> None:
        """Let all pending events for an address be sent now."""
        statement = "UPDATE outbox SET due = NULL WHERE address = :address AND due IS NOT NULL"
        await self._database.rows(statement, address=address)

    async def give_up_for(self, address: str) -> None:
        """Give up all pending events for an address."""
        await self._database.rows(f"{_GIVE_UP} address = :address", address=address)

    async def give_up_before(self, moment: datetime) -> int:
        """Give up the pending events that were written before a moment; returns their number."""
        before = to_moment(moment)
        statement = "SELECT 1 FROM outbox WHERE state = 'pending' AND since < :before LIMIT 1"
        # Asked first, because an update locks the database also if it changes nothing.
        if await self._database.first(statement, before=before) is None:
            return 0
        given_up = f"{_GIVE_UP} since < :before RETURNING 1"
        return len(await self._database.rows(given_up, before=before))

    async def pending_count(self) -> int:
        """Return the number of pending events."""
        statement = "SELECT COUNT(*) FROM outbox WHERE state = 'pending'"
        return int(await self._database.value(statement))

    async def save(
        self, delivery: Delivery, state: str | None = None, due: datetime | None = None
    ) -> None:
        """Save the attempts of a delivery, and its final state or when it is sent again.

        One that was given up meanwhile stays so, unless it was received.
        """
        delivery.state = state or delivery.state
        values = {
            "attempts": delivery_as_json(delivery)["attempts"],
            "exchanges": _exchanges(delivery),
            "state": delivery.state,
            "due": due,
        }
        values = to_row(values)
        await self._database.rows(_SAVE, **values, kept=KEPT_EXCHANGES, number=delivery.number)

    async def latest(self, count: int) -> list[Delivery]:
        """Return the latest deliveries, oldest first."""
        found = await self._read("1 = 1 ORDER BY number DESC LIMIT :count", count=count)
        return found[::-1]

    async def latest_of(self, owner: str, count: int, state: str) -> list[Delivery]:
        """Return an owner's latest deliveries, in one state or in all, oldest first."""
        condition = f"{_OF_OWNER}{_IN_STATE if state else ''} ORDER BY number DESC LIMIT :count"
        found = await self._read(condition, owner=owner, count=count, state=state)
        return found[::-1]

    async def latest_tasks_of(self, owner: str, count: int, state: str) -> dict[str, str]:
        """Return the beginnings of the task texts of an owner's latest deliveries."""
        found = await self._database.rows(
            f"SELECT id, {beginning('task', _SHOWN_CHARACTERS)} FROM tasks WHERE id IN "
            f"(SELECT task_id FROM outbox WHERE {_OF_OWNER}{_IN_STATE if state else ''} "
            "ORDER BY number DESC LIMIT :count)",
            owner=owner,
            count=count,
            state=state,
        )
        return {task_id: from_text(text)[:_SHOWN_CHARACTERS] for task_id, text in found}

    async def repeat(self, at: Database, delivery_id: str, owner: str) -> Delivery | None:
        """Add the event of an owner's ended delivery once more, in a transaction."""
        added = await at.first(  # the parts are constants
            "INSERT INTO outbox (owner, place, webhook_id, address, task_id, status, body, id, "
            "attempts, state, since) "
            f"SELECT :owner, ({_LAST_PLACE}) + 1, "
            "webhook_id, address, task_id, status, body, :new_id, '[]', 'pending', :now "
            f"FROM outbox WHERE id = :id AND state <> 'pending' AND {_OF_OWNER} "
            f"RETURNING place, {_IN_LISTS}",
            new_id=str(uuid.uuid4()),
            now=to_moment(self._now()),
            id=to_text(delivery_id),
            owner=owner,
        )
        if added is None:
            return None
        place, *columns = added
        await self._forget_exchanges(at, owner, place)
        delivery = _restored(tuple(columns))
        lock = f"{delivery.address}/{delivery.task_id}"
        await at.defer("delivery", lock, number=delivery.number)
        return delivery

    async def count_of(self, owner: str, state: str) -> int:
        """Return the number of an owner's deliveries, in one state or in all."""
        statement = f"SELECT COUNT(*) FROM outbox WHERE {_OF_OWNER}{_IN_STATE if state else ''}"
        return int(await self._database.value(statement, owner=owner, state=state))

    async def _first(self, condition: str, **values: Any) -> Delivery | None:
        statement = f"SELECT {_COLUMNS}, exchanges FROM outbox WHERE {condition}"
        row = await self._database.first(statement, **values)
        return None if row is None else _restored(row)

    async def _read(self, condition: str, **values: Any) -> list[Delivery]:
        statement = f"SELECT {_IN_LISTS} FROM outbox WHERE {condition}"
        return [_restored(row) for row in await self._database.rows(statement, **values)]


def canonical(event: Mapping[str, Any]) -> bytes:
    """Return the canonical JSON that is signed. It is sent unchanged, so the raw bytes fit too."""
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


def delivery_as_json(delivery: Delivery) -> dict[str, Any]:
    """Return a delivery as a JSON object, without the address, which may contain a secret."""
    return {
        "id": delivery.id,
        "webhook_id": delivery.webhook_id,
        "task_id": delivery.task_id,
        "status": delivery.status,
        "state": delivery.state,
        "event": json.loads(delivery.body),
        "attempts": [
            {"at": format_timestamp(each.at), "status": each.status, "problem": each.problem}
            for each in delivery.attempts
        ],
    }


def whole_delivery_as_json(delivery: Delivery) -> dict[str, Any]:
    """Return a delivery as a JSON object, with the request and answer of each attempt."""
    value = delivery_as_json(delivery)
    for attempt, each in zip(value["attempts"], delivery.attempts, strict=True):
        attempt["exchange"] = None if each.exchange is None else attrs.asdict(each.exchange)
    return {**value, "body": delivery.body.decode()}


def _exchanges(delivery: Delivery) -> list[dict[str, Any] | None]:
    """The stored form of an attempt."""
    oldest = len(delivery.attempts) - _MOST_EXCHANGES
    return [
        None if each.exchange is None or number < oldest else attrs.asdict(each.exchange)
        for number, each in enumerate(delivery.attempts)
    ]


def _restored(row: Row) -> Delivery:
    *columns, attempts, state, exchanges = row
    number, webhook_id, address, task_id, status, body, delivery_id, since, due = columns
    made = json.loads(attempts)
    kept = json.loads(exchanges) if exchanges else [None] * len(made)
    restored = [
        Attempt(
            _moment(each["at"]),
            each["status"],
            each["problem"],
            None if exchange is None else exchange_from_json(exchange),
        )
        for each, exchange in zip(made, kept, strict=True)
    ]
    return Delivery(
        number,
        webhook_id,
        address,
        task_id,
        status,
        body.encode(),
        delivery_id,
        _moment(since),
        _moment_or_none(due),
        restored,
        state,
    )


def _moment_or_none(stored: str | None) -> datetime | None:
    return None if stored is None else parse_timestamp(stored)


def _moment(stored: str) -> datetime:
    return parse_timestamp(stored) or datetime.now(UTC)


def exchange_from_json(value: Mapping[str, Any]) -> Exchange:
    """Read the stored form."""
    headers = tuple((name, text) for name, text in value["headers"])
    return Exchange(value["sent"], value["milliseconds"], headers, value["body"], value["is_cut"])

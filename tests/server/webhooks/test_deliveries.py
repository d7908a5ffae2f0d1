"""The events that a webhook gets, their order, and their repetitions."""

import asyncio
import itertools
import json
import time
from collections.abc import Callable
from datetime import UTC, datetime

from standardwebhooks.webhooks import Webhook as StandardWebhook

from browser_use_async.server import Fault, LocalServer, Webhook
from browser_use_async.server.records import Failed, Finished
from tests.server.calling import Caller
from tests.server.steering import NeverBegun
from tests.server.webhooks.receiver import SECRET, Call, receiving
from tests.support.patience import until

METADATA = {"team": "Müller 🎉", "bu_async.token": "batch/item"}


def _moment(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def _fails(times: int, status: str) -> Callable[[Call], int]:
    """Answers the first calls about a status with 500."""
    numbers = itertools.count()
    return lambda call: 500 if call.status == status and next(numbers) < times else 200


async def test_a_life(notified, queue, receiver):
    """Creation, start, pause and end are sent in order; a resumption is no second start."""
    task_id = await notified.create(metadata=METADATA)
    await notified.reached(task_id, "running")
    await notified.put(f"/pause-task?task_id={task_id}")
    await notified.put(f"/resume-task?task_id={task_id}")
    queue.items.put_nowait(Finished("Done"))
    await receiver.has(5)

    assert receiver.statuses == ["test", "initializing", "started", "paused", "finished"]
    assert all(call.is_genuine for call in receiver.calls)
    assert all(abs(int(call.timestamp) - time.time()) < 60 for call in receiver.calls)
    events = [call.event for call in receiver.calls[1:]]
    assert {event["type"] for event in events} == {"agent.task.status_update"}
    assert all(event["payload"]["task_id"] == task_id for event in events)
    assert all(event["payload"]["metadata"] == METADATA for event in events)
    (session_id,) = {event["payload"]["session_id"] for event in events}
    assert session_id != task_id


async def test_a_stop_is_sent(notified, receiver):
    """Stopped is the last event."""
    task_id = await notified.create()
    await notified.reached(task_id, "running")
    await notified.put(f"/stop-task?task_id={task_id}")
    await receiver.has(4)

    assert receiver.statuses[1:] == ["initializing", "started", "stopped"]


async def test_a_failure_is_not_sent_unless_it_is_asked_for(notified, queue, receiver):
    """The API documents no event for it, so that a receiver may not know it."""
    failed = await notified.create()
    queue.items.put_nowait(Failed("No such page"))
    await notified.reached(failed, "failed")
    other = await notified.create()
    await notified.reached(other, "running")
    await receiver.has(5)

    words = [(each["task_id"], each["status"]) for each in map(_payload, receiver.calls[1:])]
    assert sorted(words) == sorted(
        (task_id, status) for task_id in (failed, other) for status in ("initializing", "started")
    )


async def test_a_failure_is_sent_to_who_asks_for_it(http, queue, receiver):
    """As the last event of the task, also beside others; it has the same shape."""
    events = ["initializing", "started", "failed"]
    webhooks = [Webhook(receiver.url, SECRET, events=events)]
    async with LocalServer(executor=queue, webhooks=webhooks) as server:
        queue.items.put_nowait(Failed("No such page"))
        task_id = await Caller(server, http).create(metadata=METADATA)
        await receiver.has(4)

    assert receiver.statuses == ["test", *events]
    assert receiver.calls[-1].is_genuine
    payload = _payload(receiver.calls[-1])
    assert (payload["task_id"], payload["metadata"]) == (task_id, METADATA)


def _payload(call: Call) -> dict[str, str]:
    return dict(call.event["payload"])


async def test_retries(notified, queue, receiver):
    """After 4 refusals the fifth attempt succeeds with the same body; later events wait."""
    receiver.answer = _fails(4, "initializing")
    queue.items.put_nowait(Finished("Done"))
    started = asyncio.get_running_loop().time()
    await notified.create(metadata=METADATA)
    await receiver.has(8)
    elapsed = asyncio.get_running_loop().time() - started

    assert receiver.statuses == ["test", *["initializing"] * 5, "started", "finished"]
    assert len({call.body for call in receiver.calls[1:6]}) == 1
    assert all(call.is_genuine for call in receiver.calls)
    assert elapsed >= 4 * 0.01
    first = notified.server.deliveries[0]
    assert [each.status for each in first.attempts] == [500, 500, 500, 500, 200]


async def test_all_attempts_have_the_id_of_their_event(notified, queue, receiver):
    """As Standard Webhooks requires: the reference library verifies each attempt."""
    receiver.answer = _fails(3, "initializing")
    queue.items.put_nowait(Finished("Done"))
    await notified.create(metadata=METADATA)
    await receiver.has(7)

    reference = StandardWebhook(SECRET.encode())
    for body, headers in receiver.requests:
        assert reference.verify(body, dict(headers)) == json.loads(body)
    ids = [headers["webhook-id"] for _, headers in receiver.requests]
    assert len(set(ids[1:5])) == 1
    assert len(set(ids)) == 4  # test, initializing, started, finished
    assert set(ids[1:]) == {delivery.id for delivery in notified.server.deliveries}


async def test_each_attempt_is_signed_anew(http, receiver):
    """A retry has its own time, so that a receiver's window accepts it."""
    clock = itertools.count(1_800_000_000, 10)
    async with LocalServer(
        executor=NeverBegun(), webhook_retry_pauses=[0.0] * 5, now=lambda: _moment(next(clock))
    ) as server:
        await server.add_webhook(Webhook(receiver.url, SECRET))
        receiver.answer = _fails(2, "initializing")
        await Caller(server, http).create()
        await receiver.has(4)

    attempts = receiver.calls[1:]
    assert len({call.timestamp for call in attempts}) == len(attempts) == 3
    assert len({call.signature for call in attempts}) == 3
    assert len({call.body for call in attempts}) == 1
    assert all(call.is_genuine for call in attempts)


async def test_an_event_is_given_up(notified, receiver, caplog):
    """After the first attempt and 5 retries; the next event is sent, and no secret is logged."""
    receiver.answer = lambda call: 500 if call.status == "initializing" else 200
    await notified.create()
    await receiver.has(8)
    log = await notified.ask("GET", notified.server.url + "/admin/deliveries")
    only = await notified.ask("GET", notified.server.url + "/admin/deliveries?state=failed")
    wrong = await notified.ask("GET", notified.server.url + "/admin/deliveries?state=lost")

    assert receiver.statuses == ["test", *["initializing"] * 6, "started"]
    assert [each["state"] for each in only.json["deliveries"]] == ["failed"]
    assert (only.json["count"], only.json["total_count"], wrong.status) == (1, 2, 422)
    failed, started = log.json["deliveries"]
    assert (failed["state"], failed["status"], len(failed["attempts"])) == (
        "failed",
        "initializing",
        6,
    )
    assert started["status"] == "started"
    assert "did not receive an event" in caplog.text
    for text in (
        caplog.text,
        log.text,
        repr(notified.server.deliveries),
        repr(notified.server.webhooks),
    ):
        assert "canary" not in text


async def test_a_redirect_is_no_success(notified, receiver):
    """It is not followed; the same address is called again."""
    numbers = itertools.count()
    receiver.answer = lambda _: 307 if next(numbers) == 0 else 200
    await notified.create()
    await receiver.has(4)

    assert receiver.statuses == ["test", "initializing", "initializing", "started"]
    assert [each.status for each in notified.server.deliveries[0].attempts] == [307, 200]


async def test_events_are_sent_again_on_purpose(notified, queue, receiver):
    """The fault counts each event that it affected; the copies are the same event."""
    notified.server.set_faults([Fault("duplicate_webhook", calls=[1, 3], count=2)])
    queue.items.put_nowait(Finished("Done"))
    await notified.create()
    await receiver.has(8)

    words = [*["initializing"] * 3, "started", *["finished"] * 3]
    assert receiver.statuses == ["test", *words]
    assert len({call.body for call in receiver.calls[1:]}) == 3
    assert notified.server.faults_fired == {"duplicate_webhook": 2}


async def test_a_slow_webhook_delays_no_other(notified, receiver):
    """Each webhook has its own queues."""
    async with receiving() as other:
        await notified.server.add_webhook(Webhook(other.url, SECRET))
        receiver.answer = lambda _: 500
        await notified.create()
        await other.has(3)

    assert other.statuses == ["test", "initializing", "started"]


async def test_the_last_event_is_still_sent(http, receiver):
    """A server that closes at once has sent all events."""
    webhooks = [Webhook(receiver.url, SECRET)]
    async with LocalServer(executor=NeverBegun(), webhooks=webhooks) as server:
        await Caller(server, http).create()

    assert receiver.statuses == ["test", "initializing"]


async def test_a_delivery_that_has_ended_is_sent_again(notified, receiver):
    """With the same bytes, as a new delivery; one that is still being sent is not."""
    place = f"{notified.server.url}/admin/deliveries"
    receiver.gate.clear()
    await notified.create()
    await receiver.has(2)
    first = notified.server.deliveries[0]
    early = await notified.post(f"{place}/{first.id}/again")
    receiver.gate.set()
    await until(lambda: all(each.state == "delivered" for each in notified.server.deliveries))
    again = await notified.post(f"{place}/{first.id}/again")
    await receiver.has(4)

    assert (early.status, again.status) == (404, 200)
    assert again.json["id"] != first.id
    assert receiver.statuses == ["test", "initializing", "started", "initializing"]
    assert receiver.calls[3].body == receiver.calls[1].body

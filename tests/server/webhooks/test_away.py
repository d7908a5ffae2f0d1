"""A receiver that is away for hours or days, in virtual time: what it gets when it is back."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import aiohttp
import pytest

from browser_use_async.server import LocalServer, Webhook
from browser_use_async.server.records import Finished
from browser_use_async.server.secrets.encryption import KEY_VARIABLE
from browser_use_async.server.webhooks.events import LIFETIME, RETRY_PAUSES
from tests.server.calling import Caller
from tests.server.steering import FromQueue, NeverBegun
from tests.server.webhooks.receiver import SECRET, Call, Receiver, receiving
from tests.support.patience import until

HOUR = 3600.0
ALL = ["initializing", "started", "finished"]
BEGIN = datetime(2026, 1, 1, tzinfo=UTC)


def _clock(begin: datetime = BEGIN) -> Callable[[], datetime]:
    """A wall clock that follows the loop's virtual one."""
    loop = asyncio.get_running_loop()
    started = loop.time()
    return lambda: begin + timedelta(seconds=loop.time() - started)


def _server(receiver: Receiver, now: Callable[[], datetime], **options: Any) -> LocalServer:
    webhooks = [Webhook(receiver.url, SECRET)]
    executor = FromQueue(Finished("Done"))
    given: dict[str, Any] = {"executor": executor, "webhooks": webhooks, "now": now, **options}
    return LocalServer(**given)


def _away(call: Call) -> int:
    return 200 if call.status == "test" else 503


async def _ended_task(server: LocalServer, http: aiohttp.ClientSession) -> str:
    caller = Caller(server, http)
    task_id = await caller.create()
    await caller.reached(task_id, "finished")
    return task_id


def test_the_pauses_grow_and_cover_three_days():
    """Each pause is longer than the one before it; the last attempt comes within the lifetime."""
    assert list(RETRY_PAUSES) == sorted(set(RETRY_PAUSES))
    assert timedelta(hours=70) < timedelta(seconds=sum(RETRY_PAUSES)) < LIFETIME
    assert sum(RETRY_PAUSES[:5]) <= 120  # a deploy of a minute is bridged within two


@pytest.mark.looptime
@pytest.mark.parametrize(
    ("seconds", "later"), [(60.0, 60.0), (2 * HOUR, HOUR), (60 * HOUR, 12 * HOUR)]
)
async def test_a_receiver_that_comes_back_gets_all_events_in_order(seconds, later, http):
    """Soon after a deploy, later after a longer time."""
    async with receiving() as receiver, _server(receiver, _clock()) as server:
        receiver.answer = _away
        await _ended_task(server, http)
        await asyncio.sleep(seconds)
        assert set(receiver.statuses) == {"test", "initializing"}
        receiver.calls.clear()
        receiver.answer = lambda _: 200
        await asyncio.sleep(later)

        assert receiver.statuses == ALL
        assert {each.state for each in server.deliveries} == {"delivered"}


@pytest.mark.looptime
async def test_after_three_days_events_are_given_up(http):
    """All of them, also those that waited behind the first one; new ones are sent."""
    async with receiving() as receiver, _server(receiver, _clock()) as server:
        receiver.answer = _away
        await _ended_task(server, http)
        await asyncio.sleep(LIFETIME.total_seconds() + 120)
        receiver.answer = lambda _: 200
        receiver.calls.clear()
        await asyncio.sleep(48 * HOUR)
        assert receiver.calls == []
        answer = await Caller(server, http).ask("GET", f"{server.url}/admin/deliveries")
        await Caller(server, http).create()
        await until(lambda: "initializing" in receiver.statuses)

    deliveries = answer.json["deliveries"]
    assert [(each["status"], each["state"]) for each in deliveries] == [
        (status, "failed") for status in ALL
    ]
    assert len(deliveries[0]["attempts"]) == 1 + len(RETRY_PAUSES)


@pytest.mark.looptime
async def test_attempts_are_made_at_the_times_of_the_schedule(http):
    """Also if the task goes on meanwhile; between attempts nothing of the event is in memory."""
    executor = FromQueue()
    async with receiving() as receiver, _server(receiver, _clock(), executor=executor) as server:
        receiver.answer = _away
        caller = Caller(server, http)
        task_id = await caller.create()
        await until(lambda: len(server.deliveries[0].attempts) == 3)
        executor.items.put_nowait(Finished("Done"))
        await caller.reached(task_id, "finished")
        await asyncio.sleep(LIFETIME.total_seconds() - HOUR)
        left = [each.get_name() for each in asyncio.all_tasks()]
        await asyncio.sleep(2 * HOUR)
        delivery = server.deliveries[0]

    times = [each.at for each in delivery.attempts]
    pauses = [(b - a).total_seconds() for a, b in pairwise(times)]
    assert pauses == pytest.approx(RETRY_PAUSES, abs=1.0)
    assert not [name for name in left if "delivers webhooks" in name]


@pytest.mark.looptime
async def test_a_restart_goes_on_with_the_schedule(http, tmp_path, monkeypatch):
    """A webhook of an earlier run is called when its event is due, not before."""
    monkeypatch.setenv(KEY_VARIABLE, "a key of the operator's own")
    now = _clock()
    options: dict[str, Any] = {
        "webhooks": (),
        "database": tmp_path / "server.db",
        "executor": NeverBegun(),
    }
    async with receiving() as receiver:
        async with _server(receiver, now, **options) as server:
            await server.add_webhook(Webhook(receiver.url, SECRET))
            receiver.answer = _away
            await Caller(server, http).create()
            await asyncio.sleep(HOUR)
        before = len(receiver.calls)
        async with _server(receiver, now, **{**options, "executor": NeverBegun()}) as server:
            receiver.answer = lambda _: 200
            await asyncio.sleep(10 * 60)
            assert len(receiver.calls) == before
            await asyncio.sleep(HOUR)
            states = [each.state for each in server.deliveries]

    assert states[0] == "delivered"
    assert receiver.statuses[before] == "initializing"


@pytest.mark.looptime
async def test_a_server_that_was_away_for_days_sends_nothing_old(http, tmp_path, monkeypatch):
    """Their age counts from when they were written, also while no server runs."""
    monkeypatch.setenv(KEY_VARIABLE, "a key of the operator's own")
    options: dict[str, Any] = {"webhooks": (), "database": tmp_path / "server.db"}
    async with receiving() as receiver:
        async with _server(receiver, _clock(), **options) as server:
            await server.add_webhook(Webhook(receiver.url, SECRET))
            receiver.answer = _away
            await _ended_task(server, http)
        receiver.calls.clear()
        async with _server(receiver, _clock(BEGIN + timedelta(days=4)), **options) as server:
            receiver.answer = lambda _: 200
            await asyncio.sleep(HOUR)
            states = [each.state for each in server.deliveries]

    assert receiver.calls == []
    assert states == ["failed"] * 3


@pytest.mark.looptime
async def test_events_without_a_webhook_are_given_up_as_well(http, tmp_path):
    """They wait for a receiver that is never registered again, for three days."""
    now = _clock()
    database = tmp_path / "server.db"
    async with receiving() as receiver:
        async with _server(receiver, now, database=database) as server:
            receiver.answer = _away
            await _ended_task(server, http)
        async with _server(receiver, now, database=database, webhooks=()) as server:
            await asyncio.sleep(48 * HOUR)
            waiting = [each.state for each in server.deliveries]
            await asyncio.sleep(25 * HOUR)
            given_up = [each.state for each in server.deliveries]

    assert waiting == ["pending"] * 3
    assert given_up == ["failed"] * 3


@pytest.mark.looptime
@pytest.mark.parametrize("moves", [False, True])
async def test_a_removal_ends_the_deliveries(moves, http):
    """At once, and so does a change of the address: nothing goes to the former one."""
    async with receiving() as receiver, _server(receiver, _clock()) as server:
        caller = Caller(server, http)
        receiver.answer = _away
        await _ended_task(server, http)
        await asyncio.sleep(HOUR)
        place = f"{server.url}/admin/webhooks/{server.webhooks[0].id}"
        if moves:
            await caller.ask("PATCH", place, json={"url": f"{receiver.url}/elsewhere"})
        else:
            await caller.ask("DELETE", place)
        states = [each.state for each in server.deliveries]
        receiver.calls.clear()
        await asyncio.sleep(LIFETIME.total_seconds())

    assert states == ["failed"] * 3
    assert receiver.calls == []


@pytest.mark.looptime
async def test_one_that_is_registered_again_gets_what_waits_at_once(http):
    """Its test event has shown that it is back."""
    async with receiving() as receiver, _server(receiver, _clock()) as server:
        receiver.answer = _away
        await _ended_task(server, http)
        await asyncio.sleep(24 * HOUR)
        receiver.calls.clear()
        receiver.answer = lambda _: 200
        await server.add_webhook(Webhook(receiver.url, SECRET))
        await asyncio.sleep(1)

    assert receiver.statuses == ["test", *ALL]


@pytest.mark.looptime
async def test_many_events_of_a_receiver_that_is_away_arrive_in_the_end(http):
    """More tasks than are in memory at once; another receiver gets all of its events meanwhile."""
    count = 300
    async with (
        receiving() as receiver,
        receiving() as other,
        _server(receiver, _clock(), executor=NeverBegun()) as server,
    ):
        await server.add_webhook(Webhook(other.url, SECRET))
        receiver.answer = _away
        caller = Caller(server, http)
        for _ in range(count):
            await caller.create()
        await until(lambda: other.statuses.count("initializing") == count)
        await asyncio.sleep(HOUR)
        receiver.answer = lambda _: 200
        receiver.calls.clear()
        await asyncio.sleep(3 * HOUR)
        states = {each.state for each in server.deliveries}

    assert states == {"delivered"}
    assert receiver.statuses.count("initializing") == count

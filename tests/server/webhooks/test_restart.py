"""Pending events outlive the server, in order; secrets on disk are sealed or missing."""

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import ExitStack, asynccontextmanager
from pathlib import Path

import aiohttp
import pytest

from browser_use_async.errors import ConfigurationError
from browser_use_async.server import LocalServer, Webhook
from browser_use_async.server.records import Finished
from browser_use_async.server.secrets.encryption import KEY_VARIABLE
from browser_use_async.server.storage import Database, SqliteDatabase
from browser_use_async.server.storage.outbox import Outbox
from tests.server.calling import Caller
from tests.server.steering import FromQueue
from tests.server.webhooks.receiver import SECRET, Call, outbox_of
from tests.support.patience import PATIENCE, until
from tests.support.permissions import files_no_larger_than

ROOT = Path(__file__).parents[3]
NEW_SECRET = "canary-of-another-webhook-secret"


def _server(database_path: Path, **options: object) -> LocalServer:
    executor = FromQueue(Finished("Done"))
    given = {"api_key": "bu_test_of_storage", "webhook_retry_pauses": [30.0] * 5, **options}
    return LocalServer(executor=executor, database=database_path, **given)  # type: ignore[arg-type]


async def _first_attempt_failed(server: LocalServer, http: aiohttp.ClientSession) -> str:
    """Create a task, let it end, and wait until the first attempt of its first event has failed."""
    caller = Caller(server, http)
    task_id = await caller.create(metadata={"order": "7"})
    await caller.reached(task_id, "finished")
    await until(lambda: server.deliveries[0].attempts)
    return task_id


def _fails_after_the_test(call: Call) -> int:
    return 200 if call.status == "test" else 500


async def test_what_was_pending_is_sent_again(database_path, http, receiver):
    """In order, with the same bodies, and with the count of earlier attempts."""
    webhook = Webhook(receiver.url, SECRET)
    receiver.answer = _fails_after_the_test
    async with _server(database_path, webhooks=[webhook]) as server:
        task_id = await _first_attempt_failed(server, http)
        before = [each.body for each in server.deliveries]
    receiver.calls.clear()
    receiver.answer = lambda _: 200
    async with _server(database_path, webhooks=[Webhook(receiver.url, SECRET)]) as server:
        await receiver.has(4)
        # It was received, and this is not recorded yet.
        await until(lambda: all(each.state == "delivered" for each in server.deliveries))
        log = server.deliveries

    assert receiver.statuses == ["test", "initializing", "started", "finished"]
    assert [call.body for call in receiver.calls[1:]] == before
    assert all(call.is_genuine for call in receiver.calls)
    assert {call.event["payload"]["task_id"] for call in receiver.calls[1:]} == {task_id}
    assert [[each.status for each in delivery.attempts] for delivery in log] == [
        [500, 200],
        [200],
        [200],
    ]
    receiver.calls.clear()
    async with _server(database_path, webhooks=[webhook]) as server:
        assert [each.state for each in server.deliveries] == ["delivered"] * 3
    assert receiver.statuses == ["test"]


async def test_a_new_secret_takes_over(database_path, http, receiver):
    """After a replacement, pending events are signed with the new secret."""
    # Under the old secret only the test is accepted, also not a running attempt.
    receiver.answer = lambda call: 200 if call.is_genuine or call.status == "test" else 500

    def taken() -> list[str]:
        return [call.status for call in receiver.calls if call.is_genuine]

    async with _server(database_path, webhook_retry_pauses=[0.05] * 5) as server:
        await server.add_webhook(Webhook(receiver.url, NEW_SECRET))
        await _first_attempt_failed(server, http)
        await server.add_webhook(Webhook(receiver.url, SECRET))
        await until(lambda: len(taken()) == 4)

    assert taken() == ["test", "initializing", "started", "finished"]


async def test_webhooks_come_back_under_the_key(database_path, http, receiver, monkeypatch):
    """One that was added at run time gets events after a restart, without another test event."""
    monkeypatch.setenv(KEY_VARIABLE, "a key of the operator's own")
    async with _server(database_path) as server:
        await server.add_webhook(Webhook(receiver.url + "/t0ken", SECRET))
        known = server.webhooks
    on_disk = b"".join(each.read_bytes() for each in database_path.parent.iterdir())
    receiver.calls.clear()
    async with _server(database_path) as server:
        assert server.webhooks == known
        await Caller(server, http).create()
        await receiver.has(3)
        answer = await Caller(server, http).ask(
            "DELETE", f"{server.url}/admin/webhooks/{known[0].id}"
        )
        assert answer.status == 200
    async with _server(database_path) as server:
        assert server.webhooks == ()

    assert receiver.statuses == ["initializing", "started", "finished"]
    assert all(call.is_genuine for call in receiver.calls)
    assert SECRET.encode() not in on_disk
    assert b"t0ken" not in on_disk


async def test_webhooks_in_code_are_of_this_run(database_path, receiver, monkeypatch):
    """An address that is removed from the code gets no calls any more."""
    monkeypatch.setenv(KEY_VARIABLE, "a key of the operator's own")
    async with _server(database_path, webhooks=[Webhook(receiver.url, SECRET)]):
        pass
    async with _server(database_path) as server:
        assert server.webhooks == ()


async def test_without_a_key_they_are_not_kept(database_path, http, receiver, caplog):
    """The log says so; pending events wait until the address is registered again."""
    receiver.answer = _fails_after_the_test
    async with _server(database_path) as server:
        await server.add_webhook(Webhook(receiver.url, SECRET))
        await _first_attempt_failed(server, http)
    said = caplog.text
    on_disk = b"".join(each.read_bytes() for each in database_path.parent.iterdir())
    receiver.calls.clear()
    receiver.answer = lambda _: 200
    async with _server(database_path) as server:
        assert server.webhooks == ()
        assert {each.state for each in server.deliveries} == {"pending"}
        await server.add_webhook(Webhook(receiver.url, SECRET))
        await receiver.has(4)

    assert KEY_VARIABLE in said
    assert "3 webhook events were not delivered before the server closed" in said
    assert receiver.statuses == ["test", "initializing", "started", "finished"]
    assert SECRET.encode() not in on_disk
    assert receiver.url.encode() not in on_disk


async def _add(outbox: Outbox, database: Database, status: str, owner: str = "default") -> None:
    await database.transact(lambda at: outbox.add(at, owner, "w", "a", "t", status, b"{}"))


@pytest.fixture
def three_deliveries(monkeypatch):
    """Of each owner, the three latest deliveries are kept."""
    monkeypatch.setattr("browser_use_async.server.storage.outbox.MOST_DELIVERIES", 3)


@pytest.mark.usefixtures("three_deliveries")
@pytest.mark.parametrize("is_in_memory", [False, True])
async def test_the_log_is_bounded(is_in_memory, database_path):
    """The oldest ended ones are deleted, also on disk; pending ones are kept."""
    database = SqliteDatabase(None if is_in_memory else database_path)
    outbox = outbox_of(database)
    for number in range(6):
        await _add(outbox, database, f"word {number}")
        if number != 1:
            delivery = (await outbox.latest(1))[0]
            await outbox.save(delivery, "delivered")
    left = [each.status for each in await outbox.latest(10)]
    pending = await outbox.next_pending("a", "t")
    database.close()

    assert left == ["word 1", "word 3", "word 4", "word 5"]
    assert pending is not None
    assert pending.status == "word 1"


@pytest.mark.usefixtures("three_deliveries")
async def test_one_owner_does_not_displace_another(database_path):
    """Each owner has room for its own, however many the others have."""
    database = SqliteDatabase(database_path)
    outbox = outbox_of(database)
    for number in range(6):
        for owner in ("shop", "busy", "busy"):
            if number < 2 or owner == "busy":
                await _add(outbox, database, f"{owner} {number}", owner)
                await outbox.save((await outbox.latest(1))[0], "delivered")
    left = [each.status for each in await outbox.latest(20)]
    database.close()

    assert left == ["shop 0", "shop 1", "busy 4", "busy 5", "busy 5"]


@asynccontextmanager
async def _killed_at_the_end(
    database_path: Path, environment: Mapping[str, str]
) -> AsyncIterator[str]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.server.storage.serving", str(database_path), "0",
        cwd=ROOT, env=environment, stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    try:
        assert process.stdout is not None
        async with asyncio.timeout(PATIENCE):
            line = await process.stdout.readline()
        yield json.loads(line)["url"]
    finally:
        process.kill()
        await process.communicate()


@pytest.mark.long
@pytest.mark.timeout(180)
async def test_kill_before_an_event_was_received(database_path, http, receiver):
    """A killed server sends it when it starts again: at least once, in order."""
    environment = {**os.environ, KEY_VARIABLE: "a key of the operator's own"}
    headers = {"Authorization": "Bearer bu_test_of_storage"}
    receiver.answer = _fails_after_the_test
    async with _killed_at_the_end(database_path, environment) as url:
        order = {"url": receiver.url, "secret": SECRET}
        async with http.post(f"{url}/admin/webhooks", json=order, headers=headers) as answer:
            assert answer.status == 200
        task = {"task": "quick", "metadata": {"scenario": "quick"}}
        async with http.post(f"{url}/api/v1/run-task", json=task, headers=headers) as answer:
            task_id = (await answer.json())["id"]
        await receiver.has(2)
        async with asyncio.timeout(PATIENCE):
            status = ""
            while status != "finished":
                place = f"{url}/api/v1/task/{task_id}/status"
                async with http.get(place, headers=headers) as answer:
                    status = await answer.json()
    receiver.calls.clear()
    receiver.answer = lambda _: 200
    async with _killed_at_the_end(database_path, environment):
        await until(lambda: "finished" in receiver.statuses)

    assert list(dict.fromkeys(receiver.statuses)) == ["initializing", "started", "finished"]
    assert all(call.is_genuine for call in receiver.calls)
    assert {call.event["payload"]["task_id"] for call in receiver.calls} == {task_id}


async def test_a_full_disk_ends_no_delivery(database_path, http, receiver, caplog):
    """A received event is recorded when there is room again, and is not sent again."""
    disk = ExitStack()

    def fills_the_disk(call: Call) -> int:
        if call.status == "finished":
            disk.enter_context(files_no_larger_than(0))
        return 200

    receiver.answer = fills_the_disk
    async with _server(database_path, webhooks=[Webhook(receiver.url, SECRET)]) as server:
        with disk:
            await Caller(server, http).create()
            await until(lambda: "waits for the database" in caplog.text)
        await until(lambda: all(each.state == "delivered" for each in server.deliveries))

    assert receiver.statuses == ["test", "initializing", "started", "finished"]


async def test_events_wait_until_the_receiver_passes_the_test(database_path, http, receiver):
    """A receiver that is down when the server starts gets all events later."""
    webhook = Webhook(receiver.url, SECRET)
    async with _server(database_path, webhooks=[webhook]) as server:
        await Caller(server, http).create()
        await until(lambda: "finished" in receiver.statuses)
    receiver.calls.clear()
    receiver.answer = lambda _: 503

    async with _server(database_path) as server:
        with pytest.raises(ConfigurationError):
            await server.add_webhook(webhook, save=False)
        task_id = await Caller(server, http).create()
        await Caller(server, http).reached(task_id, "finished")
        receiver.answer = lambda _: 200
        await server.add_webhook(webhook, save=False)
        await until(lambda: "finished" in receiver.statuses)

    assert receiver.statuses == ["test", "test", "initializing", "started", "finished"]


@pytest.mark.usefixtures("three_deliveries")
async def test_pending_ones_are_bounded_too(database_path, monkeypatch):
    """A webhook that is away for days does not fill the disk."""
    monkeypatch.setattr("browser_use_async.server.storage.outbox.MOST_PENDING", 5)
    database = SqliteDatabase(database_path)
    outbox = outbox_of(database)
    for number in range(8):
        await _add(outbox, database, f"word {number}")
    left = [each.status for each in await outbox.latest(10)]
    database.close()

    assert left == [f"word {number}" for number in range(3, 8)]

"""A webhook that is changed: its address, secret and events, and its pause."""

import asyncio
from typing import Any

import aiohttp
import pytest

from browser_use_async.server import LocalServer, Webhook
from browser_use_async.server.secrets.encryption import KEY_VARIABLE
from tests.server.calling import Answer, Caller
from tests.server.webhooks.receiver import SECRET, Receiver, receiving
from tests.support.patience import until


async def _webhook(caller: Caller) -> dict[str, Any]:
    (found,) = (await caller.get(f"{caller.server.url}/admin/webhooks")).json["webhooks"]
    return dict(found)


async def _change(caller: Caller, **fields: Any) -> Answer:
    webhook_id = (await _webhook(caller))["id"]
    return await caller.ask(
        "PATCH", f"{caller.server.url}/admin/webhooks/{webhook_id}", json=fields
    )


async def _add(caller: Caller, receiver: Receiver, **fields: Any) -> None:
    body = {"url": receiver.url, "secret": SECRET, **fields}
    answer = await caller.post(f"{caller.server.url}/admin/webhooks", json=body)
    assert answer.status == 200, answer.text


async def _run(caller: Caller) -> None:
    await caller.reached(await caller.create("quick"), "finished")
    await until(lambda: all(each.state != "pending" for each in caller.server.deliveries))


async def test_it_gets_the_chosen_events(caller, receiver):
    """From the start or after a change, for which the receiver is not tested again."""
    await _add(caller, receiver, events=["started", "finished"])
    await _run(caller)
    changed = await _change(caller, events=["initializing"])
    await _run(caller)

    assert receiver.statuses == ["test", "started", "finished", "initializing"]
    assert changed.json["events"] == ["initializing"]


async def test_failures_are_reported_to_who_asks_for_them(caller, receiver):
    """The list says so; a webhook that names no events has the five that the API documents."""
    await _add(caller, receiver)
    first = await _webhook(caller)
    changed = await _change(caller, events=["finished", "failed"])

    assert first["events"] == ["finished", "initializing", "paused", "started", "stopped"]
    assert changed.json["events"] == (await _webhook(caller))["events"] == ["failed", "finished"]


async def test_an_unknown_event_names_the_nearest_one(caller, receiver):
    """In one sentence."""
    body = {"url": receiver.url, "secret": SECRET, "events": ["finished", "fialed"]}
    answer = await caller.post(f"{caller.server.url}/admin/webhooks", json=body)

    assert answer.status == 422
    assert "events: 'fialed' is not known; did you mean 'failed'?" in answer.text
    assert receiver.statuses == []


async def test_a_paused_one_gets_no_events(caller, receiver):
    """Events during the pause are not sent later; a pause needs no answer of the receiver."""
    await _add(caller, receiver)
    receiver.answer = lambda _: 500
    paused = await _change(caller, is_active=False)
    await _run(caller)
    receiver.answer = lambda _: 200
    resumed = await _change(caller, is_active=True)
    during = list(receiver.statuses)
    await _run(caller)

    assert (paused.json["is_active"], resumed.json["is_active"]) == (False, True)
    assert during == ["test"]
    assert receiver.statuses == ["test", "initializing", "started", "finished"]


async def test_another_address_has_to_pass_the_test(caller, receiver):
    """Otherwise nothing changes; the secret may stay the same, and the id does."""
    await _add(caller, receiver)
    before = await _webhook(caller)
    async with receiving() as other:
        other.answer = lambda _: 500
        refused = await _change(caller, url=other.url)
        unchanged = await _webhook(caller)
        other.answer = lambda _: 200
        moved = await _change(caller, url=other.url)
        await _run(caller)

    assert (refused.status, "did not pass the test event" in refused.text) == (422, True)
    assert unchanged == before
    assert (moved.json["id"], moved.json["url"]) == (before["id"], other.url)
    assert other.statuses == ["test", "test", "initializing", "started", "finished"]
    assert all(call.is_genuine for call in other.calls)
    assert receiver.statuses == ["test"]


async def test_another_secret_is_tested_and_signs(caller, receiver):
    """It is in no answer."""
    await _add(caller, receiver, secret="canary-of-the-first-secret")
    changed = await _change(caller, secret=SECRET)
    await _run(caller)

    assert [call.is_genuine for call in receiver.calls] == [False, True, True, True, True]
    assert SECRET not in changed.text


async def test_two_webhooks_do_not_get_one_address(caller, receiver):
    """Both would get all events."""
    await _add(caller, receiver)
    async with receiving() as other:
        await _add(caller, other)
        webhooks = (await caller.get(f"{caller.server.url}/admin/webhooks")).json["webhooks"]
        (own,) = (each["id"] for each in webhooks if each["url"] == other.url)
        place = f"{caller.server.url}/admin/webhooks/{own}"
        refused = await caller.ask("PATCH", place, json={"url": receiver.url})

    assert (refused.status, "another webhook has this address" in refused.text) == (422, True)


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"id": "x"},
        {"by_operator": True},
        {"url": "http://example.com/"},
        {"url": None},
        {"secret": " "},
        {"events": []},
        {"events": ["failure"]},
        {"events": "finished"},
        {"events": None},
        {"events": [["finished"]]},
        {"is_active": "yes"},
    ],
)
async def test_what_is_refused(fields, caller, receiver):
    """With 422, as a new one, and nothing is changed."""
    await _add(caller, receiver)
    before = await _webhook(caller)
    answer = await _change(caller, **fields)

    assert answer.status == 422, answer.text
    assert await _webhook(caller) == before
    assert receiver.statuses == ["test"]


async def test_an_unknown_one_is_not_there(caller):
    """With 404."""
    place = f"{caller.server.url}/admin/webhooks/nothing"

    assert (await caller.ask("PATCH", place, json={"is_active": False})).status == 404


async def test_a_change_outlives_a_restart(tmp_path, http, receiver, monkeypatch):
    """This is for a webhook that was added at run time; one of the start has its options."""
    monkeypatch.setenv(KEY_VARIABLE, "a key of the operator's own")
    place = tmp_path / "server.db"
    async with receiving() as other:
        first = [Webhook(other.url, SECRET)]
        async with LocalServer(executor="scripted", database=place) as server:
            caller = Caller(server, http)
            await _add(caller, receiver)
            await _change(caller, events=["finished"], is_active=False)
        async with LocalServer(executor="scripted", database=place, webhooks=first) as server:
            caller = Caller(server, http)
            webhooks = (await caller.get(f"{server.url}/admin/webhooks")).json["webhooks"]

    found = {each["url"]: (each["events"], each["is_active"]) for each in webhooks}
    assert found[receiver.url] == (["finished"], False)
    assert found[other.url][1]


@pytest.mark.parametrize("removes", [False, True])
async def test_changes_that_meet_come_one_after_the_other(
    removes, tmp_path, http, receiver, monkeypatch
):
    """While one waits for the test event, another is neither lost nor undone, also on disk."""
    monkeypatch.setenv(KEY_VARIABLE, "a key of the operator's own")
    path = tmp_path / "server.db"
    async with LocalServer(executor="scripted", database=path) as server:
        caller = Caller(server, http)
        await _add(caller, receiver)
        webhook_id = (await _webhook(caller))["id"]
        place = f"{server.url}/admin/webhooks/{webhook_id}"
        receiver.gate.clear()
        slow = asyncio.create_task(
            caller.ask("PATCH", place, json={"url": f"{receiver.url}/other"})
        )
        await receiver.has(2)
        method, route = (
            ("DELETE", "admin_remove_webhook") if removes else ("PATCH", "admin_change_webhook")
        )
        quick = asyncio.create_task(caller.ask(method, place, json={"is_active": False}))
        await until(lambda: server.requests[route] == (1 if removes else 2))
        receiver.gate.set()
        assert [(await each).status for each in (slow, quick)] == [200, 200]
        now = server.webhooks
    async with LocalServer(executor="scripted", database=path) as server:
        kept = server.webhooks

    assert kept == now
    found = [(each.url, each.is_active) for each in now]
    assert found == ([] if removes else [(f"{receiver.url}/other", False)])


async def test_one_that_was_replaced_is_gone(tmp_path, http, receiver, monkeypatch):
    """It does not return, with its old secret, when its successor is removed."""
    monkeypatch.setenv(KEY_VARIABLE, "a key of the operator's own")
    path = tmp_path / "server.db"
    async with LocalServer(executor="scripted", database=path) as server:
        caller = Caller(server, http)
        await _add(caller, receiver, secret="canary-of-the-first-secret")
        await _add(caller, receiver)
        place = f"{server.url}/admin/webhooks/{(await _webhook(caller))['id']}"
        assert (await caller.ask("DELETE", place)).status == 200
    async with LocalServer(executor="scripted", database=path) as server:
        assert server.webhooks == ()


async def test_another_address_is_not_opened_as_the_first_one(receiver, short_folder):
    """Only an option of the start allows private addresses; a change of other fields keeps it."""
    async with (
        receiving() as other,
        LocalServer(
            executor="scripted",
            trusted_proxies=["127.0.0.1"],
            public_url="https://tasks.example",
            api_key="bu_test_of_an_exposed_server",
            admin_socket=short_folder / "admin",
            webhooks=[Webhook(receiver.url, SECRET)],
        ) as server,
        aiohttp.ClientSession(connector=aiohttp.UnixConnector(str(short_folder / "admin"))) as http,
    ):
        caller = Caller(server, http)
        place = f"http://localhost/admin/webhooks/{server.webhooks[0].id}"
        moved = await caller.ask("PATCH", place, json={"url": other.url})
        signed = await caller.ask("PATCH", place, json={"secret": "canary-of-another-secret"})

    assert (moved.status, "does not open" in moved.text) == (422, True)
    assert signed.status == 200
    assert other.statuses == []
    assert receiver.statuses == ["test", "test"]

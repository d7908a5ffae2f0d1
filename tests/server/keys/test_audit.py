"""The audit trail: who did what, on what, from where and with which result, and nothing else."""

from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from browser_use_async.server import LocalServer
from browser_use_async.server.keys.audit_trail import AuditEntry, AuditTrail
from browser_use_async.server.storage.sqlite import SqliteDatabase
from tests.server.calling import Caller
from tests.server.keys.test_keys import Clock, listed
from tests.server.keys.test_owners import SCHEDULE, UNKNOWN
from tests.server.pages.showing import Showing, drawn
from tests.server.pages.socket import live_socket, running_task

NOON = datetime(2026, 11, 1, 12, tzinfo=UTC)


async def trail(api: Caller, query: str = "") -> list[dict[str, Any]]:
    """The entries without those of administration."""
    answer = await api.get(f"{api.server.url}/admin/audit{query}")
    assert answer.status == 200, answer.text
    entries: list[dict[str, Any]] = answer.json["entries"]
    return [each for each in entries if not each["call"].startswith("admin_")]


async def test_what_changes_something_is_recorded(api: Caller):
    """With the key, the call, the id in it, the address and the status."""
    caller = await api.with_new_key("shop")
    task_id = await caller.create("A secret errand", metadata={"scenario": "hangs"})
    await caller.reached(task_id, "running")
    await caller.put(f"/stop-task?task_id={task_id}")
    profile = (await caller.post("/browser-profiles", json={"profile_name": "Errands"})).json
    schedule = (await caller.post("/scheduled-task", json=SCHEDULE)).json
    await caller.ask("DELETE", f"/scheduled-task/{schedule['id']}")
    (key,) = await listed(api, "shop")
    entries = await trail(api)

    assert [(each["call"], each["subject"], each["status"]) for each in entries] == [
        ("run_task", task_id, 200),
        ("stop_task", task_id, 200),
        ("create_browser_profile", profile["profile_id"], 200),
        ("create_scheduled_task", schedule["id"], 200),
        ("delete_scheduled_task", schedule["id"], 200),
    ]
    who = {(each["key_id"], each["name"], each["address"]) for each in entries}
    assert who == {(key["id"], "shop", "127.0.0.1")}


async def test_what_is_refused_is_recorded(api: Caller):
    """For its scope, its budget or an id of others, and a wrong key without a name."""
    caller = await api.with_new_key("shop", scopes=["read", "run"], budget_cents=0)
    reader = await api.with_new_key("shop", scopes=["read"])
    await reader.put(f"/stop-task?task_id={UNKNOWN}")
    await caller.post("/run-task", json={"task": "A secret errand"})
    await caller.put(f"/stop-task?task_id={UNKNOWN}")
    await caller.get("/balance", headers={"Authorization": "Bearer a-wrong-key-of-a-stranger"})
    entries = await trail(api)

    assert [(each["name"], each["call"], each["status"]) for each in entries] == [
        ("shop", "stop_task", 403),
        ("shop", "run_task", 402),
        ("shop", "stop_task", 404),
        (None, "check_balance", 401),
    ]
    assert entries[3]["key_id"] is None


async def test_administration_is_recorded(api: Caller):
    """Under the server's own key; reads are not, nor a look for what is not there."""
    await api.with_new_key("shop")
    (key,) = await listed(api, "shop")
    await api.ask("DELETE", f"{api.server.url}/admin/keys/{key['id']}")
    await api.get(f"/task/{UNKNOWN}")
    url = f"{api.server.url}/admin/audit"
    await api.get(url)
    entries = (await api.get(url)).json["entries"]

    assert [(each["name"], each["call"], each["subject"]) for each in entries] == [
        ("default", "admin_add_key", key["id"]),
        ("default", "admin_revoke_key", key["id"]),
    ]


async def test_reads_and_calls_without_a_key_leave_no_entry(api: Caller):
    """Polling writes nothing, and calls of strangers displace no entry."""
    task_id = await api.create()
    for _ in range(5):
        await api.get(f"/task/{task_id}/status")
        await api.get("/tasks")
        await api.get("/me")
        await api.get("/balance", key=False)
        await api.post("/run-task", json={"task": "x"}, key=False)

    assert [each["call"] for each in await trail(api)] == ["run_task"]


async def test_no_value_and_no_text_is_in_it(api: Caller, tmp_path: Path):
    """Neither the task, its metadata and secrets, nor a text in place of an id."""
    secret = "an-id-that-is-a-password"
    await api.create(secret, metadata={"a": secret}, secrets={"password": secret})
    await api.put(f"/stop-task?task_id={secret}")
    await api.ask("DELETE", f"/browser-profiles/{secret}")
    answer = await api.get(f"{api.server.url}/admin/audit")

    assert len(answer.json["entries"]) == 3
    assert secret not in answer.text


async def test_one_name_and_the_latest(api: Caller):
    """The given number of the latest, oldest first, of all names or of one."""
    ann, bob = await api.with_new_key("ann"), await api.with_new_key("bob")
    tasks = [await each.create() for each in (ann, bob, ann, bob)]
    of_ann = await trail(api, "?name=ann")
    latest = await trail(api, "?latest=1&name=bob")
    refused = [
        (await api.get(f"{api.server.url}/admin/audit?latest={each}")).status
        for each in ("0", "x", "100001")
    ]

    assert [each["subject"] for each in of_ann] == [tasks[0], tasks[2]]
    assert [each["subject"] for each in latest] == [tasks[3]]
    assert refused == [422] * 3


async def test_entries_are_deleted_after_90_days(http: aiohttp.ClientSession):
    """The next entry of any name deletes them."""
    clock = Clock()
    async with LocalServer(executor="scripted", now=clock) as server:
        api = Caller(server, http)
        await api.post("/run-task", json={})
        clock.now += timedelta(days=89)
        bob = await api.with_new_key("bob")
        await bob.post("/run-task", json={})
        kept = await trail(api)
        clock.now += timedelta(days=2)
        await (await api.with_new_key("eve")).post("/run-task", json={})
        later = await trail(api)

    assert [each["name"] for each in kept] == ["default", "bob"]
    assert [each["name"] for each in later] == ["bob", "eve"]


async def test_each_name_has_room_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """The oldest entries of a name make room for its newest; guesses have a tenth."""
    monkeypatch.setattr("browser_use_async.server.keys.audit_trail.KEPT_ENTRIES", 20)
    database = SqliteDatabase(tmp_path / "db")
    kept = AuditTrail(database, lambda: NOON)
    names = [*["ann"] * 30, *["bob"] * 60, *[None] * 100]
    for name in names:
        await kept.record(AuditEntry(NOON, None, name, "run_task", None, None, 401))
    found = Counter(each.name for each in await kept.latest(1000))
    database.close()

    assert found == {"ann": 20, "bob": 20, None: found[None]}
    assert 1 <= found[None] <= 3


async def test_it_outlives_a_restart(tmp_path: Path, http: aiohttp.ClientSession):
    """With a database."""
    place = tmp_path / "server.db"
    async with LocalServer(executor="scripted", database=place) as server:
        task_id = await Caller(server, http).create()
    async with LocalServer(executor="scripted", database=place) as server:
        entries = await trail(Caller(server, http))

    assert [each["subject"] for each in entries] == [task_id]


async def test_what_is_done_on_a_live_page_is_recorded(http: aiohttp.ClientSession):
    """By the holder of the link, for the owner of the task; input once for each connection."""
    executor = Showing()
    async with LocalServer(executor=executor) as server:
        api = Caller(server, http)
        caller = await api.with_new_key("shop")
        task = await running_task(caller)
        await executor.show(drawn(1))
        async with live_socket(http, task["live_url"]) as page:
            await page.until(lambda: page.states and page.state["has_browser"])
            for text in ("one", "two"):
                await page.say(type="text", text=text)
            await page.order("pause")
            await page.order("stop")
        entries = await trail(api)

    live = [each for each in entries if each["call"].startswith("live_")]
    assert [each["call"] for each in live] == ["live_input", "live_pause", "live_stop"]
    assert {(each["key_id"], each["name"], each["subject"]) for each in live} == {
        ("live_url", "shop", task["id"])
    }

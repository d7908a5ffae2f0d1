"""The audit trail: who did what, on what, from where and with which result, and nothing else."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from browser_use_async.server import LocalServer
from tests.server.calling import Caller
from tests.server.keys.test_keys import Clock, listed
from tests.server.keys.test_owners import SCHEDULE, UNKNOWN
from tests.server.pages.showing import Showing, drawn
from tests.server.pages.socket import live_socket, running_task


async def trail(api: Caller, query: str = "") -> list[dict[str, Any]]:
    """The entries but those of administration."""
    answer = await api.get(f"{api.server.url}/admin/audit{query}")
    assert answer.status == 200, answer.text
    entries: list[dict[str, Any]] = answer.json["entries"]
    return [each for each in entries if not each["call"].startswith("admin_")]


async def test_what_changes_something_is_recorded(api: Caller):
    """With the key, the call, the id that it is about, the address and the status."""
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
    await caller.put(f"/stop-task?task_id={UNKNOWN}")
    await caller.post("/run-task", json={"task": "A secret errand"})
    await caller.get(f"/task/{UNKNOWN}")
    await caller.get("/balance", headers={"Authorization": "Bearer a-wrong-key-of-somebody"})
    entries = await trail(api)

    assert [(each["name"], each["call"], each["status"]) for each in entries] == [
        ("shop", "stop_task", 403),
        ("shop", "run_task", 402),
        ("shop", "get_task", 404),
        (None, "check_balance", 401),
    ]
    assert entries[3]["key_id"] is None


async def test_administration_is_recorded(api: Caller):
    """Also that the trail was read, under the server's own key."""
    await api.with_new_key("shop")
    (key,) = await listed(api, "shop")
    await api.ask("DELETE", f"{api.server.url}/admin/keys/{key['id']}")
    url = f"{api.server.url}/admin/audit"
    await api.get(url)
    entries = (await api.get(url)).json["entries"]

    assert [(each["name"], each["call"], each["subject"]) for each in entries] == [
        ("default", "admin_add_key", key["id"]),
        ("default", "admin_keys", None),
        ("default", "admin_revoke_key", key["id"]),
        ("default", "admin_audit", None),
    ]


async def test_reads_and_calls_without_a_key_leave_no_entry(api: Caller):
    """However many there are: polling writes nothing, and strangers push nothing out."""
    task_id = await api.create()
    for _ in range(5):
        await api.get(f"/task/{task_id}/status")
        await api.get("/tasks")
        await api.get("/me")
        await api.get("/balance", key=False)
        await api.post("/run-task", json={"task": "x"}, key=False)

    assert [each["call"] for each in await trail(api)] == ["run_task"]


async def test_no_value_and_no_text_is_in_it(api: Caller, tmp_path: Path):
    """Not the task, its metadata and secrets, nor what stands in place of an id."""
    secret = "an-id-that-is-a-password"
    await api.create(secret, metadata={"a": secret}, secrets={"password": secret})
    await api.put(f"/stop-task?task_id={secret}")
    await api.ask("DELETE", f"/browser-profiles/{secret}")
    answer = await api.get(f"{api.server.url}/admin/audit")

    assert len(answer.json["entries"]) == 3
    assert secret not in answer.text


async def test_one_name_and_the_latest(api: Caller):
    """As many of the latest as are asked for, oldest first, of all names or of one."""
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


async def test_the_trail_is_bounded(http: aiohttp.ClientSession):
    """In number and in age; neither guesses nor others push out what a name did."""
    clock = Clock()
    async with LocalServer(
        executor="scripted", now=clock, audit_entries=20, audit_days=3, max_wrong_keys=999
    ) as server:
        api = Caller(server, http)
        bob = await api.with_new_key("bob")
        for _ in range(30):
            await api.post("/run-task", json={})
            await bob.get("/task/unknown")
            await bob.get("/task/unknown")
        for _ in range(100):
            await api.get("/me", headers={"Authorization": "Bearer a-wrong-key-of-somebody"})
        entries = (await api.get(f"{server.url}/admin/audit?latest=1000")).json["entries"]
        clock.now += timedelta(days=4)
        await api.post("/run-task", json={})
        later = (await api.get(f"{server.url}/admin/audit?latest=1000")).json["entries"]

    assert sum(each["call"] == "run_task" for each in entries) == 20
    assert sum(each["name"] == "bob" for each in entries) == 20
    assert sum(each["status"] == 401 for each in entries) <= 3
    assert [each["call"] for each in later] == ["run_task"]


async def test_it_outlives_a_restart(tmp_path: Path, http: aiohttp.ClientSession):
    """With a database."""
    place = tmp_path / "server.db"
    async with LocalServer(executor="scripted", database=place) as server:
        task_id = await Caller(server, http).create()
    async with LocalServer(executor="scripted", database=place) as server:
        entries = await trail(Caller(server, http))

    assert [each["subject"] for each in entries] == [task_id]


@pytest.mark.parametrize(
    "options",
    [
        {"audit_entries": 0},
        {"audit_entries": True},
        {"audit_entries": 10**20},
        {"audit_days": 0},
        {"audit_days": 1_000_000},
    ],
)
def test_impossible_bounds_are_refused(options: dict[str, Any]):
    """Before the server starts."""
    with pytest.raises(Exception, match="whole number from 1"):
        LocalServer(executor="scripted", **options)


async def test_what_is_done_on_a_live_page_is_recorded(http: aiohttp.ClientSession):
    """By whoever has the link, for the owner of the task; input once for each connection."""
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

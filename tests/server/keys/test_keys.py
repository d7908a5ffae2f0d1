"""The life of a key: created, used, joined by a second one, revoked or expired."""

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from browser_use_async.server import LocalServer
from browser_use_async.server.http.access import MAX_WRONG_KEYS
from tests.server.calling import Caller
from tests.server.pages.showing import Showing
from tests.server.pages.socket import live_socket, running_task
from tests.support.permissions import files_no_larger_than

START = datetime(2026, 3, 1, 12, tzinfo=UTC)


class Clock:
    """A time that the test sets."""

    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> datetime:
        """The time."""
        return self.now


async def listed(caller: Caller, name: str) -> list[dict[str, Any]]:
    """The keys of a name, oldest first."""
    keys = (await caller.get(f"{caller.server.url}/admin/keys")).json["keys"]
    return [each for each in keys if each["name"] == name]


async def revoke(caller: Caller, key_id: str) -> None:
    """Revoke a key."""
    answer = await caller.ask("DELETE", f"{caller.server.url}/admin/keys/{key_id}")
    assert answer.status == 200, answer.text


async def test_a_new_key_works_and_is_listed_without_its_text(caller):
    """By default with the scopes to run and read, without limits and without an end."""
    other = await caller.with_new_key("shop")
    me = await other.get("/me")
    answer = await caller.get(f"{caller.server.url}/admin/keys")
    (key,) = answer.json["keys"]

    assert (me.status, me.json) == (200, True)
    assert key["scopes"] == ["read", "run"]
    assert [key[each] for each in ("budget_cents", "concurrency", "expires_at", "revoked_at")] == [
        None
    ] * 4
    assert (key["spent_cents"], key["is_valid"]) == ("0", True)
    assert key["last_used_at"] is not None
    assert other.api_key not in answer.text


async def test_a_key_has_256_random_bits(caller):
    """Its digest may therefore be a fast one."""
    keys = [(await caller.with_new_key(f"shop-{number}")).api_key for number in range(3)]

    assert len(set(keys)) == 3
    assert all(key.startswith("bu_") and len(key) == 3 + 43 for key in keys)


async def test_two_keys_of_a_name_are_valid_and_a_third_is_refused(caller):
    """In a rotation both work; the third is created once one of them is revoked."""
    first = await caller.with_new_key("shop", scopes=["read"], budget_cents=500)
    second = await caller.with_new_key("shop")
    third = await caller.post(f"{caller.server.url}/admin/keys", json={"name": "shop"})
    keys = await listed(caller, "shop")
    both = [(await each.get("/me")).status for each in (first, second)]
    await revoke(caller, keys[0]["id"])
    after = [(await each.get("/me")).status for each in (first, second)]
    again = await caller.with_new_key("shop")

    assert both == [200, 200]
    assert [each["scopes"] for each in keys] == [["read"], ["read"]]
    assert [each["budget_cents"] for each in keys] == ["500", "500"]
    assert third.status == 422
    assert all(each["id"] in third.text for each in keys)
    assert after == [401, 200]
    assert (await again.get("/me")).status == 200


async def test_keys_that_are_added_at_once_are_two(caller):
    """Of ten simultaneous requests two succeed."""
    asked = [
        caller.post(f"{caller.server.url}/admin/keys", json={"name": "shop"}) for _ in range(10)
    ]
    answers = await asyncio.gather(*asked)

    assert sorted(each.status for each in answers) == [200] * 2 + [422] * 8
    assert len(await listed(caller, "shop")) == 2


async def test_a_revoked_key_is_refused_from_the_next_request_on(caller):
    """Also not what its owner created; the answer says why, and a second revocation is harmless."""
    other = await caller.with_new_key("shop")
    task_id = await other.create(metadata={"scenario": "hangs"})
    (key,) = await listed(caller, "shop")
    await revoke(caller, key["id"])
    answers = [await other.get(f"/task/{task_id}"), await other.post("/run-task", json={})]
    me = await other.get("/me")
    await revoke(caller, key["id"])
    unknown = await caller.ask("DELETE", f"{caller.server.url}/admin/keys/nothing")

    assert {(each.status, each.json["detail"]) for each in answers} == {
        (401, "The API key was revoked")
    }
    assert (me.status, me.json) == (401, False)
    assert unknown.status == 404


async def test_a_forgotten_program_with_a_revoked_key_locks_no_other_out(caller):
    """Its requests are no guesses, however many it sends."""
    other = await caller.with_new_key("shop")
    await revoke(caller, (await listed(caller, "shop"))[0]["id"])
    statuses = {(await other.get("/me")).status for _ in range(MAX_WRONG_KEYS + 5)}

    assert statuses == {401}
    assert (await caller.get("/me")).status == 200


async def test_a_key_expires(http):
    """At its time, and it makes room for another one of its name."""
    clock = Clock()
    async with LocalServer(executor="scripted", now=clock) as server:
        caller = Caller(server, http)
        other = await caller.with_new_key("shop", expires_in_days=2)
        clock.now += timedelta(days=2, seconds=-1)
        before = await other.get("/balance")
        clock.now += timedelta(seconds=1)
        after = await other.get("/balance")
        (key,) = await listed(caller, "shop")

    assert (before.status, after.status) == (200, 401)
    assert after.json["detail"] == "The API key has expired"
    assert (key["is_valid"], key["expires_at"][:10]) == (False, "2026-03-03")


async def test_a_stream_ends_when_its_key_is_revoked(caller, http):
    """At once and in order, and so does a held call for a status."""
    second = await caller.with_new_key("shop")
    task_id = await second.create(metadata={"scenario": "hangs"})
    await second.reached(task_id, "running")
    held = asyncio.create_task(
        second.get(f"/task/{task_id}/status", headers={"Prefer": "wait=60; status=running"})
    )
    headers = {
        "Authorization": f"Bearer {second.api_key}",
        "Prefer": "wait=60",
        "Browser-Use-Changes": "now",
    }
    async with http.get(f"{caller.server.base_url}/tasks", headers=headers) as stream:
        await stream.content.readline()
        await revoke(caller, (await listed(caller, "shop"))[0]["id"])
        other = await caller.create()
        rest = await stream.text()
    status = await held

    assert other not in rest
    assert status.status == 401


async def test_live_pages_of_a_name_without_a_key_are_taken_back(http):
    """Steering ends with the last valid key of the name, and not before."""
    async with LocalServer(executor=Showing()) as server:
        admin = Caller(server, http)
        first, second = await admin.with_new_key("shop"), await admin.with_new_key("shop")
        task = await running_task(first)
        other = await running_task(admin)
        keys = await listed(admin, "shop")
        async with (
            live_socket(http, task["live_url"]) as page,
            live_socket(http, other["live_url"]),
        ):
            await revoke(admin, keys[0]["id"])
            unchanged = (await second.task(task["id"]))["live_url"]
            await revoke(admin, keys[1]["id"])
            await page.drain()
        with pytest.raises(aiohttp.WSServerHandshakeError, match="404"):
            async with live_socket(http, task["live_url"]):
                pass
        kept = (await admin.task(other["id"]))["live_url"]

    assert unchanged == task["live_url"]
    assert kept == other["live_url"]


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"name": ""}, "name"),
        ({"name": "a b"}, "name"),
        ({"name": "x" * 65}, "name"),
        ({"name": 5}, "name"),
        ({}, "name"),
        ({"name": "shop", "scopes": []}, "scopes"),
        ({"name": "shop", "scopes": ["sing"]}, "scopes"),
        ({"name": "shop", "scopes": "run"}, "scopes"),
        ({"name": "shop", "budget_cents": "much"}, "budget_cents"),
        ({"name": "shop", "budget_cents": -1}, "budget_cents"),
        ({"name": "shop", "budget_cents": True}, "budget_cents"),
        ({"name": "shop", "concurrency": 0}, "concurrency"),
        ({"name": "shop", "concurrency": 1.5}, "concurrency"),
        ({"name": "shop", "expires_in_days": 0}, "expires_in_days"),
        ({"name": "shop", "color": "red"}, "name"),
    ],
)
async def test_what_no_key_can_have_is_refused(fields, named, caller):
    """The error names the field, and no key is created."""
    answer = await caller.post(f"{caller.server.url}/admin/keys", json=fields)

    assert (answer.status, named in answer.json["detail"]) == (422, True)
    assert (await caller.get(f"{caller.server.url}/admin/keys")).json == {"keys": []}


async def test_keys_outlive_a_restart(tmp_path, http):
    """With a database: the keys, their spending, and their revocation."""
    place = tmp_path / "server.db"
    async with LocalServer(executor="scripted", database=place) as server:
        admin = Caller(server, http)
        kept = await admin.with_new_key("shop", budget_cents=5000)
        gone = await admin.with_new_key("gone")
        task_id = await kept.create(llm_model="o3")
        await kept.reached(task_id, "finished")
        await revoke(admin, (await listed(admin, "gone"))[0]["id"])
    async with LocalServer(executor="scripted", database=place) as server:
        admin = Caller(server, http)
        answers = [
            (await Caller(server, http, each.api_key).get("/me")).status for each in (kept, gone)
        ]
        (key,) = await listed(admin, "shop")
        seen = await Caller(server, http, kept.api_key).get(f"/task/{task_id}")

    assert answers == [200, 401]
    assert (key["spent_cents"], key["budget_cents"]) == ("3", "5000")
    assert seen.status == 200


def content_of(folder: Path) -> bytes:
    """All files of a folder."""
    return b"".join(each.read_bytes() for each in folder.iterdir())


async def test_a_full_disk_keeps_no_key_from_reading(tmp_path, http):
    """The last use of a key is recorded when there is room again."""
    async with LocalServer(executor="scripted", database=tmp_path / "server.db") as server:
        caller = Caller(server, http)
        other = await caller.with_new_key("shop")
        with files_no_larger_than(0):
            read = await other.get("/tasks")
            made = await other.post("/run-task", json={"task": "Do it"})
            unused = (await listed(caller, "shop"))[0]["last_used_at"]
        await other.get("/tasks")
        used = (await listed(caller, "shop"))[0]["last_used_at"]

    assert (read.status, read.json["total_count"]) == (200, 0)
    assert made.status in {503, 507}
    assert (unused is None, used is None) == (True, False)


async def test_the_text_of_a_key_is_nowhere(tmp_path, http, caplog):
    """Neither in the database, nor in the log, the trail, the list or any refusal."""
    caplog.set_level("DEBUG")
    place = tmp_path / "server.db"
    async with LocalServer(executor="scripted", database=place) as server:
        admin = Caller(server, http)
        caller = await admin.with_new_key("shop", scopes=["read"])
        key = caller.api_key
        answers = [
            await caller.post("/run-task", json={"task": "x"}),
            await caller.get(f"/task/{key}"),
            await caller.put(f"/stop-task?task_id={key}"),
            await admin.put(f"/stop-task?task_id={key}"),
            await admin.ask("DELETE", f"{server.url}/admin/keys/{key}"),
            await admin.post(f"{server.url}/admin/keys", json={"name": "shop", "scopes": [key]}),
            await admin.post(f"{server.url}/admin/keys", json={"name": key * 2}),
            await caller.get("/balance", headers={"Authorization": f"Bearer {key}x"}),
            await admin.get(f"{server.url}/admin/keys"),
        ]
        await revoke(admin, (await listed(admin, "shop"))[0]["id"])
        answers.append(await caller.get("/balance"))
        while_open = content_of(tmp_path)
    files = while_open + content_of(tmp_path)

    assert [each for each in answers if key in each.text] == []
    assert key.encode() not in files
    assert key not in caplog.text


async def test_a_key_that_is_revoked_twice_was_revoked_the_first_time(http):
    """A second revocation changes nothing."""
    clock = Clock()
    async with LocalServer(executor="scripted", now=clock) as server:
        caller = Caller(server, http)
        await caller.with_new_key("shop")
        moments = []
        for _ in range(2):
            await revoke(caller, (await listed(caller, "shop"))[0]["id"])
            moments.append((await listed(caller, "shop"))[0]["revoked_at"])
            clock.now += timedelta(hours=1)

    assert moments == ["2026-03-01T12:00:00.000000Z"] * 2


async def test_live_pages_of_the_servers_own_key_stay(caller):
    """It is valid, though the last created key of its name is revoked."""
    await caller.with_new_key("default")
    task_id = await caller.create(metadata={"scenario": "hangs"})
    before = (await caller.reached(task_id, "running"))["live_url"]
    await revoke(caller, (await listed(caller, "default"))[0]["id"])

    assert (await caller.task(task_id))["live_url"] == before

"""A disk that one client has filled, and what an operator can do then."""

import asyncio
import os
import subprocess
import sys
from collections.abc import Awaitable, Callable, Coroutine
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from browser_use_async.server import LocalServer
from browser_use_async.server.errors import StorageFullError
from browser_use_async.server.executors.scripted import Scenario, ScriptedExecutor
from browser_use_async.server.storage import Database, SqliteDatabase
from tests.server.calling import Caller
from tests.server.storage.copies import names_in

MEGABYTES = 8
Work = Callable[[Database], Coroutine[Any, Any, None]]


@pytest.fixture
def disk(tmp_path):
    """A disk of some megabytes."""
    mount = ["mount", "-t", "tmpfs", "-o", f"size={MEGABYTES}m", "tmpfs", tmp_path]
    done = subprocess.run(mount, capture_output=True, check=False)
    if done.returncode != 0:
        pytest.skip(f"no disk can be mounted here: {done.stderr.decode(errors='replace').strip()}")
    # So that an operator can make room.
    (tmp_path / "rubbish").write_bytes(bytes(2 * 1024 * 1024))
    yield tmp_path
    subprocess.run(["umount", "--lazy", tmp_path], check=True)


def _fill(folder: Path) -> None:
    """Take the last byte, as other programs may do."""
    with (folder / "rubbish").open("ab", buffering=0) as file:
        for size in (65536, 4096, 1):
            try:
                while file.write(bytes(size)):
                    pass
            except OSError:
                pass


async def _fill_with_tasks(shop: Caller) -> Any:
    """Create tasks until one is refused; its answer."""
    for number in range(10_000):
        text = f"{number} {'x' * 19_000}"
        answer = await shop.post("/run-task", json={"task": text})
        if answer.status != 200:
            return answer
    raise AssertionError("the disk does not become full")


async def _fill_log(shop: Caller, task_id: str) -> None:
    """Take what is left in the log of the database, by changes of one page."""
    for number in range(10_000):
        method = "DELETE" if number % 2 else "PUT"
        answer = await shop.ask(method, f"{shop.server.url}/admin/shares/{task_id}")
        if answer.status != 200:
            return
    raise AssertionError("the log does not become full")


def _server(disk: Path) -> LocalServer:
    scenario = Scenario(steps=("Go on",) * 100_000, step_seconds=1000, output="")
    return LocalServer(executor=ScriptedExecutor({}, default=scenario), database=disk / "server.db")


async def test_a_key_that_filled_the_disk_is_revoked(disk, http):
    """It opens nothing any more, also after a restart, and its links are gone."""
    async with _server(disk) as server:
        caller = Caller(server, http, server.api_key)
        shop = await caller.with_new_key("shop")
        task_id = await shop.create()
        live_url = (await shop.task(task_id))["live_url"]
        refused = await _fill_with_tasks(shop)
        _fill(disk)
        admin = f"{server.url}/admin"
        (key,) = (await caller.get(f"{admin}/keys")).json["keys"]

        removed = await caller.ask("DELETE", f"{admin}/links/{task_id}")
        revoked = await caller.ask("DELETE", f"{admin}/keys/{key['id']}")
        statuses = [(await shop.get("/tasks")).status, (await shop.get("/balance")).status]
        page = await shop.get(live_url, key=False)
    (disk / "rubbish").unlink()
    async with _server(disk) as again:
        after = (await Caller(again, http, shop.api_key).get("/tasks")).json

    assert refused.status == 507
    assert (removed.status, revoked.status) == (200, 200)
    assert statuses == [401, 401]
    assert page.status == 404
    assert after == {"detail": "The API key was revoked"}


async def test_no_client_is_told_where_the_database_is(disk, http):
    """Of a key of its own or of none."""
    async with _server(disk) as server:
        shop = await Caller(server, http, server.api_key).with_new_key("shop")
        answers = [await _fill_with_tasks(shop)]
        _fill(disk)
        answers += [
            await shop.post("/run-task", json={"task": "x" * 19_000}),
            await shop.post("/browser-profiles", json={"profile_name": "x"}),
            await Caller(server, http, "bu_a_wrong_key").get("/tasks"),
        ]

    assert [each.status for each in answers] == [507, 507, 507, 401]
    assert "the disk of the server's database is full" in answers[0].text
    assert not any(str(disk) in each.text for each in answers)


async def test_the_reserve_is_enough_for_hundreds_of_changes(disk):
    """It is filled again with what a change left over, and wholly once there is room."""
    database, reserve = SqliteDatabase(disk / "server.db"), disk / "server.db-reserve"
    full = reserve.stat().st_size
    await database.rows("CREATE TABLE items (name TEXT)")
    await database.rows("INSERT INTO items VALUES ('a')")
    _fill(disk)

    async def work(at: Database) -> None:
        await at.rows("UPDATE items SET name = name || 'a'")

    async def until_full(transact: Callable[[Work], Awaitable[None]]) -> None:
        while True:
            await transact(work)

    with pytest.raises(StorageFullError):
        await until_full(database.transact)
    for _ in range(200):
        await database.transact_with_reserve(work)
    left = reserve.stat().st_size
    with pytest.raises(StorageFullError):
        await database.transact(work)
    with pytest.raises(StorageFullError, match="make room on it"):
        await until_full(database.transact_with_reserve)
    (disk / "rubbish").unlink()
    await database.transact_with_reserve(work)
    ((name,),) = await database.rows("SELECT name FROM items")
    database.close()

    assert full == 1024 * 1024
    assert 0 < left < full
    assert len(name) > 200
    assert reserve.stat().st_size == full
    assert reserve.stat().st_mode & 0o777 == 0o600


async def test_a_copy_that_has_no_room_is_refused(disk, http):
    """Before it takes the room that the server's own work needs; nothing is left of it."""
    async with _server(disk) as server:
        caller = Caller(server, http)
        refused = await caller.post(f"{server.url}/admin/backup")
        names = names_in(disk)
        created = await caller.post("/run-task", json={"task": "Do it"})

    assert (refused.status, created.status) == (507, 200)
    assert "make room on it" in refused.json["detail"]
    assert str(disk) not in refused.text
    assert names == ["rubbish", "server.db", "server.db-reserve", "server.db-wal"]


async def test_a_copy_onto_a_full_disk(disk, tmp_path_factory):
    """The command says so in a sentence, and nothing is left of the copy."""
    place = tmp_path_factory.mktemp("server") / "server.db"
    scenario = Scenario(steps=(), output="", files={"large.bin": bytes(9_000_000)})
    executor = ScriptedExecutor({}, default=scenario)
    async with (
        LocalServer(executor=executor, database=place) as server,
        aiohttp.ClientSession() as http,
    ):
        caller = Caller(server, http)
        await caller.reached(await caller.create(), "finished")
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "browser_use_async", "backup", str(disk / "copy.db")),
            *("--base-url", server.base_url, "--api-key", "env:OPERATOR"),
            env={**os.environ, "OPERATOR": server.api_key},
            stderr=asyncio.subprocess.PIPE,
        )
        _, said = await process.communicate()

    assert process.returncode == 2
    assert said.decode() == f"error: {disk}/copy.db cannot be written: No space left on device\n"
    assert names_in(disk) == ["rubbish"]

"""The deletion of old files."""

import asyncio
import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta

import aiohttp
import pytest

from browser_use_async.server import LocalServer, Webhook
from browser_use_async.server.executors.scripted import ScriptedExecutor
from browser_use_async.server.records import Finished
from browser_use_async.server.secrets.encryption import KEY_VARIABLE
from tests.server.calling import Caller
from tests.server.conftest import SCENARIOS
from tests.server.steering import FromQueue
from tests.server.webhooks.receiver import SECRET, receiving
from tests.support.patience import until

START = datetime(2026, 1, 2, tzinfo=UTC)


async def _upload(caller: Caller, name: str) -> None:
    body = {"file_name": name, "content_type": "text/plain"}
    link = (await caller.post("/uploads/presigned-url", json=body)).json["upload_url"]
    headers = {"Content-Type": "text/plain"}
    assert (await caller.put(link, key=False, headers=headers, data=b"x")).status == 200


async def _finished(caller: Caller, queue: FromQueue) -> str:
    queue.step()
    queue.items.put_nowait(Finished("x", files={"a.txt": b"text"}))
    task_id = await caller.create()
    await caller.reached(task_id, "finished")
    return task_id


async def _files(caller: Caller, task_id: str) -> tuple[int, int]:
    shots = (await caller.get(f"/task/{task_id}/screenshots")).json["screenshots"]
    return len(shots), (await caller.get(f"/task/{task_id}/output-file/a.txt")).status


@pytest.mark.parametrize(("days", "is_gone"), [(29.99, False), (30.01, True)])
async def test_a_start_deletes_what_is_too_old(days, is_gone, tmp_path, http):
    """Thirty days after their end, tasks have no files, also not on disk; their text stays."""
    time = START
    path = tmp_path / "server.db"
    queue = FromQueue()
    async with LocalServer(database=path, executor=queue, now=lambda: time) as server:
        caller = Caller(server, http)
        task_id = await _finished(caller, queue)
        await _upload(caller, "old.txt")
    time += timedelta(days=days)
    for _ in range(2):
        async with LocalServer(database=path, executor=FromQueue(), now=lambda: time) as server:
            caller = Caller(server, http)
            files = await _files(caller, task_id)
            task = await caller.task(task_id)
            included = await caller.post(
                "/run-task", json={"task": "x", "included_file_names": ["old.txt"]}
            )
            content = server.store.file(task_id, "a.txt")

    assert files == ((0, 404) if is_gone else (1, 200))
    assert content == (None if is_gone else b"text")
    assert (task["output"], len(task["steps"])) == ("x", 1)
    assert included.status == (422 if is_gone else 200)


@pytest.mark.looptime
@pytest.mark.torture
async def test_a_running_server_deletes_them_too():
    """It does so within a day, but for uploads of an active schedule and of running tasks."""
    loop = asyncio.get_running_loop()
    begin, jump = loop.time(), timedelta()

    def now() -> datetime:
        return START + jump + timedelta(seconds=loop.time() - begin)

    queue = FromQueue()
    async with LocalServer(executor=queue, now=now) as server, aiohttp.ClientSession() as http:
        caller = Caller(server, http)
        ended = await _finished(caller, queue)
        queue.step()
        working = await caller.create()
        await caller.reached(working, "running", steps=1)
        for name in ("kept.txt", "let go.txt"):
            await _upload(caller, name)
        later = (START + timedelta(days=300)).isoformat()
        body = {"task": "x", "schedule_type": "cron", "cron_expression": "0 0 1 1 *"}
        answer = await caller.post(
            "/scheduled-task",
            json={**body, "start_at": later, "included_file_names": ["kept.txt"]},
        )
        assert answer.status == 200
        jump = timedelta(days=28)
        await asyncio.sleep(timedelta(days=1).total_seconds())
        before = await _files(caller, ended)
        await asyncio.sleep(timedelta(days=2).total_seconds())
        after = await _files(caller, ended)
        shots, _ = await _files(caller, working)
        uploads = [
            (
                await caller.post("/run-task", json={"task": "x", "included_file_names": [name]})
            ).status
            for name in ("kept.txt", "let go.txt")
        ]

    assert (before, after) == ((1, 200), (0, 404))
    assert shots == 1
    assert uploads == [200, 422]


async def test_old_tasks_go_with_all_that_was_theirs(tmp_path, http, monkeypatch):
    """Each owner's oldest ones, up to the first that stays, so that no list has a gap."""
    monkeypatch.setenv(KEY_VARIABLE, "a key of the operator's own")
    time, path = START, tmp_path / "server.db"
    executor = ScriptedExecutor(SCENARIOS)

    def started(**options: object) -> LocalServer:
        return LocalServer(database=path, executor=executor, now=lambda: time, **options)  # type: ignore[arg-type]

    async def ended(caller: Caller, scenario: str, **fields: bool) -> str:
        task_id = await caller.create(metadata={"scenario": scenario}, **fields)
        await caller.reached(task_id, "running" if scenario == "hangs" else "finished")
        return task_id

    async with receiving() as receiver, started(webhooks=[Webhook(receiver.url, SECRET)]) as server:
        caller = Caller(server, http)
        shop = await caller.with_new_key("shop")
        gone = [await ended(caller, "files", save_browser_data=True), await ended(caller, "quick")]
        kept = [await ended(caller, "hangs"), await ended(caller, "quick")]
        gone.append(await ended(shop, "quick"))
        await until(lambda: {each.state for each in server.deliveries} == {"delivered"})
    time += timedelta(days=2)
    async with started(task_days=1) as server:
        caller, shop = Caller(server, http), Caller(server, http, shop.api_key)
        await until(lambda: len(server.store.tasks) == 2)
        young = await ended(shop, "quick")
        lists = [(await each.get("/tasks")).json for each in (caller, shop)]
        missing = {(await caller.get(f"/task/{each}")).status for each in gone[:2]}

    assert [[row["id"] for row in each["tasks"]] for each in lists] == [kept[::-1], [young]]
    assert [each["total_count"] for each in lists] == [2, 1]
    assert missing == {404}
    with closing(sqlite3.connect(path)) as rows:
        left = {each for (each,) in rows.execute("SELECT task_id FROM steps")}
        sealed = {each for (each,) in rows.execute("SELECT key FROM secrets WHERE kind = 'task'")}
        files = "".join(each for (each,) in rows.execute("SELECT key FROM files"))
        pending = {each for (each,) in rows.execute("SELECT task_id FROM outbox")}
    assert pending == {*kept}
    assert left == {*kept, young}
    assert not sealed
    assert not any(each in files for each in gone)


async def test_a_schedule_keeps_the_files_of_its_owner_only(tmp_path, http):
    """A file of the same name that another owner has uploaded is deleted when it is old."""
    time, path = START, tmp_path / "server.db"
    async with LocalServer(database=path, executor=FromQueue(), now=lambda: time) as server:
        caller = Caller(server, http)
        shop = await caller.with_new_key("shop")
        for each in (caller, shop):
            await _upload(each, "old.txt")
        later = (START + timedelta(days=300)).isoformat()
        body = {"task": "x", "schedule_type": "interval", "interval_minutes": 60}
        body |= {"start_at": later, "included_file_names": ["old.txt"]}
        assert (await shop.post("/scheduled-task", json=body)).status == 200
    time += timedelta(days=31)
    async with LocalServer(database=path, executor=FromQueue(), now=lambda: time) as server:
        keys = (server.api_key, shop.api_key)
        callers = [Caller(server, http, each) for each in keys]
        shown = [(await each.get(f"{server.url}/admin/files")).json for each in callers]

    assert [[each["name"] for each in files["uploads"]] for files in shown] == [[], ["old.txt"]]

"""Copies of a server's database, made while it works."""

import asyncio
import contextlib
import logging
import os
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from browser_use_async.server import LocalServer, Webhook
from browser_use_async.server.errors import StorageUnavailableError
from browser_use_async.server.executors.scripted import Scenario, ScriptedExecutor
from browser_use_async.server.keys.admin_client import AdminClient
from browser_use_async.server.secrets.encryption import KEY_VARIABLE
from browser_use_async.server.storage import SqliteDatabase
from tests.server.calling import Caller
from tests.server.storage.copies import names_in, tasks_of
from tests.server.webhooks.receiver import SECRET, receiving
from tests.support.patience import PATIENCE, until

LARGE = os.urandom(2_000_000)
SCENARIOS = {
    "large": Scenario(steps=("Save it",), step_seconds=0, files={"large.bin": LARGE}),
    "hangs": Scenario(steps=("Wait",), step_seconds=0, hangs=True),
}
KEY = "bu_test_of_backups"


def _server(path: Path, **options: Any) -> LocalServer:
    executor = ScriptedExecutor(SCENARIOS, default=Scenario(step_seconds=0))
    given = {"balance_cents": 100_000, "api_key": KEY, "max_concurrent_tasks": 1000}
    return LocalServer(executor=executor, database=path, **(given | options))


async def _copied(server: LocalServer, copy: Path) -> None:
    _write(copy, b"".join([each async for each in AdminClient(server.url, KEY).backup()]))


def _write(copy: Path, content: bytes) -> None:
    copy.touch(0o600)
    copy.write_bytes(content)


@asynccontextmanager
async def _creating(caller: Caller) -> AsyncIterator[list[str]]:
    """Create tasks all the time; the ids of those that were answered."""
    answered: list[str] = []

    async def create() -> None:
        while True:
            answered.append(await caller.create())
            await asyncio.sleep(0.005)

    creating = asyncio.create_task(create())
    try:
        await until(lambda: answered)
        yield answered
    finally:
        creating.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await creating


async def _large(caller: Caller, count: int) -> list[str]:
    created = [await caller.create(metadata={"scenario": "large"}) for _ in range(count)]
    for each in created:
        await caller.reached(each, "finished")
    return created


async def test_a_copy_has_all_that_was_answered_before(tmp_path, http):
    """Tasks are created meanwhile, and others are answered between two steps of the copying."""
    copy = tmp_path / "copy.db"
    async with _server(tmp_path / "server.db") as server:
        caller = Caller(server, http)
        await _large(caller, 5)
        async with _creating(caller) as answered:
            before = list(answered)
            async with aclosing(AdminClient(server.url, KEY).backup()) as chunks:
                first = await anext(chunks)
                meanwhile = len(answered) - len(before)
                content = first + b"".join([chunk async for chunk in chunks])
        names = names_in(tmp_path)
    _write(copy, content)
    found = tasks_of(copy)

    assert {*before} <= found
    assert meanwhile > 2
    assert names == ["server.db", "server.db-reserve", "server.db-wal"]


async def test_a_server_with_the_copy_has_everything(tmp_path, http, monkeypatch, caplog):
    """Keys, budgets, uploads, schedules, profiles, scripts, webhooks; nothing is reported lost.

    A task at work fails, as after a kill.
    """
    monkeypatch.setenv(KEY_VARIABLE, "a-key-of-the-tests-0123456789")
    copy = tmp_path / "copy.db"
    async with receiving() as receiver, _server(tmp_path / "server.db") as server:
        operator = Caller(server, http)
        shop = await operator.with_new_key("shop", budget_cents=5000)
        (task_id,) = await _large(shop, 1)
        busy = await operator.create(metadata={"scenario": "hangs"})
        await operator.reached(busy, "running", steps=1)
        await _fill(shop)
        await server.add_webhook(Webhook(receiver.url, SECRET))
        before = await _everything(shop, http)
        await _copied(server, copy)
    with caplog.at_level(logging.WARNING):
        async with _server(copy) as again:
            restored = Caller(again, http, shop.api_key)
            after = await _everything(restored, http)
            interrupted = await Caller(again, http).task(busy)
            content = again.store.file(task_id, "large.bin")

    assert tasks_of(copy) == {task_id, busy}
    assert after == before
    assert content == LARGE
    assert interrupted["status"] == "failed"
    reason = "The server was restarted while the task was at work"
    assert interrupted["steps"][-1]["evaluation_previous_goal"] == reason
    assert "was not closed" not in caplog.text


async def _fill(caller: Caller) -> None:
    """A schedule, a profile, a script and an upload of an owner."""
    later = (datetime.now(UTC) + timedelta(hours=9)).isoformat()
    schedule = {"task": "Look", "schedule_type": "interval", "interval_minutes": 600}
    script = "script office\n\nopen https://shop.example/\n"
    upload = {"file_name": "a.txt", "content_type": "text/plain"}
    answers = [
        await caller.post("/scheduled-task", json={**schedule, "start_at": later}),
        await caller.post("/browser-profiles", json={"profile_name": "mine"}),
        await caller.put(f"{caller.server.url}/admin/scripts/office", json={"text": script}),
        link := await caller.post("/uploads/presigned-url", json=upload),
        await caller.put(
            link.json["upload_url"],
            key=False,
            data=b"text",
            headers={"Content-Type": "text/plain"},
        ),
    ]
    assert [each.status for each in answers] == [200] * 5, [each.text for each in answers]


async def _everything(caller: Caller, http: aiohttp.ClientSession) -> dict[str, Any]:
    """What an owner and the operator see beside the tasks."""
    found: dict[str, Any] = {}
    url = f"{caller.server.url}/admin"
    for path in ("/scheduled-tasks", "/browser-profiles", f"{url}/scripts", f"{url}/files"):
        found[path.removeprefix(url)] = (await caller.get(path)).json
    for path in ("/keys", "/webhooks"):
        found[path] = (await Caller(caller.server, http).get(url + path)).json
    for each in found["/files"]["tasks"][0]["files"]:
        del each["url"]  # has the address of the server
    for each in found["/keys"]["keys"]:
        del each["last_used_at"]
    return found


async def test_one_copy_at_a_time(tmp_path, http):
    """A second one is refused until the first has been sent, or its client has gone."""
    async with _server(tmp_path / "server.db") as server:
        caller, client = Caller(server, http), AdminClient(server.url, KEY)
        await _large(caller, 10)
        chunks = client.backup()
        await anext(chunks)
        refused = await caller.post(f"{server.url}/admin/backup")
        await chunks.aclose()
        async with asyncio.timeout(PATIENCE):
            after = await caller.post(f"{server.url}/admin/backup")
            while after.status == 429:
                after = await caller.post(f"{server.url}/admin/backup")

    assert (refused.status, refused.json["detail"]) == (
        429,
        "Another backup is being made; try again when it has ended",
    )
    assert (after.status, after.body[:15]) == (200, b"SQLite format 3")


async def test_a_database_is_closed_while_it_is_copied(tmp_path):
    """The copying ends first, and the next server has the file at once."""
    path = tmp_path / "server.db"
    database = SqliteDatabase(path)
    await database.rows("CREATE TABLE items (body BLOB)")
    for _ in range(20):
        await database.rows("INSERT INTO items VALUES (:body)", body=LARGE)
    copying = asyncio.create_task(database.back_up())
    await asyncio.sleep(0.02)  # a tenth of the pauses between its steps
    database.close()
    again = SqliteDatabase(path)
    with pytest.raises(StorageUnavailableError, match="nobody waits"):
        await copying
    stored = await again.value("SELECT COUNT(*) FROM items")
    again.close()

    assert stored == 20
    assert names_in(tmp_path) == ["server.db", "server.db-reserve"]


@pytest.mark.parametrize("kind", ["memory", "postgres"])
async def test_databases_that_are_not_copied(kind, http, request, monkeypatch):
    """One sentence says what to do."""
    monkeypatch.setenv(KEY_VARIABLE, "a-key-of-the-tests-0123456789")
    place = ":memory:" if kind == "memory" else request.getfixturevalue("postgres")
    async with _server(place) as server:
        answer = await Caller(server, http).post(f"{server.url}/admin/backup")

    assert answer.status == 400
    assert {"memory": "--database server.db", "postgres": "pg_dump"}[kind] in answer.json["detail"]


async def test_only_the_operator_gets_a_copy(tmp_path, http):
    """The key needs the scope admin, and the client is on the machine of the server."""
    async with _server(tmp_path / "server.db") as server:
        caller = Caller(server, http)
        url = f"{server.url}/admin/backup"
        shop = await caller.with_new_key("shop", scopes=["run", "read"])
        answers = [
            await shop.post(url),
            await caller.post(url, headers={"X-Forwarded-For": "192.0.2.1"}),
            await caller.post(url, key=False),
        ]

    assert [each.status for each in answers] == [403] * 3
    assert "scope admin" in answers[0].text

"""A change that one server has answered is seen by reads of the others."""

import asyncio

import pytest

from tests.server.calling import Caller
from tests.server.fleet.conftest import reached
from tests.server.keys.test_keys import listed, revoke
from tests.server.steering import FromQueue

pytestmark = pytest.mark.timeout(90)


async def seen(caller: Caller, task_id: str) -> set[str]:
    """The statuses of a task by the three calls, each made many times at once."""

    async def status() -> str:
        return str((await caller.get(f"/task/{task_id}/status")).json)

    async def task() -> str:
        return str((await caller.task(task_id))["status"])

    async def row() -> str:
        rows = (await caller.get("/tasks")).json["tasks"]
        return str(next(row["status"] for row in rows if row["id"] == task_id))

    return {*await asyncio.gather(*[call() for call in (status, task, row) for _ in range(5)])}


async def test_another_server_reads_each_answered_change(start):
    """At once, though others are reading all the time."""
    queue = FromQueue()
    one, other = await start(executor=queue), await start(role="api")
    created = [await one.create() for _ in range(3)]
    task_id = created[0]
    page = (await other.get("/tasks")).json
    await reached(one, task_id, "running")
    reading = asyncio.create_task(_read_for_ever(other, task_id))
    found = []
    for call in ("pause", "resume", "pause", "resume", "stop"):
        answer = await one.put(f"/{call}-task?task_id={task_id}")
        assert answer.status == 200
        found.append(await seen(other, task_id))
    reading.cancel()

    assert [row["id"] for row in page["tasks"]] == created[::-1]
    expected = ("paused", "running", "paused", "running", "stopped")
    assert found == [{each} for each in expected]


async def _read_for_ever(caller: Caller, task_id: str) -> None:
    while True:
        await seen(caller, task_id)


async def test_a_key_that_one_server_revokes_is_refused_by_another(start, http):
    """From the next request on, though that server has just answered one."""
    one, other = await start(role="api"), await start(role="api")
    key = await one.with_new_key("shop")
    shop = Caller(other.server, http, key.api_key)
    task_id = await shop.create()
    paths = ("/tasks", f"/task/{task_id}", f"/task/{task_id}/status")
    before = [(await shop.get(path)).status for path in paths * 2]
    await revoke(one, (await listed(one, "shop"))[0]["id"])
    after = [await shop.get(path) for path in paths]

    assert before == [200] * 6
    assert [(each.status, each.json["detail"]) for each in after] == [
        (401, "The API key was revoked")
    ] * 3

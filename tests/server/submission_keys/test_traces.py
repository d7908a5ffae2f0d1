"""Repeats in the access log and the metrics; and expiry."""

import logging
from datetime import timedelta

from tests.server.calling import Answer, Caller
from tests.server.fleet.conftest import eventually
from tests.support.wall_clock import WallClock


async def _submit(caller: Caller, task: str = "Go") -> Answer:
    headers = {"Idempotency-Key": '"invoice-7"'}
    return await caller.post("/run-task", json={"task": task}, headers=headers)


async def test_the_access_log_and_the_metrics(restart, caplog):
    """The line of a replay ends with that word, and a counter has their number."""
    caplog.set_level(logging.INFO, "browser_use_async.server.access")
    caller = await restart()
    for _ in range(3):
        await _submit(caller)
    text = (await caller.get(f"{caller.server.url}/metrics")).text

    lines = [each.getMessage() for each in caplog.records if "/run-task" in each.getMessage()]
    assert [each.endswith(" replayed") for each in lines] == [False, True, True]
    assert 'browser_use_replays_total{call="run_task"} 2.0' in text
    assert "browser_use_tasks_created_total 1.0" in text


async def test_a_key_expires_with_its_task(restart):
    """Then the same call creates another one."""
    clock = WallClock()
    caller = await restart(now=clock)
    first = await _submit(caller)
    other = await caller.create()

    async def have_ended() -> bool:
        found = [await caller.task(each) for each in (first.json["id"], other)]
        return all(each["status"] == "finished" for each in found)

    await eventually(have_ended)
    clock.time += timedelta(days=2)
    caller = await restart(now=clock, task_days=1)

    async def is_gone() -> bool:
        return bool((await caller.get("/tasks")).json["total_count"] == 0)

    await eventually(is_gone)
    second = await _submit(caller)

    assert second.status == 200
    assert second.body != first.body
    assert "Idempotency-Replayed" not in second.headers

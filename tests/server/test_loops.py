"""The server's background loops continue after any failure, and its health shows it."""

import asyncio
import logging
from datetime import UTC, datetime, timedelta

import psycopg
import pytest

from browser_use_async.server import LocalServer, Webhook
from browser_use_async.server.errors import StorageFullError
from browser_use_async.server.loops import log_waiting
from browser_use_async.server.storage.postgres.connection import CHANNEL
from tests.server.calling import Answer, Caller
from tests.server.fleet.conftest import eventually, reached
from tests.server.steering import FromQueue
from tests.server.webhooks.receiver import SECRET, receiving


async def _health(caller: Caller) -> Answer:
    return await caller.get(f"{caller.server.url}/healthz", key=False)


class _Clock:
    """A wall clock that follows the loop's virtual one, and can be broken."""

    def __init__(self) -> None:
        self._time = asyncio.get_running_loop().time
        self._started = self._time()
        self.is_broken = False

    def __call__(self) -> datetime:
        if self.is_broken:
            raise ArithmeticError("no time")
        return datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=self._time() - self._started)


@pytest.mark.looptime
async def test_schedules_outlive_any_exception(http, caplog):
    """Log and health report the failures; schedules run again when they end."""
    clock = _Clock()
    async with LocalServer(executor=FromQueue(), now=clock) as server:
        caller = Caller(server, http)
        hourly = {"task": "Look", "schedule_type": "interval", "interval_minutes": 60}
        assert (await caller.post("/scheduled-task", json=hourly)).status == 200
        await asyncio.sleep(3590)
        clock.is_broken = True
        await asyncio.sleep(300)
        broken = await _health(caller)
        clock.is_broken = False
        await asyncio.sleep(70)
        mended = await _health(caller)
        runs = [f"{record.created_at:%H:%M}" for record in server.store.tasks]

    assert (broken.status, broken.json) == (
        503,
        {"status": "failing", "loops": ["deliveries", "scheduler"]},
    )
    assert "the loop scheduler is begun again: ArithmeticError" in caplog.text
    assert (mended.status, mended.json) == (200, {"status": "ok"})
    assert runs == ["00:00", "01:04"]


@pytest.mark.looptime
async def test_events_are_sent_after_any_exception(http):
    """Events that could not be sent arrive when the failures end."""
    clock = _Clock()
    async with receiving() as receiver:
        webhook = Webhook(receiver.url, SECRET)
        async with LocalServer(executor=FromQueue(), now=clock, webhooks=[webhook]) as server:
            receiver.gate.clear()
            caller = Caller(server, http)
            await caller.reached(await caller.create(), "running")
            await receiver.has(2)
            clock.is_broken = True
            receiver.gate.set()
            await asyncio.sleep(30)
            broken = receiver.statuses
            clock.is_broken = False
            await receiver.has(3)

    assert broken == ["test", "initializing"]
    assert receiver.statuses == ["test", "initializing", "started"]


@pytest.mark.long
@pytest.mark.timeout(120)
async def test_a_server_listens_on_after_an_unreadable_announcement(start, postgres):
    """An unreadable message on the servers' channel does not stop them from reading others."""
    caller, other, queue = await start(role="api"), await start(role="api"), FromQueue()
    await start(role="worker", executor=queue)
    task_id = await caller.create()
    await reached(caller, task_id, "running")

    async def is_failing() -> bool:
        await asyncio.to_thread(_announce, postgres)
        return bool((await _health(caller)).json == {"status": "failing", "loops": ["listener"]})

    await eventually(is_failing)
    held = asyncio.ensure_future(
        caller.get(f"/task/{task_id}/status", headers={"Prefer": "wait=30"})
    )
    await other.put("/pause-task", params={"task_id": task_id})
    async with asyncio.timeout(20):
        answer = await held

    assert answer.json == "paused"


def _announce(postgres: str) -> None:
    with psycopg.connect(postgres, autocommit=True) as connection:
        connection.execute(f"NOTIFY {CHANNEL}, 'not of a server'")


@pytest.mark.looptime
async def test_waiting_for_the_database_is_logged_once_a_minute(caplog):
    """However many tasks wait, a minute has one line of each kind."""
    logger = logging.getLogger("browser_use_async.server.storage")
    error = StorageFullError("the disk is full")

    async def waits() -> None:
        for _ in range(90):
            log_waiting(logger, "a task waits for the database", error)
            await asyncio.sleep(1.0)

    await asyncio.gather(*(waits() for _ in range(20)))
    log_waiting(logger, "schedules wait for the database", error)

    first, second, other = (record.getMessage() for record in caplog.records)
    assert first == second == "a task waits for the database: the disk is full"
    assert other == "schedules wait for the database: the disk is full"

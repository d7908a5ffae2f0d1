"""A connection that breaks at the statement which writes a job is an ordinary outage."""

import asyncio
from datetime import UTC, datetime, timedelta

import psycopg
import pytest

from browser_use_async.server.storage.postgres.connection import SCHEMA
from tests.server.calling import Caller
from tests.server.fleet.conftest import eventually, stored_rows
from tests.server.webhooks.receiver import SECRET, receiving
from tests.support.patience import until

pytestmark = [pytest.mark.timeout(120), pytest.mark.long]

_COUNT = 5
# A sequence keeps counting, though its transaction is rolled back.
_CUTS = """
CREATE SEQUENCE cuts;
CREATE FUNCTION cut() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    IF NEW.queue_name = TG_ARGV[0] AND nextval('cuts') % 2 = 1 THEN
        PERFORM pg_terminate_backend(pg_backend_pid());
    END IF;
    RETURN NEW;
END $$;
"""
_CUT_JOBS = (
    "CREATE TRIGGER cut BEFORE INSERT ON procrastinate_jobs FOR EACH ROW EXECUTE FUNCTION cut('{}')"
)


def _cut_jobs(postgres: str, queue: str) -> None:
    """End each other connection that writes a job into a queue."""
    with psycopg.connect(postgres, options=f"-c search_path={SCHEMA}") as connection:
        connection.execute(_CUTS)
        connection.execute(_CUT_JOBS.format(queue))  # type: ignore[call-overload]


def _cuts(postgres: str) -> int:
    return int(stored_rows(postgres, "SELECT last_value FROM cuts")[0][0]) // 2


async def _schedule(caller: Caller, task: str, seconds: float) -> None:
    start_at = (datetime.now(UTC) + timedelta(seconds=seconds)).isoformat()
    fields = {"schedule_type": "interval", "interval_minutes": 1440, "start_at": start_at}
    answer = await caller.post("/scheduled-task", json={"task": task, **fields})
    assert answer.status == 200, answer.text


async def test_calls_that_write_a_job_are_answered(start, postgres):
    """Each task is created once, though the first attempt to write its job is cut off."""
    caller = await start(role="api")
    _cut_jobs(postgres, "tasks")

    answers = [await caller.post("/run-task", json={"task": "Do it"}) for _ in range(_COUNT)]

    assert [answer.status for answer in answers] == [200] * _COUNT
    assert stored_rows(postgres, "SELECT count(*) FROM tasks") == [(_COUNT,)]
    assert _cuts(postgres) == _COUNT


async def test_the_end_of_a_task_is_stored(start, postgres):
    """A task whose end writes an event for a webhook finishes, and the event arrives."""
    caller = await start()
    async with receiving() as receiver:
        order = {"url": receiver.url, "secret": SECRET}
        assert (await caller.post(f"{caller.server.url}/admin/webhooks", json=order)).status == 200
        _cut_jobs(postgres, "webhooks")
        for _ in range(_COUNT):
            await caller.create()
        await until(lambda: receiver.statuses.count("finished") == _COUNT)

    assert stored_rows(postgres, "SELECT status, count(*) FROM tasks GROUP BY status") == [
        ("finished", _COUNT)
    ]
    assert _cuts(postgres) >= _COUNT


async def test_schedules_run_on(start, postgres):
    """These are runs whose job could not be written at first, and later ones."""
    caller = await start(role="api")
    _cut_jobs(postgres, "tasks")
    names = [f"Scheduled {number}" for number in range(_COUNT)]
    for number, name in enumerate(names):
        await _schedule(caller, name, 1.0 if number < _COUNT - 1 else 4.0)
    runs = "SELECT task FROM tasks ORDER BY task"

    async def have_run() -> bool:
        rows = await asyncio.to_thread(stored_rows, postgres, runs)
        return [task for (task,) in rows] == names

    await eventually(have_run)
    assert _cuts(postgres) == _COUNT


async def test_schedules_outlive_a_storm(start, postgres):
    """All connections break repeatedly while runs are due, and each is started once."""
    caller = await start(role="api")
    count = 40
    for number in range(count):
        await _schedule(caller, f"Scheduled {number}", 2.0 + number / 10)
    storm = (
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
        "WHERE datname = current_database() AND pid <> pg_backend_pid()"
    )
    runs = "SELECT count(*), count(DISTINCT task) FROM tasks"

    for _ in range(15):
        await asyncio.to_thread(stored_rows, postgres, storm)
        await asyncio.sleep(0.4)

    async def have_run() -> bool:
        rows = await asyncio.to_thread(stored_rows, postgres, runs)
        return bool(rows[0][1] == count)

    await eventually(have_run)
    assert stored_rows(postgres, runs) == [(count, count)]

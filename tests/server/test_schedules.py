"""Schedules that run, in virtual time."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import aiohttp
import pytest

from browser_use_async.server import LocalServer
from browser_use_async.server.executors.scripted import Scenario, ScriptedExecutor
from tests.server.calling import Caller

BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
# One call for the next runs of a schedule like this took the server a minute.
LONG_CRON = f"{','.join(['0-59'] * 20_000)} 0 1 * *"
HOURLY = {"task": "Look", "schedule_type": "interval", "interval_minutes": 60}


def _clock() -> Callable[[], datetime]:
    """A wall clock that follows the loop's virtual one."""
    loop = asyncio.get_running_loop()
    started = loop.time()
    return lambda: BEGIN + timedelta(seconds=loop.time() - started)


@asynccontextmanager
async def _timed(
    http: aiohttp.ClientSession, balance_cents: int = 1_000_000
) -> AsyncIterator[Caller]:
    """A server whose wall clock is virtual, with tasks that end at once.

    No fixture: time is virtual only within the test itself.
    """
    executor = ScriptedExecutor({}, default=Scenario(steps=(), step_seconds=0, output="Done"))
    async with LocalServer(executor=executor, now=_clock(), balance_cents=balance_cents) as server:
        yield Caller(server, http)


def _runs(caller: Caller) -> list[str]:
    return [record.created_at.strftime("%d %H:%M") for record in caller.server.store.tasks]


async def _add(caller: Caller, **fields: Any) -> str:
    answer = await caller.post("/scheduled-task", json={**HOURLY, **fields})
    assert answer.status == 200, answer.text
    schedule_id: str = answer.json["id"]
    return schedule_id


@pytest.mark.looptime
async def test_an_interval_runs_from_its_start_to_its_end(http):
    """At once when it starts now, then in each interval, and not after the end."""
    async with _timed(http) as timed:
        await _add(timed, end_at="2026-01-01T03:30:00Z")
        await asyncio.sleep(24 * 3600)

        assert _runs(timed) == ["01 00:00", "01 01:00", "01 02:00", "01 03:00"]
        row = (await timed.get("/scheduled-tasks")).json["tasks"][0]
        assert row["is_active"] is False


@pytest.mark.long
@pytest.mark.looptime
async def test_cron_runs_at_its_minutes(http):
    """In UTC, and not before `start_at`."""
    async with _timed(http) as timed:
        await _add(
            timed,
            schedule_type="cron",
            cron_expression="30 */6 * * *",
            start_at="2026-01-01T07:00:00Z",
        )
        await asyncio.sleep(24 * 3600)

        assert _runs(timed) == ["01 12:30", "01 18:30"]


@pytest.mark.looptime
async def test_a_schedule_that_is_switched_off_waits_to_be_switched_on(http):
    """Runs during the pause are not made later."""
    async with _timed(http) as timed:
        schedule_id = await _add(timed)
        await asyncio.sleep(60)
        await timed.put(f"/scheduled-task/{schedule_id}", json={"is_active": False})
        await asyncio.sleep(5 * 3600)
        await timed.put(f"/scheduled-task/{schedule_id}", json={"is_active": True})
        await asyncio.sleep(3600)

        assert _runs(timed) == ["01 00:00", "01 06:00"]


@pytest.mark.looptime
async def test_a_changed_interval_counts_from_the_start(http):
    """`next_run_at` has the time of the next run, which then takes place."""
    async with _timed(http) as timed:
        schedule_id = await _add(timed)
        await asyncio.sleep(60)
        answer = await timed.put(f"/scheduled-task/{schedule_id}", json={"interval_minutes": 90})
        await asyncio.sleep(2 * 3600)

        assert answer.json["next_run_at"] == "2026-01-01T01:30:00.000000Z"
        assert _runs(timed) == ["01 00:00", "01 01:30"]


@pytest.mark.looptime
async def test_a_deleted_schedule_lets_its_task_end(http):
    """The current run continues, and no other one starts."""
    executor = ScriptedExecutor({}, default=Scenario(steps=("Wait",), step_seconds=1800))
    async with LocalServer(executor=executor, now=_clock()) as server:
        caller = Caller(server, http)
        schedule_id = await _add(caller)
        await asyncio.sleep(60)
        assert (await caller.ask("DELETE", f"/scheduled-task/{schedule_id}")).body == b"{}"
        await asyncio.sleep(24 * 3600)

        assert [record.status for record in server.store.tasks] == ["finished"]
        assert (await caller.get(f"/scheduled-task/{schedule_id}")).status == 404


@pytest.mark.looptime
async def test_runs_carry_the_settings_of_the_schedule(http):
    """Metadata included; the default model of a schedule is gpt-4o."""
    async with _timed(http) as timed:
        schedule_id = await _add(timed, metadata={"team": "a"}, llm_model=None)
        await asyncio.sleep(1)
        task = (await timed.get("/tasks")).json["tasks"][0]
        schedule = (await timed.get(f"/scheduled-task/{schedule_id}")).json

        assert (task["task"], task["metadata"]) == ("Look", {"team": "a"})
        assert (schedule["llm_model"], schedule["metadata"]) == ("gpt-4o", {"team": "a"})


@pytest.mark.looptime
async def test_a_blocked_loop_makes_one_run_and_not_each_that_was_missed(http):
    """The same applies after a server was down: missed runs are made once."""
    offset = timedelta()
    clock = _clock()
    async with LocalServer(executor="scripted", now=lambda: clock() + offset) as server:
        caller = Caller(server, http)
        await _add(caller)
        await asyncio.sleep(60)
        offset = timedelta(hours=10)
        await asyncio.sleep(120)

        assert len(server.store.tasks) == 2


@pytest.mark.looptime
async def test_an_empty_account_skips_runs_and_goes_on(http):
    """A refused run is logged, and the next one is made once there is credit."""
    async with _timed(http, balance_cents=1) as timed:
        await _add(timed)
        await asyncio.sleep(60)
        assert timed.server.balance_cents == 0  # the first run cost the credit
        await asyncio.sleep(2 * 3600)
        await timed.post(f"{timed.server.url}/admin/credits", json={"cents": 500})
        await asyncio.sleep(3600)

        assert _runs(timed) == ["01 00:00", "01 03:00"]


@pytest.mark.parametrize(
    ("fields", "place"),
    [
        ({"interval_minutes": None}, "interval_minutes"),
        ({"interval_minutes": 0}, "interval_minutes"),
        ({"schedule_type": "cron"}, "cron_expression"),
        ({"schedule_type": "cron", "cron_expression": "61 * * * *"}, "cron_expression"),
        ({"schedule_type": "cron", "cron_expression": "0 0 30 2 *"}, "cron_expression"),
        ({"schedule_type": "cron", "cron_expression": LONG_CRON}, "cron_expression"),
        ({"schedule_type": "yearly"}, "schedule_type"),
        ({"start_at": "2026-02-02T00:00:00Z", "end_at": "2026-02-01T00:00:00Z"}, "end_at"),
        ({"start_at": "soon"}, "start_at"),
        ({"included_file_names": ["missing.csv"]}, "included_file_names"),
        ({"task": ""}, "task"),
    ],
)
async def test_bad_schedules_are_refused(fields, place, caller):
    """Each gets a 422 that names the field, and nothing is stored."""
    answer = await caller.post("/scheduled-task", json={**HOURLY, **fields})

    assert answer.problem["loc"][:2] == ["body", place]
    assert (await caller.get("/scheduled-tasks")).json["total_count"] == 0


async def test_an_update_may_not_contradict_what_is_there(caller):
    """An end before the start is refused, though the update names no start."""
    schedule_id = await _add(caller, start_at="2026-06-01T00:00:00Z", end_at="2026-07-01T00:00:00Z")
    answer = await caller.put(
        f"/scheduled-task/{schedule_id}", json={"end_at": "2026-05-01T00:00:00Z"}
    )

    assert answer.problem["loc"] == ["body", "end_at"]
    schedule = (await caller.get(f"/scheduled-task/{schedule_id}")).json
    assert schedule["end_at"] == "2026-07-01T00:00:00.000000Z"


async def test_an_update_changes_exactly_what_it_names(caller):
    """Everything else is unchanged, except for `updated_at`."""
    schedule_id = await _add(caller, metadata={"a": "b"}, start_at="2030-01-01T00:00:00Z")
    before = (await caller.get(f"/scheduled-task/{schedule_id}")).json
    after = (await caller.put(f"/scheduled-task/{schedule_id}", json={"use_proxy": False})).json

    changed = {name for name in before if before[name] != after[name]}
    assert changed == {"use_proxy", "updated_at"}

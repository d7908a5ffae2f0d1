"""Schedules at the end of the calendar."""

from datetime import UTC, datetime

import pytest

_BODY = {"task": "Look", "schedule_type": "interval"}


@pytest.mark.parametrize("minutes", [2**63 - 1, 10**10])
async def test_an_interval_beyond_the_calendar_has_no_second_run(minutes, caller):
    """The schedule is accepted, and ends after its first run."""
    begun = {**_BODY, "interval_minutes": minutes, "start_at": "2000-01-01T00:00:00Z"}
    answer = await caller.post("/scheduled-task", json=begun)
    assert answer.status == 200
    schedule = (await caller.get(f"/scheduled-task/{answer.json['id']}")).json

    assert schedule["next_run_at"] == schedule["end_at"]


async def test_a_schedule_of_the_last_year_ends_with_the_calendar(caller):
    """A year after its start is after the last possible date."""
    begun = {**_BODY, "interval_minutes": 5, "start_at": "9999-06-01T00:00:00Z"}
    answer = await caller.post("/scheduled-task", json=begun)
    assert answer.status == 200
    schedule = (await caller.get(f"/scheduled-task/{answer.json['id']}")).json

    assert datetime.fromisoformat(schedule["end_at"]) == datetime.max.replace(tzinfo=UTC)


async def test_a_cron_expression_at_the_end_of_the_calendar_has_no_run_after_it(caller):
    """Its next minute would be in the year 10000; the schedule is accepted, and ends."""
    begun = {
        "task": "Look",
        "schedule_type": "cron",
        "cron_expression": "0 0 1 1 *",
        "start_at": "9999-06-01T00:00:00Z",
    }
    answer = await caller.post("/scheduled-task", json=begun)
    assert answer.status == 200, answer.text
    schedule = (await caller.get(f"/scheduled-task/{answer.json['id']}")).json

    assert schedule["next_run_at"] == schedule["end_at"]

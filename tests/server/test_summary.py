"""The results of tasks by day and by reason, on both databases."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from browser_use_async.server import LocalServer
from browser_use_async.server.admin.summary import reason_of
from browser_use_async.server.executors.scripted import Scenario, ScriptedExecutor
from tests.server.calling import Caller

_SCENARIOS = {
    "Fail": Scenario(
        steps=("Try",), step_seconds=0, outcome="failed", reason="https://a.b/1 answered 404"
    ),
    "Lose": Scenario(
        steps=("Try",), step_seconds=0, outcome="failed", reason="https://a.b/lost answered 404"
    ),
    "Miss": Scenario(
        steps=("Try",), step_seconds=0, outcome="failed", reason="https://a.b/2 answered 500"
    ),
}


class _Clock:
    """The wall clock of a server."""

    def __init__(self) -> None:
        self.now = datetime(2026, 3, 1, 23, 30, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def late_clock():
    """A clock at half an hour before midnight."""
    return _Clock()


@pytest.fixture
def server_options(place, late_clock):
    """A server whose clock the test sets."""
    executor = ScriptedExecutor(_SCENARIOS, default=Scenario(step_seconds=0, output="Done"))
    key = "bu_of-the-tests-of-summaries"
    return {"executor": executor, "database": place, "now": late_clock, "api_key": key}


async def _ended(caller: Caller, text: str) -> Decimal:
    task_id = await caller.create(text)
    task = await _task(caller, task_id)
    while task["status"] in {"created", "running"}:
        task = await _task(caller, task_id)
    cost = (await caller.get(f"{caller.server.url}/admin/overview/{task_id}")).json["cost_cents"]
    return Decimal(cost)


async def _task(caller: Caller, task_id: str) -> dict[str, Any]:
    return dict((await caller.get(f"/task/{task_id}")).json)


async def test_days_and_reasons_are_summed_up(caller, late_clock):
    """By the caller's time zone; other owners' tasks and older ones are left out."""
    await _ended(caller, "Long ago")
    late_clock.now += timedelta(days=30)
    first = await _ended(caller, "Read")
    failed = [await _ended(caller, text) for text in ("Lose it", "Fail it", "Miss it")]
    late_clock.now += timedelta(hours=1)
    second = await _ended(caller, "Read again")
    place = f"{caller.server.url}/admin/summary"
    utc = (await caller.get(f"{place}?days=2")).json
    berlin = (await caller.get(f"{place}?days=2&utc_offset=60")).json
    other = await caller.with_new_key("other")
    foreign = (await other.get(place)).json

    days = [(each["day"], each["tasks"], each["statuses"]) for each in utc["days"]]
    assert days == [
        ("2026-03-31", 4, {"finished": 1, "failed": 3}),
        ("2026-04-01", 1, {"finished": 1}),
    ]
    costs = [Decimal(each["cost_cents"]) for each in utc["days"]]
    assert costs == [first + sum(failed), second]
    assert [each["tasks"] for each in berlin["days"]] == [0, 5]
    reasons = [(each["reason"], each["alike"], each["tasks"]) for each in utc["reasons"]]
    assert reasons == [("https://a.b/1 answered 404", 1, 2), ("https://a.b/2 answered 500", 0, 1)]
    assert sum(Decimal(each["cost_cents"]) for each in utc["reasons"]) == sum(failed)
    assert (utc["other_reasons"], utc["latest_only"]) == (0, None)
    assert sum(each["tasks"] for each in foreign["days"]) == 0
    assert len(foreign["days"]) == 14


async def test_time_goes_from_the_creation_to_the_end(http, place, late_clock):
    """A running task has none yet."""
    hangs = Scenario(steps=(), hangs=True)
    key = "bu_of-the-tests-of-summaries"
    executor = ScriptedExecutor(default=hangs)
    async with LocalServer(
        executor=executor, database=place, now=late_clock, api_key=key
    ) as server:
        caller = Caller(server, http)
        task_id = await caller.create()
        given = f"{server.url}/admin/summary?days=1&utc_offset=-600"
        before = (await caller.get(given)).json["days"][0]
        late_clock.now += timedelta(seconds=90.25)
        await caller.put(f"/stop-task?task_id={task_id}")
        after = (await caller.get(given)).json["days"][0]

    assert before["seconds"] == 0
    assert after["seconds"] == 90.25
    assert after["statuses"] == {"stopped": 1}


@pytest.mark.parametrize("query", ["days=0", "days=91", "days=x", "utc_offset=900"])
async def test_what_cannot_be_summed_up_is_refused(query, caller):
    """With 422 and the reason."""
    answer = await caller.get(f"{caller.server.url}/admin/summary?{query}")

    assert answer.status == 422
    assert query.partition("=")[0] in answer.json["detail"]


def test_reasons_leave_out_what_is_particular():
    """Without addresses, quotations, ids and numbers."""
    assert reason_of("“Buy” was not found on https://a.b/?c=1 in 30 s.") == (
        "… was not found on … in … s."
    )
    assert reason_of("https://a.b/1 answered 404 Not Found. (7)") == "… answered 404 Not Found. (…)"
    assert reason_of("") == "No reason is known"

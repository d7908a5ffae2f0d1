"""The batches of an owner, by the pair of metadata that their tasks have, on both databases."""

import base64
from decimal import Decimal
from typing import Any
from urllib.parse import quote

import pytest

from browser_use_async import BrowserUseSession
from browser_use_async.server.executors.scripted import Scenario, ScriptedExecutor
from tests.server.calling import Caller

_PAIR = "bu_async.batch"


@pytest.fixture(params=["sqlite", "postgres"])
def database(request, tmp_path, monkeypatch):
    """A new database of each kind."""
    if request.param == "sqlite":
        return str(tmp_path / "server.db")
    monkeypatch.setenv("BROWSER_USE_SERVER_KEY", base64.b64encode(bytes(range(32))).decode())
    return str(request.getfixturevalue("postgres"))


@pytest.fixture
def server_options(database):
    """Tasks end at once, fail, or wait, by their text."""
    scenarios = {
        "Fail": Scenario(
            steps=("Try",), step_seconds=0, outcome="failed", reason="https://a.b/1 answered 404"
        ),
        "Wait": Scenario(steps=("Look",), step_seconds=0, hangs=True),
    }
    executor = ScriptedExecutor(scenarios, default=Scenario(step_seconds=0, output="Done"))
    return {"executor": executor, "database": database, "api_key": "bu_of-the-tests-of-batches"}


async def _batches(caller: Caller) -> list[dict[str, Any]]:
    answer = await caller.get(f"{caller.server.url}/admin/batches")
    return list(answer.json["batches"])


async def _batch(caller: Caller, name: str) -> dict[str, Any]:
    answer = await caller.get(f"{caller.server.url}/admin/batch?name={quote(name, safe='')}")
    return dict(answer.json)


async def test_a_batch_is_found_by_its_key_prefix(caller, tmp_path):
    """With its ends, its reasons and its cost; the pair is no metadata of the task."""
    server = caller.server
    async with BrowserUseSession(server.api_key, base_url=server.base_url) as session:
        batch = session.run_many(
            ["Read", "Fail it", "Look"], ledger=tmp_path / "run.db", key_prefix="orders/"
        )
        results = await batch.collect()
        metadata = (await session.tasks.get(str(results[0].task_id))).metadata
    await caller.create("alone")
    (listed,) = await _batches(caller)
    one = await _batch(caller, "orders/")
    other = await caller.with_new_key("other")
    rows = (await caller.get(f"{server.url}/admin/overview?batch=orders/")).json["tasks"]

    assert metadata == {}
    assert (listed["name"], listed["tasks"], listed["at_work"]) == ("orders/", 3, 0)
    assert listed["statuses"] == {"finished": 2, "failed": 1}
    assert Decimal(one["cost_cents"]) == sum(each.cost_cents for each in results)
    assert [(each["reason"], each["tasks"]) for each in one["reasons"]] == [
        ("https://a.b/1 answered 404", 1)
    ]
    assert one["per_minute"] > 0
    assert one["rest"] is None
    assert len(rows) == 3
    assert await _batches(other) == []
    assert (await _batch(other, "orders/"))["tasks"] == 0


async def test_the_rest_is_reckoned_by_what_has_ended(caller):
    """Time and cost of the tasks at work, once a task has ended."""
    task_id = await caller.create("Wait", metadata={_PAIR: "a/"})
    task: dict[str, Any] = {"steps": []}
    while not task["steps"]:
        task = (await caller.get(f"/task/{task_id}")).json
    before = await _batch(caller, "a/")
    await caller.create("Read", metadata={_PAIR: "a/"})
    after = before
    while after["rest"] is None:
        after = await _batch(caller, "a/")
    await caller.put(f"/stop-task?task_id={task_id}")  # a server of a fleet would wait for its end

    assert (before["at_work"], before["per_minute"], before["rest"]) == (1, None, None)
    assert after["rest"]["seconds"] > 0
    assert Decimal(after["rest"]["cost_cents"]) == Decimal("2.5")  # two steps, and one is done


@pytest.mark.parametrize("name", ["%_!", '"}{', "Orders/", "ä\\u0000 \u2028", " "])
async def test_any_name_is_found_as_it_is(name, caller):
    """Other batches are not: a name is no pattern, and its letters count."""
    for each in (name, "orders/", name + "2"):
        await caller.create("Read", metadata={_PAIR: each, "note": f'"{_PAIR}":"{name}"'})
    await caller.create("Read", metadata={"note": f'"{_PAIR}":"{name}"'})

    assert {each["name"] for each in await _batches(caller)} == {name, "orders/", name + "2"}
    assert (await _batch(caller, name))["tasks"] == 1


async def test_a_task_without_room_for_the_pair_keeps_its_own(caller, tmp_path):
    """Nine pairs of a caller and the one for finding it again are ten."""
    pairs = {f"own{number}": "x" for number in range(9)}
    async with BrowserUseSession(caller.server.api_key, base_url=caller.server.base_url) as session:
        batch = session.run_many(["Read"], ledger=tmp_path / "run.db", metadata=pairs)
        (result,) = await batch.collect()
        task = await session.tasks.get(str(result.task_id))

    assert task.metadata == pairs
    assert await _batches(caller) == []

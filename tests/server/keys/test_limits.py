"""Budgets and limits of tasks at once: exact, also for simultaneous calls."""

import asyncio
import logging
from decimal import Decimal
from typing import Any

import pytest

from browser_use_async import BrowserUseSession, errors
from browser_use_async.prices import simple_search_cents
from browser_use_async.server import LocalServer
from browser_use_async.server.executors.scripted import Scenario, ScriptedExecutor
from browser_use_async.server.http.static_site import StaticSite
from tests.server.calling import Caller
from tests.server.keys.test_keys import Clock, listed, revoke
from tests.support.patience import until


async def spent(admin: Caller, name: str) -> Decimal:
    """What the keys of a name have spent."""
    return Decimal((await listed(admin, name))[0]["spent_cents"])


async def start(caller: Caller, count: int, **fields: Any) -> list[int]:
    """Run tasks all at once; the statuses."""
    body = {"task": "Do it", **fields}
    asked = [caller.post("/run-task", json=body) for _ in range(count)]
    return sorted([each.status for each in await asyncio.gather(*asked)])


async def test_a_budget_admits_as_many_starts_as_it_pays(steered):
    """Of ten tasks at once that cost a cent each to start, three fit into three cents."""
    caller = await steered.with_new_key("shop", budget_cents=3)
    statuses = await start(caller, 10)
    refused = await caller.post("/run-task", json={"task": "x"})

    assert statuses == [200] * 3 + [402] * 7
    assert "budget" in refused.json["detail"]
    assert caller.api_key not in refused.text
    assert len((await caller.get("/tasks")).json["tasks"]) == 3


async def test_a_refusal_names_the_budget_and_the_way_out(steered):
    """Credit for the account would not help, so neither the server nor a session says so."""
    caller = await steered.with_new_key("shop", budget_cents=1)
    await caller.create()
    refused = await caller.post("/run-task", json={"task": "x"})
    async with BrowserUseSession(caller.api_key, base_url=caller.server.base_url) as session:
        with pytest.raises(errors.PaymentRequiredError) as caught:
            await session.submit("x")

    assert refused.json["detail"] == (
        "The budget of this API key is $0.01, of which $0.01 is spent, and this costs $0.01 to "
        "begin with; ask the operator of this server for another key with a larger budget: "
        "browser-use-async keys add"
    )
    assert str(caught.value).endswith(f"was answered with 402 ({refused.json['detail']})")


async def test_what_has_begun_may_end(caller):
    """Steps may exceed the budget as they may exceed the balance; then nothing new begins."""
    other = await caller.with_new_key("shop", budget_cents=2)
    task_id = await other.create(llm_model="gpt-4.1")
    task = await other.reached(task_id, "finished")
    refused = await other.post("/run-task", json={"task": "x"})
    balance = (await other.get("/balance")).json["balance"]

    assert len(task["steps"]) == 2
    assert await spent(caller, "shop") == 6
    assert (refused.status, Decimal(str(balance))) == (402, -4)


async def test_each_name_spends_its_own(caller):
    """The account pays for all of them: the sum of their spending is what it lost."""
    before = Decimal(str((await caller.get("/balance")).json["balance"]))
    ann, bob = await caller.with_new_key("ann"), await caller.with_new_key("bob", budget_cents=50)
    for other, model in ((ann, "o3"), (bob, "gpt-4.1-mini"), (bob, "gpt-4.1"), (caller, "o3")):
        await other.reached(await other.create(llm_model=model), "finished")
    after = Decimal(str((await caller.get("/balance")).json["balance"]))
    seen = [Decimal(str((await each.get("/balance")).json["balance"])) for each in (ann, bob)]

    sums = [await spent(caller, name) for name in ("ann", "bob")]
    assert before - after == sum(sums) + 3
    assert seen == [after, 50 - sums[1]]


async def test_both_keys_of_a_name_have_one_budget(caller):
    """A rotation adds no second budget; the operator can raise it with a new key."""
    first = await caller.with_new_key("shop", budget_cents=1)
    second = await caller.with_new_key("shop")
    hangs = {"task": "x", "metadata": {"scenario": "hangs"}}
    statuses = [(await each.post("/run-task", json=hangs)).status for each in (first, second)]
    await revoke(caller, (await listed(caller, "shop"))[0]["id"])
    third = await caller.with_new_key("shop", budget_cents=20)

    assert statuses == [200, 402]
    assert (await third.post("/run-task", json=hangs)).status == 200


async def test_tasks_at_once_are_counted_for_each_name(caller):
    """Of ten at once two begin; others have their own limit, and ended tasks make room."""
    ann, bob = await caller.with_new_key("ann", concurrency=2), await caller.with_new_key("bob")
    statuses = await start(ann, 10, metadata={"scenario": "hangs"})
    refused = await ann.post("/run-task", json={"task": "x"})
    others = await start(bob, 3, metadata={"scenario": "hangs"})
    running = (await ann.get("/tasks")).json["tasks"]
    await ann.put(f"/stop-task?task_id={running[0]['id']}")
    again = await start(ann, 2, metadata={"scenario": "hangs"})

    assert statuses == [200] * 2 + [429] * 8
    assert "concurrent" in refused.json["detail"]
    assert others == [200] * 3
    assert again == [200, 429]
    assert await spent(caller, "ann") >= 3
    assert len(running) == 2


async def test_a_refused_start_leaves_nothing(caller):
    """No task, no charge, and no gap in the list."""
    other = await caller.with_new_key("shop", budget_cents=1, concurrency=1)
    await start(other, 1, metadata={"scenario": "hangs"})
    before = await spent(caller, "shop"), (await caller.get("/balance")).json
    await start(other, 5)
    page = (await other.get("/tasks")).json

    assert (page["total_count"], len(page["tasks"])) == (1, 1)
    assert (await spent(caller, "shop"), (await caller.get("/balance")).json) == before


async def test_runs_of_a_schedule_are_within_the_budget(http, caplog):
    """A run that would exceed it is left out, which the log says."""
    executor = ScriptedExecutor({}, default=Scenario(steps=(), step_seconds=0))
    async with LocalServer(executor=executor) as server:
        admin = Caller(server, http)
        caller = await admin.with_new_key("shop", budget_cents=0)
        schedule = {"task": "Again", "schedule_type": "interval", "interval_minutes": 60}
        assert (await caller.post("/scheduled-task", json=schedule)).status == 200
        with caplog.at_level(logging.WARNING):
            await until(lambda: "budget" in caplog.text)

    assert "could not run" in caplog.text


async def test_schedules_of_a_name_without_a_key_do_not_run(http, caplog):
    """Their runs are left out, which the log says."""
    clock = Clock()
    executor = ScriptedExecutor({}, default=Scenario(steps=(), step_seconds=0))
    async with LocalServer(executor=executor, now=clock) as server:
        admin = Caller(server, http)
        caller = await admin.with_new_key("shop")
        schedule = {
            "task": "Again",
            "schedule_type": "interval",
            "interval_minutes": 60,
            "start_at": "2026-03-01T12:30:00Z",
        }
        asked = await caller.post("/scheduled-task", json=schedule)
        assert asked.status == 200, asked.text
        await revoke(admin, (await listed(admin, "shop"))[0]["id"])
        clock.now = clock.now.replace(hour=14)
        with caplog.at_level(logging.WARNING):
            # Another schedule wakes the scheduler.
            await admin.post("/scheduled-task", json={**schedule, "start_at": None})
            await until(lambda: "no valid key" in caplog.text)

    assert server.tasks_created <= 1


async def test_a_search_is_within_the_budget(tmp_path, http):
    """Its whole price must fit, and a refused search costs nothing."""
    (tmp_path / "index.html").write_text("<title>Baker</title><p>We bake bread.</p>")
    async with (
        StaticSite(tmp_path) as site,
        LocalServer(executor="scripted", search=[site.url]) as server,
    ):
        admin = Caller(server, http)
        caller = await admin.with_new_key("shop", budget_cents=7)
        body = {"query": "bread", "max_websites": 1, "depth": 3}
        answers = [await caller.post("/simple-search", json=body) for _ in range(3)]
        url = {"url": site.url, "query": "bread", "depth": 3}
        refused = await caller.post("/search-url", json=url)
        total = await spent(admin, "shop")

    statuses = [each.status for each in answers]
    assert statuses == sorted(statuses)
    assert statuses[-1] == refused.status == 402
    assert total == statuses.count(200) * simple_search_cents(1, 3)
    assert 0 < total <= 7

"""The cost of tasks, and what is refused on an empty account."""

import asyncio

import pytest

from browser_use_async.errors import ConfigurationError
from browser_use_async.server import AgentSettings, LocalServer
from browser_use_async.server.executors.scripted import Scenario, ScriptedExecutor
from browser_use_async.server.records import Finished, Step
from tests.server.calling import Caller
from tests.server.steering import FromQueue


async def _balance(caller: Caller) -> str:
    balance: str = (await caller.get("/balance")).json["balance"]
    return balance


@pytest.mark.parametrize(("model", "left"), [("gpt-4.1", "9994"), ("gpt-4.1-mini", "9997.5")])
async def test_a_task_costs_its_start_and_its_steps(model, left, caller):
    """Two steps of the model's published price, exact to the hundredth of a cent."""
    await caller.reached(await caller.create(llm_model=model), "finished")

    assert await _balance(caller) == left


async def test_any_model_is_priced_as_the_default_with_a_model_for_every_task(http, server_options):
    """A name outside of the list reaches the executor, and each step costs what `gpt-4.1` does."""
    agent = AgentSettings(llm_model="local")
    queue = FromQueue(Step("Look"), Finished("Done"))
    async with LocalServer(**{**server_options, "executor": queue}, agent=agent) as server:
        caller = Caller(server, http)
        task_id = await caller.create(llm_model="gpt-5-mini")
        await caller.reached(task_id, "finished")
        left = await _balance(caller)
        wrong = await caller.post("/run-task", json={"task": "x", "llm_model": 5})
        country = await caller.post("/run-task", json={"task": "x", "proxy_country_code": "xx"})
        runs = {"schedule_type": "interval", "interval_minutes": 60, "task": "Wait"}
        schedule = await caller.post("/scheduled-task", json={**runs, "llm_model": "gpt-5-mini"})
        shown = await caller.get(f"/scheduled-task/{schedule.json['id']}")

    assert queue.assignments[0].llm_model == "gpt-5-mini"
    assert left == "9996.5"
    assert (wrong.problem["type"], country.problem["type"]) == ("string_type", "enum")
    assert shown.json["llm_model"] == "gpt-5-mini"


@pytest.mark.parametrize(
    ("model", "problem"),
    [("", "string_too_short"), (" ", "string_too_short"), ("m" * 201, "string_too_long")],
)
async def test_a_model_has_a_name_of_at_most_200_characters(model, problem, http, server_options):
    """A blank or longer name is refused before anything is charged."""
    agent = AgentSettings(llm_model="local")
    async with LocalServer(**server_options, agent=agent) as server:
        caller = Caller(server, http)
        wrong = await caller.post("/run-task", json={"task": "x", "llm_model": model})
        left = await _balance(caller)

    assert (wrong.status, wrong.problem["type"]) == (422, problem)
    assert left == "10000"


@pytest.mark.parametrize("model", ["o3", "O3"])
async def test_a_known_model_keeps_its_price_there(model, http, server_options):
    """Also in another spelling."""
    agent = AgentSettings(llm_model="local")
    async with LocalServer(**server_options, agent=agent) as server:
        caller = Caller(server, http)
        await caller.reached(await caller.create(llm_model=model), "finished")
        left = await _balance(caller)

    assert left == "9997"


async def test_an_empty_account_is_refused_until_there_is_credit(http):
    """Running tasks end; the balance may fall below zero by their steps."""
    async with LocalServer(executor="scripted", balance_cents=2) as server:
        caller = Caller(server, http)
        await caller.reached(await caller.create(), "finished")
        below = await _balance(caller)
        refused = await caller.post("/run-task", json={"task": "x"})
        added = await caller.post(f"{server.url}/admin/credits", json={"cents": 100})
        accepted = await caller.post("/run-task", json={"task": "x"})

    assert below == "-4"
    assert (refused.status, refused.json) == (402, {"detail": "Insufficient credits"})
    assert (added.json, accepted.status) == ({"balance": "96"}, 200)


@pytest.mark.parametrize("body", [{}, {"cents": 0}, {"cents": -1}, {"cents": "NaN"}, [], "x"])
async def test_credit_is_a_number_above_zero(body, caller):
    """Any other value changes nothing."""
    answer = await caller.post(f"{caller.server.url}/admin/credits", json=body)

    assert answer.status == 422
    assert await _balance(caller) == "10000"


async def test_credit_needs_the_key(caller):
    """It is needed as for every call of the API."""
    answer = await caller.post(f"{caller.server.url}/admin/credits", json={"cents": 5}, key=False)

    assert answer.status == 403


async def test_too_many_tasks_at_once_are_refused(http, queue):
    """The refusal has the service's sentence; a task that has ended makes room."""
    async with LocalServer(executor=queue, max_concurrent_tasks=1) as server:
        caller = Caller(server, http)
        first = await caller.create()
        refused = await caller.post("/run-task", json={"task": "x"})
        queue.items.put_nowait(Finished("Done"))
        await caller.reached(first, "finished")
        await asyncio.sleep(0)
        accepted = await caller.post("/run-task", json={"task": "x"})

    assert refused.status == 429
    assert refused.json["detail"].startswith("Too many concurrent active sessions.")
    assert (accepted.status, server.tasks_created) == (200, 2)


@pytest.mark.parametrize(
    "options", [{"plan": "gold"}, {"balance_cents": "NaN"}, {"balance_cents": 1e30}]
)
def test_an_account_that_cannot_be_is_refused(options):
    """It is refused when the server is created, and not at the first task."""
    with pytest.raises(ConfigurationError):
        LocalServer(**options)


async def test_a_failure_at_the_limit_of_steps_is_free(http):
    """The step that reports it is free; a task never costs more than its start and its maximum."""
    executor = ScriptedExecutor(default=Scenario(steps=("Look",) * 9, step_seconds=0))
    async with LocalServer(executor=executor, balance_cents=1000) as server:
        caller = Caller(server, http)
        await caller.reached(await caller.create(max_agent_steps=3), "failed")
        left = await _balance(caller)

    assert float(left) == 1000 - 1 - 3 * 2.5


async def test_a_restart_is_billed_as_what_the_task_shows(tmp_path, http, queue):
    """The restart is one step, with its cost: the account and `/admin/costs` agree."""
    place = tmp_path / "server.db"
    async with LocalServer(executor=queue, database=place, balance_cents=1000) as server:
        task_id = await Caller(server, http).create()
    async with LocalServer(executor=queue, database=place, balance_cents=1000) as server:
        caller = Caller(server, http)
        task = (await caller.get(f"/task/{task_id}")).json
        costs = (await caller.get(f"{server.url}/admin/costs?task_id={task_id}")).json["costs"]
        left = await _balance(caller)

    assert len(task["steps"]) == 1
    assert float(costs[task_id]) == 1000 - float(left) == 3.5


async def test_the_last_cent_begins_a_task(http):
    """A task that costs the whole rest is not refused; the next one is."""
    async with LocalServer(executor=FromQueue(), balance_cents=1) as server:
        caller = Caller(server, http)
        answers = [await caller.post("/run-task", json={"task": "x"}) for _ in range(2)]

    assert [each.status for each in answers] == [200, 402]

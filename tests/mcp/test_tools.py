"""Each tool, through the official client, in the process of the test."""

import base64
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest

from browser_use_async import BrowserUseSession, TaskStatus
from browser_use_async.server.keys.admin_client import AdminClient
from tests.support.patience import until

_TOOLS = """
run_task wait_for_task task_status task_steps task_screenshot task_file pause_task resume_task
stop_task list_tasks list_scripts balance create_schedule list_schedules delete_schedule
""".split()


async def _call(client: Any, tool: str, **arguments: Any) -> Any:
    """The structured answer of a tool that does not fail."""
    result = await client.call_tool(tool, arguments)
    assert not result.is_error, result.content
    return result.structured_content


async def _error(client: Any, tool: str, **arguments: Any) -> str:
    result = await client.call_tool(tool, arguments)
    assert result.is_error
    return str(result.content[0].text)


@pytest.mark.long
async def test_every_tool_is_explained(connected):
    """Each has a title, a description, its bounds in its schema, and whether it only reads."""
    async with connected as client:
        tools = {each.name: each for each in (await client.list_tools()).tools}

        assert sorted(tools) == sorted(_TOOLS)
        assert all(each.title and each.description and each.annotations for each in tools.values())
        assert all("self" not in each.input_schema["properties"] for each in tools.values())
        assert "wait_for_task" in client.instructions

    fields = {name: each.input_schema["properties"] for name, each in tools.items()}
    steps = fields["run_task"]["max_agent_steps"]
    assert (steps["type"], steps["minimum"], steps["maximum"]) == (["integer", "null"], 1, 200)
    assert fields["list_tasks"]["limit"]["maximum"] == 100
    assert {*fields["list_tasks"]["status"]["anyOf"][0]["enum"]} == {*map(str, TaskStatus)}
    assert fields["create_schedule"]["interval_minutes"]["minimum"] == 1
    assert "five fields, in UTC" in fields["create_schedule"]["cron_expression"]["description"]


@pytest.mark.long
async def test_an_answer_has_its_schema_once(connected):
    """The schema of the state of a task is at one tool, and the answers of others fit it."""
    jsonschema = pytest.importorskip("jsonschema")
    async with connected as client:
        tools = (await client.list_tools()).tools
        schemas = [each.output_schema for each in tools if each.output_schema is not None]
        state = await _call(client, "run_task", task="Buy milk")
        status = await _call(client, "task_status", task_id=state["task_id"])

    assert all(schemas.count(each) == 1 for each in schemas)
    (schema,) = [each.output_schema for each in tools if each.name == "run_task"]
    jsonschema.validate(status, schema)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({**status, "steps": None}, schema)


async def test_a_task_that_ends_in_time_is_answered_whole(connected):
    """A call that waits returns the answer, without advice."""
    async with connected as client:
        state = await _call(client, "run_task", task="Buy milk", max_agent_steps=5)

        assert (state["status"], state["has_ended"], state["output"]) == ("finished", True, "Done.")
        assert (state["steps"], state["live_url"], state["advice"]) == (2, None, None)


async def test_an_argument_that_no_tool_has_is_refused(connected, recorder):
    """A model that misspells the limit of a task's steps does not pay for one without a limit."""
    async with connected as client:
        said = await _error(client, "run_task", task="Buy milk", max_steps=3)

    assert said.startswith("run_task has no argument max_steps; it takes task, wait_seconds, ")
    assert recorder.assignments == []


async def test_a_task_that_fails_says_why(connected):
    """The last step's judgement is the reason."""
    async with connected as client:
        state = await _call(client, "run_task", task="Fail, please")

        assert (state["status"], state["failure"]) == ("failed", "The page is on fire")


@pytest.mark.long
async def test_progress_is_reported_step_by_step(connected):
    """While a tool waits, the client gets each step, with growing seconds."""
    async with connected as client:
        heard: list[tuple[float, float | None, str | None]] = []

        async def hear(progress: float, total: float | None, message: str | None) -> None:
            heard.append((progress, total, message))

        result = await client.call_tool("run_task", {"task": "Stroll"}, progress_callback=hear)
        task_id = result.structured_content["task_id"]

        messages = [message for _progress, _total, message in heard]
        assert messages[0] == f"task {task_id} is under way"
        assert f"task {task_id}, step 2: Go on" in messages
        assert [each[0] for each in heard] == sorted(each[0] for each in heard)
        assert {total for _progress, total, _message in heard} == {300.0}


async def test_a_paused_task_offers_its_live_page(connected, session):
    """A wait ends at a pause, with the page where a person can act; resuming continues."""
    async with connected as client:
        state = await _call(client, "run_task", task="Hang around", wait_seconds=0)
        task_id = state["task_id"]
        await session.handle(task_id).wait_for_live_url()
        await _call(client, "pause_task", task_id=task_id)
        state = await _call(client, "wait_for_task", task_id=task_id)

        assert state["status"] == "paused"
        assert state["live_url"].startswith("http://127.0.0.1:")
        assert "give them live_url; then call resume_task" in state["advice"]
        state = await _call(client, "resume_task", task_id=task_id)
        assert state["status"] in {"running", "paused"}
        state = await _call(client, "stop_task", task_id=task_id)
        assert await session.handle(task_id).wait()
        assert (await _call(client, "task_status", task_id=task_id))["status"] == "stopped"


async def test_a_pause_of_the_model_needs_no_person(connected, session):
    """Only a step that asks a person needs one; a task that was paused by this client does not."""
    async with connected as client:
        state = await _call(client, "run_task", task="Hang around", wait_seconds=0)
        await anext(session.handle(state["task_id"]).stream_steps())
        paused = await _call(client, "pause_task", task_id=state["task_id"])

        assert (paused["status"], paused["steps"]) == ("paused", 1)
        assert paused["needs_person"] is None


async def test_a_task_that_asks_for_help_says_what_for(connected):
    """A wait ends where a person has to act, with the action and its page."""
    async with connected as client:
        state = await _call(client, "run_task", task="Robot check")
        assert (state["status"], state["needs_person"]) == (
            "paused",
            "Ask a person (captcha): Tick the box",
        )
        assert state["live_url"]
        await _call(client, "resume_task", task_id=state["task_id"])
        state = await _call(client, "wait_for_task", task_id=state["task_id"])

        assert (state["status"], state["needs_person"]) == ("finished", None)


@pytest.mark.long
async def test_steps_are_given_from_a_number_on(connected):
    """A model reads only new steps."""
    async with connected as client:
        state = await _call(client, "run_task", task="Stroll")
        steps = await _call(client, "task_steps", task_id=state["task_id"], after=1)

        assert [each["next_goal"] for each in steps["result"]][:1] == ["Go on"]


async def test_tasks_are_listed(connected):
    """Newest first, with the number of pages."""
    async with connected as client:
        for name in ("one", "two"):
            await _call(client, "run_task", task=name, wait_seconds=0)
        rows = await _call(client, "list_tasks", limit=1)

        assert [each["task"] for each in rows["tasks"]] == ["two"]
        assert (rows["page"], rows["total_pages"]) == (1, 2)


async def test_tasks_are_found_by_status_and_text(connected):
    """Of all pages, in any case of the letters; a filter has no number of pages."""
    async with connected as client:
        for name in ("Fail to buy tea", "Buy TEA", "Buy milk"):
            await _call(client, "run_task", task=name)

        async def found(**filters: Any) -> list[str]:
            rows = await _call(client, "list_tasks", **filters)
            assert (rows["total_pages"], rows["advice"]) == (None, None)
            return [each["task"] for each in rows["tasks"]]

        assert await found(status="failed") == ["Fail to buy tea"]
        assert await found(text="tea") == ["Buy TEA", "Fail to buy tea"]
        assert await found(text="tea", limit=1, page=2) == ["Fail to buy tea"]
        assert await found(text="tea", status="finished") == ["Buy TEA"]
        assert await found(text="coffee") == []
        said = await _error(client, "list_tasks", status="done")

    assert said.startswith("status: Input should be 'created', 'running'")


async def test_a_filter_says_where_it_stopped(connected, monkeypatch):
    """It reads a limited number of the newest tasks, and says that there may be more."""
    monkeypatch.setattr("browser_use_async.mcp.tools.MOST_SEARCHED", 2)
    async with connected as client:
        for name in ("Buy tea", "Buy milk", "Buy bread"):
            await _call(client, "run_task", task=name)
        rows = await _call(client, "list_tasks", text="tea")

    assert rows["tasks"] == []
    assert rows["advice"] == "Only the newest 2 tasks were looked through."


async def test_a_picture_is_content(connected, session):
    """That of a step and the latest one are images; a missing one is an error."""
    async with connected as client:
        state = await _call(client, "run_task", task="Stroll", wait_seconds=0)
        said = await _error(client, "task_screenshot", task_id=state["task_id"], step=9)
        await session.handle(state["task_id"]).wait()
        chosen = [{"task_id": state["task_id"], **step} for step in ({}, {"step": 2})]
        latest, second = [
            (await client.call_tool("task_screenshot", each)).content for each in chosen
        ]

    assert "9" in said or "no screenshots" in said
    assert [each.type for each in (*latest, *second)] == ["image", "image"]
    assert latest[0].mime_type == "image/png"
    pictures = [base64.b64decode(each[0].data) for each in (latest, second)]
    assert all(each.startswith(b"\x89PNG") for each in pictures)
    assert pictures[0] != pictures[1]


async def test_the_balance_falls(connected):
    """The cost of a task is deducted from the account."""
    async with connected as client:
        before = (await _call(client, "balance"))["cents"]
        await _call(client, "run_task", task="Buy milk")

        assert (await _call(client, "balance"))["cents"] < before


async def test_a_budget_is_shown_beside_the_balance(server, session):
    """A task that runs reserves its maximum; one whose end no call has seen is asked for."""
    from mcp import Client

    from browser_use_async.mcp.server import new_server

    budget = session.budget(cents=100)

    @asynccontextmanager
    async def session_of(_context: Any) -> AsyncIterator[BrowserUseSession]:
        async with budget:
            yield session

    async def scripts_of(_context: Any) -> list[dict[str, Any]]:
        return []

    async with Client(new_server(session_of, scripts_of, 300.0, budget)) as client:
        fresh = await _call(client, "balance")
        state = await _call(client, "run_task", task="Buy milk", max_agent_steps=10, wait_seconds=0)
        await until(lambda: server.store.tasks[-1].status.is_terminal)
        later = await _call(client, "balance")

    assert (fresh["budget_left_cents"], later["budget_left_cents"]) == (100, 94)
    assert state["status"] != "failed"


async def test_scripts_are_found_with_their_inputs(connected, server):
    """Those of the key, by name; a task plays one by its name and inputs."""
    admin = AdminClient(server.url, server.api_key)
    for name, head in (("office", "inputs: company, city\n"), ("front", "")):
        text = f"script {name}\n{head}\nopen https://shop.example/\n"
        await admin.put(f"/admin/scripts/{name}", {"text": text})
    async with connected as client:
        listed = (await _call(client, "list_scripts"))["result"]

    assert listed == [
        {"name": "front", "inputs": [], "plays": 0, "failures": 0},
        {"name": "office", "inputs": ["company", "city"], "plays": 0, "failures": 0},
    ]


async def test_a_schedule_lives_until_it_is_deleted(connected):
    """Created with an interval or a cron expression, listed, deleted."""
    async with connected as client:
        created = await _call(client, "create_schedule", task="Look", interval_minutes=60)
        await _call(client, "create_schedule", task="Say", cron_expression="0 9 * * *")
        listed = await _call(client, "list_schedules")
        assert {each["task"] for each in listed["result"]} == {"Look", "Say"}

        await _call(client, "delete_schedule", schedule_id=created["schedule_id"])
        listed = await _call(client, "list_schedules")
        assert [each["task"] for each in listed["result"]] == ["Say"]


async def test_errors_have_the_messages_of_the_package(connected):
    """A model reads what happened and what to do next, and the connection stays open."""
    async with connected as client:
        gone = await _error(client, "task_status", task_id="unknown")
        bound = await _error(client, "run_task", task="x", max_agent_steps=900)
        wait = await _error(client, "run_task", task="x", wait_seconds=-1)
        assert (await _call(client, "list_tasks"))["tasks"] == []

    assert "check the id" in gone
    assert "Error executing" not in gone
    assert bound == ("max_agent_steps: Input should be less than or equal to 200; nothing was sent")
    assert wait == "wait_seconds: Input should be greater than or equal to 0; nothing was sent"


@pytest.mark.long
async def test_a_call_that_the_client_gives_up_leaves_the_task(connected, session, recorder):
    """The client's limit ends its call; the task goes on, and its result is read later."""
    async with connected as client:
        from mcp import MCPError

        with pytest.raises(MCPError, match="Timed out"):
            await client.call_tool("run_task", {"task": "Held"}, read_timeout_seconds=1.0)
        rows = await _call(client, "list_tasks")
        (row,) = rows["tasks"]
        assert row["task"] == "Held"
        recorder.released.set()
        state = await _call(client, "wait_for_task", task_id=row["task_id"])

        assert (state["status"], len(recorder.assignments)) == ("finished", 1)
        status = await session.tasks.get_status(row["task_id"])
        assert status is TaskStatus.FINISHED


async def test_a_file_has_a_link(connected):
    """The file of a task is at the address, which needs no key."""
    async with connected as client:
        state = await _call(client, "run_task", task="Report")
        assert state["output_files"] == ["sum.txt"]
        link = await _call(client, "task_file", task_id=state["task_id"], file_name="sum.txt")

        async with aiohttp.ClientSession() as http, http.get(link["download_url"]) as answer:
            assert await answer.read() == b"42"

"""Each argument of each tool, with its effect, through the official client."""

import json
from collections import defaultdict
from collections.abc import Awaitable, Callable
from typing import Any

import attrs
import pytest

from browser_use_async import BrowserUseSession
from browser_use_async.server.records import Assignment
from tests.cli.running import Recorder
from tests.mcp.processes import stdio
from tests.support.patience import until


@attrs.frozen
class Bench:
    """A client, and what is behind its tools."""

    client: Any
    session: BrowserUseSession
    recorder: Recorder

    async def call(self, tool: str, **arguments: Any) -> Any:
        """The structured answer of a tool that does not fail, or its content."""
        result = await self.client.call_tool(tool, arguments)
        assert not result.is_error, result.content
        return result.structured_content or result.content

    async def error(self, tool: str, **arguments: Any) -> str:
        """The words of a tool that fails."""
        result = await self.client.call_tool(tool, arguments)
        assert result.is_error
        return str(result.content[0].text)

    async def assigned(self, **arguments: Any) -> Assignment:
        """What the executor gets for a call of run_task."""
        await self.call("run_task", **{"task": "Buy milk", **arguments})
        return self.recorder.assignments[-1]

    async def hanging(self) -> str:
        """The id of a task that has begun, and does not end by itself."""
        state = await self.call("run_task", task="Hang around", wait_seconds=0)
        await anext(self.session.handle(state["task_id"]).stream_steps())
        return str(state["task_id"])

    async def ended(self, task: str = "Buy milk") -> str:
        """The id of a task that has ended."""
        return str((await self.call("run_task", task=task))["task_id"])


Check = Callable[[Bench], Awaitable[None]]
CHECKS: defaultdict[str, dict[str, Check]] = defaultdict(dict)
NO_ARGUMENTS = {"balance", "list_schedules", "list_scripts"}


def _of(tool: str, argument: str) -> Callable[[Check], Check]:
    def add(check: Check) -> Check:
        CHECKS[tool][argument] = check
        return check

    return add


# --- run_task ---------------------------------------------------------------------------------


@_of("run_task", "task")
async def _task(bench: Bench) -> None:
    assert (await bench.assigned(task="Buy tea")).task == "Buy tea"
    assert (await bench.assigned(task="null")).task == "null"


@_of("run_task", "wait_seconds")
async def _wait(bench: Bench) -> None:
    assert not (await bench.call("run_task", task="Hang", wait_seconds=0))["has_ended"]
    assert (await bench.call("run_task", task="Buy", wait_seconds="20"))["has_ended"]


@_of("run_task", "max_agent_steps")
async def _steps(bench: Bench) -> None:
    assert (await bench.assigned(max_agent_steps=5)).max_agent_steps == 5


@_of("run_task", "llm_model")
async def _model(bench: Bench) -> None:
    assert (await bench.assigned(llm_model="o3")).llm_model == "o3"


@_of("run_task", "allowed_domains")
async def _domains(bench: Bench) -> None:
    for given in (["shop.test"], '["shop.test"]'):
        assert [*((await bench.assigned(allowed_domains=given)).allowed_domains or ())] == [
            "shop.test"
        ]


@_of("run_task", "browser_profile_id")
async def _profile(bench: Bench) -> None:
    profile = await bench.session.browser_profiles.create(profile_name="Shop")
    assigned = await bench.assigned(browser_profile_id=profile.profile_id)
    assert assigned.profile_id == profile.profile_id


@_of("run_task", "structured_output_json")
async def _schema(bench: Bench) -> None:
    schema = {"type": "object", "properties": {"price": {"type": "number"}}}
    for given in (schema, json.dumps(schema)):
        assigned = await bench.assigned(structured_output_json=given)
        assert json.loads(assigned.structured_output_json or "") == schema
    for wrong in ("no JSON", "[1]", 7):
        said = await bench.error("run_task", task="Buy", structured_output_json=wrong)
        assert said.startswith("structured_output_json: ")


@_of("run_task", "key")
async def _key(bench: Bench) -> None:
    for key in ("milk-7", "null"):
        states = [await bench.call("run_task", task="Buy milk", key=key) for _ in range(2)]
        assert [each["joined"] for each in states] == [False, True]
        assert len({each["task_id"] for each in states}) == 1
        assert {each["cost_cents"] for each in states} == {6.0}
    said = await bench.error("run_task", task="Buy tea", key="milk-7")
    assert "not the same: task" in said


@_of("run_task", "script")
async def _script(bench: Bench) -> None:
    assert (await bench.assigned(script="milk")).metadata["bu_async.script"] == "milk"


@_of("run_task", "inputs")
async def _inputs(bench: Bench) -> None:
    for given in ({"what": "tea"}, '{"what": "tea"}'):
        assigned = await bench.assigned(task="Buy {what}", script="buy", inputs=given)
        assert assigned.task == "Buy tea"
        assert json.loads(assigned.metadata["bu_async.inputs"]) == {"what": "tea"}
    for wrong in ("tea", "[1]", '{"what": 7}'):
        said = await bench.error("run_task", task="Buy {what}", script="buy", inputs=wrong)
        assert "nothing was sent" in said


# --- tasks that exist -------------------------------------------------------------------------


@_of("wait_for_task", "task_id")
async def _waited(bench: Bench) -> None:
    task_id = await bench.ended()
    assert (await bench.call("wait_for_task", task_id=task_id))["task_id"] == task_id


@_of("wait_for_task", "wait_seconds")
async def _waited_briefly(bench: Bench) -> None:
    state = await bench.call("wait_for_task", task_id=await bench.hanging(), wait_seconds=0.1)
    assert not state["has_ended"]


@_of("task_status", "task_id")
async def _status(bench: Bench) -> None:
    task_id = await bench.ended()
    assert (await bench.call("task_status", task_id=task_id))["task_id"] == task_id


@_of("task_steps", "task_id")
async def _steps_of(bench: Bench) -> None:
    steps = await bench.call("task_steps", task_id=await bench.ended())
    assert [each["step"] for each in steps["result"]] == [1, 2]


@_of("task_steps", "after")
async def _steps_after(bench: Bench) -> None:
    steps = await bench.call("task_steps", task_id=await bench.ended(), after=1)
    assert [each["step"] for each in steps["result"]] == [2]


@_of("task_screenshot", "task_id")
async def _picture(bench: Bench) -> None:
    (picture,) = await bench.call("task_screenshot", task_id=await bench.ended())
    assert picture.mime_type == "image/png"


@_of("task_screenshot", "step")
async def _picture_of_step(bench: Bench) -> None:
    task_id = await bench.ended("Stroll")
    first, third, latest = [
        (await bench.call("task_screenshot", task_id=task_id, **step))[0].data
        for step in ({"step": 1}, {"step": 3}, {})
    ]
    assert first != third == latest


@_of("task_file", "task_id")
@_of("task_file", "file_name")
async def _file(bench: Bench) -> None:
    task_id = await bench.ended("Report")
    link = await bench.call("task_file", task_id=task_id, file_name="sum.txt")
    assert link["file_name"] == "sum.txt"
    assert "404" in await bench.error("task_file", task_id=task_id, file_name="none.txt")


@_of("pause_task", "task_id")
@_of("resume_task", "task_id")
@_of("stop_task", "task_id")
async def _ordered(bench: Bench) -> None:
    task_id = await bench.hanging()
    for tool, statuses in {
        "pause_task": {"paused"},
        "resume_task": {"running", "paused"},  # the executor may still be pausing
        "stop_task": {"stopped", "running", "paused"},
    }.items():
        state = await bench.call(tool, task_id=task_id)
        assert (state["task_id"], state["status"] in statuses) == (task_id, True)
    assert (await bench.call("wait_for_task", task_id=task_id))["has_ended"]


async def _found(bench: Bench, **arguments: Any) -> list[str]:
    return [each["task"] for each in (await bench.call("list_tasks", **arguments))["tasks"]]


@_of("list_tasks", "status")
async def _of_status(bench: Bench) -> None:
    await bench.ended("Fail to list")
    await bench.ended("Buy a list")
    assert (await _found(bench, status="failed"))[0] == "Fail to list"


@_of("list_tasks", "text")
async def _with_text(bench: Bench) -> None:
    await bench.ended("Buy a null device")
    await bench.ended("Buy nothing")
    assert await _found(bench, text="NULL d") == ["Buy a null device"]
    assert "Buy nothing" not in await _found(bench, text="null")


@_of("list_tasks", "page")
@_of("list_tasks", "limit")
async def _paged(bench: Bench) -> None:
    for name in ("one", "two", "three"):
        await bench.ended(name)
    assert await _found(bench, limit=2) == ["three", "two"]
    assert (await _found(bench, limit=2, page=2))[0] == "one"


# --- schedules --------------------------------------------------------------------------------


@_of("create_schedule", "task")
@_of("create_schedule", "interval_minutes")
async def _interval(bench: Bench) -> None:
    made = await bench.call("create_schedule", task="Look", interval_minutes=60)
    assert (made["task"], made["interval_minutes"]) == ("Look", 60)


@_of("create_schedule", "cron_expression")
async def _cron(bench: Bench) -> None:
    made = await bench.call("create_schedule", task="Look", cron_expression="0 9 * * 1-5")
    assert (made["cron_expression"], made["interval_minutes"]) == ("0 9 * * 1-5", None)


@_of("create_schedule", "max_agent_steps")
async def _steps_of_runs(bench: Bench) -> None:
    await bench.call("create_schedule", task="Look often", interval_minutes=60, max_agent_steps=7)

    def runs() -> list[int]:
        found = bench.recorder.assignments
        return [each.max_agent_steps for each in found if each.task == "Look often"]

    await until(lambda: runs() == [7])


@_of("delete_schedule", "schedule_id")
async def _deleted(bench: Bench) -> None:
    made = await bench.call("create_schedule", task="Look", cron_expression="0 9 1 1 *")
    await bench.call("delete_schedule", schedule_id=made["schedule_id"])
    listed = (await bench.call("list_schedules"))["result"]
    assert made["schedule_id"] not in [each["schedule_id"] for each in listed]


# --- all of them ------------------------------------------------------------------------------


_PAIRS = [(tool, argument) for tool, checks in CHECKS.items() for argument in checks]


@pytest.mark.parametrize(("tool", "argument"), _PAIRS)
async def test_an_argument(tool, argument, connected, session, recorder):
    """It arrives, and has its effect."""
    async with connected as client:
        await CHECKS[tool][argument](Bench(client, session, recorder))


@pytest.mark.long
async def test_all_arguments_over_a_pipe(server, session, recorder):
    """The same in a process of its own."""
    from mcp import Client

    async with Client(stdio(server)) as client:
        for tool, argument in _PAIRS:
            await CHECKS[tool][argument](Bench(client, session, recorder))


async def _schemas(client: Any) -> dict[str, dict[str, Any]]:
    return {each.name: each.input_schema for each in (await client.list_tools()).tools}


async def test_no_argument_is_without_a_test(connected):
    """A new argument needs a line above."""
    async with connected as client:
        listed = {name: {*each["properties"]} for name, each in (await _schemas(client)).items()}

    tested = {tool: {*checks} for tool, checks in CHECKS.items()}
    assert listed == tested | {tool: set() for tool in NO_ARGUMENTS}


@pytest.mark.parametrize("empty", [None, "", []], ids=["null", "text", "list"])
async def test_empty_values_are_left_out(empty, connected, session, recorder):
    """Clients that must name all arguments give them; each schema says that it takes null."""
    jsonschema = pytest.importorskip("jsonschema")
    async with connected as client:
        bench = Bench(client, session, recorder)
        needed = {"task": "Buy milk", "task_id": await bench.ended(), "interval_minutes": 60}
        called = list[str]()
        for tool, schema in (await _schemas(client)).items():
            required = schema.get("required", [])
            optional = {*schema["properties"]} - {*required}
            if not optional:
                continue
            kept = [*required, *({"interval_minutes"} & optional)]
            arguments = dict.fromkeys(optional, empty) | {each: needed[each] for each in kept}
            if empty is None:
                jsonschema.validate(arguments, schema)
            await bench.call(tool, **arguments)
            called.append(tool)
        cron = {"cron_expression": "0 9 * * *", "interval_minutes": empty}
        await bench.call("create_schedule", task="Look", **cron)
        assigned = recorder.assignments[-1]

    assert {"run_task", "wait_for_task", "task_steps", "list_tasks", "create_schedule"} <= {*called}
    assert assigned.structured_output_json is assigned.allowed_domains is None
    assert assigned.metadata.keys() <= {"bu_async.submission"}


async def test_schemas_have_no_word_that_an_sdk_cannot_read(connected):
    """No `additionalProperties`, no default, and one type beside null."""
    async with connected as client:
        schemas = await _schemas(client)

    for tool, schema in schemas.items():
        assert schema.keys() <= {"type", "properties", "required"}, tool
        for name, each in schema["properties"].items():
            assert each.keys() & {"additionalProperties", "default", "title"} == set(), name
            if name in schema.get("required", []):
                assert each["type"] == "string"
            elif "anyOf" in each:
                assert each["anyOf"][1:] == [{"type": "null"}]
            else:
                assert each["type"][1:] == ["null"]


async def test_a_schedule_has_one_time(connected, session, recorder):
    """Both and none are refused in the words of the tool."""
    async with connected as client:
        bench = Bench(client, session, recorder)
        both = {"interval_minutes": 60, "cron_expression": "0 9 * * *"}
        said = {await bench.error("create_schedule", task="Look", **each) for each in ({}, both)}
        listed = await bench.call("list_schedules")

    assert said == {"a schedule takes either interval_minutes or cron_expression; nothing was sent"}
    assert listed["result"] == []


async def test_a_tool_without_arguments(connected):
    """An argument is refused in a whole sentence."""
    async with connected as client:
        result = await client.call_tool("balance", {"x": 1})

    assert result.content[0].text == "balance has no argument x; it takes none. Nothing was sent"

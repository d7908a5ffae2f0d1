"""Scenarios: which one a task gets, and how it runs."""

import asyncio
from collections.abc import AsyncIterator

import attrs
import pytest

from browser_use_async import BrowserUseSession
from browser_use_async.server import LocalServer
from browser_use_async.server.executors.scripted import Scenario, ScriptedExecutor, ScriptedStep
from browser_use_async.server.records import Assignment, Failed, Finished, Step
from browser_use_async.server.tasks.runner import TaskControl

_NAMED = {name: Scenario(steps=(), output=name) for name in ("buy", "buy milk", "Task: sell")}


async def _begun() -> None:
    """Nothing has to be stored."""


async def _played(executor: ScriptedExecutor, task: str = "t", **fields: object) -> list[object]:
    """All reports of a task."""
    items: AsyncIterator[object] = executor.run(
        Assignment("id", task, **fields), TaskControl(_begun)
    )
    return [item async for item in items]


@pytest.mark.parametrize(
    ("task", "metadata", "output"),
    [
        ("anything", {"scenario": "buy"}, "buy"),
        ("buy milk", {"scenario": "Task: sell"}, "Task: sell"),
        ("Task: sell", {}, "Task: sell"),
        ("Please buy milk today", {}, "buy milk"),
        ("Please buy bread", {}, "buy"),
        ("anything", {}, "default"),
        ("buy bread", {"scenario": "unheard of"}, "buy"),
    ],
)
async def test_which_scenario_a_task_follows(task, metadata, output):
    """Metadata, the exact text, the longest part of the text, the default: in this order."""
    executor = ScriptedExecutor(_NAMED, default=Scenario(steps=(), output="default"))

    assert await _played(executor, task, metadata=metadata) == [Finished(output)]


async def test_steps_are_texts_or_whole_steps():
    """A text is a goal."""
    whole = ScriptedStep("Look", "Fine", "https://example.com/", b"png", seconds=0)
    executor = ScriptedExecutor(default=Scenario(("Go", whole), step_seconds=0))

    assert await _played(executor) == [
        Step("Go", url="about:blank"),
        Step("Look", "Fine", "https://example.com/", b"png"),
        Finished("Done."),
    ]


@pytest.mark.parametrize(
    ("output", "text"),
    [("plain", "plain"), (None, None), ({"a": "ü"}, '{"a": "ü"}'), ([1, 2], "[1, 2]")],
)
async def test_output_that_is_no_text_is_written_as_json(output, text):
    """Scenarios with structured output stay readable."""
    executor = ScriptedExecutor(default=Scenario(steps=(), output=output))

    assert await _played(executor) == [Finished(text)]


async def test_a_scenario_may_fail():
    """It has a reason."""
    executor = ScriptedExecutor(default=Scenario(steps=(), outcome="failed", reason="Closed"))

    assert await _played(executor) == [Failed("Closed")]


async def test_an_output_that_is_not_given_follows_the_schema():
    """An instance of it, unless the scenario has an output."""
    schema = '{"type": "object", "properties": {"cents": {"type": "integer"}}}'
    quick = Scenario(steps=())
    for scenario, output in ((quick, '{"cents": 1}'), (attrs.evolve(quick, output="No"), "No")):
        executor = ScriptedExecutor(default=scenario)
        assert await _played(executor, structured_output_json=schema) == [Finished(output)]


async def test_a_schema_that_cannot_be_followed_fails_the_task():
    """With its unsupported part, and what to do."""
    schema = '{"properties": {"a": {"minimum": 2, "maximum": 1, "type": "integer"}},'
    schema += '"required": ["a"]}'
    executor = ScriptedExecutor(default=Scenario(steps=()))
    (item,) = await _played(executor, structured_output_json=schema)

    assert item == Failed(
        "the scripted server knows no answer that follows the task's schema: $.a: the keyword "
        "'minimum' wants another value than 1. Give the test a Scenario(output=…)."
    )


@pytest.mark.parametrize(
    "schema",
    [
        '{"type": "number", "multipleOf": 0}',
        '{"type": "string", "minLength": "5"}',
        '{"minItems": 1000, "items": {"minItems": 1000, "items": {"minLength": 100000}}}',
        f'{{"properties": {{"{"n" * 20_000}": false}}, "required": ["{"n" * 20_000}"]}}',
    ],
    ids=["malformed", "of another type", "endless", "long"],
)
async def test_a_hostile_schema_fails_the_task(schema):
    """With one sentence, for any schema."""
    executor = ScriptedExecutor(default=Scenario(steps=()))
    (item,) = await _played(executor, structured_output_json=schema)

    assert isinstance(item, Failed)
    assert item.reason.startswith("the scripted server knows no answer that follows")
    assert len(item.reason) < 700


async def test_a_whole_step_may_be_the_reason():
    """It has its page and picture, and recordings."""
    step = ScriptedStep("Pay", "The card was refused", "https://shop.example/", screenshot=b"png")
    scenario = Scenario(steps=(), outcome="failed", reason=step, recordings={"mp4": b"film"})

    assert await _played(ScriptedExecutor(default=scenario)) == [
        Failed("The card was refused", "https://shop.example/", b"png", {"mp4": b"film"}, "Pay")
    ]


@pytest.mark.looptime
async def test_a_queued_task_has_not_started():
    """It is `created`, can be stopped, and starts when its time has come."""
    executor = ScriptedExecutor(default=Scenario(queue_delay=60, step_seconds=0))
    async with (
        LocalServer(executor=executor) as server,
        BrowserUseSession(server.api_key, base_url=server.base_url) as session,
    ):
        stopped, finished = [await session.submit("Buy milk") for _ in range(2)]
        await asyncio.sleep(30)
        statuses = [await finished.get_status()]
        await stopped.stop()
        await asyncio.sleep(29)
        statuses.append(await finished.get_status())
        task = await finished.wait()
        records = server.store.tasks

    assert statuses == ["created", "created"]
    assert [record.status for record in records] == ["stopped", "finished"]
    assert records[0].steps == []
    assert len(task.steps) == 2


@pytest.mark.looptime
async def test_delays_add_up():
    """The start, each step's own time, the scenario's time for the others, and the end."""
    steps = ("a", ScriptedStep("b", seconds=5), "c")
    scenario = Scenario(steps, step_seconds=2, start_delay=10, end_delay=1)
    await _played(ScriptedExecutor(default=scenario))

    assert asyncio.get_running_loop().time() == 20


@pytest.mark.looptime
async def test_a_hanging_scenario_stays_at_its_last_step():
    """For tests of stops and deadlines."""
    executor = ScriptedExecutor(default=Scenario(("a",), hangs=True))
    items = executor.run(Assignment("id", "t"), TaskControl(_begun))
    assert isinstance(await anext(items), Step)

    with pytest.raises(TimeoutError):
        async with asyncio.timeout(3600):
            await anext(items)


@pytest.mark.looptime
async def test_a_paused_scenario_begins_no_step():
    """It waits for permission before each step."""
    gate = TaskControl(_begun)
    gate.close()
    items = ScriptedExecutor(default=Scenario(("a",))).run(Assignment("id", "t"), gate)
    waiting = asyncio.ensure_future(anext(items))
    await asyncio.sleep(60)
    paused = waiting.done()
    gate.open()
    await waiting
    await items.aclose()

    assert not paused


async def test_it_has_nothing_to_release():
    """The server calls this at its end."""
    assert await ScriptedExecutor().aclose() is None

"""Scenarios: which one a task follows, and how it goes."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from browser_use_async.server.executors.protocol import Assignment, Failed, Finished, Step
from browser_use_async.server.executors.scripted import Scenario, ScriptedExecutor, ScriptedStep
from browser_use_async.server.jobs.runner import TaskControl

_NAMED = {name: Scenario(steps=(), output=name) for name in ("buy", "buy milk", "Task: sell")}


async def _played(executor: ScriptedExecutor, task: str = "t", **fields: object) -> list[object]:
    """Everything that is reported for a task."""
    items: AsyncIterator[object] = executor.run(
        Assignment("id", task, **fields), TaskControl(lambda: None)
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
async def test_which_scenario_a_task_follows(task: str, metadata: dict[str, str], output: str):
    """Metadata, the exact text, the longest part of the text, the default: in this order."""
    executor = ScriptedExecutor(_NAMED, default=Scenario(steps=(), output="default"))

    assert await _played(executor, task, metadata=metadata) == [Finished(output)]


async def test_steps_are_texts_or_whole_steps():
    """A text is a goal."""
    whole = ScriptedStep("Look", "Fine", "https://example.com/", "A line", b"png", seconds=0)
    executor = ScriptedExecutor(default=Scenario(("Go", whole), step_seconds=0))

    assert await _played(executor) == [
        Step("Go", url="about:blank"),
        Step("Look", "Fine", "https://example.com/", b"png", "A line"),
        Finished("Done."),
    ]


@pytest.mark.parametrize(
    ("output", "text"),
    [("plain", "plain"), (None, None), ({"a": "ü"}, '{"a": "ü"}'), ([1, 2], "[1, 2]")],
)
async def test_output_that_is_no_text_is_written_as_json(output: object, text: str | None):
    """So that scenarios of structured output stay readable."""
    executor = ScriptedExecutor(default=Scenario(steps=(), output=output))

    assert await _played(executor) == [Finished(text)]


async def test_a_scenario_may_fail():
    """With its reason."""
    executor = ScriptedExecutor(default=Scenario(steps=(), outcome="failed", reason="Closed"))

    assert await _played(executor) == [Failed("Closed")]


@pytest.mark.looptime
async def test_delays_add_up():
    """The start, each step's own time, and the scenario's for the others."""
    scenario = Scenario(("a", ScriptedStep("b", seconds=5), "c"), step_seconds=2, start_delay=10)
    await _played(ScriptedExecutor(default=scenario))

    assert asyncio.get_running_loop().time() == 19


@pytest.mark.looptime
async def test_a_hanging_scenario_stays_at_its_last_step():
    """For tests of stops and deadlines."""
    executor = ScriptedExecutor(default=Scenario(("a",), hangs=True))
    items = executor.run(Assignment("id", "t"), TaskControl(lambda: None))
    assert isinstance(await anext(items), Step)

    with pytest.raises(TimeoutError):
        async with asyncio.timeout(3600):
            await anext(items)


@pytest.mark.looptime
async def test_a_paused_scenario_begins_no_step():
    """The checkpoint comes before each one."""
    gate = TaskControl(lambda: None)
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

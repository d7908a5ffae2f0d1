"""An error fails the task with a reason, and nothing else."""

import asyncio
import contextlib
import os
import signal

from tests.agent.processes import processes_of, temporary_folders
from tests.agent.scripted_model import KEY, Garbage, ScriptedModel, Silence, Status
from tests.agent.stage import done, ended
from tests.server.calling import Caller


async def reason(caller: Caller, **fields: object) -> str:
    """Why a task failed."""
    task = await ended(caller, await caller.create("Do it", **fields))
    assert task["status"] == "failed", task
    return task["steps"][-1]["evaluation_previous_goal"]


async def lives(caller: Caller) -> bool:
    """Whether the server still answers."""
    return (await caller.get("/ping", key=False)).status == 200


async def test_garbage(stage):
    """A model without a usable answer fails the task after a few tries."""
    model = await stage.model([Garbage()])
    caller = await stage.server(model)

    text = await reason(caller)

    assert text.startswith("The agent failed 4 times in a row, the last time like this: ")
    assert "Invalid JSON" in text
    assert len(model.asked) == 4
    assert await lives(caller)


async def test_a_refused_key(stage):
    """A key that the endpoint refuses is reported, and not shown, before a browser starts."""
    model = await stage.model([done("Done")], key="another")
    caller = await stage.server(model)

    text = await reason(caller)

    assert text == f"The model at {model.url} does not take the key: it answered 401."


async def test_a_refused_key_shows_nowhere(stage):
    """The key in an error of the endpoint is not in the task."""
    model = await stage.model([done("Done")], key="another")
    caller = await stage.server(model, llm_model="mine")  # so that the list is not read first

    text = await reason(caller)

    assert "Incorrect API key provided: ***" in text
    assert KEY not in text


async def test_errors_of_the_model(stage):
    """Errors of the endpoint fail the task with their message."""
    model = await stage.model([Status(400, "this model takes no pictures")])
    caller = await stage.server(model)

    assert "this model takes no pictures" in await reason(caller)


async def test_a_model_that_never_answers(stage):
    """Silence ends the task after several timeouts."""
    model = await stage.model([Silence()])
    caller = await stage.server(model, answer_seconds=2)

    text = await reason(caller)

    assert "LLM call timed out after 2 seconds" in text
    assert await lives(caller)


async def test_no_endpoint(stage):
    """The error for a missing endpoint has its address."""
    async with ScriptedModel([done("Done")]) as model:
        pass
    caller = await stage.server(model)

    assert (await reason(caller)).startswith(f"The model cannot be asked at {model.url}: nothing")


async def test_no_such_model(stage):
    """The endpoint has several models, and not that of the task: none is guessed."""
    model = await stage.model([done("Done")], models=("small", "large"))
    caller = await stage.server(model)

    assert "does not know o3. It has small, large" in await reason(caller, llm_model="o3")


async def test_every_published_name_means_the_only_model(stage):
    """An endpoint with one model runs tasks for any of the published names."""
    model = await stage.model([done("Done")], models=("mine",))
    caller = await stage.server(model)

    task = await ended(caller, await caller.create("Do it", llm_model="claude-sonnet-4-20250514"))

    assert task["status"] == "finished"
    assert {asked.model for asked in model.asked} == {"mine"}


async def test_no_schema(stage):
    """A structured output that is no JSON schema is refused with the reason."""
    model = await stage.model([done("Done")])
    caller = await stage.server(model)

    text = await reason(caller, structured_output_json='{"minLength": "short"}')

    assert text.startswith("structured_output_json is no JSON schema: 'short' is not of type")


async def test_an_agent_that_dies(stage):
    """A process that is killed fails its task; the next task has another one."""
    model = await stage.model([Silence(), done("Done")])
    caller = await stage.server(model)
    task_id = await caller.create("Do it")
    async with asyncio.timeout(60):
        while not model.asked:  # noqa: ASYNC110 - the model has nothing to wait on
            await asyncio.sleep(0.02)

    for folder in temporary_folders():
        for process in processes_of([folder / "agent"]):
            with contextlib.suppress(ProcessLookupError):  # it has ended with the first of them
                os.kill(process, signal.SIGKILL)
    task = await ended(caller, task_id)
    next_one = await ended(caller, await caller.create("Do it"))

    last = task["steps"][-1]["evaluation_previous_goal"]
    assert last == "The agent's process ended by itself (SIGKILL)."
    assert next_one["status"] == "finished"


async def test_a_browser_that_dies(stage):
    """A browser that is killed fails its task, in bounded time."""
    model = await stage.model([Silence()])
    caller = await stage.server(model, answer_seconds=5)
    task_id = await caller.create("Do it")
    async with asyncio.timeout(60):
        while not model.asked:  # noqa: ASYNC110 - the model has nothing to wait on
            await asyncio.sleep(0.02)

    for folder in temporary_folders():
        for process in processes_of([folder / "profile"]):
            with contextlib.suppress(ProcessLookupError):  # it has ended with the first of them
                os.kill(process, signal.SIGKILL)

    task = await ended(caller, task_id)

    assert task["status"] == "failed"
    assert await lives(caller)

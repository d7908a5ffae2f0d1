"""`script=` and `inputs=`: metadata pairs and a text with values, on any server."""

import json

import pytest

from browser_use_async import BrowserUseSession
from browser_use_async.errors import InvalidRequestError
from browser_use_async.server import LocalServer
from browser_use_async.types import RunTaskRequest

TEXT = "Find the head office of {company}"


async def test_a_script_travels_as_pairs_and_its_inputs_stand_in_the_text():
    """The caller's own pairs stay, and a request object can name a script as well."""
    async with (
        LocalServer(executor="scripted") as server,
        BrowserUseSession(server.api_key, base_url=server.base_url) as session,
    ):
        inputs = {"company": "Blue Mill"}
        task = await session.run_and_wait(
            TEXT, script="office", inputs=inputs, metadata={"run": "7"}
        )
        handle = await session.submit(RunTaskRequest(TEXT), script="office", inputs=inputs)
        plain = await session.run_and_wait(TEXT)
        schedule = await session.scheduled_tasks.create(
            TEXT, schedule_type="interval", interval_minutes=60, script="office", inputs=inputs
        )
        scheduled = await session.scheduled_tasks.get(schedule.id)
        stored = server.store.task(handle.id)

    assert task.task == "Find the head office of Blue Mill"
    assert task.metadata == {
        "run": "7",
        "bu_async.script": "office",
        "bu_async.inputs": json.dumps(inputs, separators=(",", ":")),
    }
    assert stored is not None
    assert stored.task == task.task
    assert plain.task == TEXT
    assert scheduled.task == task.task
    assert scheduled.metadata["bu_async.script"] == "office"


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"script": "a b"}, "is no name of a script"),
        ({"script": 3}, "script must be a string, not int"),
        ({"inputs": {"company": "x"}}, "inputs are those of a script"),
        ({"script": "a", "inputs": {}}, "the text names {company}"),
        ({"script": "a", "inputs": {"company": 1}}, "an input must be a string, not int"),
        ({"script": "a", "inputs": ["company"]}, "inputs must be a mapping"),
        ({"script": "a", "inputs": {"company": "x", "b c": "y"}}, "is no name of an input"),
        ({"script": "a", "inputs": {"company": "x" * 1000}}, "1,000 characters together"),
    ],
)
async def test_what_names_no_script_is_refused_before_anything_is_sent(fields, why):
    """The error names the argument."""
    async with BrowserUseSession("key", base_url="http://127.0.0.1:9/api/v1") as session:
        with pytest.raises(InvalidRequestError, match="nothing was sent") as refused:
            await session.run_and_wait(TEXT, **fields)  # type: ignore[call-overload]
    assert why in str(refused.value)
    assert refused.value.field == "script"


async def test_the_rows_of_a_batch_are_the_inputs():
    """Each row makes a text and its inputs; a row that lacks one is refused by itself."""
    rows = [{"company": "Blue Mill", "id": 7}, {"firm": "Old Mill"}, ("b", {"company": "Red Barn"})]
    async with (
        LocalServer(executor="scripted") as server,
        BrowserUseSession(server.api_key, base_url=server.base_url) as session,
    ):
        results = await session.run_many(rows, task=TEXT, script="office").collect()
        plain = await session.run_many(rows[:1], task=TEXT).collect()

    assert [each.task.task for each in results if each.task] == [
        "Find the head office of Blue Mill",
        "Find the head office of Red Barn",
    ]
    assert results[0].task is not None
    assert results[0].task.metadata["bu_async.inputs"] == '{"company":"Blue Mill"}'
    assert results[2].key == "b"
    assert "the task has {company}, and the row has 'firm'" in str(results[1].error)
    assert plain[0].task is not None
    assert plain[0].task.task == results[0].task.task
    assert "bu_async.script" not in plain[0].task.metadata


async def test_a_batch_has_no_inputs_of_its_own():
    """The inputs are those of the rows."""
    async with BrowserUseSession("key", base_url="http://127.0.0.1:9/api/v1") as session:
        with pytest.raises(InvalidRequestError, match="the values of its rows"):
            session.run_many([], task=TEXT, script="office", inputs={"company": "x"})

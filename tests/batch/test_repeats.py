"""Items that are in an input more than once: one task, and a result for each of them."""

import asyncio
from collections.abc import Iterator
from decimal import Decimal

import attrs
import pytest

from browser_use_async import errors
from browser_use_async.batch import ItemState, StopReason
from browser_use_async.server.executors.scripted import Scenario
from browser_use_async.testing import Fault
from tests.batch.conftest import Held
from tests.support.patience import until

BAD = Scenario(outcome="failed", reason="No such page")


@attrs.frozen
class Answer:
    """The type of the answers."""

    number: int


@pytest.mark.parametrize("concurrency", [1, 4])
async def test_each_item_has_its_result(launch, session_with, concurrency):
    """`zip(rows, await batch.collect())` pairs each row with its own answer, and pays once."""
    server = await launch(scenarios={"x": Scenario(output='{"number": 7}')})
    session = await session_with(server)
    rows = ["x1", "x1", ("key", "x2"), "x3", ("key", "x2"), "x1"]
    batch = session.run_many(rows, concurrency=concurrency, output_type=Answer)

    results = await batch.collect()

    texts = [row if isinstance(row, str) else row[1] for row in rows]
    assert [result.index for result in results] == list(range(6))
    assert [result.task and result.task.task for result in results] == texts
    assert [result.task_id for result in results] == [
        results[texts.index(text)].task_id for text in texts
    ]
    assert [result.parsed for result in results] == [Answer(7)] * 6
    assert [result.repeated for result in results] == [False, True, False, False, True, True]
    assert len(server.store.tasks) == 3
    assert sum(result.cost_cents for result in results) == batch.progress.cost_cents
    assert results[1].cost_cents == Decimal(0)
    assert batch.progress.total == batch.progress.ended == 6
    assert len(batch.to_rows()) == 6


async def test_a_repeat_takes_no_slot(launch, session_with):
    """An input of pairs runs as many tasks at once as one without repeats."""
    executor = Held()
    server = await launch(executor=executor)
    session = await session_with(server)
    batch = session.run_many([text for text in "abcd" for _time in range(2)], concurrency=4)

    async with asyncio.TaskGroup() as group:
        collecting = group.create_task(batch.collect())
        await until(lambda: len(server.store.tasks) == 4)
        executor.released.set()

    assert [result.index for result in collecting.result()] == list(range(8))


async def test_a_loop_that_keeps_nothing(launch, session_with, ledger):
    """The result of a repeat, whose first one the program has dropped, is read from the ledger."""
    server = await launch(scenarios={"bad": BAD})
    session = await session_with(server)
    batch = session.run_many(["good", "bad", "other", "good", "bad"], concurrency=1, ledger=ledger)

    seen = [
        (result.index, result.state, result.output, result.task_id, type(result.error))
        async for result in batch
    ]

    assert [each[1:] for each in seen[3:]] == [each[1:] for each in seen[:2]]
    assert [each[1] for each in seen[:2]] == [ItemState.DONE, ItemState.FAILED]
    assert seen[1][-1] is errors.TaskFailedError
    assert len(server.store.tasks) == 3


async def test_the_next_run_gives_as_many(launch, session_with, ledger):
    """A later run returns a result for each item, too, and sends nothing."""
    server = await launch(scenarios={"bad": BAD})
    session = await session_with(server)
    rows = ["a", "bad", "a", "bad"]
    first = await session.run_many(rows, concurrency=2, ledger=ledger).collect()

    again = await session.run_many(rows, concurrency=2, ledger=ledger).collect()

    assert [result.index for result in again] == [0, 1, 2, 3]
    assert [result.task_id for result in again] == [result.task_id for result in first]
    assert [result.state for result in again] == [result.state for result in first]
    assert [result.restored for result in again] == [True] * 4
    assert server.requests["run_task"] == 2


async def test_an_item_left_out_has_no_result_anywhere(launch, session_with):
    """Items that do not fit the budget have no result, however often they are in the input."""
    server = await launch()
    session = await session_with(server)
    rows = [("one", "a"), ("two", "b"), ("two", "b"), ("one", "a")]
    batch = session.run_many(rows, concurrency=1, budget_cents=4, max_agent_steps=1)

    results = await batch.collect()

    assert [result.index for result in results] == [0, 3]
    assert batch.progress.stopped_by is StopReason.BUDGET
    assert (batch.progress.total, batch.progress.ended) == (4, 2)


async def test_a_refused_item_is_refused_as_often(launch, session_with):
    """A dead letter has its reason at each of its places."""
    server = await launch(faults=[Fault("status", "run_task", status=422)])
    session = await session_with(server)

    results = await session.run_many(_lazy("a", "a"), concurrency=2).collect()

    assert [result.state for result in results] == [ItemState.DEAD, ItemState.DEAD]
    assert isinstance(results[1].error, errors.UnprocessableEntityError)
    assert server.requests["run_task"] == 1


def _lazy(*texts: str) -> Iterator[str]:
    yield from texts

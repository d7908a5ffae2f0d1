"""The results of a batch: keys, order, progress, and refused arguments."""

import asyncio
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import attrs
import pytest

from browser_use_async import (
    BatchItem,
    BatchProgress,
    BatchResult,
    BrowserUseSession,
    RunTaskRequest,
    TaskStatus,
    errors,
)
from browser_use_async.batch import ItemState, read_ledger
from browser_use_async.batch.options import BatchOptions
from browser_use_async.server.executors.scripted import Scenario
from tests.batch.conftest import Held
from tests.support.hygiene import raises
from tests.support.patience import until

Texts = Callable[[int], list[str]]


async def test_results_come_as_tasks_end(launch, session_with):
    """A result comes when its task has ended, with its place and its key."""
    executor = Held("slow")
    session = await session_with(await launch(executor=executor))
    seen: list[BatchResult] = []

    async for result in session.run_many(["slow", "quick"], concurrency=2):
        seen.append(result)
        executor.released.set()

    assert [result.index for result in seen] == [1, 0]
    assert all(result.succeeded and result.task and result.output == "Done." for result in seen)
    assert seen[0].cost_cents == Decimal("3.5")
    assert (seen[0].attempts, seen[0].steps, seen[0].status) == (1, 1, TaskStatus.FINISHED)


async def test_ten_at_once_by_default(launch, session_with, texts):
    """Without `concurrency` ten items are under way at once, and the others follow."""
    executor = Held()
    server = await launch(executor=executor)
    session = await session_with(server)
    batch = session.run_many(texts(12))

    async with asyncio.TaskGroup() as group:
        collecting = group.create_task(batch.collect())
        await until(lambda: len(server.store.tasks) == 10)
        running = batch.progress.running
        executor.released.set()

    assert running == 10
    assert all(result.succeeded for result in collecting.result())
    assert len(collecting.result()) == 12


async def test_collect_keeps_the_order_of_the_input(launch, session_with, texts):
    """`collect()` sorts by place; pairs, items, requests and texts may be mixed."""
    session = await session_with(await launch())
    given = ["a", RunTaskRequest("b"), ("k", "c"), BatchItem(RunTaskRequest("d"), "l")]

    results = await session.run_many(given, concurrency=3).collect()

    assert [result.index for result in results] == [0, 1, 2, 3]
    assert [result.key for result in results[2:]] == ["k", "l"]
    assert [result.task.task for result in results if result.task] == ["a", "b", "c", "d"]


async def test_a_failed_task_is_a_result(launch, session_with, ledger):
    """The error has the failed task, in this run and in the next."""
    bad = Scenario(outcome="failed", reason="No such page")
    session = await session_with(await launch(scenarios={"bad": bad}))

    first = await session.run_many(["bad", "good"], concurrency=2, ledger=ledger).collect()
    again = await session.run_many(["bad", "good"], concurrency=2, ledger=ledger).collect()

    for results in (first, again):
        assert [result.state for result in results] == [ItemState.FAILED, ItemState.DONE]
        assert isinstance(results[0].error, errors.TaskFailedError)
        assert "No such page" in str(results[0].error)
        with pytest.raises(errors.TaskFailedError):
            results[0].raise_for_error()
    assert [result.restored for result in again] == [True, True]
    assert again[1].output == "Done."


@attrs.frozen
class Answer:
    """The type of the answers."""

    number: int


async def test_outputs_are_parsed_in_each_run(launch, session_with, ledger):
    """With an `output_type` results are parsed, restored ones too; a misfit keeps its text."""
    scenarios = {
        "fits": Scenario(output={"number": 7}),
        "misfit": Scenario(output="seven"),
    }
    server = await launch(scenarios=scenarios)
    session = await session_with(server)

    for restored in (False, True):
        fits, misfit = await session.run_many(
            ["fits", "misfit"], concurrency=2, ledger=ledger, output_type=Answer
        ).collect()
        assert fits.parsed == Answer(7)
        assert fits.restored is restored
        assert isinstance(misfit.error, errors.OutputValidationError)
        assert misfit.output == "seven"
    assert len(server.store.tasks) == 2


async def test_progress_adds_up(launch, session_with, texts, ledger):
    """At each moment the counts add up to the total, and at the end everything has ended."""
    session = await session_with(await launch())
    reports: list[BatchProgress] = []

    await session.run_many(
        texts(9), concurrency=3, ledger=ledger, budget_cents=1000, on_progress=reports.append
    ).collect()

    assert reports[0].total == 9
    assert reports[0].estimate_cents == 9 * Decimal("188.5")
    assert max(each.running for each in reports) == 3
    assert all(each.new + each.running + each.ended <= 9 for each in reports)
    last = reports[-1]
    assert (last.done, last.new, last.running, last.seconds_left) == (9, 0, 0, 0)
    assert last.cost_cents == read_ledger(ledger).cost_cents == 9 * Decimal("3.5")
    assert last.rate > 0


async def test_a_listener_that_raises_stops_nothing(launch, session_with, caplog):
    """`on_progress` may raise; that is logged."""
    session = await session_with(await launch())

    def raises_error(_progress: BatchProgress) -> None:
        raise ValueError("mine")

    results = await session.run_many(["a"], concurrency=1, on_progress=raises_error).collect()

    assert results[0].succeeded
    assert "on_progress raised" in caplog.text


def test_the_options_are_one_set():
    """`run_many` has the options of `BatchOptions`, with the same defaults, and no other ones."""
    defaults_of = BrowserUseSession.run_many.__kwdefaults__
    given = {name: default for name, default in defaults_of.items() if name != "task"}
    defaults = BatchOptions()
    options = [each.name for each in attrs.fields(BatchOptions) if each.init]

    assert [*given] == options
    assert given == {**{name: getattr(defaults, name) for name in options}, "labels": None}


@pytest.mark.parametrize(
    "options",
    [
        {"concurrency": 0},
        {"concurrency": 1, "budget_cents": -1},
        {"concurrency": 1, "on_cancel": "pause"},
        {"concurrency": 1, "timeout": 0},
        {"concurrency": 1, "max_failures": 0},
        {"concurrency": 1, "retry_unknown": 1},
        {"concurrency": 1, "ledger": 5},
        {"concurrency": 1, "labels": "a"},
    ],
)
async def test_wrong_options_are_refused(launch, session_with, options):
    """A wrong option is an error at once, with its name."""
    session = await session_with(await launch())

    with raises(errors.InvalidRequestError) as caught:
        session.run_many(["a"], **options)

    assert caught.value.field in options


@pytest.mark.parametrize("name", ["budget_cent", "concurency", "max_steps"])
async def test_an_unknown_option_is_refused_at_the_call(launch, session_with, name):
    """A misspelt option makes no dead letter of each item."""
    session = await session_with(await launch())
    options: dict[str, Any] = {"concurrency": 1, name: 5}

    with raises(TypeError) as caught:
        session.run_many(["a"], **options)

    assert name in str(caught.value)


@pytest.mark.parametrize("requests", ["text", RunTaskRequest("one"), 5, {"a": 1}])
async def test_one_request_is_not_many(launch, session_with, requests):
    """A text is not an input of letters."""
    session = await session_with(await launch())

    with raises(errors.InvalidRequestError):
        session.run_many(requests, concurrency=1)


async def test_a_batch_is_iterated_over_once(launch, session_with):
    """The error of a second iteration says what to do instead."""
    batch = (await session_with(await launch())).run_many(["a"], concurrency=1)
    await batch.collect()

    with raises(errors.InvalidRequestError):
        await batch.collect()


async def test_progress_can_be_read_before_and_after(launch, session_with, texts):
    """`progress` can be read at any time, and its clock stops at the end."""
    batch = (await session_with(await launch())).run_many(texts(2), concurrency=2)
    before = batch.progress
    await batch.collect()
    seconds = batch.progress.seconds
    await asyncio.sleep(0.02)

    assert (before.total, before.done) == (2, 0)
    assert batch.progress.seconds == seconds > 0

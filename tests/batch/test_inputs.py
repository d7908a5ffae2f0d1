"""The input of a batch: invalid items, exceptions, repeated keys, and other inputs later."""

from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest

from browser_use_async import (
    BatchResult,
    RunTaskRequest,
    errors,
)
from browser_use_async.batch import ItemState, read_ledger
from browser_use_async.server.faults import Fault
from tests.support.hygiene import raises

Texts = Callable[[int], list[str]]


async def test_poison_is_set_aside(launch, session_with, ledger):
    """An item that cannot be sent or is refused is a dead letter with a reason; the others run."""
    refusal = Fault("status", "run_task", status=422, probability=1.0, calls=1)
    server = await launch(faults=[refusal])
    session = await session_with(server)
    given: list[Any] = [
        ("refused", "Refused by the server"),
        ("large", "x" * 20_000),
        ("empty", ""),
        ("odd", RunTaskRequest("t", metadata={"a": object()})),  # type: ignore[dict-item]
        ("full", RunTaskRequest("t", metadata={str(n): "" for n in range(10)})),
        ("model", RunTaskRequest("t", llm_model=["gpt-4.1"])),  # type: ignore[arg-type]
        object(),
        ("", "no key"),
        ("good", "Good"),
    ]

    results = await session.run_many(given, concurrency=1, ledger=ledger).collect()
    again = await session.run_many(given, concurrency=1, ledger=ledger).collect()

    dead = [result for result in results if result.state is ItemState.DEAD]
    assert {result.key for result in dead} == {
        "refused",
        "empty",
        "odd",
        "full",
        "model",
        "#6",
        "#7",
    }
    assert isinstance(results[0].error, errors.UnprocessableEntityError)
    assert results[0].attempts == 1
    assert results[1].succeeded
    assert results[8].succeeded
    assert [result.state for result in again] == [result.state for result in results]
    assert all(result.error for result in again if result.state is ItemState.DEAD)
    assert server.requests["run_task"] == 3
    assert "status 422" in str(again[0].error) or "422" in str(again[0].error)


async def test_dead_letters_are_tried_again_if_asked_for(launch, session_with, ledger):
    """A dead letter is tried again on request, or when its content was corrected."""
    refusals = Fault("status", "run_task", status=422, first=2)
    server = await launch(faults=[refusals])
    session = await session_with(server)
    await session.run_many([("a", "A"), ("b", "B")], concurrency=1, ledger=ledger).collect()

    changed = await session.run_many(
        [("a", "A, put right"), ("b", "B")], concurrency=1, ledger=ledger
    ).collect()
    asked = await session.run_many(
        [("a", "A, put right"), ("b", "B")],
        concurrency=1,
        ledger=ledger,
        retry_failed=True,
    ).collect()

    assert [result.state for result in changed] == [ItemState.DONE, ItemState.DEAD]
    assert [result.state for result in asked] == [ItemState.DONE, ItemState.DONE]


@pytest.mark.parametrize("is_async", [False, True])
async def test_an_input_that_raises_ends_the_batch_in_order(launch, session_with, ledger, is_async):
    """The items before the exception are completed, and the error says how many there were."""
    server = await launch()
    session = await session_with(server)

    def broken() -> Iterator[str]:
        yield "one"
        yield "two"
        raise ZeroDivisionError("a bad row")

    async def broken_too() -> AsyncIterator[str]:
        for text in broken():
            yield text

    seen: list[BatchResult[Any]] = []
    with raises(errors.BatchInputError) as caught:
        batch = session.run_many(
            broken_too() if is_async else broken(), concurrency=5, ledger=ledger
        )
        async for result in batch:
            seen += [result]

    assert caught.value.index == 2
    assert "a bad row" in str(caught.value)
    assert [result.succeeded for result in seen] == [True, True]
    assert read_ledger(ledger).counts[ItemState.DONE] == len(server.store.tasks) == 2


async def test_an_item_that_stands_twice_is_done_once(launch, session_with, ledger):
    """The same content, or the same key with the same content, is one task with several results."""
    server = await launch()
    session = await session_with(server)
    batch = session.run_many(
        ["a", "b", "a", ("k", "a"), ("k", "a"), "b"], concurrency=4, ledger=ledger
    )

    results = await batch.collect()

    assert [results[index].task_id for index in (2, 4, 5)] == [
        results[index].task_id for index in (0, 3, 1)
    ]
    assert len(server.store.tasks) == 3
    assert batch.progress.duplicates == 3
    assert batch.progress.total == 6


@pytest.mark.parametrize("in_one_run", [True, False])
async def test_a_key_that_means_something_else_is_refused(launch, session_with, ledger, in_one_run):
    """Changed content under a key is refused, in the same input and in the next run."""
    server = await launch()
    session = await session_with(server)
    pairs = [("k", "one"), ("l", "other"), ("k", "two")]
    if not in_one_run:
        await session.run_many(pairs[:2], concurrency=1, ledger=ledger).collect()
        pairs = pairs[1:]

    with raises(errors.LedgerMismatchError) as caught:
        await session.run_many(pairs, concurrency=1, ledger=ledger).collect()

    assert "'k'" in str(caught.value)
    assert sorted(task.task for task in server.store.tasks) == ["one", "other"]


async def test_a_key_of_a_refused_item_means_nothing_else_in_the_same_run(
    launch, session_with, ledger
):
    """A dead letter may be corrected in the next run; in the same run its key is taken."""
    session = await session_with(await launch())

    with raises(errors.LedgerMismatchError) as caught:
        await session.run_many([("k", ""), ("k", "two")], concurrency=1, ledger=ledger).collect()

    assert "earlier in the input" in str(caught.value)


async def test_a_refused_item_that_is_named_twice_is_tried_once(launch, session_with, ledger):
    """This includes a run that tries refused items again."""
    server = await launch(faults=[Fault("status", "run_task", status=422)])
    session = await session_with(server)

    batch = session.run_many(
        [("k", "A"), ("k", "A")], concurrency=1, ledger=ledger, retry_failed=True
    )
    results = await batch.collect()

    assert [result.state for result in results] == [ItemState.DEAD, ItemState.DEAD]
    assert server.requests["run_task"] == batch.progress.duplicates == 1


async def test_the_next_run_goes_by_keys_and_not_by_places(launch, session_with, ledger):
    """In another order, with more items and with fewer, nothing is done twice."""
    server = await launch()
    session = await session_with(server)
    await session.run_many(["a", "b", "c"], concurrency=3, ledger=ledger).collect()

    results = await session.run_many(["d", "c", "a"], concurrency=3, ledger=ledger).collect()

    assert [result.restored for result in results] == [False, True, True]
    assert [result.index for result in results] == [0, 1, 2]
    assert len(server.store.tasks) == 4
    assert read_ledger(ledger).total == 4

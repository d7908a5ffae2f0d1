"""What a batch promises while it runs: results, keys, order, leaving, slots, memory, secrets."""

import asyncio
import gc
import json
from collections.abc import AsyncIterator, Callable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import attrs
import pytest

from browser_use_async import (
    BatchItem,
    BatchProgress,
    BatchResult,
    CallLimits,
    RunTaskRequest,
    TaskStatus,
    errors,
)
from browser_use_async.batch import ItemState, StopReason, read_ledger
from browser_use_async.batch.entries import Entry
from browser_use_async.batch.ledger.facts import Claim
from browser_use_async.server.executors.scripted import Scenario, ScriptedExecutor
from browser_use_async.server.faults import Fault
from tests.batch.conftest import QUICK, Open, Serve, until
from tests.hygiene import SECRET, raises

Texts = Callable[[int], list[str]]


# --- results --------------------------------------------------------------------------------


async def test_results_come_as_tasks_end(serve: Serve, open_session: Open) -> None:
    """A result comes when its task has ended, with its place and its key."""
    slow = Scenario(steps=("Look",), step_seconds=0.5)
    server = await serve(scenarios={"slow": slow})
    session = await open_session(server)

    seen = [result async for result in session.run_many(["slow", "quick"], concurrency=2)]

    assert [result.index for result in seen] == [1, 0]
    assert all(result.succeeded and result.task and result.output == "Done." for result in seen)
    assert seen[0].cost_cents == Decimal("3.5")
    assert (seen[0].attempts, seen[0].steps, seen[0].status) == (1, 1, TaskStatus.FINISHED)


async def test_collect_keeps_the_order_of_the_input(
    serve: Serve, open_session: Open, texts: Texts
) -> None:
    """`collect()` sorts by place; pairs, items, requests and texts may be mixed."""
    session = await open_session(await serve())
    given = ["a", RunTaskRequest("b"), ("k", "c"), BatchItem(RunTaskRequest("d"), "l")]

    results = await session.run_many(given, concurrency=3).collect()

    assert [result.index for result in results] == [0, 1, 2, 3]
    assert [result.key for result in results[2:]] == ["k", "l"]
    assert [result.task.task for result in results if result.task] == ["a", "b", "c", "d"]


async def test_a_failed_task_is_a_result(serve: Serve, open_session: Open, ledger: Path) -> None:
    """A task that fails has an error that holds it, in this run and in the next."""
    bad = Scenario(outcome="failed", reason="No such page")
    session = await open_session(await serve(scenarios={"bad": bad}))

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
    """What is asked for."""

    number: int


async def test_outputs_are_parsed_in_each_run(
    serve: Serve, open_session: Open, ledger: Path
) -> None:
    """With an `output_type` results are parsed, restored ones too; a misfit keeps its text."""
    scenarios = {
        "fits": Scenario(output={"number": 7}),
        "misfit": Scenario(output="seven"),
    }
    server = await serve(scenarios=scenarios)
    session = await open_session(server)

    for restored in (False, True):
        fits, misfit = await session.run_many(
            ["fits", "misfit"], concurrency=2, ledger=ledger, output_type=Answer
        ).collect()
        assert fits.parsed == Answer(7)
        assert fits.restored is restored
        assert isinstance(misfit.error, errors.OutputValidationError)
        assert misfit.output == "seven"
    assert len(server.store.tasks) == 2


async def test_progress_adds_up(
    serve: Serve, open_session: Open, texts: Texts, ledger: Path
) -> None:
    """At each moment the counts make the whole, and at the end everything has ended."""
    session = await open_session(await serve())
    told: list[BatchProgress] = []

    await session.run_many(
        texts(9), concurrency=3, ledger=ledger, budget_cents=1000, on_progress=told.append
    ).collect()

    assert told[0].total == 9
    assert told[0].estimate_cents == 9 * Decimal("188.5")
    assert max(each.running for each in told) == 3
    assert all(each.new + each.running + each.ended <= 9 for each in told)
    last = told[-1]
    assert (last.done, last.new, last.running, last.seconds_left) == (9, 0, 0, 0)
    assert last.cost_cents == read_ledger(ledger).cost_cents == 9 * Decimal("3.5")
    assert last.rate > 0


async def test_a_listener_that_raises_stops_nothing(
    serve: Serve, open_session: Open, caplog: pytest.LogCaptureFixture
) -> None:
    """`on_progress` may raise; that is logged."""
    session = await open_session(await serve())

    def raises_error(_progress: BatchProgress) -> None:
        raise ValueError("mine")

    results = await session.run_many(["a"], concurrency=1, on_progress=raises_error).collect()

    assert results[0].succeeded
    assert "on_progress raised" in caplog.text


@pytest.mark.parametrize(
    "options",
    [
        {"concurrency": 0},
        {"concurrency": 1, "budget_cents": -1},
        {"concurrency": 1, "on_ambiguous": "guess"},
        {"concurrency": 1, "on_cancel": "pause"},
        {"concurrency": 1, "settle_window": -1},
        {"concurrency": 1, "timeout": 0},
        {"concurrency": 1, "outage_tolerance": float("inf")},
        {"concurrency": 1, "labels": {"a": 1}},
    ],
)
async def test_wrong_options_are_refused(
    serve: Serve, open_session: Open, options: dict[str, Any]
) -> None:
    """A wrong option is an error at once, with its name."""
    session = await open_session(await serve())

    with raises(errors.InvalidRequestError) as caught:
        session.run_many(["a"], **options)

    assert caught.value.field in options


@pytest.mark.parametrize("requests", ["text", RunTaskRequest("one"), 5, {"a": 1}])
async def test_one_request_is_not_many(serve: Serve, open_session: Open, requests: Any) -> None:
    """A text is not a list of letters."""
    session = await open_session(await serve())

    with raises(errors.InvalidRequestError):
        session.run_many(requests, concurrency=1)


async def test_a_batch_is_iterated_over_once(serve: Serve, open_session: Open) -> None:
    """A second iteration says what to do instead of giving nothing."""
    batch = (await open_session(await serve())).run_many(["a"], concurrency=1)
    await batch.collect()

    with raises(errors.InvalidRequestError):
        await batch.collect()


# --- the input ------------------------------------------------------------------------------


@pytest.mark.case("I11")
async def test_poison_is_set_aside(
    serve: Serve, open_session: Open, ledger: Path, figure: Callable[[str], None]
) -> None:
    """I11: what cannot be sent or is refused is a dead letter with a reason; the others run."""
    refusal = Fault("status", "run_task", status=422, probability=1.0, calls=1)
    server = await serve(faults=[refusal])
    session = await open_session(server)
    given: list[Any] = [
        ("refused", "Refused by the server"),
        ("large", "x" * 1_000_000),
        ("empty", ""),
        ("odd", RunTaskRequest("t", metadata={"a": object()})),  # type: ignore[dict-item]
        ("full", RunTaskRequest("t", metadata={str(n): "" for n in range(10)})),
        object(),
        ("", "no key"),
        ("good", "Good"),
    ]

    results = await session.run_many(given, concurrency=1, ledger=ledger).collect()
    again = await session.run_many(given, concurrency=1, ledger=ledger).collect()

    figure(", ".join(f"{result.key}: {result.state}" for result in results))
    dead = [result for result in results if result.state is ItemState.DEAD]
    assert {result.key for result in dead} == {"refused", "empty", "odd", "full", "#5", "#6"}
    assert isinstance(results[0].error, errors.UnprocessableEntityError)
    assert results[0].attempts == 1
    assert results[1].succeeded
    assert results[7].succeeded
    assert [result.state for result in again] == [result.state for result in results]
    assert all(result.error for result in again if result.state is ItemState.DEAD)
    assert server.requests["run_task"] == 3
    assert "status 422" in str(again[0].error) or "422" in str(again[0].error)


@pytest.mark.case("I11")
async def test_dead_letters_are_tried_again_if_asked_for(
    serve: Serve, open_session: Open, ledger: Path
) -> None:
    """I11: a dead letter is tried again when asked for, or when its content was put right."""
    refusals = Fault("status", "run_task", status=422, first=2)
    server = await serve(faults=[refusals])
    session = await open_session(server)
    await session.run_many([("a", "A"), ("b", "B")], concurrency=1, ledger=ledger).collect()

    changed = await session.run_many(
        [("a", "A, put right"), ("b", "B")], concurrency=1, ledger=ledger
    ).collect()
    asked = await session.run_many(
        [("a", "A, put right"), ("b", "B")],
        concurrency=1,
        ledger=ledger,
        retry_dead_letters=True,
    ).collect()

    assert [result.state for result in changed] == [ItemState.DONE, ItemState.DEAD]
    assert [result.state for result in asked] == [ItemState.DONE, ItemState.DONE]


@pytest.mark.case("I11")
@pytest.mark.parametrize("is_async", [False, True])
async def test_an_input_that_raises_ends_the_batch_in_order(
    serve: Serve,
    open_session: Open,
    ledger: Path,
    is_async: bool,
) -> None:
    """I11: what was read before is brought to its end, and the error says after how many."""
    server = await serve()
    session = await open_session(server)

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


@pytest.mark.case("I12")
async def test_what_is_named_twice_is_done_once(
    serve: Serve, open_session: Open, ledger: Path, figure: Callable[[str], None]
) -> None:
    """I12: the same content, or the same key with the same content, is one item."""
    server = await serve()
    session = await open_session(server)
    batch = session.run_many(
        ["a", "b", "a", ("k", "a"), ("k", "a"), "b"], concurrency=4, ledger=ledger
    )

    results = await batch.collect()

    figure(f"{len(server.store.tasks)} tasks for 6 lines, {batch.progress.duplicates} repeats")
    assert [result.index for result in results] == [0, 1, 3]
    assert len(server.store.tasks) == 3
    assert batch.progress.duplicates == 3
    assert batch.progress.total == 3


@pytest.mark.case("I12")
@pytest.mark.parametrize("in_one_run", [True, False])
async def test_a_key_that_means_something_else_is_refused(
    serve: Serve,
    open_session: Open,
    ledger: Path,
    in_one_run: bool,
) -> None:
    """I12: changed content under a key is refused, in the same input and in the next run."""
    server = await serve()
    session = await open_session(server)
    pairs = [("k", "one"), ("l", "other"), ("k", "two")]
    if not in_one_run:
        await session.run_many(pairs[:2], concurrency=1, ledger=ledger).collect()
        pairs = pairs[1:]

    with raises(errors.LedgerMismatchError) as caught:
        await session.run_many(pairs, concurrency=1, ledger=ledger).collect()

    assert "'k'" in str(caught.value)
    assert sorted(task.task for task in server.store.tasks) == ["one", "other"]


@pytest.mark.case("I13")
async def test_the_next_run_goes_by_keys_and_not_by_places(
    serve: Serve, open_session: Open, ledger: Path
) -> None:
    """I13: in another order, with more items and with fewer, nothing is done twice."""
    server = await serve()
    session = await open_session(server)
    await session.run_many(["a", "b", "c"], concurrency=3, ledger=ledger).collect()

    results = await session.run_many(["d", "c", "a"], concurrency=3, ledger=ledger).collect()

    assert [result.restored for result in results] == [False, True, True]
    assert [result.index for result in results] == [0, 1, 2]
    assert len(server.store.tasks) == 4
    assert read_ledger(ledger).total == 4


# --- leaving --------------------------------------------------------------------------------


@pytest.mark.case("I14")
@pytest.mark.parametrize("way", ["break", "cancel", "aclose"])
@pytest.mark.parametrize("on_cancel", ["leave", "stop", None])
async def test_leaving_leaves_or_stops(
    serve: Serve, open_session: Open, ledger: Path, texts: Texts, way: str, on_cancel: Any
) -> None:
    """I14: left in any way, tasks live on or are stopped, and the next run goes on with them."""
    server = await serve(scenarios={"Task 0": QUICK}, executor=_hanging({"Task 0": QUICK}))
    session = await open_session(server)
    batch = session.run_many(texts(5), concurrency=3, ledger=ledger, on_cancel=on_cancel)

    await _leave(batch, way)

    statuses = [task.status for task in server.store.tasks if task.task != "Task 0"]
    wanted = TaskStatus.STOPPED if on_cancel == "stop" else TaskStatus.RUNNING
    assert statuses
    await until(lambda: {t.status for t in server.store.tasks[1:]} == {wanted})
    view = read_ledger(ledger)
    assert view.counts[ItemState.DONE] == 1
    before = len(server.store.tasks)
    for task in server.store.tasks[1:]:
        await session.tasks.stop(task.id)
    again = session.run_many(texts(before), concurrency=5, ledger=ledger, settle_window=0.3)
    results = await again.collect()
    assert len(results) == before == len(server.store.tasks)


def _hanging(others: dict[str, Scenario]) -> ScriptedExecutor:
    return ScriptedExecutor(others, default=Scenario(hangs=True))


async def _leave(batch: Any, way: str) -> None:
    seen = asyncio.Event()

    async def iterate() -> None:
        async with batch:
            async for _result in batch:
                seen.set()
                await asyncio.sleep(0.1)  # until the others are submitted
                if way == "break":
                    break

    task = asyncio.ensure_future(iterate())
    await seen.wait()
    await asyncio.sleep(0.1)
    if way == "cancel":
        task.cancel()
    elif way == "aclose":
        await batch.aclose()
        task.cancel()
    await asyncio.wait([task], timeout=10)
    assert task.done()


@pytest.mark.case("I14")
async def test_without_a_ledger_leaving_stops(
    serve: Serve, open_session: Open, texts: Texts
) -> None:
    """I14: when nobody would know the running tasks any more, they are stopped."""
    server = await serve(executor=_hanging({"Task 0": QUICK}))
    session = await open_session(server)

    await _leave(session.run_many(texts(5), concurrency=3), "break")

    statuses = {task.task: task.status for task in server.store.tasks}
    assert statuses.pop("Task 0") is TaskStatus.FINISHED
    assert set(statuses.values()) == {TaskStatus.STOPPED}


@pytest.mark.case("I14")
@pytest.mark.parametrize("waits_for_input", [False, True])
async def test_draining_finishes_what_runs(
    serve: Serve,
    open_session: Open,
    ledger: Path,
    waits_for_input: bool,
) -> None:
    """I14: after `drain()` nothing is submitted, what runs is finished, and the loop ends."""
    server = await serve()
    session = await open_session(server)

    async def endless() -> AsyncIterator[str]:
        for number in range(1_000_000):
            if number == 4 and waits_for_input:
                await asyncio.get_running_loop().create_future()
            yield f"Task {number}"

    batch = session.run_many(endless(), concurrency=3, ledger=ledger)
    seen = 0
    async for _result in batch:
        seen += 1
        if seen == 3:
            batch.drain()

    view = read_ledger(ledger)
    assert batch.progress.stopped_by is StopReason.DRAINED
    assert view.counts[ItemState.DONE] == len(server.store.tasks) == seen
    assert not view.counts[ItemState.SUBMITTED]


# --- how much at once -----------------------------------------------------------------------


def _kept() -> int:
    """How many entries, claims and results of batches are alive."""
    return sum(isinstance(each, Entry | Claim | BatchResult) for each in gc.get_objects())


@pytest.mark.case("I15")
async def test_never_more_at_once_and_no_more_memory_for_more_items(
    serve: Serve, open_session: Open, figure: Callable[[str], None]
) -> None:
    """I15: items under way stay below the bound, and what is kept does not grow with the input."""
    server = await serve()
    session = await open_session(server)
    running: list[int] = []
    kept: list[int] = []

    def watch(progress: BatchProgress) -> None:
        running.append(progress.running)

    texts = (f"Task {number}" for number in range(200))
    async for result in session.run_many(texts, concurrency=10, on_progress=watch):
        if result.index % 20 == 0:
            kept += [_kept()]

    figure(f"at most {max(running)} of 10 at once, at most {max(kept)} values kept of 200 items")
    assert max(running) == 10
    assert max(kept) <= 4 * 10


@pytest.mark.case("I16")
async def test_fewer_slots_than_wanted_slow_it_down_and_no_more(
    serve: Serve, open_session: Open, texts: Texts, figure: Callable[[str], None]
) -> None:
    """I16: with two slots for ten at once, everything runs, and nothing fails."""
    server = await serve(max_concurrent_tasks=2)
    session = await open_session(server)

    results = await session.run_many(texts(12), concurrency=10).collect()

    refused = server.requests["run_task"] - 12
    figure(f"12 tasks through 2 slots, {refused} refusals")
    assert all(result.succeeded for result in results)
    assert refused > 0


@pytest.mark.case("I16")
async def test_an_item_that_waits_for_a_slot_is_new(
    serve: Serve, open_session: Open, ledger: Path, texts: Texts
) -> None:
    """I16: what was refused a slot is known not to exist, so that the next run need not look."""
    server = await serve(max_concurrent_tasks=1, executor=_hanging({}))
    session = await open_session(server, limits=CallLimits(slot_wait=60))
    batch = session.run_many(texts(3), concurrency=3, ledger=ledger)
    running = asyncio.ensure_future(batch.collect())
    await until(lambda: server.requests["run_task"] >= 3)
    await asyncio.sleep(0.2)

    await batch.aclose()

    counts = read_ledger(ledger).counts
    assert (counts[ItemState.SUBMITTED], counts[ItemState.NEW]) == (1, 2)
    running.cancel()
    await asyncio.wait([running])


@pytest.mark.case("I17")
async def test_a_huge_answer_is_given_and_not_kept(
    serve: Serve, open_session: Open, ledger: Path, figure: Callable[[str], None]
) -> None:
    """I17: 20 MB come through, the ledger keeps their size only, and the next run asks again."""
    huge = Scenario(steps=("Look",), step_seconds=0.0, output="x" * 20_000_000)
    session = await open_session(await serve(scenarios={"huge": huge}))

    first = await session.run_many(["huge"], concurrency=1, ledger=ledger).collect()
    kept = ledger.stat().st_size  # noqa: ASYNC240
    again = await session.run_many(["huge"], concurrency=1, ledger=ledger).collect()

    figure(f"the ledger has {kept:,} bytes")
    assert len(first[0].output or "") == len(again[0].output or "") == 20_000_000
    assert kept < 200_000
    assert next(read_ledger(ledger).rows()).output_bytes == 20_000_000


# --- secrets --------------------------------------------------------------------------------


@pytest.mark.case("H4")
async def test_secrets_are_not_in_the_ledger(
    serve: Serve, open_session: Open, ledger: Path
) -> None:
    """H4: of secrets the ledger has no value and no digest: renewed ones are the same item."""
    server = await serve()
    session = await open_session(server)

    def request(value: str) -> RunTaskRequest:
        return RunTaskRequest("Log in", secrets={"pw": value}, allowed_domains=["example.com"])

    await session.run_many([request(SECRET)], concurrency=1, ledger=ledger).collect()
    again = await session.run_many([request("renewed")], concurrency=1, ledger=ledger).collect()

    assert again[0].restored
    for file in ledger.parent.glob("run.db*"):
        assert SECRET.encode() not in file.read_bytes()


async def test_labels_stay_with_the_ledger(serve: Serve, open_session: Open, ledger: Path) -> None:
    """What a caller writes down is read again, and a later run adds to it."""
    session = await open_session(await serve())
    for labels in ({"template": "Find {x}", "by": "me"}, {"by": "you"}):
        await session.run_many(["a"], concurrency=1, ledger=ledger, labels=labels).collect()

    assert read_ledger(ledger).labels == {"template": "Find {x}", "by": "you"}
    assert json.dumps(dict(read_ledger(ledger).labels))


@pytest.mark.case("I14")
async def test_a_loop_that_is_left_needs_no_closing(
    serve: Serve, open_session: Open, ledger: Path, texts: Texts
) -> None:
    """I14: after a plain `break` the ledger is free again within a moment, and nothing is left."""
    session = await open_session(await serve())

    async for _result in session.run_many(texts(5), concurrency=2, ledger=ledger):
        break
    for _turn in range(200):
        await asyncio.sleep(0.01)
        if len(asyncio.all_tasks()) < 3:
            break

    results = await session.run_many(
        texts(5), concurrency=2, ledger=ledger, settle_window=0.2
    ).collect()
    assert all(result.succeeded for result in results)


async def test_progress_can_be_read_before_and_after(
    serve: Serve, open_session: Open, texts: Texts
) -> None:
    """`progress` is there at any time, and its clock stands still in the end."""
    batch = (await open_session(await serve())).run_many(texts(2), concurrency=2)
    before = batch.progress
    await batch.collect()
    seconds = batch.progress.seconds
    await asyncio.sleep(0.02)

    assert (before.total, before.done) == (2, 0)
    assert batch.progress.seconds == seconds > 0

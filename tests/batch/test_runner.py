"""Lost answers, duplicate tasks, outages, and refused keys."""

import asyncio
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from browser_use_async import (
    RetryPolicy,
    ServiceUnreachable,
    SubmissionAdopted,
    TaskStatus,
    errors,
)
from browser_use_async.api.submission_token import TOKEN_KEY
from browser_use_async.batch import Batch, ItemState, read_ledger
from browser_use_async.server.faults import Fault
from browser_use_async.server.records import Finished
from tests.batch.conftest import Mended, Open, Serve, hanging
from tests.server.steering import FromQueue
from tests.support.hygiene import raises
from tests.support.patience import until

Texts = Callable[[int], list[str]]


async def test_a_lost_answer_is_made_good(
    serve: Serve, open_session: Open, ledger: Path, texts: Texts
) -> None:
    """The task of a lost answer is adopted, and the session's listener gets an event."""
    server = await serve(
        submission_keys=False, faults=[Fault("lost_reply", "run_task", calls=(2, 3))]
    )
    heard: list[object] = []
    session = await open_session(server, on_event=heard.append)

    results = await session.run_many(texts(4), concurrency=2, ledger=ledger).collect()

    assert all(result.succeeded for result in results)
    assert len(server.store.tasks) == 4
    assert sum(isinstance(event, SubmissionAdopted) for event in heard) == 2


@pytest.mark.parametrize("losses", [1, 3])
async def test_what_was_lost_for_good_is_sent_again_a_few_times(
    serve: Serve, open_session: Open, ledger: Path, losses: int
) -> None:
    """Where no task was created, the request is sent again; the third loss is reported."""
    lost = Fault("reset", "run_task", first=losses)
    server = await serve(submission_keys=False, faults=[lost])
    session = await open_session(server, settle_window=0.3)

    results = await session.run_many(["one"], concurrency=1, ledger=ledger).collect()

    if losses == 1:
        assert results[0].succeeded
        assert results[0].attempts == 2
        return
    assert results[0].state is ItemState.UNKNOWN
    assert isinstance(results[0].error, errors.SubmissionUnknownError)
    assert results[0].error.submission_token
    again = await session.run_many(["one"], concurrency=1, ledger=ledger).collect()
    assert again[0].succeeded
    assert len(server.store.tasks) == 1


@pytest.mark.parametrize("stop_orphans", [True, False])
async def test_a_task_that_comes_too_late_is_found(
    serve: Serve,
    open_session: Open,
    ledger: Path,
    caplog: pytest.LogCaptureFixture,
    stop_orphans: bool,
) -> None:
    """A second task, created after the window, is reported, and stopped on request."""
    server = await serve(
        submission_keys=False, faults=[Fault("reset", "run_task", calls=1)], executor=hanging()
    )
    session = await open_session(server, settle_window=0.2)

    async def end_all_but_the_late_one() -> None:
        await until(lambda: len(server.store.tasks) == 2)  # after the window: it was sent again
        (again,) = (each for each in server.store.tasks if each.task == "one")
        await session.tasks.run("one", metadata={TOKEN_KEY: again.metadata[TOKEN_KEY]})
        await until(lambda: [len(task.steps) for task in server.store.tasks] == [2, 2, 2])
        for task in server.store.tasks[:2]:
            await session.tasks.stop(task.id)

    ending = asyncio.ensure_future(end_all_but_the_late_one())
    batch = session.run_many(
        ["one", "other"],
        concurrency=2,
        ledger=ledger,
        stop_orphans=stop_orphans,
    )
    results = await batch.collect()
    await ending

    ones = [task for task in server.store.tasks if task.task == "one"]
    assert len(ones) == 2
    orphan = ones[1]
    assert [each.task_id for each in batch.orphans] == [orphan.id]
    assert results[0].task_id != orphan.id
    assert (orphan.status is TaskStatus.STOPPED) is stop_orphans
    assert orphan.id in caplog.text
    assert [each.task_id for each in read_ledger(ledger).orphans] == [orphan.id]
    assert read_ledger(ledger).orphans == batch.orphans
    assert batch.orphans[0].stopped is stop_orphans
    assert batch.orphans[0].cost_cents == 1 + len(orphan.steps) * Decimal("2.5")


@pytest.mark.parametrize("retried", [False, True])
async def test_a_task_that_comes_after_its_run_is_found_by_a_later_one(
    serve: Serve, open_session: Open, ledger: Path, retried: bool
) -> None:
    """The request was sent again while its outcome was unknown, so a second task may come later."""
    executor = Mended("one") if retried else None
    options = {} if executor is None else {"executor": executor}
    server = await serve(
        submission_keys=False, faults=[Fault("reset", "run_task", first=3)], **options
    )
    session = await open_session(server, settle_window=0.05)

    async def run(**more: Any) -> Batch[Any]:
        batch = session.run_many(["one"], concurrency=1, ledger=ledger, **more)
        await batch.collect()
        return batch

    await run()
    assert read_ledger(ledger).counts[ItemState.UNKNOWN] == 1
    assert not (await run()).orphans
    mark = server.store.tasks[0].metadata[TOKEN_KEY]
    if executor is not None:
        executor.broken.clear()
        await run(retry_failed=True)
    late = await session.tasks.run("one", metadata={TOKEN_KEY: mark})

    found, again = await run(stop_orphans=True), await run()

    assert [each.task_id for each in found.orphans] == [late.id]
    assert (found.orphans[0].stopped, again.orphans[0].stopped) == (True, False)
    assert [each.stopped for each in read_ledger(ledger).orphans] == [True]


@pytest.mark.long
async def test_an_outage_is_sat_out(
    serve: Serve, open_session: Open, ledger: Path, texts: Texts
) -> None:
    """While no task can be created items wait, and none becomes a dead letter."""
    server = await serve(faults=[Fault("status", "run_task", status=521, first=8)])
    session = await open_session(server)

    results = await session.run_many(texts(6), concurrency=3, ledger=ledger).collect()

    assert all(result.succeeded for result in results)
    assert len(server.store.tasks) == 6


@pytest.mark.long
async def test_an_outage_that_lasts_too_long_ends_the_batch(
    serve: Serve, open_session: Open, ledger: Path, texts: Texts
) -> None:
    """The last call's error is raised; all items are still to be run."""
    server = await serve(faults=[Fault("status", "run_task", status=521)])
    session = await open_session(server)

    with raises(errors.InternalServerError):
        await session.run_many(texts(6), concurrency=3, ledger=ledger, outage_timeout=0.5).collect()

    counts = read_ledger(ledger).counts
    assert counts[ItemState.NEW] == sum(counts.values()) > 0


async def test_a_wrong_key_ends_the_batch_at_once(
    serve: Serve, open_session: Open, ledger: Path, texts: Texts
) -> None:
    """An error that applies to every item is raised once, and no item is blamed."""
    server = await serve(faults=[Fault("status", "run_task", status=401)])
    session = await open_session(server)

    with raises(errors.AuthenticationError):
        await session.run_many(texts(50), concurrency=3, ledger=ledger).collect()

    assert server.requests["run_task"] <= 3
    assert not read_ledger(ledger).counts[ItemState.DEAD]


async def test_a_task_that_is_not_awaited_longer_is_followed_by_the_next_run(
    serve: Serve, open_session: Open, ledger: Path
) -> None:
    """A wait that times out is a result with the task's id; the next run follows the task."""
    steered = FromQueue()
    server = await serve(executor=steered)
    session = await open_session(server)

    first = await session.run_many(["slow"], concurrency=1, ledger=ledger, timeout=0.2).collect()
    steered.items.put_nowait(Finished("Done."))
    again = await session.run_many(["slow"], concurrency=1, ledger=ledger).collect()

    assert isinstance(first[0].error, errors.WaitTimeoutError)
    assert first[0].task_id == again[0].task_id == server.store.tasks[0].id
    assert again[0].succeeded


async def test_a_task_of_an_earlier_run_sits_out_an_outage(
    serve: Serve, open_session: Open, ledger: Path
) -> None:
    """The ledger says that it exists, though this run has not read it yet."""
    steered = FromQueue()
    server = await serve(executor=steered)
    session = await open_session(server)
    await session.run_many(["slow"], concurrency=1, ledger=ledger, timeout=0.2).collect()
    asked = ("get_task_status", "get_task", "list_tasks")
    server.set_faults([Fault("status", each, status=503) for each in asked])
    heard: list[object] = []
    later = await open_session(server, on_event=heard.append)

    collecting = asyncio.ensure_future(
        later.run_many(["slow"], concurrency=1, ledger=ledger).collect()
    )
    await until(lambda: any(isinstance(event, ServiceUnreachable) for event in heard))
    before = sum(server.requests[each] for each in asked)
    await until(lambda: sum(server.requests[each] for each in asked) > before)
    server.set_faults([])
    steered.items.put_nowait(Finished("Done."))

    assert [result.succeeded for result in await collecting] == [True]


@pytest.mark.parametrize("is_refused", [True, False])
async def test_an_answer_ends_an_outage(
    serve: Serve, open_session: Open, texts: Texts, is_refused: bool
) -> None:
    """A service that accepts or refuses items is reachable: the next failure counts anew."""
    down = Fault("status", "run_task", status=429, headers={"Retry-After": "0"}, calls=(1, 4))
    refuses = Fault("status", "run_task", status=422, calls=(2, 3))
    slow = Fault("latency", "run_task", seconds=0.5, calls=3)
    server = await serve(faults=[slow, down, *([refuses] if is_refused else [])])
    session = await open_session(server, retry=RetryPolicy(max_attempts=1))

    batch = session.run_many(texts(3), concurrency=1, outage_timeout=0.4)
    results = await batch.collect()

    first = ItemState.DEAD if is_refused else ItemState.DONE
    assert [each.state for each in results] == [first, first, ItemState.DONE]

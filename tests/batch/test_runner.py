"""Lost answers, unknown items, outages, and refused keys."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from browser_use_async import (
    RetryPolicy,
    ServiceUnreachable,
    SubmissionAdopted,
    errors,
)
from browser_use_async.api.submission_token import TOKEN_KEY
from browser_use_async.batch import ItemState, read_ledger
from browser_use_async.server.faults import Fault
from browser_use_async.server.records import Finished
from tests.batch.conftest import BRIEF
from tests.server.steering import FromQueue
from tests.support.hygiene import raises
from tests.support.patience import until

Texts = Callable[[int], list[str]]


async def test_a_lost_answer_is_made_good(launch, session_with, ledger, texts):
    """The task of a lost answer is adopted, and the session's listener gets an event."""
    server = await launch(
        submission_keys=False, faults=[Fault("lost_reply", "run_task", calls=(2, 3))]
    )
    heard: list[object] = []
    session = await session_with(server, on_event=heard.append)

    results = await session.run_many(texts(4), concurrency=2, ledger=ledger).collect()

    assert all(result.succeeded for result in results)
    assert len(server.store.tasks) == 4
    assert sum(isinstance(event, SubmissionAdopted) for event in heard) == 2


async def test_a_request_that_was_lost_leaves_its_item_unknown(launch, session_with, ledger):
    """Nothing says that no task was created, so nothing is sent again, by this run or the next."""
    server = await launch(submission_keys=False, faults=[Fault("reset", "run_task", calls=1)])
    session = await session_with(server, settle_window=0.3)
    options: dict[str, Any] = {"concurrency": 1, "ledger": ledger}

    (first,) = await session.run_many(["one"], **options).collect()
    (again,) = await session.run_many(["one"], **options).collect()

    for result in (first, again):
        assert (result.state, result.attempts) == (ItemState.UNKNOWN, 1)
        assert isinstance(result.error, errors.SubmissionUnknownError)
        assert result.error.submission_token
        assert "retry_unknown=True (--retry-unknown)" in str(result.error)
    assert server.requests["run_task"] == 1
    assert not server.store.tasks
    (row,) = read_ledger(ledger).rows()
    assert (row.reason, row.reserved_cents > 0) == (str(again.error), True)


async def test_an_unknown_item_is_sent_again_on_request(launch, session_with, ledger):
    """Once in each run: if that request is lost, too, its item is unknown again."""
    server = await launch(submission_keys=False, faults=[Fault("reset", "run_task", first=2)])
    session = await session_with(server, settle_window=0.2)
    options: dict[str, Any] = {"concurrency": 1, "ledger": ledger, "budget_cents": 200}
    await session.run_many(["one"], **options).collect()

    (lost,) = await session.run_many(["one"], retry_unknown=True, **options).collect()
    batch = session.run_many(["one"], retry_unknown=True, **options)
    (sent,) = await batch.collect()

    assert (lost.state, lost.attempts) == (ItemState.UNKNOWN, 2)
    assert (sent.state, sent.attempts) == (ItemState.DONE, 3)
    assert len(server.store.tasks) == 1
    assert (batch.progress.cost_cents, batch.progress.running_cents) == (sent.cost_cents, 0)


@pytest.mark.parametrize("retry_unknown", [False, True])
async def test_a_task_that_came_late_is_found_by_the_next_run(
    launch, session_with, ledger, retry_unknown
):
    """An unknown item is looked for before anything else, and is not sent again then."""
    server = await launch(submission_keys=False, faults=[Fault("reset", "run_task", calls=1)])
    session = await session_with(server, settle_window=0.2)
    options: dict[str, Any] = {"concurrency": 1, "ledger": ledger}
    await session.run_many(["one"], **options).collect()
    (row,) = read_ledger(ledger).rows()
    assert row.token is not None
    late = await session.tasks.run("one", metadata={TOKEN_KEY: row.token.mark})

    (found,) = await session.run_many(["one"], retry_unknown=retry_unknown, **options).collect()

    assert (found.task_id, found.state) == (late.id, ItemState.DONE)
    assert len(server.store.tasks) == 1


@pytest.mark.long
async def test_an_outage_is_sat_out(launch, session_with, ledger, texts):
    """While no task can be created items wait, and none becomes a dead letter."""
    server = await launch(faults=[Fault("status", "run_task", status=521, first=8)])
    session = await session_with(server)

    results = await session.run_many(texts(6), concurrency=3, ledger=ledger).collect()

    assert all(result.succeeded for result in results)
    assert len(server.store.tasks) == 6


@pytest.mark.long
async def test_an_outage_that_lasts_too_long_ends_the_batch(launch, session_with, ledger, texts):
    """The last call's error is raised; all items are still to be run."""
    server = await launch(faults=[Fault("status", "run_task", status=521)])
    session = await session_with(server, poll=BRIEF)

    with raises(errors.InternalServerError):
        await session.run_many(texts(6), concurrency=3, ledger=ledger).collect()

    counts = read_ledger(ledger).counts
    assert counts[ItemState.NEW] == sum(counts.values()) > 0


async def test_a_wrong_key_ends_the_batch_at_once(launch, session_with, ledger, texts):
    """An error that applies to every item is raised once, and no item is blamed."""
    server = await launch(faults=[Fault("status", "run_task", status=401)])
    session = await session_with(server)

    with raises(errors.AuthenticationError):
        await session.run_many(texts(50), concurrency=3, ledger=ledger).collect()

    assert server.requests["run_task"] <= 3
    assert not read_ledger(ledger).counts[ItemState.DEAD]


async def test_a_task_that_is_not_awaited_longer_is_followed_by_the_next_run(
    launch, session_with, ledger
):
    """A wait that times out is a result with the task's id; the next run follows the task."""
    steered = FromQueue()
    server = await launch(executor=steered)
    session = await session_with(server)

    first = await session.run_many(["slow"], concurrency=1, ledger=ledger, timeout=0.2).collect()
    steered.items.put_nowait(Finished("Done."))
    again = await session.run_many(["slow"], concurrency=1, ledger=ledger).collect()

    assert isinstance(first[0].error, errors.WaitTimeoutError)
    assert first[0].task_id == again[0].task_id == server.store.tasks[0].id
    assert again[0].succeeded


async def test_a_task_of_an_earlier_run_sits_out_an_outage(launch, session_with, ledger):
    """The ledger says that it exists, though this run has not read it yet."""
    steered = FromQueue()
    server = await launch(executor=steered)
    session = await session_with(server)
    await session.run_many(["slow"], concurrency=1, ledger=ledger, timeout=0.2).collect()
    asked = ("get_task_status", "get_task", "list_tasks")
    server.set_faults([Fault("status", each, status=503) for each in asked])
    heard: list[object] = []
    later = await session_with(server, on_event=heard.append)

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
async def test_an_answer_ends_an_outage(launch, session_with, texts, is_refused):
    """A service that accepts or refuses items is reachable: the next failure counts anew."""
    down = Fault("status", "run_task", status=429, headers={"Retry-After": "0"}, calls=(1, 4))
    refuses = Fault("status", "run_task", status=422, calls=(2, 3))
    slow = Fault("latency", "run_task", seconds=0.5, calls=3)
    server = await launch(faults=[slow, down, *([refuses] if is_refused else [])])
    session = await session_with(server, retry=RetryPolicy(max_attempts=1), poll=BRIEF)

    batch = session.run_many(texts(3), concurrency=1)
    results = await batch.collect()

    first = ItemState.DEAD if is_refused else ItemState.DONE
    assert [each.state for each in results] == [first, first, ItemState.DONE]

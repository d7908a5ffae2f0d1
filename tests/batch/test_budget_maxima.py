"""Each task reserves its maximum: no budget is exceeded, and one for no task is refused."""

import asyncio
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from browser_use_async import BrowserUseSession, RunTaskRequest
from browser_use_async.batch import ItemState, StopReason, read_ledger
from browser_use_async.errors import InvalidRequestError
from browser_use_async.prices import task_cents
from browser_use_async.server.faults import Fault
from tests.batch.conftest import Held, hanging
from tests.batch.priced_world import MODELS, mixed, run_batches
from tests.support.hygiene import KEY, raises
from tests.support.patience import PATIENCE, until

Texts = Callable[[int], list[str]]

MANY = 300
MAXIMUM = task_cents(75)


@pytest.mark.long
@pytest.mark.parametrize("models", [MODELS[:1], MODELS], ids=["one model", "several models"])
@pytest.mark.parametrize("budget", [500, 1000])
@pytest.mark.parametrize("steps_of", [lambda _number: 3, lambda _number: 75, mixed])
def test_a_budget_is_never_exceeded(steps_of, budget, models):
    """With 50 at once, whatever tasks cost; and the budget is used as far as maxima fit."""
    run = {"steps_of": steps_of, "count": MANY, "budget_cents": budget, "concurrency": 50}

    (done,) = run_batches(run, models=models)

    dearest = max(task_cents(75, model) for model in models)
    assert budget - dearest < done.spent_cents <= budget
    assert done.progress.stopped_by is StopReason.BUDGET
    assert done.calls["get"] == done.tasks  # running tasks are not polled for their cost


@pytest.mark.long
def test_several_runs_keep_one_budget(tmp_path):
    """What earlier runs spent counts."""
    run = {"count": MANY, "concurrency": 50}

    done = run_batches(
        {**run, "steps_of": lambda _number: 3, "budget_cents": 500},
        {**run, "steps_of": lambda _number: 75, "budget_cents": 1000, "first": MANY},
        ledger=tmp_path / "run.db",
    )

    assert done[0].spent_cents <= 500
    assert 500 < done[1].spent_cents <= 1000


@pytest.mark.long
def test_an_ample_budget_costs_neither_time_nor_requests():
    """While all running tasks fit with their maximum, they run as without a budget."""
    run = {"steps_of": mixed, "count": 100, "concurrency": 50}
    (free,) = run_batches({**run, "budget_cents": None})
    (ample,) = run_batches({**run, "budget_cents": int(100 * MAXIMUM)})

    assert ample.seconds == free.seconds
    assert ample.calls == free.calls


async def test_a_budget_too_small_for_any_task_is_refused_at_once(ledger):
    """The ledger is not opened, and the error says what would help."""
    requests = [RunTaskRequest("a"), RunTaskRequest("b", llm_model="claude-sonnet-4-20250514")]
    async with BrowserUseSession(KEY, base_url="http://127.0.0.1:9/api/v1") as session:
        with raises(InvalidRequestError) as caught:
            session.run_many(requests, concurrency=2, ledger=ledger, budget_cents=100)

    assert caught.value.field == "budget_cents"
    message = str(caught.value)
    assert "189 cents" in message  # the value that it must have
    assert "max_agent_steps to 39" in message
    assert "nothing was sent" in message
    assert not ledger.exists()


async def test_a_lower_maximum_of_steps_makes_a_small_budget_suffice(launch, session_with, texts):
    """The advice of the error works."""
    session = await session_with(await launch())

    batch = session.run_many(texts(3), concurrency=2, budget_cents=100, max_agent_steps=39)

    assert len(await batch.collect()) == 1  # after which 96.5 are left, and 98.5 are needed
    assert batch.progress.next_cents == Decimal("98.5")


async def test_a_lazy_input_is_refused_with_its_first_task(launch, session_with, texts):
    """An input of unknown size is refused when its first task is."""
    server = await launch()
    session = await session_with(server)

    batch = session.run_many(iter(texts(3)), concurrency=2, budget_cents=100)
    with raises(InvalidRequestError) as caught:
        await batch.collect()

    assert caught.value.field == "budget_cents"
    assert server.requests["run_task"] == 0


@pytest.mark.parametrize("most", [60, 75])
async def test_a_task_that_does_not_fit_the_budget_is_left_out(launch, session_with, most):
    """Its maximum exceeds what is left, or the whole budget; the report has that maximum."""
    session = await session_with(await launch())
    requests = [RunTaskRequest("a", max_agent_steps=10), RunTaskRequest("b", max_agent_steps=most)]

    batch = session.run_many(requests, concurrency=2, budget_cents=152)
    results = await batch.collect()

    progress = batch.progress
    assert [result.key for result in results] == [results[0].key]
    assert (progress.cost_cents, progress.next_cents) == (Decimal("3.5"), task_cents(most))
    assert (progress.left_out, progress.stopped_by) == (1, StopReason.BUDGET)


async def test_tasks_of_an_earlier_run_have_their_share_before_their_turn_comes(
    launch, session_with, texts, ledger
):
    """A task that an earlier run left running has its reservation, wherever it is in the input."""
    server = await launch(executor=hanging())
    session = await session_with(server)
    earlier = session.run_many(texts(3), concurrency=3, ledger=ledger)
    running = asyncio.ensure_future(earlier.collect())
    await until(lambda: earlier.progress.running == len(server.store.tasks) == 3)
    await until(lambda: read_ledger(ledger).counts[ItemState.SUBMITTED] == 3)
    await earlier.aclose()
    await running
    for task in server.store.tasks:
        await session.tasks.stop(task.id)

    batch = session.run_many(
        ["new", *texts(3)],
        concurrency=1,
        ledger=ledger,
        budget_cents=4 * MAXIMUM - 1,
    )

    assert len(await batch.collect()) == 3
    assert len(server.store.tasks) == 3
    assert batch.progress.left_out == 1


async def test_a_task_that_is_waited_for_no_longer_keeps_its_share(launch, session_with, texts):
    """A task whose wait timed out runs on, and may cost its maximum."""
    server = await launch(executor=hanging())
    session = await session_with(server)

    batch = session.run_many(texts(5), concurrency=1, timeout=0.05, budget_cents=2 * MAXIMUM)
    results = await batch.collect()

    assert [result.state for result in results] == [ItemState.SUBMITTED] * 2
    assert len(server.store.tasks) == 2
    assert batch.progress.left_out == 3
    assert batch.progress.running_cents == 2 * MAXIMUM


async def test_a_drained_batch_ends_for_all_who_queue_for_the_budget(launch, session_with, texts):
    """An admitted item is not sent after a drain: its money goes to the next in the queue."""
    held = Held()
    server = await launch(executor=held)
    session = await session_with(server)
    batch = session.run_many(texts(4), concurrency=4, budget_cents=MAXIMUM + 5)
    collecting = asyncio.ensure_future(batch.collect())
    await until(lambda: batch.progress.running == len(server.store.tasks) == 1)

    batch.drain()
    held.released.set()

    assert len(await asyncio.wait_for(collecting, PATIENCE)) == len(server.store.tasks) == 1


async def test_an_unknown_item_keeps_its_maximum(launch, session_with, ledger):
    """Its task may come late: the others have what the budget has beside it."""
    server = await launch(
        submission_keys=False, faults=[Fault("late_commit", "run_task", calls=1, seconds=1.0)]
    )
    session = await session_with(server, settle_window=0.3)
    options: Any = {"concurrency": 1, "ledger": ledger, "max_agent_steps": 2, "budget_cents": 6}

    batch = session.run_many(["one", "two"], **options)
    (lost,) = await batch.collect()
    await until(lambda: server.store.tasks)
    again = session.run_many(["one", "two"], **options)
    (found,) = await again.collect()

    assert (lost.state, batch.progress.running_cents) == (ItemState.UNKNOWN, 6)
    assert (found.state, found.key) == (ItemState.DONE, lost.key)
    for each in (batch, again):
        assert (each.progress.stopped_by, each.progress.left_out) == (StopReason.BUDGET, 1)
    assert (read_ledger(ledger).cost_cents, len(server.store.tasks)) == (Decimal("3.5"), 1)


@pytest.mark.parametrize(
    "budget",
    [
        float("nan"),
        float("inf"),
        -1,
        -0.5,
        Decimal("NaN"),
        Decimal("sNaN"),
        Decimal("-Infinity"),
        "abc",
        "100",
        True,
        10**30,
        Decimal("1e400"),
        1j,
        [5],
    ],
    ids=repr,
)
async def test_a_budget_that_is_no_amount_of_money_is_refused(budget, ledger):
    """A typed error names the field, before the ledger is opened."""
    ledger.write_bytes(b"not a ledger")
    async with BrowserUseSession(KEY, base_url="http://127.0.0.1:9/api/v1") as session:
        with raises(InvalidRequestError) as caught:
            session.run_many(["a"], concurrency=1, ledger=ledger, budget_cents=budget)

    assert caught.value.field == "budget_cents"
    assert "nothing was sent" in str(caught.value)


@pytest.mark.parametrize("budget", [3.5, 18, 17.5, Decimal("17.5"), 10**15], ids=repr)
async def test_amounts_of_any_numeric_type_are_budgets(launch, session_with, ledger, budget):
    """An amount of cents of any numeric type reaches the ledger unchanged."""
    session = await session_with(await launch())

    batch = session.run_many(
        ["a"], concurrency=1, ledger=ledger, budget_cents=budget, max_agent_steps=1
    )
    await batch.collect()

    assert read_ledger(ledger).budget_cents == Decimal(str(budget))

"""The cost of a batch: its budget, the balance, and what is left for the next run."""

import asyncio
from collections.abc import Callable, Iterator
from decimal import Decimal

import pytest

from browser_use_async import BatchItem, BatchProgress, LlmModel, RunTaskRequest
from browser_use_async.batch import ItemState, StopReason, read_ledger
from browser_use_async.batch.inputs import InputPrices
from browser_use_async.errors import InvalidRequestError
from browser_use_async.server.executors.scripted import Scenario
from browser_use_async.server.faults import Fault
from tests.batch.conftest import Held
from tests.support.hygiene import raises
from tests.support.patience import until

Texts = Callable[[int], list[str]]

EACH = Decimal("3.5")  # a start and one step of the default model
ONE_STEP = {"max_agent_steps": 1}


@pytest.mark.parametrize("concurrency", [1, 8])
@pytest.mark.parametrize("is_lazy", [False, True])
async def test_a_budget_ends_submitting(launch, session_with, ledger, texts, concurrency, is_lazy):
    """At the cap nothing more is submitted, running tasks end, and more money runs the rest."""
    server = await launch()
    session = await session_with(server)

    def given() -> "list[str] | Iterator[str]":
        return iter(texts(12)) if is_lazy else texts(12)

    options = {"concurrency": concurrency, "ledger": ledger, **ONE_STEP}
    batch = session.run_many(given(), budget_cents=18, **options)
    results = await batch.collect()

    progress = batch.progress
    assert len(results) == len(server.store.tasks) == 5
    assert progress.stopped_by is StopReason.BUDGET
    assert progress.cost_cents == 5 * EACH <= 18
    assert is_lazy or progress.new == 7
    more = session.run_many(given(), budget_cents=100, **options)
    assert len(await more.collect()) == 12
    assert more.progress.stopped_by is None
    view = read_ledger(ledger)
    assert (view.cost_cents, view.budget_cents) == (12 * EACH, 100)


async def test_items_left_out_are_reported_with_their_cost(launch, session_with, texts):
    """The batch reports that its budget did not suffice, and by how much."""
    long = Scenario(steps=tuple(f"Step {n}" for n in range(10)), step_seconds=0.01)
    server = await launch(scenarios={"Task": long})
    session = await session_with(server)
    reports: list[BatchProgress] = []

    batch = session.run_many(
        texts(30), concurrency=4, budget_cents=60, on_progress=reports.append, max_agent_steps=10
    )
    await batch.collect()

    progress = batch.progress
    assert progress.cost_cents == 2 * 26  # 26 more do not fit
    assert (progress.next_cents, progress.left_out) == (26, 28)
    assert progress.stopped_by is StopReason.BUDGET
    early = [each for each in reports if each.running]
    assert not any(each.stopped_by or each.left_out or each.next_cents for each in early)


async def test_a_batch_that_ends_within_its_budget_leaves_nothing_out(launch, session_with, texts):
    """An item that did not fit for a while was not left out."""
    session = await session_with(await launch())

    batch = session.run_many(texts(5), concurrency=5, budget_cents=5 * EACH, **ONE_STEP)

    assert len(await batch.collect()) == 5
    assert batch.progress.cost_cents == 5 * EACH
    assert batch.progress.stopped_by is None
    assert (batch.progress.left_out, batch.progress.next_cents) == (0, None)


async def test_a_budget_of_nothing_sends_nothing(launch, session_with, texts):
    """With a budget of zero nothing is sent, and the error says so."""
    server = await launch()
    session = await session_with(server)

    with raises(InvalidRequestError):
        session.run_many(texts(3), concurrency=2, budget_cents=0)

    assert server.requests["run_task"] == 0


async def test_what_an_earlier_run_spent_counts(launch, session_with, ledger, texts):
    """The budget is for the whole batch, over all its runs."""
    server = await launch()
    session = await session_with(server)
    options = {"concurrency": 1, "ledger": ledger, **ONE_STEP}
    await session.run_many(texts(4), **options).collect()

    batch = session.run_many(texts(9), budget_cents=6 * EACH, **options)

    assert len(await batch.collect()) == 6
    assert len(server.store.tasks) == 6


@pytest.mark.parametrize("concurrency", [1, 3])
async def test_an_empty_balance_pauses_the_batch(launch, session_with, ledger, texts, concurrency):
    """When the account has no money left, the rest stays new."""
    broke = Fault("status", "run_task", status=402, calls=range(4, 40))
    server = await launch(faults=[broke])
    session = await session_with(server)

    batch = session.run_many(texts(8), concurrency=concurrency, ledger=ledger)
    results = await batch.collect()

    counts = read_ledger(ledger).counts
    assert len(results) == 3
    assert batch.progress.stopped_by is StopReason.BALANCE
    assert (counts[ItemState.DONE], counts[ItemState.NEW]) == (3, 5)
    rich = await session_with(await launch())
    assert len(await rich.run_many(texts(8), concurrency=3, ledger=ledger).collect()) == 8


async def test_a_tight_budget_says_which_maximum_lets_more_run_at_once(launch, session_with, texts):
    """One line of the progress names it while few run; with that maximum all run at once."""
    held = Held()
    session = await session_with(await launch(executor=held))
    batch = session.run_many(texts(4), concurrency=4, budget_cents=400)
    collecting = asyncio.ensure_future(batch.collect())
    await until(lambda: batch.progress.budget_note)
    note = str(batch.progress.budget_note)
    assert "2 of 4 tasks run at once, because each reserves up to $1.89" in note
    assert "max_agent_steps=39 lets 4 run at once" in note
    held.released.set()
    await collecting
    assert batch.progress.budget_note is None

    wide = Held()
    session = await session_with(await launch(executor=wide))
    batch = session.run_many(texts(4), concurrency=4, budget_cents=400, max_agent_steps=39)
    collecting = asyncio.ensure_future(batch.collect())
    await until(lambda: batch.progress.running == 4)
    assert batch.progress.running_cents == 4 * Decimal("98.5")
    wide.released.set()
    await collecting


def test_an_estimate_takes_all_the_steps_that_a_task_may():
    """The maximum of a request is computed from its model and steps, or the shared ones."""
    requests = [
        "text",
        ("key", RunTaskRequest("t", max_agent_steps=10)),
        BatchItem(RunTaskRequest("t", llm_model="o3")),
        RunTaskRequest("t", llm_model=LlmModel.O3, max_agent_steps=2),
    ]

    assert InputPrices.of(requests, {}).total_cents == Decimal("188.5") + 26 + 76 + 3
    assert InputPrices.of(["a"], {"llm_model": "o3", "max_agent_steps": 4}).total_cents == 5
    cheapest = InputPrices.of(requests, {}).cheapest
    assert cheapest is not None
    assert cheapest.maximum_cents == 3
    assert InputPrices.of([], {}) == InputPrices(Decimal(0), None)

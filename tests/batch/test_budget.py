"""What a batch may cost: estimates, caps, the balance, and what is left for the next run."""

from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path

import pytest

from browser_use_async import BatchItem, BatchProgress, LlmModel, RunTaskRequest
from browser_use_async.batch import ItemState, StopReason, read_ledger
from browser_use_async.batch.estimates import InputPrices
from browser_use_async.server.executors.scripted import Scenario
from browser_use_async.server.faults import Fault
from tests.batch.conftest import Open, Serve

Texts = Callable[[int], list[str]]

EACH = Decimal("3.5")  # a start and one step of the default model


@pytest.mark.parametrize("concurrency", [1, 8])
@pytest.mark.parametrize("is_lazy", [False, True])
async def test_a_budget_ends_submitting(
    serve: Serve, open_session: Open, ledger: Path, texts: Texts, concurrency: int, is_lazy: bool
) -> None:
    """At the cap nothing more is submitted, what runs ends, and the rest runs with more."""
    server = await serve()
    session = await open_session(server)

    def given() -> "list[str] | Iterator[str]":
        return iter(texts(12)) if is_lazy else texts(12)

    batch = session.run_many(given(), concurrency=concurrency, ledger=ledger, budget_cents=18)
    results = await batch.collect()

    progress = batch.progress
    assert len(results) == len(server.store.tasks) == 5
    assert progress.stopped_by is StopReason.BUDGET
    assert progress.cost_cents == 5 * EACH <= 18
    assert is_lazy or progress.new == 7
    more = session.run_many(given(), concurrency=concurrency, ledger=ledger, budget_cents=100)
    assert len(await more.collect()) == 12
    assert more.progress.stopped_by is None
    view = read_ledger(ledger)
    assert (view.cost_cents, view.budget_cents) == (12 * EACH, 100)


async def test_what_was_left_out_is_told_with_what_it_would_have_cost(
    serve: Serve, open_session: Open, texts: Texts
) -> None:
    """A batch says that its budget does not suffice when that is so, and by how much."""
    long = Scenario(steps=tuple(f"Step {n}" for n in range(10)), step_seconds=0.01)
    server = await serve(scenarios={"Task": long})
    session = await open_session(server)
    told: list[BatchProgress] = []

    batch = session.run_many(texts(30), concurrency=4, budget_cents=60, on_progress=told.append)
    await batch.collect()

    progress = batch.progress
    assert progress.cost_cents == 2 * 26  # 26 more do not fit
    assert (progress.next_cents, progress.left_out) == (26, 28)
    assert progress.stopped_by is StopReason.BUDGET
    early = [each for each in told if each.running]
    assert not any(each.stopped_by or each.left_out or each.next_cents for each in early)


async def test_a_batch_that_ends_within_its_budget_leaves_nothing_out(
    serve: Serve, open_session: Open, texts: Texts
) -> None:
    """What did not fit for a while was not left out."""
    session = await open_session(await serve())

    batch = session.run_many(texts(5), concurrency=5, budget_cents=5 * EACH)

    assert len(await batch.collect()) == 5
    assert batch.progress.cost_cents == 5 * EACH
    assert batch.progress.stopped_by is None
    assert (batch.progress.left_out, batch.progress.next_cents) == (0, None)


async def test_a_budget_of_nothing_sends_nothing(
    serve: Serve, open_session: Open, texts: Texts
) -> None:
    """With nothing to spend nothing is sent."""
    server = await serve()
    session = await open_session(server)

    batch = session.run_many(texts(3), concurrency=2, budget_cents=0)

    assert await batch.collect() == []
    assert server.requests["run_task"] == 0
    assert batch.progress.new == 3


async def test_the_balance_bounds_the_budget_if_asked(
    serve: Serve, open_session: Open, ledger: Path, texts: Texts
) -> None:
    """With `check_balance` no more is spent than the account has."""
    server = await serve(balance_cents=8)
    session = await open_session(server)

    batch = session.run_many(
        texts(9), concurrency=3, ledger=ledger, budget_cents=1000, check_balance=True
    )
    results = await batch.collect()

    assert len(results) == 2
    assert batch.progress.budget_cents == 8
    assert batch.progress.stopped_by is StopReason.BUDGET


async def test_what_an_earlier_run_spent_counts(
    serve: Serve, open_session: Open, ledger: Path, texts: Texts
) -> None:
    """The budget is for the whole batch, over all its runs."""
    server = await serve()
    session = await open_session(server)
    await session.run_many(texts(4), concurrency=1, ledger=ledger).collect()

    batch = session.run_many(texts(9), concurrency=1, ledger=ledger, budget_cents=6 * EACH)

    assert len(await batch.collect()) == 6
    assert len(server.store.tasks) == 6


@pytest.mark.parametrize("concurrency", [1, 3])
async def test_an_empty_balance_pauses_the_batch(
    serve: Serve, open_session: Open, ledger: Path, texts: Texts, concurrency: int
) -> None:
    """When the service says that the money is gone, the rest stays as it is: new."""
    broke = Fault("status", "run_task", status=402, calls=range(4, 40))
    server = await serve(faults=[broke])
    session = await open_session(server)

    batch = session.run_many(texts(8), concurrency=concurrency, ledger=ledger)
    results = await batch.collect()

    counts = read_ledger(ledger).counts
    assert len(results) == 3
    assert batch.progress.stopped_by is StopReason.BALANCE
    assert (counts[ItemState.DONE], counts[ItemState.NEW]) == (3, 5)
    rich = await open_session(await serve())
    assert len(await rich.run_many(texts(8), concurrency=3, ledger=ledger).collect()) == 8


def test_an_estimate_takes_all_the_steps_that_a_task_may() -> None:
    """The most that requests cost goes by their models and steps, or by the shared ones."""
    requests = [
        "text",
        ("key", RunTaskRequest("t", max_agent_steps=10)),
        BatchItem(RunTaskRequest("t", llm_model="o3")),
        RunTaskRequest("t", llm_model=LlmModel.O3, max_agent_steps=2),
    ]

    assert InputPrices.of(requests, {}).total_cents == Decimal("188.5") + 26 + 76 + 3
    assert InputPrices.of(["a"], {"llm_model": "o3", "max_agent_steps": 4}).total_cents == 5

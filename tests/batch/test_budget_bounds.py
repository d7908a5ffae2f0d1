"""A budget holds while many tasks run at once, and costs little time and few requests."""

from decimal import Decimal
from pathlib import Path

import pytest

from browser_use_async.batch import StopReason
from browser_use_async.prices import task_cents
from tests.batch.priced_world import MODELS, Outcome, StepsOf, mixed, run_batches

TOLERANCE = Decimal("1.1")
MANY = 300  # items: more than any of these budgets pays for
CASES = {"3": lambda _number: 3, "20": lambda _number: 20, "75": lambda _number: 75, "mixed": mixed}

steps_of = pytest.mark.parametrize("steps_of", CASES.values(), ids=CASES)
one = pytest.param(1, marks=pytest.mark.long)
concurrency = pytest.mark.parametrize("concurrency", [one, 10, 50])


def _run(steps: StepsOf, budget: int | None, at_once: int, count: int = MANY) -> Outcome:
    return run_batches(
        {"steps_of": steps, "count": count, "budget_cents": budget, "concurrency": at_once}
    )[0]


@pytest.mark.long
@steps_of
@concurrency
@pytest.mark.parametrize("budget", [500, 2000])
def test_a_budget_holds_while_many_tasks_run(
    steps_of: StepsOf, concurrency: int, budget: int
) -> None:
    """On the first run, of which nothing is known, at most a tenth more is spent."""
    done = _run(steps_of, budget, concurrency)

    more = done.calls["get"] - done.tasks
    assert done.spent_cents <= TOLERANCE * budget
    assert done.spent_cents == done.progress.cost_cents
    assert done.spent_cents > budget / 2  # and the budget is used
    assert done.progress.stopped_by is StopReason.BUDGET
    assert more <= done.tasks  # one look at a running task for each


@steps_of
@concurrency
def test_a_budget_below_the_maximum_of_one_task_is_exceeded_by_one_task_at_most(
    steps_of: StepsOf, concurrency: int
) -> None:
    """Tasks run one at a time, so that no more than the last one can go beyond."""
    budget = 100

    done = _run(steps_of, budget, concurrency)

    last = done.results[-1].cost_cents
    assert done.spent_cents - last < budget
    assert done.progress.cost_cents == done.spent_cents


@steps_of
@pytest.mark.parametrize("budget", [500, pytest.param(2000, marks=pytest.mark.long)])
def test_a_budget_holds_for_several_models_in_one_batch(steps_of: StepsOf, budget: int) -> None:
    """Each task is priced by its own model."""
    run = {"steps_of": steps_of, "count": MANY, "budget_cents": budget, "concurrency": 50}

    (done,) = run_batches(run, models=MODELS)

    assert budget / 2 < done.spent_cents <= TOLERANCE * budget


@pytest.mark.long
@pytest.mark.parametrize(
    "runs",
    [
        [(3, 100), (3, 500), (3, 1000)],
        [(20, 100), (20, 500), (20, 1000)],
        [(3, 500), (20, 2000), (75, 4000)],
        [(75, 500), (3, 1000), (75, 2000)],
    ],
)
def test_a_budget_holds_over_several_runs(runs: list[tuple[int, int]], tmp_path: Path) -> None:
    """What earlier runs took tells what to expect, and is not believed blindly."""
    done = run_batches(
        *(
            {
                "steps_of": lambda _number, steps=steps: steps,
                "first": MANY * run,  # other items in each run
                "count": MANY,
                "budget_cents": budget,
                "concurrency": 50,
            }
            for run, (steps, budget) in enumerate(runs)
        ),
        ledger=tmp_path / "run.db",
    )

    for each, (_steps, budget) in zip(done, runs, strict=True):
        assert each.spent_cents <= TOLERANCE * budget


@pytest.mark.long
def test_an_ample_budget_costs_neither_time_nor_requests() -> None:
    """While all that run could take their maximum, they run at once, as without a budget."""
    free = _run(mixed, None, 50, count=100)
    ample = _run(mixed, int(100 * task_cents(75)), 50, count=100)

    assert ample.seconds == free.seconds
    assert ample.calls == free.calls


def test_the_steps_that_running_tasks_show_are_counted() -> None:
    """Five long tasks are under way while short ones end, start and make all look cheap."""
    budget = 1200

    done = _run(lambda number: 75 if number < 5 else 3, budget, 10)

    assert done.spent_cents <= TOLERANCE * budget


@pytest.mark.long
@pytest.mark.parametrize("budget", [500, 2000])
def test_the_worst_case_is_twice_the_budget(budget: int) -> None:
    """After thirty short tasks nothing tells that all others are long."""
    done = _run(lambda number: 3 if number < 30 else 75, budget, 50)

    assert done.spent_cents <= 2 * budget

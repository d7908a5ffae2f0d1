"""How much of a budget a batch spends, and how much longer the batch takes because of it.

The service, the network and the clock are those of the tests: tasks of 3, 20 and 75 steps of
gpt-4.1, or these in turn, take five seconds for each step. Each row is a batch on its first run,
of more items than its budget pays for.

    python -m benchmarks.budget                           # this checkout
    python -m benchmarks.budget --against OTHER_CHECKOUT  # and another version of the package
"""

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from decimal import Decimal
from itertools import product
from pathlib import Path

import attrs

from tests.batch.priced_world import StepsOf, mixed, run_batches

ROOT = Path(__file__).parents[1]
ITEMS = 300
STEPS: dict[str, StepsOf] = {
    "3": lambda _number: 3,
    "20": lambda _number: 20,
    "75": lambda _number: 75,
    "mixed": mixed,
}
CONCURRENCY = (1, 10, 50)
BUDGETS = (500, 2000)


@attrs.frozen
class Setting:
    """One batch.

    Attributes:
        steps: The name of the steps of its tasks.
        concurrency: How many tasks at once.
        budget: In US cents.
    """

    steps: str
    concurrency: int
    budget: int


@attrs.frozen
class Point:
    """The result of a batch.

    Attributes:
        share: What it spent, as a part of its budget.
        tasks: How many tasks that paid for.
        slower: How many times as long it took as the same items without a budget.
        looks: How many times get-task was asked for a running task, for each task.
    """

    share: float
    tasks: int
    slower: float
    looks: float


def measure(setting: Setting) -> Point:
    """Run a batch, and the items that it paid for again without a budget."""
    steps_of, at_once = STEPS[setting.steps], setting.concurrency
    options = {"concurrency": at_once, "budget_cents": setting.budget}
    (done,) = run_batches({"steps_of": steps_of, "count": ITEMS, **options})
    (free,) = run_batches({"steps_of": steps_of, "count": done.tasks, "concurrency": at_once})
    return Point(
        float(done.spent_cents / Decimal(setting.budget)),
        done.tasks,
        done.seconds / free.seconds,
        (done.calls["get-task"] - done.tasks) / done.tasks,
    )


def measure_all() -> list[Point]:
    """Every setting, with as many processes as there are cores."""
    with ProcessPoolExecutor(os.cpu_count()) as pool:
        return list(pool.map(measure, settings()))


def settings() -> Iterator[Setting]:
    """All rows."""
    for steps, at_once, budget in product(STEPS, CONCURRENCY, BUDGETS):
        yield Setting(steps, at_once, budget)


def measured_with(checkout: Path) -> list[Point]:
    """The same with the package of another checkout."""
    done = subprocess.run(
        [sys.executable, "-P", "-m", "benchmarks.budget", "--json"],
        env={**os.environ, "PYTHONPATH": f"{checkout}{os.pathsep}{ROOT}"},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return [Point(**each) for each in json.loads(done.stdout)]


def show(ours: list[Point], theirs: list[Point] | None) -> None:
    """Print the table."""
    other = f"{'other: spent':>14} {'tasks':>6} {'slower':>7}" if theirs else ""
    print(f"{'steps':<6} {'at once':>7} {'budget':>6} {other} {'spent':>8} {'tasks':>6} "
          f"{'slower':>7} {'looks':>6}")  # fmt: skip
    for number, (setting, point) in enumerate(zip(settings(), ours, strict=True)):
        old = ""
        if theirs:
            before = theirs[number]
            old = f"{before.share:>14.2f} {before.tasks:>6} {before.slower:>7.1f}"
        print(
            f"{setting.steps:<6} {setting.concurrency:>7} {setting.budget:>6} {old} "
            f"{point.share:>8.2f} {point.tasks:>6} {point.slower:>7.1f} {point.looks:>6.2f}"
            f"{'  > 1' if point.share > 1 else ''}"
        )


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.budget")
    parser.add_argument("--against", type=Path, metavar="CHECKOUT")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    ours = measure_all()
    if options.json:
        print(json.dumps([attrs.asdict(point) for point in ours]))
    else:
        show(ours, None if options.against is None else measured_with(options.against.resolve()))


if __name__ == "__main__":
    main()

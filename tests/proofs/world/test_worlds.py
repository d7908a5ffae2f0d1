"""Random worlds: no job gets two tasks, none is lost, and one seed gives one trace."""

import os
import subprocess
import sys
from pathlib import Path

import attrs
import pytest

from tests.proofs.world.machines import MachineLaws, simulate
from tests.proofs.world.report import Report

ROOT = Path(__file__).resolve().parents[3]
SEEDS = range(40)
FEW = MachineLaws(jobs=8)


def worlds(laws: MachineLaws, seeds: range = SEEDS) -> Report:
    """Run one world for each seed."""
    return sum((simulate(seed, laws) for seed in seeds), Report())


@pytest.mark.parametrize("resubmits", [True, False])
@pytest.mark.long
def test_no_job_is_paid_twice_or_lost(resubmits):
    """With a window as long as late work and list delay together, for any fault or crash."""
    report = worlds(attrs.evolve(FEW, resubmits=resubmits))

    assert (report.twice, report.lost) == (0, 0)
    assert report.crashes > 5
    assert len(report.faults) > 15  # nearly every kind fired
    assert report.found["after a crash"]
    assert report.found["by the SDK"]
    assert bool(report.unknown) is not resubmits


@pytest.mark.parametrize("resubmits", [True, False])
@pytest.mark.long
def test_no_clock_makes_a_job_paid_twice(resubmits):
    """A clock a day off that is set repeatedly, and a `Date` that is not the time."""
    laws = attrs.evolve(FEW, skew=86_400.0, set_clock=4.0, untrue_dates=True, resubmits=resubmits)

    report = worlds(laws)

    assert (report.twice, report.lost) == (0, 0)
    assert report.crashes > 5


@pytest.mark.parametrize(
    "step", [pytest.param(1, marks=[pytest.mark.nightly, pytest.mark.timeout(600)]), 37]
)
@pytest.mark.long
def test_a_machine_may_crash_at_any_event(step):
    """One history, and a crash at its k-th event, for every k (in the quick run: some)."""
    laws = MachineLaws(jobs=8, crash_at=1_000_000)
    events = simulate(1, laws).events

    report = sum(
        (simulate(1, attrs.evolve(laws, crash_at=at)) for at in range(1, events, step)), Report()
    )

    assert (report.twice, report.lost) == (0, 0)
    assert report.crashes == report.worlds > 5
    assert report.found["after a crash"]


@pytest.mark.parametrize("cause", ["late", "lag"])
@pytest.mark.long
def test_a_window_that_is_too_short_pays_twice(cause):
    """The control: the same worlds show duplicates as soon as the condition is violated."""
    hasty = attrs.evolve(FEW, window=5.0, late=0.0, lag=0.0)
    laws = attrs.evolve(hasty, late=60.0) if cause == "late" else attrs.evolve(hasty, lag=60.0)

    report = worlds(laws)

    assert report.twice > 0


@pytest.mark.long
@pytest.mark.timeout(180)
def test_one_seed_gives_one_trace():
    """A seed gives the same events again, in another process too; another seed others."""
    program = (
        "from tests.proofs.world.machines import *; print(simulate(3, MachineLaws(jobs=8)).trace)"
    )

    mine = [simulate(3, FEW).trace for _again in range(2)]
    theirs = subprocess.run(
        [sys.executable, "-c", program],
        cwd=ROOT,
        env={**os.environ, "PYTHONHASHSEED": "12345"},
        capture_output=True,
        text=True,
        check=True,
    ).stdout.strip()
    others = {simulate(seed, FEW).trace for seed in range(4, 7)}

    assert mine == [theirs, theirs]
    assert len(others - {theirs}) == 3

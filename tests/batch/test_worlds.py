"""Batches in simulated services, with a crash at every event: each item has one task."""

from pathlib import Path

import attrs
import pytest

from tests.batch.world import Forgetful, MakeStore, TracedStore, simulate_batch
from tests.proofs.world.machines import MachineLaws
from tests.proofs.world.report import Report

pytestmark = pytest.mark.long

FEW = MachineLaws(jobs=8)


def _worlds(
    folder: Path, laws: MachineLaws, seeds: range, store: MakeStore = TracedStore
) -> Report:
    return sum(
        (simulate_batch(seed, laws, folder / f"{seed}.db", store) for seed in seeds), Report()
    )


def test_every_item_has_one_task_whatever_breaks_or_dies(tmp_path):
    """Random faults, late work, late lists and crashes: none is doubled, none is lost."""
    report = _worlds(tmp_path, FEW, range(15))

    assert (report.twice, report.lost, report.forbidden) == (0, 0, 0)
    assert report.noted > 15 * FEW.jobs * 4
    assert report.crashes > 5
    assert len(report.faults) > 12
    assert report.found["by the SDK"]
    assert not report.unknown


@pytest.mark.parametrize(
    ("seed", "step"),
    [
        (1, 29),
        (4, 53),
        *(
            pytest.param(seed, 1, marks=[pytest.mark.nightly, pytest.mark.timeout(1800)])
            for seed in (1, 4)
        ),
    ],
)
def test_the_machine_may_die_at_any_event(tmp_path, seed, step):
    """A crash at the k-th commit or byte, for every k (in the quick run: some)."""
    laws = attrs.evolve(FEW, crash_at=1_000_000)
    events = simulate_batch(seed, laws, tmp_path / "whole.db").events

    report = sum(
        (
            simulate_batch(seed, attrs.evolve(laws, crash_at=at), tmp_path / f"{at}.db")
            for at in range(1, events, step)
        ),
        Report(),
    )

    assert (report.twice, report.lost, report.forbidden) == (0, 0, 0)
    assert report.crashes == report.worlds > 5


def test_without_the_intent_items_are_paid_twice(tmp_path):
    """The control: a ledger that does not record requests before they are sent pays twice."""
    report = _worlds(tmp_path, FEW, range(8), Forgetful)

    assert report.twice > 0
    assert report.forbidden > report.twice


@pytest.mark.parametrize("cause", ["late", "lag"])
def test_a_window_that_is_too_short_pays_twice(tmp_path, cause):
    """The control: the promise needs a window that is long enough."""
    hasty = attrs.evolve(FEW, window=5.0, late=0.0, lag=0.0)
    laws = attrs.evolve(hasty, late=60.0) if cause == "late" else attrs.evolve(hasty, lag=60.0)

    report = _worlds(tmp_path, laws, range(12))

    assert report.twice > 0
    assert report.forbidden >= report.twice

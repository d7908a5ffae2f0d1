"""Batches on a machine whose clock is wrong, and with services that send no time."""

from collections.abc import Callable
from datetime import datetime, timedelta

import pytest

from tests.batch.world import simulate_batch
from tests.proofs.world.machines import MachineLaws
from tests.proofs.world.report import Report
from tests.proofs.world.server import http_date_of

DAY = 86_400.0
CLOCKS = MachineLaws(jobs=8, skew=DAY, set_clock=4.0, untrue_dates=True)
HASTY = MachineLaws(jobs=8, window=5.0, late=60.0, lag=0.0, crashes=0)

DATES: dict[str, Callable[[datetime], str | None]] = {
    "true": http_date_of,
    "none": lambda _now: None,
    "a time zone away": lambda now: http_date_of(now + timedelta(hours=14)),
}


@pytest.mark.long
def test_no_clock_makes_an_item_paid_twice(tmp_path):
    """Random faults and crashes, a clock that is set repeatedly, and wrong dates."""
    report = sum(
        (simulate_batch(seed, CLOCKS, tmp_path / f"{seed}.db") for seed in range(15)), Report()
    )

    assert (report.twice, report.lost) == (0, 0)
    assert report.crashes > 5

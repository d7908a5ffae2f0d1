"""Batches on a machine whose clock is wrong, and with services that send no time."""

from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from tests.batch.world import BatchWorld, simulate_batch
from tests.simulator.server import http_date_of
from tests.simulator.world import Laws, Report
from tests.support import clock

DAY = 86_400.0
CLOCKS = Laws(jobs=8, skew=DAY, set_clock=4.0, untrue_dates=True)
HASTY = Laws(jobs=8, window=5.0, late=60.0, lag=0.0, crashes=0)

DATES: dict[str, Callable[[datetime], str | None]] = {
    "true": http_date_of,
    "none": lambda _now: None,
    "a time zone away": lambda now: http_date_of(now + timedelta(hours=14)),
}


@pytest.mark.long
def test_no_clock_makes_an_item_paid_twice(tmp_path: Path) -> None:
    """Random faults and crashes, a clock that is set repeatedly, and wrong dates."""
    report = sum(
        (simulate_batch(seed, CLOCKS, tmp_path / f"{seed}.db") for seed in range(15)), Report()
    )

    assert (report.doubled, report.lost) == (0, 0)
    assert report.crashes > 5


@pytest.mark.long
@pytest.mark.parametrize("date", DATES)
@pytest.mark.parametrize("skew", [-3 * DAY, 0.0, 3 * DAY])
def test_tasks_too_many_are_found_at_every_skew(tmp_path: Path, date: str, skew: float) -> None:
    """Duplicates that a short window has caused are reported, whatever the clocks show."""

    async def live(seed: int) -> tuple[int, int]:
        world = BatchWorld(seed, HASTY, tmp_path / f"{seed}.db")
        world.set_clock(timedelta(seconds=skew))
        world.server.date = DATES[date]
        report = await world.run()
        # Some of them appear after the batch has ended, so it is continued once more.
        world.orphans = 0
        await world.run_machine()
        return report.tasks - report.jobs, world.orphans

    lives = [clock.run(live(seed)) for seed in range(12)]

    too_many, found = map(sum, zip(*lives, strict=True))
    assert found == too_many > 0

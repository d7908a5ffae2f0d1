"""The time at the service, from the headers of its answers."""

import asyncio
from datetime import UTC, datetime

import pytest

from browser_use_async.transport.retry import ServerClock

DATE = "Wed, 01 Jan 2025 12:00:00 GMT"
AN_HOUR_LATER = "Wed, 01 Jan 2025 13:00:00 GMT"


def _from_dates(*dates: str) -> ServerClock:
    """A clock that got these dates of answers, all of them now."""
    clock = ServerClock()
    for date in dates:
        clock.record(date, asyncio.get_running_loop().time())
    return clock


async def test_it_goes_on_with_the_loop():
    """After two answers the time is that of their `Date`, and continues with the loop's time."""
    clock = _from_dates(DATE, DATE)

    first = clock.now()
    await asyncio.sleep(0.02)
    later = clock.now()

    assert first is not None
    assert later is not None
    assert first >= datetime(2025, 1, 1, 12, tzinfo=UTC)
    assert (later - first).total_seconds() >= 0.01


@pytest.mark.parametrize(
    "date",
    ["", "yesterday", "Thu, 01 Jan 1970 00:00:00 GMT", "Fri, 31 Dec 9999 23:59:59 GMT"],
)
async def test_an_invalid_date_is_ignored(date):
    """Answers without a readable `Date` of this age leave the time unknown."""
    assert _from_dates(date, date).now() is None


@pytest.mark.parametrize("dates", [(), (DATE,), (DATE, AN_HOUR_LATER), (AN_HOUR_LATER, DATE)])
async def test_a_single_answer_is_not_believed(dates):
    """A single `Date` may be a cache's."""
    assert _from_dates(*dates).now() is None


async def test_a_wrong_date_is_overcome():
    """Once two answers agree again the time is known again."""
    now = _from_dates(DATE, AN_HOUR_LATER, DATE, DATE).now()

    assert now is not None
    assert now.hour == 12

"""The time at the service, as its answers tell it."""

import asyncio
from datetime import UTC, datetime

import pytest

from browser_use_async.transport.service_clock import ServiceClock

DATE = "Wed, 01 Jan 2025 12:00:00 GMT"


async def test_it_goes_on_with_the_loop() -> None:
    """After an answer the time is that of its `Date`, and passes as the loop's does."""
    clock = ServiceClock()
    assert clock.now() is None

    clock.note(DATE, asyncio.get_running_loop().time())
    first = clock.now()
    await asyncio.sleep(0.02)
    later = clock.now()

    assert first is not None
    assert later is not None
    assert first >= datetime(2025, 1, 1, 12, tzinfo=UTC)
    assert (later - first).total_seconds() >= 0.01


@pytest.mark.parametrize("date", ["", "yesterday"])
async def test_what_is_no_date_tells_nothing(date: str) -> None:
    """Answers without a readable `Date` leave the time unknown."""
    clock = ServiceClock()

    clock.note(date, asyncio.get_running_loop().time())

    assert clock.now() is None

"""What time it is at the service, from the `Date` of its answers."""

import asyncio
from datetime import datetime, timedelta

from browser_use_async.transport.retry_after import http_date

__all__ = ["ServiceClock"]

TOLERANCE = 60.0  # seconds: an answer takes a while, and its `Date` has no fractions
YEARS = range(1971, 5000)  # in which a service may be, and which a token has room for


class ServiceClock:
    """Goes on with the event loop's clock, so that setting this machine's clock does no harm.

    The last two answers have to agree: a single `Date` may come from a cache or from a host whose
    clock is wrong, and the machine may have been asleep since the answer before.
    """

    __slots__ = ("_before", "_last")

    def __init__(self) -> None:
        # The loop time is anchored when an answer comes; its text is parsed when somebody asks.
        self._before: tuple[str, float] | None = None
        self._last: tuple[str, float] | None = None

    def note(self, date: str, moment: float) -> None:
        """Take note of an answer."""
        self._before, self._last = self._last, (date, moment)

    def now(self) -> datetime | None:
        """The time at the service, or None as long as no two answers agree on it."""
        now, before = _read(self._last), _read(self._before)
        if now is None or before is None:
            return None
        return now if abs((now - before).total_seconds()) <= TOLERANCE else None

    def unconfirmed(self) -> datetime | None:
        """The time by the last answer alone, for callers who have something to compare it with."""
        return _read(self._last)


def _read(noted: tuple[str, float] | None) -> datetime | None:
    """The time now, as one answer has told it."""
    date = None if noted is None else http_date(noted[0])
    if noted is None or date is None or date.year not in YEARS:
        return None
    return date + timedelta(seconds=asyncio.get_running_loop().time() - noted[1])

"""What time it is at the service, from the `Date` of its answers."""

import asyncio
from datetime import datetime, timedelta

from browser_use_async.transport.retry_after import http_date

__all__ = ["ServiceClock"]


class ServiceClock:
    """Goes on with the event loop's clock, so that setting this machine's clock does no harm."""

    __slots__ = ("_noted_at", "_text")

    def __init__(self) -> None:
        self._text: str | None = None
        self._noted_at = 0.0

    def note(self, date: str, moment: float) -> None:
        """Take note of an answer.

        Args:
            date: Its `Date` header. Read only when somebody asks for the time.
            moment: The loop time at which it came.
        """
        self._text, self._noted_at = date, moment

    def now(self) -> datetime | None:
        """The time at the service, or None if no answer has told it."""
        date = None if self._text is None else http_date(self._text)
        if date is None:
            return None
        return date + timedelta(seconds=asyncio.get_running_loop().time() - self._noted_at)

"""Quotas of calls: how many an owner's keys may make in a window."""

# A window begins with the first call after the end of the previous window. Each server of a fleet
# counts separately.

import asyncio
import math

import attrs
from aiohttp import hdrs

from browser_use_async.server.http.errors import HttpError


@attrs.define
class _Window:
    ends_at: float
    made: int = 0


class CallQuota:
    """The calls that each owner may make in a window."""

    def __init__(self, most: int, seconds: int) -> None:
        self._most = most
        self._seconds = seconds
        self._windows: dict[str, _Window] = {}  # by owner; there are as many as names of keys

    def spend(self, owner: str) -> None:
        """Count a call.

        Raises:
            HttpError: 429 if no call is left until the window ends.
        """
        now = asyncio.get_running_loop().time()
        window = self._windows.get(owner)
        if window is None or now >= window.ends_at:
            window = self._windows[owner] = _Window(now + self._seconds)
        if window.made >= self._most:
            message = f"Too many calls: {self._most} in {self._seconds} s are allowed"
            refusal = HttpError(429, message)
            # The difference of two times may be a bit above the window that was added to one.
            seconds = min(math.ceil(window.ends_at - now), self._seconds)
            refusal.headers = {hdrs.RETRY_AFTER: str(seconds)}
            raise refusal
        window.made += 1

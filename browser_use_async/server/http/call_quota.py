"""Quotas of calls: how many an owner's keys may make in a minute."""

# A window begins with the first call after the end of the previous window. Each server of a fleet
# counts separately.

import asyncio
import math

import attrs
from aiohttp import hdrs

from browser_use_async.server.http.errors import HttpError

WINDOW_SECONDS = 60


@attrs.define
class _Window:
    ends_at: float
    made: int = 0


class CallQuota:
    """The calls that each owner may make in a window."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._windows: dict[str, _Window] = {}  # by owner; there are as many as names of keys

    def spend(self, owner: str) -> None:
        """Count a call.

        Raises:
            HttpError: 429 if no call is left until the window ends.
        """
        now = asyncio.get_running_loop().time()
        window = self._windows.get(owner)
        if window is None or now >= window.ends_at:
            window = self._windows[owner] = _Window(now + WINDOW_SECONDS)
        if window.made >= self._most:
            message = f"Too many calls: {self._most} in {WINDOW_SECONDS} s are allowed"
            refusal = HttpError(429, message)
            # The difference of two times may be a bit above the window that was added to one.
            seconds = min(math.ceil(window.ends_at - now), WINDOW_SECONDS)
            refusal.headers = {hdrs.RETRY_AFTER: str(seconds)}
            raise refusal
        window.made += 1

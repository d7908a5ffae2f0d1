"""Quotas of calls: how many an owner's keys may make in a window, and the headers for them."""

# The headers are those of draft-ietf-httpapi-ratelimit-headers-10. A window begins with the first
# call after the end of the previous window. Each server of a fleet counts separately.

import asyncio
import math

import attrs
from aiohttp import hdrs, web

from browser_use_async.server.errors import StorageUnavailableError
from browser_use_async.server.http.authorization import Call, CallHandler
from browser_use_async.server.http.errors import QuotaSpentError, http_error


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

    def limit(self, handler: CallHandler) -> CallHandler:
        """A handler whose calls count, and whose answers have the remaining number."""

        async def handle(request: web.Request, call: Call) -> web.StreamResponse:
            headers = self.spend(call.key.name)
            try:
                response = await handler(request, call)
            except StorageUnavailableError:
                raise
            except Exception as error:
                refusal = http_error(error)
                if refusal is None:
                    raise
                refusal.headers.update(headers)
                raise refusal from None
            if not response.prepared:
                response.headers.update(headers)
            return response

        return handle

    def spend(self, owner: str) -> dict[str, str]:
        """Count a call; returns the headers of its answer.

        Raises:
            QuotaSpentError: No call is left until the window ends.
        """
        now = asyncio.get_running_loop().time()
        window = self._windows.get(owner)
        if window is None or now >= window.ends_at:
            window = self._windows[owner] = _Window(now + self._seconds)
        is_refused = window.made >= self._most
        window.made += not is_refused
        # The difference of two times may be a bit above the window that was added to one.
        seconds = min(math.ceil(window.ends_at - now), self._seconds)
        headers = {
            "RateLimit-Policy": f'"calls";q={self._most};w={self._seconds}',
            "RateLimit": f'"calls";r={self._most - window.made};t={seconds}',
        }
        if is_refused:
            message = f"Too many calls: {self._most} in {self._seconds} s are allowed"
            refusal = QuotaSpentError(429, message)
            refusal.headers = {**headers, hdrs.RETRY_AFTER: str(seconds)}
            raise refusal
        return headers

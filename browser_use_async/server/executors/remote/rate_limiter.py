"""The rate limit of one account on the hosted service, for all tasks of a server."""

import asyncio
from collections.abc import Mapping
from enum import StrEnum

FEWEST_PER_SECOND, MOST_PER_SECOND = 25.0, 100.0
_WINDOW_SECONDS = 5.0  # in which the service counts
_USUAL_PAUSE, _LONGEST_PAUSE = 5.0, 600.0
_FIRST_SLOT_PAUSE, _LONGEST_SLOT_PAUSE = 1.0, 30.0


class Bucket(StrEnum):
    """Kinds of requests with their own limits."""

    GENERAL = "general"
    STATUS = "status"


class RateLimiter:
    """Spaces requests out, and delays all of them when the service asks for a pause."""

    def __init__(self, concurrency: int) -> None:
        rate = min(max(FEWEST_PER_SECOND, 2.0 * concurrency), MOST_PER_SECOND)
        self._rates = dict.fromkeys(Bucket, rate)
        self._next_start = dict.fromkeys(Bucket, 0.0)
        self._paused_until = 0.0
        self._slots_paused_until = 0.0
        self._slot_refusals = 0

    async def admit(self, bucket: Bucket, *, takes_slot: bool = False) -> None:
        """Wait until a request may be sent, with `takes_slot` also for a free slot."""
        loop = asyncio.get_running_loop()
        while True:
            now = loop.time()
            until = max(self._paused_until, self._slots_paused_until if takes_slot else 0.0)
            if now < until:
                await asyncio.sleep(until - now)
                continue  # another answer may have asked for more meanwhile
            start = max(now, self._next_start[bucket])
            self._next_start[bucket] = start + 1 / self._rates[bucket]
            if start <= now:
                return
            await asyncio.sleep(start - now)
            if loop.time() >= self._paused_until:
                return

    def learn(self, bucket: Bucket, headers: Mapping[str, str]) -> None:
        """Take the limit of an answer, which is that of the service's whole window."""
        limit = headers.get("X-RateLimit-Limit", "")
        if limit.isdecimal() and 0 < len(limit) < 6 and int(limit) > 0:
            self._rates[bucket] = min(int(limit) / _WINDOW_SECONDS, MOST_PER_SECOND)

    def pause(self, headers: Mapping[str, str]) -> None:
        """Delay all requests for as long as an answer asks."""
        text = headers.get("Retry-After", "").strip()
        asked = float(text) if text.isdecimal() and len(text) < 8 else _USUAL_PAUSE
        until = asyncio.get_running_loop().time() + min(asked, _LONGEST_PAUSE)
        self._paused_until = max(self._paused_until, until)

    def pause_slots(self) -> None:
        """Delay requests for slots, because the account has its maximum of tasks."""
        now = asyncio.get_running_loop().time()
        if now < self._slots_paused_until:
            return  # the answer to a request of before that pause is no news
        pause = _FIRST_SLOT_PAUSE * 1.5 ** min(self._slot_refusals, 20)
        self._slot_refusals += 1
        self._slots_paused_until = now + min(pause, _LONGEST_SLOT_PAUSE)

    def free_slot(self) -> None:
        """A task has ended, so that another one may be tried at once."""
        self._slot_refusals = 0
        self._slots_paused_until = 0.0

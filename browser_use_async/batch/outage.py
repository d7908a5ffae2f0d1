"""How long a batch puts up with a service that takes nothing. No input or output."""

import random

__all__ = ["Outage"]

FIRST_PAUSE, LONGEST_PAUSE = 1.0, 60.0


class Outage:
    """One for all items, so that a hundred of them do not try a hundred times as often."""

    def __init__(self, tolerance: float, draw: random.Random) -> None:
        self._tolerance = tolerance
        self._draw = draw
        self._since: float | None = None
        self._paused_until = 0.0
        self._failures = 0

    def over(self) -> None:
        """Note that the service took something."""
        self._since, self._failures = None, 0

    def pause(self, now: float) -> float | None:
        """Note that it did not."""
        if self._since is None:
            self._since = now
        if now - self._since >= self._tolerance:
            return None
        if now >= self._paused_until:  # the failures of those who tried together count once
            longest = min(FIRST_PAUSE * 2.0 ** min(self._failures, 10), LONGEST_PAUSE)
            self._failures += 1
            self._paused_until = now + longest
        return (self._paused_until - now) * self._draw.uniform(0.5, 1.0)

"""How much repeating a session can afford. Pure."""

__all__ = ["RetryBudget"]

RETRY_COST = 14.0
"""What one repetition costs; paid back when it succeeds."""

SUCCESS_GAIN = 1.0
"""What a call that succeeds at once adds."""


class RetryBudget:
    """A bucket of tokens. While most calls succeed it is full, and nothing is held back.

    In an outage it runs dry, and then calls are made once each: a service that is down is not
    asked four times as often as one that is up.
    """

    __slots__ = ("_capacity", "_tokens")

    def __init__(self, capacity: float | None) -> None:
        self._capacity = capacity
        self._tokens = 0.0 if capacity is None else capacity

    def take(self) -> bool:
        """Pay for a repetition, or tell that there is not enough for one."""
        if self._capacity is None:
            return True
        if self._tokens < RETRY_COST:
            return False
        self._tokens -= RETRY_COST
        return True

    def succeeded(self, attempts: int) -> None:
        """Note a call that succeeded."""
        if self._capacity is not None and self._tokens < self._capacity:
            gain = SUCCESS_GAIN if attempts == 1 else RETRY_COST
            self._tokens = min(self._tokens + gain, self._capacity)

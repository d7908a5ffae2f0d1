"""How much a session asks of the service at once. Pure: values and their bounds."""

import math

import attrs

from browser_use_async.api.limits import is_count
from browser_use_async.errors import ConfigurationError
from browser_use_async.types.base import Value

__all__ = ["CallLimits"]


@attrs.frozen(eq=False, kw_only=True, repr=False)
class CallLimits(Value):
    """How many calls a session makes at once and how fast, and how long it waits for a slot.

    The pace is learned: when the service answers 429 fewer calls are made at once, and more again
    as it answers well. When it names a pause with `Retry-After`, all calls of the session sit it
    out, one of them tries, and the others follow spread out.

    Attributes:
        max_in_flight: The most calls under way at once.
        calls_per_second: The most calls begun in a second, evenly spaced; None for no such bound.
        slot_wait: Seconds for which `submit` and `run_and_wait` wait for a free agent slot when
            the service says that too many tasks run at once; 0 lets them fail at once. Only
            run-task is held back meanwhile.
    """

    max_in_flight: int = 100
    calls_per_second: float | None = None
    slot_wait: float = 3600.0

    def __attrs_post_init__(self) -> None:
        if not is_count(self.max_in_flight):
            raise ConfigurationError(
                f"max_in_flight must be a whole number from 1, not {self.max_in_flight!r}"
            )
        if self.calls_per_second is not None and not 0 < self.calls_per_second < math.inf:
            raise ConfigurationError(
                f"calls_per_second must be a number above 0, not {self.calls_per_second!r}"
            )
        if not 0 <= self.slot_wait < math.inf:
            raise ConfigurationError(
                f"slot_wait must be a number of seconds of 0 or more, not {self.slot_wait!r}"
            )

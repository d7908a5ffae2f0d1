"""How often a task is looked at. Pure: a value and its formula."""

import math
import random

import attrs

from browser_use_async.contract.limits import is_count
from browser_use_async.errors import ConfigurationError
from browser_use_async.models.record import Value

__all__ = ["PollPolicy"]


@attrs.frozen(eq=False, kw_only=True, repr=False)
class PollPolicy(Value):
    """How often waits and streams look at a task.

    The pause before look number n (n = 0 is at once) is

        min(interval * growth ** (n - 1), latency_target, or cap if latency_target is None)

    shortened by a random part of up to `jitter`, so that many waits spread out. Every task is
    looked at right away and, if the wait has a deadline, once more just before it.

    When waits share their looks, all of them are looked at in one sweep every `latency_target`
    seconds (without one, as often as the youngest of them would be looked at). A sweep reads a page
    of n rows of b bytes each if it shows `list_threshold` of the tasks or more and

        looks that it saves >= 1 + n * b / 65536

    and asks for the status of each other task by itself. Many requests are spread over the time
    until the next sweep; the pages of a tenth of a second leave together. A task that this session
    has created waits for the next sweep; any other is looked at right away.

    Once webhooks are seen to arrive (`session.attach`), the end of a task is told, and a wait looks
    at it no more often than it takes to find what no webhook tells: tasks that fail, and events
    that were lost. Each task is looked at once in every `safety_interval` then, and not before half
    of it is over; a page of the list serves all tasks on it. As soon as a look finds an end that no
    event has told, the pauses above hold again until the next event comes. Streams of statuses and
    steps are looked at as before, since webhooks do not tell all that they show.

    Attributes:
        interval: Seconds between the first two looks.
        growth: Factor by which the pause grows from look to look.
        cap: The longest pause in seconds when there is no latency target.
        latency_target: No watched task goes unlooked-at for longer than this, in seconds; None
            lets `growth` and `cap` decide.
        jitter: Which part of a pause is random, 0 to 1.
        max_wait: Seconds after which a wait without a timeout ends all the same.
        outage_tolerance: Seconds for which the API may stay unreachable before a wait gives up.
        shared: Whether two or more waits share their looks: a page of the task list tells where
            up to 100 tasks stand, in one request.
        list_threshold: The smallest number of waited-for tasks on a page for which the page is
            read instead of asking for each. A page with heavy rows has to tell more.
        safety_interval: Seconds within which each task is looked at while webhooks arrive. Never
            less than the pause without them.
    """

    interval: float = 1.0
    growth: float = 1.1
    cap: float = 10.0
    latency_target: float | None = 2.0
    jitter: float = 0.1
    max_wait: float = 4 * 3600.0
    outage_tolerance: float = 600.0
    shared: bool = True
    list_threshold: int = 2
    safety_interval: float = 60.0

    def __attrs_post_init__(self) -> None:
        for name in ("interval", "cap", "max_wait", "safety_interval"):
            self._require(name, above=0.0)
        if self.latency_target is not None:
            self._require("latency_target", above=0.0)
        if not 1 <= self.growth < math.inf:
            raise ConfigurationError(f"growth must be a factor of 1 or more, not {self.growth!r}")
        if not 0 <= self.jitter <= 1:
            raise ConfigurationError(f"jitter must lie between 0 and 1, not {self.jitter!r}")
        if not 0 <= self.outage_tolerance < math.inf:
            raise ConfigurationError("outage_tolerance must be a number of seconds of 0 or more")
        if not is_count(self.list_threshold):
            raise ConfigurationError(
                f"list_threshold must be a whole number from 1, not {self.list_threshold!r}"
            )

    def _require(self, name: str, *, above: float) -> None:
        value = getattr(self, name)
        if not above < value < math.inf:
            raise ConfigurationError(f"{name} must be a number of seconds above 0, not {value!r}")

    def pause(self, looks: int, draw: random.Random) -> float:
        """Seconds from one look to the next.

        Args:
            looks: How many looks there have been, 1 or more.
            draw: The source of chance.
        """
        try:
            # Beyond the ceiling growing has no effect.
            grown = self.interval * float(self.growth) ** min(looks - 1, 1000)
        except OverflowError:
            grown = math.inf
        return float(min(grown, self._ceiling) * (1 - self.jitter * draw.random()))

    def safety_pause(self, draw: random.Random) -> float:
        """Seconds from one look to the next while webhooks arrive.

        Args:
            draw: The source of chance.
        """
        return self.longest_rest * (1 - self.jitter * draw.random())

    @property
    def longest_rest(self) -> float:
        """Seconds for which a task of which webhooks tell is not looked at."""
        return float(max(self.safety_interval, self._ceiling))

    @property
    def _ceiling(self) -> float:
        return self.cap if self.latency_target is None else self.latency_target

"""How often tasks are polled, and breaks for lists and long polls that do not work."""

import logging
import math
import random

import attrs

from browser_use_async.api.limits import check_flags, check_seconds
from browser_use_async.logs import LOGGER

GROWTH = 1.1  # of each pause: most tasks end soon, and old tasks then cost fewer polls
MAX_PAUSE = 10.0  # seconds, without a latency target
JITTER = 0.1  # the random part of a pause, by which waits that begin together drift apart
# Seconds between polls of a task that webhooks or a long poll report on: no webhook says that a
# task failed, and any report can be lost.
SAFETY_PAUSE = 60.0
MAX_BACKOFF = 10.0
MAX_USELESS = 3.0  # useless answers in a row before a break
FIRST_BREAK, MAX_BREAK = 60.0, 960.0  # seconds; doubled each time


@attrs.frozen(kw_only=True)
class PollPolicy:
    """How often waits and streams poll a task.

    The pause before poll number n (n = 0 is at once) is

        min(interval * 1.1 ** (n - 1), latency_target, or 10 s if latency_target is None)

    shortened by a random part of up to a tenth. A wait with a deadline polls once more before it.

    Two or more waits share their polls: each task is polled every `latency_target` seconds (without
    one, as often as the youngest of them would be), through a page of the task list that shows its
    neighbours as well. A page of n rows of b bytes each is read if it shows two of the tasks or
    more and

        status calls that it saves >= 1 + n * b / 65536

    and a status call is made for each other task. A task that this session has just created is
    polled first after one interval, any other at once. A page that is not answered is requested
    again. If a reply takes too long, its tasks are polled once more meanwhile. From time to time a
    status call checks the list.

    While webhooks arrive (`session.attach`), a wait polls only for what they may miss, which are
    failed tasks and lost webhooks: once in 60 s, or in `latency_target` if that is longer. If a
    poll finds an end that no webhook has reported, the pauses above apply until the next webhook.
    Streams of statuses and steps are polled as without webhooks.

    Attributes:
        interval: Seconds between the first two polls.
        latency_target: Upper bound for the seconds between two polls of a task; None lets pauses
            grow to 10 s.
        timeout: Seconds that a wait may take if it has no `timeout` of its own.
        outage_timeout: Seconds for which the API may stay unreachable before a wait gives up.
            A wait for a task that was neither seen nor created by this session gives up after
            `RetryPolicy.max_attempts` failed requests.
        shared: Whether two or more waits share their polls.
        long_poll: Whether one long poll replaces polls if the service offers it, as the bundled
            server does; then each task is polled once in 60 s.
    """

    interval: float = 1.0
    latency_target: float | None = 2.0
    timeout: float = 4 * 3600.0
    outage_timeout: float = 600.0
    shared: bool = True
    long_poll: bool = True

    def __attrs_post_init__(self) -> None:
        check_seconds(is_positive=True, interval=self.interval, timeout=self.timeout)
        check_seconds(is_positive=True, is_optional=True, latency_target=self.latency_target)
        check_seconds(outage_timeout=self.outage_timeout)
        check_flags(shared=self.shared, long_poll=self.long_poll)

    def pause(self, polls: int, rng: random.Random | None) -> float:
        """Seconds to the next poll after `polls` of them; without jitter if `rng` is None."""
        # The exponent is limited, since floats overflow; the maximum is reached long before.
        grown = self.interval * GROWTH ** min(polls - 1, 1000)
        return min(grown, self._max_pause) * _random_part(rng)

    def safety_pause(self, rng: random.Random | None) -> float:
        """The pause of a task whose changes are reported; without jitter if `rng` is None."""
        return max(SAFETY_PAUSE, self._max_pause) * _random_part(rng)

    def backoff(self, failures: int, rng: random.Random) -> float:
        """Seconds before a failing service is polled again."""
        ceiling = min(MAX_BACKOFF, 0.5 * 2.0 ** min(failures - 1, 10))
        return rng.uniform(0.1, 1.0) * ceiling

    @property
    def _max_pause(self) -> float:
        return MAX_PAUSE if self.latency_target is None else float(self.latency_target)


def _random_part(rng: random.Random | None) -> float:
    return 1.0 if rng is None else 1 - JITTER * rng.random()


class Break:
    """A time without a way to save polls that does not work; longer if it fails again soon.

    Args:
        text: The log line, with places for the duration and the reason.
        level: The level of that line.
    """

    def __init__(self, text: str, level: int = logging.WARNING) -> None:
        self._text = text
        self._level = level
        self._seconds = FIRST_BREAK
        self._useless = 0.0
        self._useless_since = -math.inf
        self._is_cut = False  # whether the last break ended early
        self.back_at = -math.inf  # the loop time at which it is tried again

    def record_useful(self) -> None:
        """Record an answer that showed what it should."""
        self._useless = 0.0

    def record_useless(self, asked: float, now: float, why: str, weight: float = 1.0) -> None:
        """Record an answer that did not; those in flight together count as one."""
        if asked >= self._useless_since:
            self._useless_since = now
            self._useless += weight
            if self._useless >= MAX_USELESS:
                self.start(now, why)

    def end(self, now: float) -> None:
        """End a break early."""
        if now < self.back_at:
            self.back_at, self._is_cut = now, True

    def start(self, now: float, why: str, *, longest: bool = False) -> None:
        """Begin a break; it is longer if it follows another one soon."""
        if now < self.back_at:
            return
        was_long_ago = now - self.back_at > FIRST_BREAK
        self._seconds = FIRST_BREAK if was_long_ago else min(2 * self._seconds, MAX_BREAK)
        if longest:
            self._seconds = MAX_BREAK
        self.back_at = now + self._seconds
        self._useless = MAX_USELESS - 1  # after the break one more is enough
        # One line for breaks that end early and begin again, which may be every few seconds.
        is_repeated, self._is_cut = self._is_cut and not was_long_ago, False
        LOGGER.log(logging.DEBUG if is_repeated else self._level, self._text, self._seconds, why)

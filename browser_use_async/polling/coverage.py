"""What held calls tell about, and whether they are worth while. No I/O but a line in the log."""

import math

from browser_use_async.logs import LOGGER
from browser_use_async.polling.watched_task import Interest, WatchedTask

WAIT = 30  # seconds for which a call may be held
SHORTEST_WAIT = 3  # on a way that cuts calls sooner, polls are as good
CUTS = 2  # in a row, from which on the wait is shortened
USELESS = 3.0  # answers in a row that came at once, before no call is held for a while
OF_NEWS = 0.25  # what one of them counts that at least brought news
FIRST_BREAK, MAX_BREAK = 60.0, 960.0  # seconds; doubled each time


class Coverage:
    """Which tasks held calls tell about, so that polls are only a safety.

    Attributes:
        since: The loop time from which on a stream tells every change; infinite without one.
        held: The task for whose next status a call is held.
    """

    def __init__(self) -> None:
        self.since = math.inf
        self.held: WatchedTask | None = None

    @property
    def is_any(self) -> bool:
        """Whether any held call is relied on."""
        return self.held is not None or self.since < math.inf

    @staticmethod
    def suits(watched: WatchedTask) -> bool:
        """Whether held calls could tell all that the subscribers of a task want to know."""
        failed = watched.failed
        # An end that is said and not confirmed, failures and 404s are settled by polls, which count
        # them.
        is_doubtful = watched.change_confirmed or watched.webhook_said_ended
        is_failing = failed is not None and (failed.failures or failed.missing or failed.broken)
        return not (is_doubtful or is_failing) and watched.interest is not Interest.STEPS

    def includes(self, watched: WatchedTask) -> bool:
        """Whether a task is told about, and nothing can have happened to it before."""
        if watched is not self.held and watched.answered_at < self.since:
            return False
        return self.suits(watched)


class Break:
    """A time without something that does not work; longer if it fails again soon after."""

    def __init__(self) -> None:
        self.back_at = -math.inf  # the loop time at which it is tried again
        self.seconds = FIRST_BREAK

    def _extend(self, now: float) -> float:
        was_long_ago = now - self.back_at > FIRST_BREAK
        self.seconds = FIRST_BREAK if was_long_ago else min(2 * self.seconds, MAX_BREAK)
        self.back_at = now + self.seconds
        return self.seconds


class HeldCallHealth(Break):
    """Whether held calls tell what they should, for as long as they should.

    Attributes:
        wait: Seconds for which the next call may be held.
    """

    def __init__(self) -> None:
        super().__init__()
        self.wait = WAIT
        self._cuts = 0
        self._useless = 0.0

    def record_answer(self, seconds: float, now: float, *, is_news: bool) -> None:
        """Record a call that was answered after so many seconds."""
        self._cuts = 0
        # What is answered sooner than that takes more requests than polls would.
        if seconds >= min(0.5 * self.wait, 1.0 if is_news else math.inf):
            self._useless = 0.0
            return
        self._useless += OF_NEWS if is_news else 1.0
        if self._useless >= USELESS:
            self.start_break(now, "they are answered at once")

    def record_cut(self, seconds: float, now: float, why: str) -> None:
        """Record a call that broke off after so many seconds."""
        self._cuts += 1
        if self._cuts < CUTS:
            return
        # A proxy on the way may allow less; a shorter wait is over before.
        shorter = int(0.8 * min(seconds, self.wait))
        if shorter >= SHORTEST_WAIT:
            self.wait = shorter
        else:
            self.start_break(now, why)

    def give_up(self, now: float, why: str) -> None:
        """Hold no calls for long: what they told was wrong, and cost more than requests."""
        # As if the longest break had only just ended, so that this one is as long.
        self.back_at, self.seconds = now, MAX_BREAK
        self.start_break(now, why)

    def start_break(self, now: float, why: str) -> None:
        """Hold no calls for a while, longer if that happens again soon."""
        seconds = self._extend(now)
        self._cuts, self._useless = CUTS - 1, USELESS - 1  # one more is enough then
        text = "no status calls are held for %.0f s, and tasks are polled instead: %s"
        LOGGER.info(text, seconds, why)

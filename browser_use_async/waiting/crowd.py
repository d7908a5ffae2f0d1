"""Who is looked at together, and when."""

import asyncio
import math
import random
from collections.abc import Callable, Iterable

from browser_use_async.waiting.hearing import Hearing
from browser_use_async.waiting.learning import Learner
from browser_use_async.waiting.policy import PollPolicy
from browser_use_async.waiting.sweeping import LENIENCE, TICK, Sweeper
from browser_use_async.waiting.watch import Watch

__all__ = ["Crowd"]

NEWBORN = 2.0  # seconds after its creation in which a task is at the top of the list


class Crowd:
    """The watches for whom a status is enough. Two or more of them share their looks.

    Args:
        policy: How often to look.
        learner: What is known of the service.
        sweeper: Looks at many.
        hearing: Tells whom events let rest.
        draw: The source of chance.
        ring: Called when a sweep has ended.
    """

    def __init__(
        self,
        policy: PollPolicy,
        learner: Learner,
        sweeper: Sweeper,
        hearing: Hearing,
        draw: random.Random,
        ring: Callable[[], None],
    ) -> None:
        self._policy = policy
        self._learner = learner
        self._sweeper = sweeper
        self._hearing = hearing
        self._draw = draw
        self._ring = ring
        self._watches: dict[Watch, None] = {}
        self._sweep: asyncio.Task[bool] | None = None
        self._extra_sweep: asyncio.Task[bool] | None = None
        self._due = math.inf
        self._patience = 0.0  # seconds from the last sweep to the one that is due
        self._respreads = False  # whether the sweep that is due comes early, after a hurried one
        self._has_fresh = False

    @property
    def _is_sharing(self) -> bool:
        policy = self._policy
        return policy.shared and len(self._watches) >= max(2, policy.list_threshold)

    @property
    def sweeps(self) -> "list[asyncio.Task[bool]]":
        """The sweeps under way."""
        return [sweep for sweep in (self._sweep, self._extra_sweep) if sweep is not None]

    def looks_for(self, watch: Watch) -> bool:
        """Whether a watch need not be looked at by itself.

        Args:
            watch: Which one.
        """
        return watch in self._watches and not watch.is_doubted and self._is_sharing

    def join(self, watch: Watch) -> None:
        """Let a watch take part.

        Args:
            watch: One whose followers need no more than a status.
        """
        now = asyncio.get_running_loop().time()
        born = watch.submitted_at
        if born is not None and now - born < NEWBORN and watch.rank is None:
            self._sweeper.map.advance(now)
            watch.rank = self._sweeper.map.note_created()
        was_sharing = self._is_sharing
        self._watches[watch] = None
        if not self._is_sharing:
            return
        self._has_fresh = self._has_fresh or watch.is_fresh
        if not was_sharing:
            # Those who were looked at one by one wait no longer for it than they would have.
            dues = [each.due for each in self._watches if each.looks]
            self._patience = self._interval()
            self._due = min([now + self._patience, *dues])

    def leave(self, watch: Watch) -> list[Watch]:
        """Let a watch take no part any more.

        Args:
            watch: Which one.

        Returns:
            Those that are too few to share, and have to be looked at by themselves from now on.
        """
        if watch not in self._watches:
            return []
        was_sharing = self._is_sharing
        del self._watches[watch]
        if not was_sharing or self._is_sharing:
            return []
        for sweep in self.sweeps:
            sweep.cancel()
        for each in self._watches:
            each.due = min(self._due, each.last_seen + self._patience)
        return list(self._watches)

    def settled(self) -> list[Watch]:
        """Those of whom there is nothing more to find out."""
        # Not asked for `settled`: of ten thousand, after each sweep.
        return [watch for watch in self._watches if watch.ended or watch.error is not None]

    def start_due(self, now: float) -> float:
        """Start the sweep that is due, or an extra one for new watches.

        Args:
            now: The loop time.

        Returns:
            When the next one is due; infinite if somebody will ring before.
        """
        if not self._is_sharing:
            return math.inf
        if self._has_fresh and self._extra_sweep is None:
            self._has_fresh = False
            fresh = [watch for watch in self._watches if watch.is_fresh and watch.look is None]
            if fresh:
                self._extra_sweep = self._start(fresh, 0.0, 0.0)
        if self._sweep is not None:
            return math.inf  # its end rings
        if now + TICK < self._due:
            return self._due
        patience, self._patience = self._patience, self._interval()
        self._due = now + self._patience
        watches = self._in_turn(now, self._patience)
        if not watches:
            return self._due
        self._sweep = self._start(watches, self._patience, patience)
        return math.inf

    def _in_turn(self, now: float, interval: float) -> list[Watch]:
        """Those whose turn it is: all, but for those whom events let rest."""
        if not self._hearing.arrives:
            return list(self._watches)
        longest = self._policy.longest_rest
        # Looked at before the time is up: the next sweep begins, and this one ends, an interval on.
        late = now - (longest - 2 * interval)
        if all(watch.may_rest and watch.last_seen > late for watch in self._watches):
            return []
        # Along with those whose turn it is, the others share their pages.
        early = now - longest / 2
        return [watch for watch in self._watches if not watch.may_rest or watch.last_seen <= early]

    def _interval(self) -> float:
        """Seconds from one sweep to the next."""
        target = self._policy.latency_target
        if target is None:
            youngest = min((watch.looks for watch in self._watches), default=0)
            return self._policy.pause(max(youngest, 1), self._draw)
        # The answer to a sweep, and the task itself, take their time as well.
        shortened = max(target - 2 * self._learner.reply_time, 0.5 * target) / LENIENCE
        # One sweep serves all, so there is little to spread out: only sessions among each other.
        return shortened * (1 - 0.2 * self._policy.jitter * self._draw.random())

    def _start(
        self, watches: Iterable[Watch], interval: float, patience: float
    ) -> "asyncio.Task[bool]":
        sweep = asyncio.get_running_loop().create_task(
            self._sweeper.sweep(watches, interval, patience)
        )
        sweep.add_done_callback(self._ended)
        return sweep

    def _ended(self, sweep: "asyncio.Task[bool]") -> None:
        error = None if sweep.cancelled() else sweep.exception()
        if sweep is self._extra_sweep:
            self._extra_sweep = None
        if sweep is self._sweep:
            self._sweep = None
            now = sweep.get_loop().time()
            was_hurried = not sweep.cancelled() and error is None and sweep.result()
            # The next one spreads its requests again. If it cannot, it is not for want of sweeps.
            self._respreads = was_hurried and not self._respreads
            if self._respreads:
                self._due = now
            self._put_off(now)
        if isinstance(error, Exception):
            for watch in tuple(self._watches):
                watch.error = watch.error or error  # raised by a user's middleware: theirs to see
                watch.tell()
        self._ring()

    def _put_off(self, now: float) -> None:
        """Not earlier than now: after the loop was blocked there is nothing to catch up with."""
        self._due = max(self._due, now)
        if self._watches and all(watch.failures for watch in self._watches):  # it is down
            failures = min(watch.failures for watch in self._watches)
            self._due = max(self._due, now + self._learner.back_off(failures))

"""What is known about one watched task, and who wants to know."""

import asyncio
import copy
import math
from abc import ABC, abstractmethod
from collections.abc import Callable

from browser_use_async.errors import BrowserUseError
from browser_use_async.models import Task, TaskStatus
from browser_use_async.waiting.places import ListPlace

__all__ = ["Bell", "ChangeFollower", "EndFollower", "Follower", "Watch"]


class Follower(ABC):
    """One wait or stream that follows a task.

    Args:
        deadline: The loop time at which it stops following, or None.
        wants_steps: Whether it needs the whole task at each look.
        wants_status: Whether it shows each status to somebody, the first one included.

    Attributes:
        had_last_look: Whether the look just before its deadline has begun.
        is_over: Whether its deadline is past.
    """

    __slots__ = ("deadline", "had_last_look", "is_over", "wants_status", "wants_steps")

    def __init__(
        self, deadline: float | None, *, wants_steps: bool = False, wants_status: bool = False
    ) -> None:
        self.deadline = deadline
        self.wants_steps = wants_steps
        self.wants_status = wants_status
        self.had_last_look = False
        self.is_over = False

    @abstractmethod
    def tell(self, *, settled: bool) -> None:
        """Bring the news that something has changed.

        Args:
            settled: Whether nothing more will.
        """

    def expire(self) -> None:
        """Bring the news that the deadline is past."""
        self.is_over = True
        self.tell(settled=True)

    def last_chance(self, reply_time: float) -> float:
        """The loop time of the last look that can be answered before the deadline.

        Args:
            reply_time: Seconds that recent answers took.
        """
        return math.inf if self.deadline is None else self.deadline - 2 * reply_time - 0.02


class ChangeFollower(Follower):
    """Follows every change.

    Args:
        wake: Called at each change; must not block.
        deadline: As of every follower, and so are the others.
        wants_steps: Whether it needs the whole task at each look.
        wants_status: Whether it shows each status to somebody.
    """

    __slots__ = ("_wake",)

    def __init__(
        self,
        wake: Callable[[], None],
        deadline: float | None,
        *,
        wants_steps: bool = False,
        wants_status: bool = False,
    ) -> None:
        super().__init__(deadline, wants_steps=wants_steps, wants_status=wants_status)
        self._wake = wake

    def tell(self, *, settled: bool) -> None:
        """Bring the news."""
        self._wake()


class EndFollower(Follower):
    """Follows nothing but the end, be it that of its own time.

    Args:
        ended: Gets its result then.
        deadline: As of every follower.
    """

    __slots__ = ("_ended",)

    def __init__(self, ended: "asyncio.Future[None]", deadline: float | None) -> None:
        super().__init__(deadline)
        self._ended = ended

    def tell(self, *, settled: bool) -> None:
        """Bring the news of the end."""
        if settled and not self._ended.done():
            self._ended.set_result(None)


class Watch(ListPlace):
    """One watched task.

    Args:
        task_id: The task.

    Attributes:
        submitted_at: The loop time at which this session created it, or None.
        followers: Who wants to know.
        status: The last status seen.
        changed_at: The loop time at which that status was seen first.
        task: The last whole task seen.
        ended: Whether `task` is terminal and confirmed.
        error: Why watching had to end.
        looks: How many looks there have been.
        due: The loop time of the next regular look.
        queued: The loop time of its entry in the watcher's queue, or None.
        look: The look that is under way, or None.
        looked_at: The loop time at which the last look began, give or take a tick.
        failing_since: The loop time of the first of an unbroken row of failures.
        failures: How many failures are in that row.
        failure: The last of them.
        missing: How many looks in a row did not find the task.
        missing_since: The loop time of the first of them.
        reported: The unknown status that was reported last.
        is_doubted: Whether the list calls it ended, which only the task itself can confirm.
        told_end: Whether an event has said that it has ended.
        is_late: Whether it may have ended unseen: nobody waited for it when it was created.
    """

    __slots__ = (
        "changed_at",
        "due",
        "ended",
        "error",
        "failing_since",
        "failure",
        "failures",
        "followers",
        "is_doubted",
        "is_late",
        "look",
        "looked_at",
        "looks",
        "missing",
        "missing_since",
        "queued",
        "reported",
        "status",
        "submitted_at",
        "task",
        "task_id",
        "told_end",
    )

    def __init__(self, task_id: str) -> None:
        super().__init__()
        self.task_id = task_id
        self.submitted_at: float | None = None
        self.followers: list[Follower] = []
        self.status: TaskStatus | None = None
        self.changed_at = 0.0
        self.task: Task | None = None
        self.ended = False
        self.error: Exception | None = None
        self.looks = 0
        self.due = 0.0
        self.queued: float | None = None
        self.look: asyncio.Task[None] | None = None
        self.looked_at = -1.0
        self.failing_since: float | None = None
        self.failures = 0
        self.failure: BrowserUseError | None = None
        self.missing = 0
        self.missing_since = 0.0
        self.reported: TaskStatus | None = None
        self.is_doubted = False
        self.told_end = False
        self.is_late = False

    @property
    def settled(self) -> bool:
        """Whether there is nothing more to find out."""
        return self.ended or self.error is not None

    @property
    def last_seen(self) -> float:
        """The loop time at which it was looked at, or created by this session."""
        born = self.submitted_at
        return self.looked_at if born is None or born < self.looked_at else born

    @property
    def wants_steps(self) -> bool:
        """Whether some follower needs the whole task."""
        return any(follower.wants_steps for follower in self.followers)

    @property
    def wants_only_the_end(self) -> bool:
        """Whether no follower shows anything of what comes before."""
        for each in self.followers:  # noqa: SIM110 - a third of the time of all(), for thousands
            if each.wants_steps or each.wants_status:
                return False
        return True

    @property
    def may_rest(self) -> bool:
        """Whether it need not be looked at for a while if events arrive.

        After an event that told of an end too soon, or a look that failed, it is looked at again.
        """
        uneasy = self.told_end or self.failures or self.missing
        return not uneasy and self.wants_only_the_end

    def answered(self) -> None:
        """Count a look, and forget what went wrong before it."""
        self.looks += 1
        if self.failures or self.missing:
            self.failures, self.failure, self.failing_since, self.missing = 0, None, None, 0

    def raise_error(self) -> None:
        """Raise why watching had to end, if it had to: a copy for each follower."""
        if isinstance(self.error, BrowserUseError):
            raise copy.copy(self.error)
        if self.error is not None:
            raise self.error  # of a user's own class, which need not survive copying

    def tell(self) -> None:
        """Wake every follower."""
        settled = self.settled
        for follower in tuple(self.followers):
            follower.tell(settled=settled)

    @property
    def is_fresh(self) -> bool:
        """Whether nobody has looked yet, and nothing is known from having created it."""
        if self.looks or self.failures:
            return False
        is_known = self.submitted_at is not None and not self.is_late
        return not is_known or any(each.wants_status for each in self.followers)

    def next_look(self, reply_time: float) -> float:
        """The loop time of the next look: when it is due, or just before a deadline.

        Args:
            reply_time: Seconds that recent answers took.
        """
        return min(self.due, self.last_chance(reply_time))

    def last_chance(self, reply_time: float) -> float:
        """The loop time of the next look that a deadline asks for; infinite if none does.

        Args:
            reply_time: Seconds that recent answers took.
        """
        return min(
            (
                follower.last_chance(reply_time)
                for follower in self.followers
                if not follower.had_last_look
            ),
            default=math.inf,
        )

    def begin_look(self, now: float, reply_time: float) -> None:
        """Note that a look begins.

        Args:
            now: The loop time.
            reply_time: Seconds that recent answers took.
        """
        self.looked_at = now
        for follower in self.followers:
            # Noted, not computed again later: each answer shifts the last chance a little.
            if now >= follower.last_chance(reply_time):
                follower.had_last_look = True


class Bell:
    """Wakes one coroutine; ringing it while nobody listens is remembered."""

    __slots__ = ("_future", "_rung")

    def __init__(self) -> None:
        self._future: asyncio.Future[None] | None = None
        self._rung = False

    def ring(self) -> None:
        """Wake whoever listens, or the next one who does."""
        self._rung = True
        if self._future is not None and not self._future.done():
            self._future.set_result(None)

    async def wait(self) -> None:
        """Return at the next ring, or at once if it rang since the last time."""
        if not self._rung:
            self._future = asyncio.get_running_loop().create_future()
            try:
                await self._future
            finally:
                self._future = None
        self._rung = False

"""The polled state of one task, and the waits and streams that subscribe to it. No I/O."""

import asyncio
import copy
import math
from collections.abc import Callable
from enum import IntEnum
from zlib import crc32

from browser_use_async.errors import BrowserUseError
from browser_use_async.models import Task, TaskStatus

__all__ = ["Interest", "Subscriber", "WatchedTask"]

MAX_LIST_MISSES = 3  # list pages that do not show a task, before only status calls are trusted
FIRST_AUDIT = 300.0  # seconds of polling by list after which one status call checks the list


class Interest(IntEnum):
    """How much of a task a subscriber needs."""

    END = 0  # only the terminal task
    STATUS = 1  # every status change, the current status included
    STEPS = 2  # the whole task at every poll


class Subscriber:
    """One wait or stream.

    Args:
        wake: Called on news; must not block.
        deadline: Loop time at which the subscription expires.
        interest: How much of the task it needs.

    Attributes:
        final_poll_started: Whether the poll just before the deadline has begun.
        expired: Whether the deadline has passed.
    """

    __slots__ = ("deadline", "expired", "final_poll_started", "interest", "wake")

    def __init__(
        self, wake: Callable[[], None], deadline: float, interest: Interest = Interest.END
    ) -> None:
        self.wake = wake
        self.deadline = deadline
        self.interest = interest
        self.final_poll_started = False
        self.expired = False

    def final_poll_at(self, reply_time: float) -> float:
        """The latest moment for a poll whose two calls can still be answered in time."""
        return self.deadline - 2 * reply_time - 0.02


class WatchedTask:
    """What polling has found out about one task. All times are loop times.

    Attributes:
        submitted_at: When this session created it, or None.
        subscribers: The waits and streams to notify.
        status: The last status seen.
        status_since: When that status was first seen.
        task: The last whole task seen.
        ended: Whether `task` is terminal, confirmed by get-task.
        error: Why polling ended without a terminal task.
        polls: How many polls were answered.
        asked_at: When the newest request that covers it began.
        answered_at: When the newest request that has been answered began.
        requests: Its own calls in flight, at most two.
        pages: How many list pages in flight should show it.
        rotated_at: When it last had its turn in the rotation.
        next_poll_at: When it is polled by itself, unless the rotation does that.
        audit_at: When a status call checks what the list keeps saying.
        timer_at: The moment of its entry in the timer heap, or None.
        is_queued: Whether it is queued for a free request slot.
        needs_get: Whether something reported its end, which only get-task can confirm.
        status_only: Whether the next poll must not use the list.
        webhook_said_ended: Whether a webhook reported the end.
        failures: Consecutive failed polls.
        failing_since: When the first of them failed.
        last_failure: The last of them.
        broken: Consecutive polls that raised what no call should raise.
        missing: Consecutive polls that answered 404.
        missing_since: When the first of them was answered.
        rank: Its number in order of creation, once a page has shown it; see `TaskList`.
        list_misses: Consecutive list pages that should have shown it and did not.
        unknown_statuses: Statuses unknown to this version that were reported already.
    """

    __slots__ = (
        "answered_at", "asked_at", "audit_at", "broken", "ended", "error", "failing_since",
        "failures", "is_queued", "last_failure", "list_misses", "missing", "missing_since",
        "needs_get", "next_poll_at", "pages", "polls", "rank", "requests", "rotated_at", "status",
        "status_only", "status_since", "submitted_at", "subscribers", "task", "task_id",
        "timer_at", "unknown_statuses", "webhook_said_ended",
    )  # fmt: skip

    def __init__(self, task_id: str) -> None:
        self.task_id = task_id
        self.submitted_at: float | None = None
        self.subscribers: list[Subscriber] = []
        self.status: TaskStatus | None = None
        self.status_since = 0.0
        self.task: Task | None = None
        self.ended = False
        self.error: Exception | None = None
        self.polls = 0
        self.asked_at = self.answered_at = self.rotated_at = self.next_poll_at = -math.inf
        self.requests: tuple[asyncio.Task[None], ...] = ()
        self.pages = 0
        self.audit_at = math.inf
        self.timer_at: float | None = None
        self.is_queued = self.needs_get = self.status_only = self.webhook_said_ended = False
        self.failures = self.broken = self.missing = self.list_misses = 0
        self.failing_since = math.inf
        self.last_failure: BrowserUseError | None = None
        self.missing_since = 0.0
        self.rank: int | None = None
        self.unknown_statuses: tuple[TaskStatus, ...] = ()

    @property
    def settled(self) -> bool:
        """Whether there is nothing more to find out."""
        return self.ended or self.error is not None

    @property
    def interest(self) -> Interest:
        """The greatest interest of its subscribers."""
        greatest = Interest.END
        for each in self.subscribers:  # max() of a generator takes thrice as long, for thousands
            greatest = max(greatest, each.interest)
        return greatest

    @property
    def is_lost(self) -> bool:
        """Whether list pages do not show it, so that only a status call tells."""
        return self.list_misses >= MAX_LIST_MISSES

    @property
    def webhooks_suffice(self) -> bool:
        """Whether a webhook will tell all that its subscribers want to know."""
        uneasy = self.webhook_said_ended or self.failures or self.missing
        return not uneasy and self.interest is Interest.END

    def may_be_polled(self, now: float, overdue: float) -> bool:
        """Whether a poll may start: none is in flight, or a single one that takes too long.

        A second request is the answer to one slow reply. A third would be a burden on a service
        that answers nobody.
        """
        if self.is_queued or self.settled or not self.subscribers:
            return False
        in_flight = len(self.requests) + self.pages
        return in_flight == 0 or (in_flight == 1 and now - self.asked_at >= overdue)

    def notify(self) -> None:
        """Wake the subscribers that this news concerns."""
        settled = self.settled
        for each in tuple(self.subscribers):
            if settled or each.interest is not Interest.END:
                each.wake()

    def record_answer(self, asked: float) -> None:
        """Record an answered poll, and forget what failed before it."""
        self.polls += 1
        self.answered_at = asked
        if self.failures or self.missing or self.broken:
            self.failures = self.missing = self.broken = 0
            self.failing_since, self.last_failure = math.inf, None

    def begin_poll(self, now: float, reply_time: float) -> None:
        """Record that a poll of its own starts; remember for whom it is the final one."""
        self.asked_at = now
        self.status_only = False
        if now >= self.audit_at:
            # The longer the list has been right, the more it is trusted.
            self.audit_at = now + 2 * max(FIRST_AUDIT, now - self.status_since)
        for each in self.subscribers:
            if now >= each.final_poll_at(reply_time):
                each.final_poll_started = True

    def trust_list(self, now: float) -> None:
        """From now on the list tells about it, and a status call checks that from time to time."""
        if self.audit_at == math.inf:
            # Spread, since thousands of tasks may have been found on the list together.
            self.audit_at = now + FIRST_AUDIT * (1 + crc32(self.task_id.encode()) % 1000 / 1000)

    def expire_subscribers(self, now: float) -> None:
        """Wake the subscribers whose time is up."""
        for each in tuple(self.subscribers):
            if not each.expired and each.deadline <= now:
                each.expired = True
                each.wake()

    def raise_error(self) -> None:
        """Raise why polling ended, if it did: a copy for each subscriber."""
        if isinstance(self.error, BrowserUseError):
            error = copy.copy(self.error)
            raise error from self.error.__cause__
        if self.error is not None:
            raise self.error

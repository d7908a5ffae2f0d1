"""What polling knows of one task, and the waits and streams that subscribe to it. No I/O."""

import asyncio
import copy
import math
import random
from collections.abc import Callable
from enum import IntEnum
from typing import Any
from zlib import crc32

import attrs

from browser_use_async import errors
from browser_use_async.models import Task, TaskStatus
from browser_use_async.polling.policy import PollPolicy
from browser_use_async.transport.response import is_transient

__all__ = ["Interest", "Subscriber", "WatchedTask"]

MAX_LIST_MISSES = 3  # list pages that do not show a task, before only status calls are trusted
FIRST_AUDIT = 300.0  # seconds of polling by list after which one status call checks the list
NEW_TASK_GRACE = 30.0  # seconds in which a task of our own may answer 404
MISSING_POLLS, MISSING_SECONDS = 3, 10.0  # a task that was seen is gone after both
MAX_BROKEN = 5  # polls in a row that raise what no call should raise

_NOT_FOUND = (errors.NotFoundError, errors.APINotServedError)  # the second from a bad gateway


def _final_poll_seconds(reply_time: float) -> float:
    """How long before a deadline its two calls can still be answered in time."""
    return 2 * reply_time + 0.02


class Interest(IntEnum):
    """How much of a task a subscriber needs."""

    END = 0  # only the terminal task
    STATUS = 1  # every status change, the current status included
    STEPS = 2  # the whole task at every poll


@attrs.define(eq=False, weakref_slot=False)
class Subscriber:
    """One wait or stream: what wakes it (must not block), and the loop time of its deadline."""

    wake: Callable[[], None]
    deadline: float
    interest: Interest = Interest.END
    final_poll_started: bool = False  # the poll just before the deadline
    expired: bool = False


@attrs.define(eq=False, repr=False, weakref_slot=False)
class WatchedTask:
    """The polled state of one task. All times are loop times."""

    task_id: str
    submitted_at: float | None = None  # when this session created it
    subscribers: list[Subscriber] = attrs.field(factory=list)

    # What is known.
    status: TaskStatus | None = None
    status_since: float = 0.0  # when this status was first seen
    task: Task | None = None  # the last whole one seen
    task_asked_at: float = -math.inf  # when the request for it began
    ended: bool = False  # `task` is terminal, as get-task says
    error: errors.BrowserUseError | None = None  # why polling ended without a terminal task
    webhook_said_ended: bool = False
    unknown_statuses: tuple[TaskStatus, ...] = ()  # those seen that this version does not know

    # Polls.
    polls: int = 0  # answered ones
    asked_at: float = -math.inf  # when the newest request that covers it began
    answered_at: float = -math.inf  # when the newest request that has been answered began
    in_flight: int = 0  # requests that should tell about it, list pages and its own calls
    calls: tuple[asyncio.Task[Any], ...] = ()  # its own among them, at most two
    needs_get: bool = False  # something reported its end, which only get-task can confirm
    status_only: bool = False  # the next poll must not use the list

    # When it is polled next.
    rotated_at: float = -math.inf  # when it last had its turn in the rotation
    next_poll_at: float = -math.inf  # by itself, unless the rotation polls it
    audit_at: float = math.inf  # when a status call checks what the list keeps saying
    timer_at: float | None = None  # the moment of its entry in the timer heap
    is_queued: bool = False  # for a free request slot

    # Polls in a row that failed.
    failures: int = 0
    failing_since: float = math.inf
    broken: int = 0  # raised what no call should raise
    missing: int = 0  # answered 404
    missing_since: float = 0.0

    # The task list; see `TaskList`.
    rank: int | None = None
    list_misses: int = 0  # pages in a row that should have shown it and did not
    page_failures: int = 0  # pages in a row about it that were not answered

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
        """Whether a poll may start: none is in flight, or a single one that takes too long."""
        # A second request is the answer to one slow reply; a third would only be a burden.
        if self.in_flight and (self.in_flight > 1 or now - self.asked_at < overdue):
            return False
        # No `settled`: thousands are asked for in a second.
        return not (self.is_queued or self.ended or self.error) and bool(self.subscribers)

    def raise_error(self) -> None:
        """Raise why polling ended, if it did: a copy for each subscriber."""
        if self.error is not None:
            raise copy.copy(self.error) from self.error.__cause__

    def notify(self) -> None:
        """Wake the subscribers that this news concerns."""
        settled = self.settled
        for each in tuple(self.subscribers):
            if settled or each.interest is not Interest.END:
                each.wake()

    def expire_subscribers(self, now: float) -> None:
        """Wake the subscribers whose time is up."""
        for each in tuple(self.subscribers):
            if not each.expired and each.deadline <= now:
                each.expired = True
                each.wake()

    def begin_poll(self, now: float, reply_time: float) -> None:
        """Record that a poll of its own starts; remember for whom it is the final one."""
        self.asked_at = now
        self.status_only = False
        if now >= self.audit_at:
            # The longer the list has been right, the more it is trusted.
            self.audit_at = now + 2 * max(FIRST_AUDIT, now - self.status_since)
        for each in self.subscribers:
            if now >= each.deadline - _final_poll_seconds(reply_time):
                each.final_poll_started = True

    def final_poll_at(self, reply_time: float) -> float:
        """When the next poll just before a deadline is due."""
        waiting = [each for each in self.subscribers if not each.final_poll_started]
        deadlines = (each.deadline for each in waiting if not each.expired)
        return min(deadlines, default=math.inf) - _final_poll_seconds(reply_time)

    def trust_list(self, now: float) -> None:
        """From now on the list tells about it, and a status call checks that from time to time."""
        if self.audit_at == math.inf:
            # Spread, since thousands of tasks may have been found on the list together.
            self.audit_at = now + FIRST_AUDIT * (1 + crc32(self.task_id.encode()) % 1000 / 1000)

    def record_answer(self, asked: float) -> None:
        """Record an answered poll, and forget what failed before it."""
        self.polls += 1
        self.answered_at = asked
        if self.failures or self.missing or self.broken or self.page_failures:
            self.failures = self.missing = self.broken = self.page_failures = 0
            self.failing_since = math.inf

    def record_status(self, status: TaskStatus, now: float) -> bool:
        """Record a status; whether it is one that this version has not seen and does not know."""
        is_new = not status.is_known and status not in self.unknown_statuses
        if is_new:
            self.unknown_statuses += (status,)
        if status != self.status:
            self.status, self.status_since = status, now
            self.notify()
        return is_new

    def record_failure(
        self, error: BaseException, now: float, policy: PollPolicy, rng: random.Random
    ) -> None:
        """Record a failed poll: when the next one is due, or that polling has to end."""
        if isinstance(error, _NOT_FOUND):
            self.next_poll_at = now + policy.pause(max(self.polls, 1), rng)
            self._record_missing(error, now)
        elif not isinstance(error, errors.BrowserUseError):
            # A middleware of the user's has raised; perhaps it does so only now and then.
            self.broken += 1
            self.next_poll_at = now + policy.backoff(self.broken, rng)
            if self.broken >= MAX_BROKEN:
                what = f"{self.broken} polls of task {self.task_id} in a row raised {error!r}"
                # Without its frames: they hold requests, and those the key.
                self._interrupt(what, error.with_traceback(None))
        elif not is_transient(error):
            self._end_with(error)
        else:
            self.failures += 1
            self.failing_since = min(self.failing_since, now)
            self.next_poll_at = now + policy.backoff(self.failures, rng)
            seconds = now - self.failing_since
            if seconds >= policy.outage_tolerance:
                what = f"the API gave no usable answer about task {self.task_id}"
                self._interrupt(f"{what} for {seconds:.0f} s (last: {error})", error)

    def _record_missing(self, error: errors.BrowserUseError, now: float) -> None:
        """Our own new task may not be listed yet, and one that was seen may be missed once."""
        if self.missing == 0:
            self.missing_since = now
        self.missing += 1
        if self.submitted_at is not None and now - self.submitted_at < NEW_TASK_GRACE:
            return
        gone = self.missing >= MISSING_POLLS and now - self.missing_since >= MISSING_SECONDS
        if gone or (self.status is None and self.submitted_at is None):
            self._end_with(error)

    def _interrupt(self, what: str, error: BaseException) -> None:
        seen = f"the task lives on, last seen as {self.status or 'unknown'}"
        text = f"{what}; {seen}: continue with session.handle(task_id)"
        interrupted = errors.WaitInterruptedError(
            text, task_id=self.task_id, last_status=self.status
        )
        interrupted.__cause__ = error
        self._end_with(interrupted)

    def _end_with(self, error: errors.BrowserUseError) -> None:
        error.task_id = self.task_id
        self.error = self.error or error

"""The polled state of one task, and the waits and streams that subscribe to it. No I/O."""

import asyncio
import copy
import math
import random
from collections.abc import Callable, Sequence
from enum import IntEnum
from typing import Any
from zlib import crc32

import attrs

from browser_use_async import errors
from browser_use_async.events import UnknownStatusSeen
from browser_use_async.observing.observers import (
    ErrorMade,
    Observers,
    PollFailed,
    StatusSeen,
    TaskEnded,
)
from browser_use_async.polling.policy import PollPolicy
from browser_use_async.transport.response import is_transient
from browser_use_async.types import Task, TaskStatus

MAX_LIST_MISSES = 3  # list pages that do not show a task, before only status calls are trusted
FIRST_AUDIT = 300.0  # seconds of polling by list after which one status call checks the list
NEW_TASK_GRACE = 30.0  # seconds in which a new task of this session may answer 404
MISSING_POLLS, MISSING_SECONDS = 3, 10.0  # a known task counts as gone after both
MAX_BROKEN = 5  # polls in a row that raise an unexpected exception
MAX_UNDECODABLE = 5  # answers in a row that are wrong at the same place

_NOT_FOUND = (errors.NotFoundError, errors.APINotServedError)  # the second from a bad gateway


def loop_time() -> float:
    """The current time of the running loop."""
    return asyncio.get_running_loop().time()


def _final_poll_seconds(reply_time: float) -> float:
    """Seconds before a deadline in which two calls can still be answered."""
    return 2 * reply_time + 0.02


class Interest(IntEnum):
    """How much of a task a subscriber needs."""

    END = 0  # only the terminal task
    STATUS = 1  # every status change, the current status included
    STEPS = 2  # the whole task at every poll


@attrs.define(eq=False, weakref_slot=False)
class Subscriber:
    """One wait or stream: what wakes it, and the loop time of its deadline."""

    # A function and its argument: a closure would need three times the memory.
    wake_with: Callable[[Any], None]  # must not block
    argument: Any
    deadline: float
    interest: Interest = Interest.END
    final_poll_started: bool = False  # the poll just before the deadline
    expired: bool = False

    def wake(self) -> None:
        """Wake it."""
        self.wake_with(self.argument)


@attrs.define(eq=False, weakref_slot=False)
class FailedPolls:
    """Polls of one task that failed since the last answered one."""

    failures: int = 0
    failing_since: float = math.inf
    broken: int = 0  # raised an unexpected exception
    missing: int = 0  # answered 404
    missing_since: float = 0.0
    pages: int = 0  # list pages about it that were not answered
    last: BaseException | None = None  # the newest failure, without its frames


@attrs.define(eq=False, repr=False, weakref_slot=False)
class WatchedTask:
    """The polled state of one task. All times are loop times."""

    task_id: str
    observers: Observers = attrs.field(factory=Observers)
    submitted_at: float | None = None  # when this session first asked for it
    exists: bool = False  # known from an earlier wait or a ledger
    subscribers: list[Subscriber] = attrs.field(factory=list)

    # What is known.
    status: TaskStatus | None = None
    status_since: float = 0.0  # when this status was first seen
    task: Task | None = None  # the last whole one seen
    task_asked_at: float = -math.inf  # when the request for it began
    paused_at: float | None = None  # when the request that first showed its current pause began
    settled: bool = False  # `task` is terminal by get-task, or there is an `error`
    error: errors.BrowserUseError | None = None  # why polling ended without a terminal task
    end_reported: bool = False  # by a hint; get-task confirms it
    unconfirmed: TaskStatus | None = None  # an end or an unknown status, until get-task
    undecodable: tuple[errors.ResponseDecodeError, int] | None = None  # the newest; how many

    # Polls.
    polls: int = 0  # answered ones
    asked_at: float = -math.inf  # when the newest request that covers it began
    answered_at: float = -math.inf  # when the newest request that has been answered began
    in_flight: int = 0  # requests that should show its status
    calls: tuple[asyncio.Task[Any], ...] = ()  # its own among them, at most two
    failed: FailedPolls | None = None  # since the last answered poll; few tasks have any
    needs_get: bool = False  # something reported its end, which only get-task can confirm
    poll_alone: bool = False  # the next poll must not use the list

    # When it is polled next.
    next_poll_at: float = -math.inf
    audit_at: float = math.inf  # when a status call checks what the list keeps saying
    timer_at: float | None = None  # the moment of its entry in the timer heap
    is_queued: bool = False  # for a free request slot

    # The task list; see `TaskList`.
    rank: int | None = None
    listed_at: float = -math.inf  # when the request for the newest row began that shows it alive
    list_misses: int = 0  # pages in a row that should have shown it and did not

    @property
    def ended(self) -> bool:
        """Whether `task` is terminal."""
        return self.settled and self.error is None

    @property
    def is_known(self) -> bool:
        """Whether the task is known to exist: seen, reported or created by this session."""
        created = self.exists or self.submitted_at is not None
        return created or self.status is not None or self.end_reported

    @property
    def unread_end(self) -> TaskStatus | None:
        """Its end by the status call, if the answers of get-task cannot be decoded."""
        said = self.unconfirmed
        is_unread = isinstance(self.error, errors.ResponseDecodeError)
        return said if is_unread and said is not None and said.is_terminal else None

    @property
    def last_failure(self) -> BaseException | None:
        """Why the newest poll failed, or why its answer cannot be decoded; None if neither."""
        if self.failed is not None and self.failed.last is not None:
            return self.failed.last
        return None if self.undecodable is None else self.undecodable[0]

    @property
    def interest(self) -> Interest:
        """The greatest interest of its subscribers."""
        greatest = Interest.END
        for each in self.subscribers:  # max() of a generator takes three times as long
            greatest = max(greatest, each.interest)
        return greatest

    @property
    def is_lost(self) -> bool:
        """Whether list pages do not show it, so that it needs status calls."""
        return self.list_misses >= MAX_LIST_MISSES

    @property
    def needs_polling(self) -> bool:
        """Whether it needs polls: to confirm an end, or after failures or 404s."""
        if self.end_reported:
            return True
        failed = self.failed
        return failed is not None and bool(failed.failures or failed.missing or failed.broken)

    def may_be_polled(self, now: float, overdue: float) -> bool:
        """Whether a poll may start: none is in flight, or a single one that takes too long."""
        # One slow reply is a reason for a second request, but not for a third one.
        if self.in_flight and (self.in_flight > 1 or now - self.asked_at < overdue):
            return False
        return not self.settled and bool(self.subscribers)

    def settle_with(self, error: errors.BrowserUseError) -> None:
        """End polling without a terminal task, unless it has already ended."""
        if not self.settled:
            error.task_id = self.task_id
            self.observers.notify(self.error_made(error), self.task_id)
            self.settled, self.error = True, error

    def error_made(self, error: errors.BrowserUseError) -> ErrorMade:
        """The observation that its waits get an error."""
        return ErrorMade(error, self.status, self.polls)

    def raise_error(self) -> None:
        """Raise the error that ended polling, if any: a copy for each subscriber."""
        # A shared error would collect the frames of all waits; a copy needs its cause set again.
        if self.error is not None:
            raise copy.copy(self.error) from self.error.__cause__

    def notify(self) -> None:
        """Wake the subscribers that this change concerns."""
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
        """Record that a poll of its own starts; for some subscribers it may be the final one."""
        self.asked_at = now
        self.poll_alone = False
        if now >= self.audit_at:
            # The longer the list has been right, the rarer the checks.
            self.audit_at = now + 2 * max(FIRST_AUDIT, now - self.status_since)
        for each in self.subscribers:
            if now >= each.deadline - _final_poll_seconds(reply_time):
                each.final_poll_started = True

    def final_poll_at(self, reply_time: float) -> float:
        """When the next poll just before a deadline is due."""
        first = math.inf
        for each in self.subscribers:  # no generator, as above
            if each.deadline < first and not (each.final_poll_started or each.expired):
                first = each.deadline
        return first - _final_poll_seconds(reply_time)

    @property
    def next_deadline(self) -> float:
        """The first deadline that is not over; infinite without one."""
        first = math.inf
        for each in self.subscribers:
            if each.deadline < first and not each.expired:
                first = each.deadline
        return first

    def trust_list(self, now: float) -> None:
        """Poll it through the list from now on; a status call checks that from time to time."""
        if self.audit_at == math.inf:
            # Spread, since thousands of tasks may have been found on the list together.
            self.audit_at = now + FIRST_AUDIT * (1 + crc32(self.task_id.encode()) % 1000 / 1000)

    def record_answer(self, asked: float) -> None:
        """Record an answered poll, and forget earlier failures."""
        self.polls += 1
        self.answered_at = asked
        self.failed = None

    def record_row(self, asked: float) -> None:
        """Record that a list page has shown it."""
        self.polls += 1
        self.answered_at = asked
        self.list_misses = 0
        if (failed := self.failed) is None:
            return
        # If get-task has to confirm an end, a row adds nothing.
        if self.unconfirmed is None or failed.broken or failed.missing:
            self.failed = None

    def record_task(self, task: Task, asked: float, now: float) -> None:
        """Record an answer of get-task; nothing else ends a wait."""
        # An end is final, so it counts in an older answer, too.
        if self.settled or (asked < self.task_asked_at and not task.status.is_terminal):
            return  # older than what is known
        self.task, self.task_asked_at, self.undecodable = task, asked, None
        if task.status is not TaskStatus.PAUSED:
            self.paused_at = None
        elif self.paused_at is None:
            self.paused_at = asked
        if task.has_ended:
            self.settled = True
            self.observers.notify(TaskEnded(task, is_watched=True), task.id)
        if self.settled or asked >= self.answered_at:  # else a page has shown a newer one
            self.record_status(task.status, now)
        if self.interest is Interest.STEPS:
            self.notify()

    def record_page_failure(self) -> int:
        """Record a failed list page; returns how many failed in a row."""
        failed = self.failed = self.failed or FailedPolls()
        failed.pages += 1
        return failed.pages

    def record_status(self, status: TaskStatus, now: float) -> None:
        """Record a status, and report one that this version does not know."""
        self.unconfirmed = None
        if status != self.status:
            self.status, self.status_since = status, now
            self.observers.notify(StatusSeen(status), self.task_id)
            self.notify()
        if not status.is_known and self.observers.is_new(status):
            self.observers.notify(UnknownStatusSeen(self.task_id, status))

    def record_failure(
        self, error: BaseException, now: float, policy: PollPolicy, rng: random.Random
    ) -> None:
        """Record a failed poll, and set the time of the next one or end polling."""
        self.observers.notify(PollFailed(error), self.task_id)
        failed = self.failed = self.failed or FailedPolls()
        # Without its frames: they contain requests, and these the key.
        failed.last = error.with_traceback(None)
        if isinstance(error, _NOT_FOUND):
            self.next_poll_at = now + policy.pause(max(self.polls, 1), rng)
            self._record_missing(error, now, failed)
        elif not isinstance(error, errors.BrowserUseError):
            # A middleware of the user raised an exception, perhaps only a temporary one.
            failed.broken += 1
            self.next_poll_at = now + policy.backoff(failed.broken, rng)
            if failed.broken >= MAX_BROKEN:
                what = f"{failed.broken} polls of task {self.task_id} in a row raised {error!r}"
                self.interrupt(what, error)
        elif not is_transient(error):
            self.settle_with(error)
        else:
            failed.failures += 1
            failed.failing_since = min(failed.failing_since, now)
            self.next_poll_at = now + policy.backoff(failed.failures, rng)
            seconds = now - failed.failing_since
            self._record_undecodable(error)
            if seconds >= policy.outage_timeout:
                what = f"the API gave no usable answer about task {self.task_id}"
                self.interrupt(f"{what} for {seconds:.0f} s (last: {error})", error)

    def _record_undecodable(self, error: BaseException) -> None:
        """Record an answer that is wrong at some place; the fifth in a row ends polling."""
        # A body that is no JSON at all (at "$") comes from a proxy whose service is down, which may
        # pass; a wrong field comes again each time.
        if not isinstance(error, errors.ResponseDecodeError) or error.path == "$":
            return
        before, count = self.undecodable or (error, 0)
        count = count + 1 if before.path == error.path else 1
        self.undecodable = error, count
        # While the status call says that the task runs, its final answer may be readable.
        is_alive = self.unconfirmed is None and self.status is not None
        if count >= MAX_UNDECODABLE and not is_alive:
            seen = self.unconfirmed
            stands = "" if seen is None else f"; the service says that the task is {seen}"
            final = errors.ResponseDecodeError(
                f"{error}; {count} answers in a row were wrong in this way, so this wait ends"
                f"{stands}",
                path=error.path,
            )
            final.__cause__ = error
            self.settle_with(final)

    def _record_missing(
        self, error: errors.BrowserUseError, now: float, failed: FailedPolls
    ) -> None:
        """Record a 404; it ends polling if the task was never seen, or stays missing."""
        # A new task may not be readable yet, and a known one may be missed once.
        if failed.missing == 0:
            failed.missing_since = now
        failed.missing += 1
        if self.submitted_at is not None and now - self.submitted_at < NEW_TASK_GRACE:
            return
        gone = failed.missing >= MISSING_POLLS and now - failed.missing_since >= MISSING_SECONDS
        if gone or (self.status is None and self.submitted_at is None):
            self.settle_with(error)

    def cancel_requests(self) -> None:
        """Cancel the requests that are only about this task."""
        # The poll that has found the end runs this, and must not cancel itself.
        this = asyncio.current_task()
        for each in self.calls:
            if each is not this:
                each.cancel()

    def interrupt(self, what: str, error: BaseException | None) -> None:
        """End polling because of failures that may pass; the error says what is known."""
        if self.is_known:
            seen = "" if self.status is None else f", last seen as {self.status}"
            rest = f"the task may live on{seen}: continue with session.handle(task_id)"
        else:
            rest = (
                "whether the task exists is not known: check the id, base_url and that the server "
                "runs, then wait again"
            )
        interrupted = errors.WaitInterruptedError(
            f"{what}; {rest}", task_id=self.task_id, last_status=self.status
        )
        interrupted.__cause__ = error
        self.settle_with(interrupted)


def unanswered(tasks: Sequence[WatchedTask], asked: float) -> list[WatchedTask]:
    """Those of some tasks that no request since then has shown."""
    late = [each for each in tasks if each.answered_at < asked]  # few of ten thousand
    return [each for each in late if each.subscribers and not each.settled]

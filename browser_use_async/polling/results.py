"""Applies the answers and failures of polls to tasks and to the schedule. Makes no request."""

import asyncio
import math
import random
from collections.abc import Callable

import attrs

from browser_use_async import errors
from browser_use_async.observing.observers import TaskEnded
from browser_use_async.polling.policy import PollPolicy
from browser_use_async.polling.schedule import Schedule
from browser_use_async.polling.watched_task import Interest, WatchedTask, loop_time
from browser_use_async.transport.client import Transport
from browser_use_async.transport.response import is_transient
from browser_use_async.types import Task, TaskStatus

OUTAGE_FAILURES = 3  # failed requests in a row after which polling pauses


@attrs.define(eq=False, repr=False)
class PollResults:
    """Records the results of polls, and whether they are answered at all."""

    transport: Transport  # makes the requests
    policy: PollPolicy  # how often tasks are polled
    schedule: Schedule  # which task is polled when
    rng: random.Random  # the source of jitter
    wake: Callable[[], None]  # lets the poller start what has become due
    # When the last answer to any request came
    answered_at: float = attrs.field(default=-math.inf, init=False)
    failed_in_a_row: int = attrs.field(default=0, init=False)  # how many requests have failed since
    # The newest of these failures
    last_failure: BaseException | None = attrs.field(default=None, init=False)
    # Pauses of shared polls in a row, since everything failed
    _pauses: int = attrs.field(default=0, init=False)

    @property
    def is_down(self) -> bool:
        """Whether no request is answered any more."""
        return self.failed_in_a_row >= OUTAGE_FAILURES

    # --- requests -------------------------------------------------------------------------

    def record_reply(self, asked: float) -> None:
        """Record that a request was answered."""
        self.answered_at = loop_time()
        self.failed_in_a_row = self._pauses = 0
        self.last_failure = None
        self.schedule.resume_at = -math.inf
        self.schedule.record_reply_time(loop_time() - asked)

    def record_failure(self, error: BaseException) -> None:
        """Count failed requests in a row; a refusal is an answer, and resets the count."""
        if is_refusal(error):
            self.failed_in_a_row = self._pauses = 0
            self.last_failure = None
            return
        self.failed_in_a_row += 1
        self.last_failure = error.with_traceback(None)
        if self.failed_in_a_row >= self.transport.retry.max_attempts:
            self._give_up_unknown(error)
        now, schedule = loop_time(), self.schedule
        if self.is_down and now >= schedule.resume_at:
            self._pauses += 1  # once for requests that fail together
            schedule.resume_at = now + self.policy.backoff(self._pauses, self.rng)

    def _give_up_unknown(self, error: BaseException) -> None:
        """In an outage, end the waits for tasks that may not exist, as a call would end."""
        health = self.transport.health
        unknown = [each for each in self.schedule.watched.values() if not each.is_known]
        if not health.is_down or not unknown:
            return
        for each in unknown:
            each.interrupt(
                f"the service gave no answer about task {each.task_id} "
                f"({self.failed_in_a_row} requests failed in a row; last: {error})",
                error,
            )
            self.settle_or_reschedule(each)

    # --- tasks ----------------------------------------------------------------------------

    def record_task_failure(self, watched: WatchedTask, error: BaseException) -> None:
        """Record a failed poll of a task, and set the time of the next one or end polling."""
        now = loop_time()
        watched.record_failure(error, now, self.policy, self.rng)
        if self.schedule.may_share(watched):
            # A shorter pause of one task would make a page of all of them early.
            watched.next_poll_at = max(watched.next_poll_at, now + self.schedule.interval)

    def record_task(self, watched: WatchedTask, task: Task, asked: float) -> None:
        """Record an answer of get-task; nothing else ends a wait."""
        # An end is final, so it counts in an older answer, too.
        if watched.settled or (asked < watched.task_asked_at and not task.status.is_terminal):
            return  # older than what is known
        watched.task, watched.task_asked_at, watched.undecodable = task, asked, None
        if task.status is not TaskStatus.PAUSED:
            watched.paused_at = None
        elif watched.paused_at is None:
            watched.paused_at = asked
        if task.has_ended:
            watched.settled = True
            # One agent slot is free again, and a refused submission may be waiting for it.
            self.transport.release_slot()
            self.transport.observers.notify(TaskEnded(task, is_watched=True), task.id)
        if watched.settled or asked >= watched.answered_at:  # else a page has shown a newer one
            watched.record_status(task.status, loop_time())
        if watched.interest is Interest.STEPS:
            watched.notify()

    def confirm(self, watched: WatchedTask) -> None:
        """Fetch a task that a hint or a page says to have changed."""
        is_first_in_queue = watched.needs_get and watched.is_queued
        watched.needs_get, watched.next_poll_at = True, loop_time()
        if not watched.calls and not is_first_in_queue:
            self.schedule.queue(watched)
        self.wake()

    def settle_or_reschedule(self, watched: WatchedTask) -> None:
        """Notify the subscribers that polling has ended, or set the time of the next poll."""
        if watched.settled:
            self.schedule.leave(watched)
            cancel_requests(watched)
            watched.notify()
        elif watched.subscribers:
            self.schedule.set_timer(watched)


def cancel_requests(watched: WatchedTask) -> None:
    """Cancel the requests that are only about this task."""
    # The poll that has found the end runs this, and must not cancel itself.
    this = asyncio.current_task()
    for each in watched.calls:
        if each is not this:
            each.cancel()


def is_refusal(error: BaseException) -> bool:
    """Whether repeating is useless; exceptions of a user's middleware may be temporary."""
    return isinstance(error, errors.BrowserUseError) and not is_transient(error)

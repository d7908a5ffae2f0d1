"""What an answer about a watched task means: news, an end, a passing failure or a final one."""

import asyncio
import logging
import random
from collections.abc import Callable
from typing import Protocol

from browser_use_async import errors
from browser_use_async.models import SessionEvent, Task, TaskStatus, UnknownStatusSeen
from browser_use_async.waiting.hearing import Hearing
from browser_use_async.waiting.policy import PollPolicy
from browser_use_async.waiting.watch import Watch

__all__ = ["Learner", "Service"]

_LOGGER = logging.getLogger("browser_use_async")
NEW_TASK_GRACE = 30.0  # seconds in which a task of our own may not be found yet
MISSING_LOOKS, MISSING_SECONDS = 3, 10.0  # a task that was seen is gone after both
LONGEST_BACKOFF = 10.0

# Errors that time heals. Everything else ends the watch at once.
_PASSING = (
    errors.APIConnectionError,
    errors.InternalServerError,
    errors.RateLimitError,
    errors.ResponseDecodeError,
    errors.ConflictError,
)
_PASSING_STATUSES = frozenset({408, 425})  # without a class of their own
_ABSENT = (errors.NotFoundError, errors.APINotServedError)  # the second from a gateway that blinks


class Service(Protocol):
    """What waiting asks of the transport."""

    @property
    def is_held(self) -> bool:
        """Whether the service wants a rest."""
        ...

    def bind(self) -> object:
        """Raise if the session is closed or belongs to another loop."""
        ...

    def slot_freed(self) -> None:
        """Take note that a task has ended."""
        ...


class Learner:
    """Keeps what is known about watched tasks, and tells their followers.

    Args:
        policy: How often tasks are looked at, and how long a failing API is put up with.
        emit: Told about statuses that this version does not know.
        draw: The source of chance.
        service: Told about slots that become free.
        hearing: Tells whom events let rest.
    """

    def __init__(
        self,
        policy: PollPolicy,
        emit: Callable[[SessionEvent], None],
        draw: random.Random,
        service: Service,
        hearing: Hearing,
    ) -> None:
        self._policy = policy
        self._hearing = hearing
        self._emit = emit
        self._draw = draw
        self._service = service
        self.reply_time = 0.05

    def note_task(self, watch: Watch, task: Task) -> None:
        """Note a whole task.

        Args:
            watch: Which one.
            task: What get-task says.
        """
        watch.task = task
        if task.status.is_terminal or (not task.status.is_known and task.finished_at is not None):
            watch.ended = True
            self._service.slot_freed()
        self.note_status(watch, task.status)
        if watch.wants_steps:
            watch.tell()

    def note_status(self, watch: Watch, status: TaskStatus) -> None:
        """Note where a task stands.

        Args:
            watch: Which one.
            status: Its status.
        """
        if not status.is_known and status != watch.reported:
            watch.reported = status
            _LOGGER.warning(
                "task %s has the status %r, which this version does not know; it is taken to be "
                "alive",
                watch.task_id,
                str(status),
            )
            self._emit(UnknownStatusSeen(watch.task_id, status))
        if status != watch.status:
            watch.status, watch.changed_at = status, asyncio.get_running_loop().time()
            watch.tell()

    def note_answer(self, watch: Watch, now: float) -> None:
        """Note that a look was answered, and when the next one is due.

        Args:
            watch: Which one.
            now: The loop time.
        """
        watch.answered()
        self.note_reply_time(now - watch.looked_at)
        # Counted from now and not from the look before: after the loop was blocked there is no
        # burst of looks to catch up with.
        if self._hearing.lets_rest(watch):
            watch.due = now + self._policy.safety_pause(self._draw)
        else:
            watch.due = now + self._policy.pause(watch.looks, self._draw)

    def note_reply_time(self, seconds: float) -> None:
        """Keep in mind how long answers take of late.

        Args:
            seconds: How long this one took.
        """
        self.reply_time += 0.2 * (min(max(seconds, 0.0), 5.0) - self.reply_time)

    def note_failure(self, watch: Watch, error: errors.BrowserUseError, now: float) -> None:
        """Note that a look failed, and decide whether that ends the watch.

        Args:
            watch: Which one.
            error: Why.
            now: The loop time.
        """
        if isinstance(error, _ABSENT):
            self._note_missing(watch, error, now)
            return
        if not isinstance(error, _PASSING) and _status_of(error) not in _PASSING_STATUSES:
            error.task_id = watch.task_id
            watch.error = error
            return
        watch.failures += 1
        watch.failure = error
        watch.failing_since = now if watch.failing_since is None else watch.failing_since
        if now - watch.failing_since >= self._policy.outage_tolerance:
            watch.error = errors.WaitInterruptedError(
                f"the API gave no usable answer about task {watch.task_id} for "
                f"{now - watch.failing_since:.0f} s (last: {error}); the task lives on, last seen "
                f"as {watch.status or 'unknown'}: continue with session.handle(task_id)",
                task_id=watch.task_id,
                last_status=watch.status,
            )
            return
        watch.due = now + self.back_off(watch.failures)

    def back_off(self, failures: int) -> float:
        """Seconds before the next look at a service that fails.

        Args:
            failures: How many looks in a row have failed.
        """
        ceiling = min(LONGEST_BACKOFF, 0.5 * 2.0 ** min(failures - 1, 10))
        return self._draw.uniform(0.1, 1.0) * ceiling

    def _note_missing(self, watch: Watch, error: errors.APIStatusError, now: float) -> None:
        """A task of our own may not be listed yet; one that was seen may be missed once."""
        if watch.missing == 0:
            watch.missing_since = now
        watch.missing += 1
        watch.due = now + self._policy.pause(max(watch.looks, 1), self._draw)
        if watch.submitted_at is not None and now - watch.submitted_at < NEW_TASK_GRACE:
            return
        gone = watch.missing >= MISSING_LOOKS and now - watch.missing_since >= MISSING_SECONDS
        if gone or (watch.status is None and watch.submitted_at is None):
            error.task_id = watch.task_id
            watch.error = error


def _status_of(error: errors.BrowserUseError) -> int | None:
    return error.status if isinstance(error, errors.APIStatusError) else None

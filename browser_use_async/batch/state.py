"""What the items of one run of a batch share."""

import asyncio
import random
from collections.abc import AsyncIterable, Awaitable, Callable
from datetime import datetime

import attrs

from browser_use_async.api.tasks import TaskEndpoints
from browser_use_async.batch.budget import Admission
from browser_use_async.batch.ledger.ledger import Ledger
from browser_use_async.batch.options import BatchOptions
from browser_use_async.batch.progress import ProgressCounter, StopReason
from browser_use_async.errors import BrowserUseError
from browser_use_async.events import SessionEvent
from browser_use_async.lifecycle.create import Submission, SubmissionState, TaskCreator
from browser_use_async.lifecycle.run import BackgroundTasks
from browser_use_async.logs import LOGGER
from browser_use_async.polling.poller import TaskPoller
from browser_use_async.types import Balance, TaskSummary

FIRST_PAUSE, LONGEST_PAUSE = 1.0, 60.0  # in seconds, before jitter


@attrs.frozen(kw_only=True)
class SessionParts:
    """The parts of a session that a batch uses."""

    creator: TaskCreator
    tasks: TaskEndpoints
    poller: TaskPoller
    background: BackgroundTasks  # for work that outlives the batch
    get_balance: Callable[[], Awaitable[Balance]]
    ping: Callable[[], Awaitable[None]]  # any free call: its answer tells the server's time
    # All tasks created after a moment, the newest first; None stands for all there are
    newest_tasks: Callable[[datetime | None], AsyncIterable[TaskSummary]]
    service_time: Callable[[], datetime | None]  # the server's time, or None if it is not known
    now: Callable[[], datetime]  # this machine's wall clock
    emit: Callable[[SessionEvent], None]

    async def learn_service_time(self) -> None:
        """Ask for the server's time, with which tokens are stamped, unless it is known."""
        try:
            for _answer in range(2):  # it is believed once two `Date` headers agree
                if self.service_time() is None:
                    await self.ping()
        except BrowserUseError as error:
            LOGGER.debug("the service's time is not known: %s", error)


class SharedBackoff:
    """Shared backoff while the service rejects submissions. No I/O.

    All items share it, so that the service is not tried more often the more items there are.
    """

    def __init__(self, tolerance: float, rng: random.Random) -> None:
        self._tolerance = tolerance
        self._rng = rng
        self._since: float | None = None
        self._paused_until = 0.0
        self._failures = 0

    def reset(self) -> None:
        """Record a success."""
        self._since, self._failures = None, 0

    def pause(self, now: float) -> float | None:
        """Record a failure and return the seconds to wait, or None once the tolerance is used."""
        if self._since is None:
            self._since = now
        # Measured from the first failure since the last success, not since the last attempt.
        if now - self._since >= self._tolerance:
            return None
        # Items that failed during one pause tried at the same time: they count as one failure.
        if now >= self._paused_until:
            longest = min(FIRST_PAUSE * 2.0 ** min(self._failures, 10), LONGEST_PAUSE)
            self._failures += 1
            self._paused_until = now + longest
        return (self._paused_until - now) * self._rng.uniform(0.5, 1.0)


@attrs.define(eq=False)
class InFlightItem:
    """An item that is being submitted or whose task runs."""

    key: str
    submission: Submission | None = None  # what is being sent for it, if something is
    task_id: str | None = None  # its task, once it exists
    # Set when no request for it is under way, and none will be sent
    settled: asyncio.Event = attrs.field(factory=asyncio.Event)

    @property
    def is_sending(self) -> bool:
        """Whether run-task may have created a task whose id is not known yet."""
        submission = self.submission
        in_doubt = {SubmissionState.SENDING, SubmissionState.UNKNOWN}
        return submission is not None and submission.state in in_doubt


@attrs.define(eq=False)
class BatchState:
    """The state of one run."""

    session: SessionParts
    options: BatchOptions
    writer: Ledger
    admission: Admission
    counter: ProgressCounter
    backoff: SharedBackoff
    on_change: Callable[[], None]  # called when a count has changed
    stopped_by: StopReason | None = None  # why nothing more is submitted, or None
    failures_in_row: int = 0  # tasks that failed in this run since one succeeded
    # By their indexes in the input
    in_flight: dict[int, InFlightItem] = attrs.field(factory=dict)

    def stop(self, reason: StopReason) -> None:
        """Submit nothing more; the first reason counts."""
        self.stopped_by = self.stopped_by or reason

    def record_end(self, *, succeeded: bool) -> None:
        """Count failures in a row, and submit nothing more after too many."""
        self.failures_in_row = 0 if succeeded else self.failures_in_row + 1
        most = self.options.max_failures
        if most is not None and self.failures_in_row >= most:
            self.stop(StopReason.FAILURES)

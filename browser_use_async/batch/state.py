"""The shared state of one run of a batch, and its shutdown."""

import asyncio
import contextlib
import random
from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any

import attrs

from browser_use_async.api import endpoint_table as table
from browser_use_async.batch.admission import Admission
from browser_use_async.batch.ledger.writer import LedgerWriter
from browser_use_async.batch.options import BatchOptions
from browser_use_async.batch.progress import ProgressCounter, StopReason
from browser_use_async.errors import BrowserUseError, LedgerError, SessionClosedError
from browser_use_async.lifecycle.create import Submission, SubmissionState
from browser_use_async.lifecycle.run import CLEANUP_SECONDS, SubmissionRunner, apply_end_action
from browser_use_async.logs import LOGGER

FIRST_PAUSE, LONGEST_PAUSE = 1.0, 60.0  # in seconds, before jitter


async def learn_service(lifecycle: SubmissionRunner) -> None:
    """Ask whether the service keeps keys, and for its time, which tokens contain."""
    transport = lifecycle.creator.transport
    try:
        # Before the first item: a request may be repeated only if the service kept its key.
        await transport.learn_keys()
        for _answer in range(2):  # its time counts once two `Date` headers agree
            if transport.server_clock.now() is None:
                await transport.call(table.PING)
    except BrowserUseError as error:
        LOGGER.debug("the service's time, or whether it keeps keys, is not known: %s", error)


class SharedBackoff:
    """Shared backoff while the service rejects submissions. No I/O."""

    # Shared, so that many items do not try the service more often than one.

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
        # Items that failed during one pause count as one failure.
        if now >= self._paused_until:
            longest = min(FIRST_PAUSE * 2.0 ** min(self._failures, 10), LONGEST_PAUSE)
            self._failures += 1
            self._paused_until = now + longest
        return (self._paused_until - now) * self._rng.uniform(0.5, 1.0)


@attrs.define(eq=False)
class InFlight:
    """An item that is being submitted or whose task runs."""

    key: str
    submission: Submission | None = None  # the submission under way, if any
    task_id: str | None = None  # its task, once it exists
    is_stopped: bool = False  # whether the end of the batch has tried to stop its task
    worker: "asyncio.Task[Any] | None" = attrs.field(factory=asyncio.current_task)  # that runs it
    # Set when no request for it is under way, and none will be sent
    settled: asyncio.Event = attrs.field(factory=asyncio.Event)

    @property
    def is_sending(self) -> bool:
        """Whether run-task may have created a task whose id is not known yet."""
        submission = self.submission
        unanswered = {SubmissionState.SENDING, SubmissionState.UNKNOWN}
        return submission is not None and submission.state in unanswered

    @property
    def is_joined(self) -> bool:
        """Whether other code has created its task, and may wait for it."""
        return self.submission is not None and self.submission.is_joined

    @property
    def may_cost(self) -> bool:
        """Whether it has a task, or may have one, whatever its row says."""
        return self.task_id is not None or self.is_sending

    def abandon(self) -> bool:
        """Send nothing more for it; returns whether a request is under way."""
        if self.submission is None:
            return False
        self.submission.abandoned = True
        return self.submission.state is SubmissionState.SENDING


@attrs.define(eq=False)
class BatchState:
    """The state of one run."""

    lifecycle: SubmissionRunner  # of the session
    now: Callable[[], datetime]  # this machine's wall clock
    options: BatchOptions
    writer: LedgerWriter
    admission: Admission
    counter: ProgressCounter
    backoff: SharedBackoff
    on_change: Callable[[], None]  # called when a count has changed
    stopped_by: StopReason | None = None  # why nothing more is submitted, or None
    failures_in_row: int = 0  # tasks that failed in this run since one succeeded
    # By their indexes in the input
    in_flight: dict[int, InFlight] = attrs.field(factory=dict)
    # Items whose workers were cancelled or have failed: their tasks may run on
    cut_off: list[InFlight] = attrs.field(factory=list)

    @property
    def unfinished(self) -> list[InFlight]:
        """Items under way, and those whose workers have ended; without stopped ones."""
        found = dict.fromkeys([*self.cut_off, *self.in_flight.values()])
        return [each for each in found if not each.is_stopped]

    def stop(self, reason: StopReason) -> None:
        """Submit nothing more; the first reason counts."""
        self.stopped_by = self.stopped_by or reason

    def record_end(self, *, succeeded: bool) -> None:
        """Count failures in a row, and submit nothing more after too many."""
        self.failures_in_row = 0 if succeeded else self.failures_in_row + 1
        most = self.options.max_failures
        if most is not None and self.failures_in_row >= most:
            self.stop(StopReason.FAILURES)


def running_task() -> "asyncio.Task[Any] | None":
    """The running asyncio task; None outside of an event loop, as in a signal handler."""
    with contextlib.suppress(RuntimeError):
        return asyncio.current_task()
    return None


MOST_NAMED = 20  # tasks in the text of an error


async def shut_down(workers: "Iterable[asyncio.Task[None]]", batch: BatchState) -> None:
    """Cancel all workers; their tasks at the service run on, or are stopped within seconds."""
    # Requests under way are aborted, unless tasks are to be stopped. The ledger says that they may
    # have been sent, and the next run searches for their tasks. Nothing is sent afterwards.
    pending = [worker for worker in workers if not worker.done()]
    stops = batch.options.stops and bool(batch.unfinished)
    try:
        if stops:
            # The id of the task that is to be stopped is known from the answer only.
            await _drain_in_flight(pending, batch)
    finally:
        unfinished = batch.unfinished
        if not batch.options.is_recorded:
            _warn_unresolved(unfinished, batch)
        # Before the stops: a worker must not create another task while tasks are stopped.
        for worker in pending:
            worker.cancel()
    # In the background, which limits its time.
    if stops:
        background = batch.lifecycle.background
        await background.finish(
            background.start(_stop_all(unfinished, batch), "stops tasks of a batch")
        )
    if pending:
        await asyncio.wait(pending)


async def stop_before_closing(batch: BatchState) -> None:
    """Submit nothing more and stop tasks if required, while the session is open."""
    batch.stop(StopReason.DRAINED)
    # Other workers are not cancelled: results that have come are still recorded and yielded.
    unsent = [each for each in batch.in_flight.values() if not each.may_cost]
    workers = [each.worker for each in unsent if each.worker is not None]
    for worker in workers:
        worker.cancel()
    if batch.options.stops:
        await _drain_in_flight((), batch)
        background = batch.lifecycle.background
        await background.finish(
            background.start(_stop_all(batch.unfinished, batch), "stops tasks of a batch")
        )


def session_closed_error(
    options: BatchOptions, in_flight: Iterable[InFlight]
) -> SessionClosedError:
    """The error of a batch whose session was closed before its end."""
    text = "the session was closed before its batch came to its end"
    if options.is_recorded:
        text = f"{text}; run it again with the same ledger, in a new session"
    if options.stops:
        text = f"{text}; its tasks under way were to be stopped"
    elif names := _names_of(in_flight):
        text = f"{text}. {names}"
    return SessionClosedError(text)


def worker_cancelled_error() -> BrowserUseError:
    """The error of a batch whose worker was cancelled by other code."""
    return BrowserUseError(
        "other code cancelled an asyncio task of the batch, so an item has no result; run the "
        "batch again with the same ledger"
    )


def name_running_tasks(error: LedgerError, in_flight: Iterable[InFlight]) -> LedgerError:
    """The error of the ledger, which also names the tasks that run on."""
    names = _names_of(in_flight)
    if not names:
        return error
    named = type(error)(f"{error}. {names}", task_id=error.task_id)
    named.__cause__ = error.__cause__
    return named


def _names_of(in_flight: Iterable[InFlight]) -> str:
    """The sentence about tasks that may run on; empty if there are none."""
    running = [_name(each) for each in in_flight if each.may_cost]
    if not running:
        return ""
    shown = ", ".join(running[:MOST_NAMED])
    more = f" and {len(running) - MOST_NAMED:,} more" if len(running) > MOST_NAMED else ""
    return f"{len(running):,} of its tasks may run on and be paid for: {shown}{more}"


def _name(item: InFlight) -> str:
    if item.task_id is None:
        return f"{item.key!r} (run-task is not answered yet)"
    return f"{item.key!r} (task {item.task_id})"


async def _drain_in_flight(workers: "Iterable[asyncio.Task[None]]", batch: BatchState) -> None:
    """Send nothing more, and wait a limited time for the answers to what was sent."""
    sending = [each for each in batch.in_flight.values() if each.abandon()]
    # Workers that wait for a task to be stopped, or that have not sent anything.
    for worker in workers:
        if all(worker is not each.worker for each in sending):
            worker.cancel()
    unanswered = [each.settled.wait() for each in sending]
    # Unanswered requests stay unresolved: the ledger or the log has their tokens.
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(CLEANUP_SECONDS):
            await asyncio.gather(*unanswered)


def _warn_unresolved(in_flight: Iterable[InFlight], batch: BatchState) -> None:
    """Log a token for each unanswered request: without a ledger it is a task's only trace."""
    for each in in_flight:
        submission = each.submission
        if submission is not None and each.is_sending:
            LOGGER.warning(
                "a batch was closed before run-task was answered, so a paid task may exist; "
                "`browser-use-async watch %s` finds out",
                batch.lifecycle.creator.token_text(submission),
            )


async def _stop_all(unfinished: Iterable[InFlight], batch: BatchState) -> None:
    ids: list[str] = []
    for each in unfinished:
        if each.task_id is not None and not (each.is_stopped or each.is_joined):
            each.is_stopped = True  # at once: closing twice stops nothing twice
            ids.append(each.task_id)
    lifecycle = batch.lifecycle
    stops = (apply_end_action(each, "stop", lifecycle.tasks, lifecycle.poller) for each in ids)
    await asyncio.gather(*stops)

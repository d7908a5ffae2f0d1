"""Shutdown: what happens to in-flight items when a batch ends before its input does."""

import asyncio
import contextlib
from collections.abc import Iterable

from browser_use_async.batch.state import BatchState, InFlightItem
from browser_use_async.errors import LedgerError
from browser_use_async.lifecycle.create import SubmissionState
from browser_use_async.lifecycle.run import CLEANUP_SECONDS, apply_end_action
from browser_use_async.logs import LOGGER

MOST_NAMED = 20  # tasks in the text of an error


async def shut_down(workers: "Iterable[asyncio.Task[None]]", batch: BatchState) -> None:
    """Cancel all workers; their tasks at the service run on, or are stopped within a few seconds.

    Requests under way are aborted, unless tasks are to be stopped: the ledger says that they may
    have been sent, and the next run looks for their tasks. Nothing is sent afterwards.
    """
    pending = [worker for worker in workers if not worker.done()]
    stops = batch.options.on_cancel == "stop" and bool(batch.in_flight)
    if stops:
        # Only an answer tells the id of the task that is to be stopped.
        await _drain_in_flight(batch.in_flight.values())
    in_flight = list(batch.in_flight.values())
    if not batch.options.is_recorded:
        _warn_unresolved(in_flight, batch)
    # Before the stops: a worker must not create another task while tasks are stopped.
    for worker in pending:
        worker.cancel()
    # In the background: a caller that is cancelled meanwhile does not abort the stops.
    if stops:
        background = batch.session.background
        await background.finish(background.start(_stop_all(in_flight, batch)))
    if pending:
        await asyncio.wait(pending)


def name_running_tasks(error: LedgerError, in_flight: Iterable[InFlightItem]) -> LedgerError:
    """An error of the ledger that also names the tasks that run on although the batch ends."""
    running = [_name(each) for each in in_flight if each.task_id is not None or each.is_sending]
    if not running:
        return error
    shown = ", ".join(running[:MOST_NAMED])
    more = f" and {len(running) - MOST_NAMED:,} more" if len(running) > MOST_NAMED else ""
    named = type(error)(
        f"{error}. {len(running):,} of its tasks may run on and be paid for: {shown}{more}",
        task_id=error.task_id,
    )
    named.__cause__ = error.__cause__
    return named


def _name(item: InFlightItem) -> str:
    if item.task_id is None:
        return f"{item.key!r} (run-task is not answered yet)"
    return f"{item.key!r} (task {item.task_id})"


async def _drain_in_flight(in_flight: Iterable[InFlightItem]) -> None:
    """Send nothing more, and wait within bounds for the answers to what was sent."""
    unanswered = []
    for each in in_flight:
        if each.submission is not None:
            each.submission.abandoned = True
            if each.submission.state is SubmissionState.SENDING:
                unanswered.append(each.settled.wait())
    # What is not answered by then stays unresolved: the ledger or the log has its token.
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(CLEANUP_SECONDS):
            await asyncio.gather(*unanswered)


def _warn_unresolved(in_flight: Iterable[InFlightItem], batch: BatchState) -> None:
    """Log a token for each unanswered request: without a ledger it is the only trace of a task."""
    for each in in_flight:
        submission = each.submission
        if submission is not None and each.is_sending:
            LOGGER.warning(
                "a batch was closed before run-task was answered, so a paid task may exist; "
                "session.resolve_submission(%r) tells",
                batch.session.creator.token_text(submission),
            )


async def _stop_all(in_flight: Iterable[InFlightItem], batch: BatchState) -> None:
    parts = batch.session
    ids = [each.task_id for each in in_flight if each.task_id is not None]
    stops = (apply_end_action(each, "stop", parts.tasks, parts.poller, parts.emit) for each in ids)
    await asyncio.gather(*stops)

"""What becomes of items under way when nobody wants the rest of a batch."""

import asyncio
import contextlib
import logging
from collections.abc import Iterable

from browser_use_async.batch.run import Active, Run
from browser_use_async.errors import BrowserUseError, LedgerError
from browser_use_async.lifecycle.create import Stage
from browser_use_async.lifecycle.run import CLEANUP_SECONDS

__all__ = ["let_go", "naming_running"]

_LOGGER = logging.getLogger("browser_use_async")

MOST_NAMED = 20  # tasks that an error names


async def let_go(workers: "Iterable[asyncio.Task[None]]", run: Run) -> None:
    """End all work; tasks at the service live on, or are stopped within a few seconds.

    What is on the wire is torn, unless tasks are to be stopped: the ledger says that it may have
    been sent, and the next run finds out. Nothing leaves this machine afterwards.
    """
    pending = [worker for worker in workers if not worker.done()]
    stops = run.options.on_cancel == "stop" and bool(run.active)
    if stops:
        await _answers(run.active.values())
    active = list(run.active.values())
    if not run.options.is_recorded:
        _warn_of_lost(active, run)
    for worker in pending:
        worker.cancel()
    if stops:
        await run.service.background.finish(run.service.background.start(_stop_all(active, run)))
    if pending:
        await asyncio.wait(pending)


def naming_running(error: LedgerError, active: Iterable[Active]) -> LedgerError:
    """An error of the ledger that says what goes on although the batch ends."""
    running = [_named(each) for each in active if each.task_id is not None or each.is_sending]
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


def _named(active: Active) -> str:
    if active.task_id is None:
        return f"{active.key!r} (run-task is not answered yet)"
    return f"{active.key!r} (task {active.task_id})"


async def _answers(active: Iterable[Active]) -> None:
    """Send nothing more, and wait within bounds for the answers to what was sent."""
    under_way = []
    for each in active:
        if each.submission is not None:
            each.submission.abandoned = True
            if each.submission.stage is Stage.SENDING:
                under_way.append(each.settled.wait())
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(CLEANUP_SECONDS):
            await asyncio.gather(*under_way)


def _warn_of_lost(active: Iterable[Active], run: Run) -> None:
    """Without a ledger a token in the log is all that leads to what may have been created."""
    for each in active:
        submission = each.submission
        if submission is not None and each.is_sending:
            _LOGGER.warning(
                "a batch was closed before run-task was answered, so a paid task may exist; "
                "session.resolve_submission(%r) tells",
                run.service.creator.token_text(submission),
            )


async def _stop_all(active: Iterable[Active], run: Run) -> None:
    await asyncio.gather(*(_stop(each.task_id, run) for each in active if each.task_id))


async def _stop(task_id: str, run: Run) -> None:
    try:
        await run.service.tasks.stop(task_id)
    except BrowserUseError as error:
        _LOGGER.warning("could not stop task %s: %s", task_id, error)

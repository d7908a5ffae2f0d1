"""Works on a batch in PostgreSQL, together with other processes on any machines."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Callable, Mapping
from typing import Any, Protocol

import attrs

from browser_use_async.batch.options import CONCURRENCY, LEASE, WorkerOptions
from browser_use_async.batch.postgres.address import LedgerAddress
from browser_use_async.batch.progress import StopReason
from browser_use_async.batch.results import BatchResult
from browser_use_async.errors import InvalidRequestError
from browser_use_async.lifecycle.run import SubmissionRunner
from browser_use_async.postgres.address import is_postgres, require_packages
from browser_use_async.transport.config import Runtime


class Session(Protocol):
    """A `BrowserUseSession`, which this module cannot import: the session imports batches."""

    _runner: SubmissionRunner
    _runtime: Runtime


@attrs.frozen(kw_only=True)
class Worked:
    """The result of `work`.

    Attributes:
        stopped_by: Why it stopped submitting although items were left, or None.
    """

    stopped_by: StopReason | None


async def work(
    ledger: str,
    *,
    session: Session,
    concurrency: int = CONCURRENCY,
    secrets: Mapping[str, str] | None = None,
    timeout: float | None = None,
    outage_timeout: float = 600.0,
    max_failures: int | None = None,
    lease: float = LEASE,
    on_result: Callable[[BatchResult[Any]], None] | None = None,
    drain: asyncio.Event | None = None,
) -> Worked:
    """Work on an enqueued batch until all items have ended. Costs money.

    Needs the extra `fleet`. Any number of processes may work at once; each item has one task. If it
    is cancelled, it leaves its items to the other processes at once. `browser-use-async batch work`
    does the same.

    Args:
        ledger: The address of the batch, `postgresql://user@host/database#name`.
        session: The `BrowserUseSession` that creates the tasks.
        concurrency: The most items under way at once in this process.
        secrets: The values of secrets by name; the ledger has only the names.
        timeout: Seconds for which each task is waited for, or None for `PollPolicy.timeout`.
        outage_timeout: Seconds for which the service or the database may be unreachable.
        max_failures: Submit nothing more once so many tasks in a row have failed, or None.
        lease: Seconds of silence after which other processes take the items over; with an attempt
            of the session less than 150 together.
        on_result: Called with the result of each item that this process finished.
        drain: Once it is set, no more items are taken; those under way are finished.

    Returns:
        Why it ended early, if it did.

    Raises:
        InvalidRequestError: An argument was refused; nothing was sent.
        ConfigurationError: The extra is not installed, or a secret is missing.
        LedgerError: The ledger cannot be read or written, or nothing was enqueued.
        BrowserUseError: An error that concerns every item, such as a wrong API key.
    """
    if not is_postgres(ledger):
        raise InvalidRequestError(
            "ledger: one process uses a ledger in a file; many processes share one in PostgreSQL: "
            "postgresql://user@host/database#name; nothing was sent",
            field="ledger",
        )
    address = LedgerAddress.parse(ledger)
    require_packages("a ledger", "psycopg", "psycopg_pool")
    # Needs the extra.
    from browser_use_async.batch.postgres.worker import BatchWorker  # noqa: PLC0415

    options = WorkerOptions(
        concurrency=concurrency,
        secrets=dict(secrets or {}),
        timeout=timeout,
        outage_timeout=outage_timeout,
        max_failures=max_failures,
        retry_unknown=True,  # of what silent processes have left
        lease=lease,
    )
    runner = session._runner  # noqa: SLF001
    creator = runner.creator
    options.check_lease(creator.transport.configuration.timeout, creator.reconciler.settle_window)
    worker = BatchWorker(runner, session._runtime, address, options)  # noqa: SLF001
    if on_result is not None:
        worker.on_result = on_result
    async with _draining(worker.drain, drain):
        await worker.run()
    return Worked(stopped_by=worker.stopped_by)


@contextlib.asynccontextmanager
async def _draining(stop: Callable[[], None], event: asyncio.Event | None) -> AsyncGenerator[None]:
    """Call something once an event is set."""

    async def wait(event: asyncio.Event) -> None:
        await event.wait()
        stop()

    name = "browser-use: waits for the stop of a batch worker"
    waiting = None if event is None else asyncio.create_task(wait(event), name=name)
    try:
        yield
    finally:
        if waiting is not None:
            waiting.cancel()
            await asyncio.wait([waiting])

"""A batch that many processes on any machines work on, as jobs of procrastinate in PostgreSQL.

procrastinate fetches jobs, repeats them, sends heartbeats and finds jobs of silent workers. What it
does not do, with the issue of its tracker where there is one, is done here or in `postgres.jobs`:

- It ends a worker when the database is away. `SteadyConnector` waits instead.
- It does not repeat the jobs of workers that were killed, but shows them to whoever asks. So each
  worker asks (`Supervision`), and also beats while it drains, which procrastinate does not.
- A job that it gave in an answer that was lost stays with a worker that does not know it. Each
  worker gives such jobs back.
- Its locks let one job run at a time, and a fetch reads all waiting jobs of locks that are taken
  (issue 1242): with 3,000 of them it takes 1.4 seconds. So items whose limit key has no room have
  no job yet. Whoever records an end makes the next job, in the same transaction.
- It fetches one job in a statement, and ends one in another. `QueueJobs` does many at once, and
  `QueueStore` begins and records many items at once: else these statements are most of the work.
- It knows no money. A worker reserves what a task can cost in the row of the batch, before it sends
  the request, and records the cost together with the end.
- It may run a job twice. The submission key of the item makes that free, so a service without keys
  is refused.
"""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Protocol

import attrs

from browser_use_async.api.limits import is_seconds
from browser_use_async.batch.inputs import BatchInput, InputReader, Item
from browser_use_async.batch.options import CONCURRENCY, BatchOptions, LimitBy
from browser_use_async.batch.progress import StopReason
from browser_use_async.batch.queue.address import QueueAddress
from browser_use_async.batch.queue.results import QueueStatus, result_of
from browser_use_async.batch.result import BatchResult
from browser_use_async.errors import InvalidRequestError
from browser_use_async.lifecycle.run import SubmissionRunner
from browser_use_async.postgres.address import require_packages
from browser_use_async.transport.config import Runtime

if TYPE_CHECKING:
    from browser_use_async.batch.queue.store import Columns, QueueStore

LEASE = 30.0
"""Seconds of silence after which other processes take over what a process has begun."""

OUTAGE_SECONDS = 600.0
"""Seconds for which the service or the database may be away."""


class Session(Protocol):
    """A `BrowserUseSession`, which this module cannot import: the session imports batches."""

    _runner: SubmissionRunner
    _runtime: Runtime


@attrs.frozen(kw_only=True)
class Worked:
    """The result of `work`.

    Attributes:
        stopped_by: Why it took no more items although some were left, or None.
        status: The state of the queue after the last item of this process.
    """

    stopped_by: StopReason | None
    status: QueueStatus


@contextlib.asynccontextmanager
async def _opened(address: str, patience: float = 0.0, **how: bool) -> "AsyncGenerator[QueueStore]":
    place = QueueAddress.parse(address)
    require_packages("a queue", "psycopg", "psycopg_pool", "procrastinate")
    # Needs the extra.
    from browser_use_async.batch.queue.store import QueueStore  # noqa: PLC0415

    async with QueueStore.opened(place, patience, **how) as store:
        yield store


async def enqueue(
    address: str,
    items: BatchInput,
    *,
    key_prefix: str | None = None,
    budget_cents: "Decimal | float | None" = None,
    limit_by: LimitBy | None = None,
    per_key: int | None = None,
    **fields: Any,
) -> QueueStatus:
    """Add items to a queue, which is created if there is none; needs the extra `fleet`.

    Items that are there already are left as they are, so that the same call continues after any
    interruption. Workers may begin at once.

    Args:
        address: The address of the queue, `postgresql://user@host/database#name`.
        items: What `run_many` takes.
        key_prefix: The beginning of the items' submission keys, or None for the name of the queue.
            Items with the same prefix and key join the task of an earlier batch.
        budget_cents: The most that all workers may spend together, in US cents; a queue that was
            stopped by a smaller budget goes on. None leaves the budget as it is.
        limit_by: Which items share a limit, as for `run_many`.
        per_key: The most items of one limit key under way at once, in all workers together.
        **fields: The fields of each task, as for `run_many`, and `task` for rows.

    Returns:
        The state of the queue afterwards.

    Raises:
        InvalidRequestError: An argument was refused.
        LedgerMismatchError: The queue has begun with another prefix or limit, or an item has
            another content than before; that one and those after it were not added.
        LedgerError: The database cannot be used, or has tables of another version.
        BatchInputError: The input raised an exception; what came before it was added.
        ConfigurationError: The extra is not installed.
    """
    options = BatchOptions(
        key_prefix=key_prefix,
        budget_cents=budget_cents,
        limit_by=limit_by,
        per_key=per_key,
    )
    limits = options.limits
    reader = InputReader(items, fields, limit_key_of=None if limits is None else limits.key_of)
    async with _opened(address, OUTAGE_SECONDS, creates=True) as store:
        from browser_use_async.batch.queue.store import CHUNK  # noqa: PLC0415 - needs the extra

        await store.begin(key_prefix, options.budget_cents, per_key)
        has_more = True
        while has_more:
            chunk: list[Item] = []
            try:
                while len(chunk) < CHUNK and (item := await reader.next()) is not None:
                    chunk.append(item)
            finally:  # also what was read before the input raised an exception
                await store.add(chunk)
            has_more = len(chunk) == CHUNK
        await store.repair()
        return await _status(store)


async def work(
    address: str,
    *,
    session: Session,
    concurrency: int = CONCURRENCY,
    secrets: Mapping[str, str] | None = None,
    timeout: float | None = None,
    outage_timeout: float = OUTAGE_SECONDS,
    max_failures: int | None = None,
    lease: float = LEASE,
    on_result: Callable[[BatchResult[Any]], None] | None = None,
    drain: asyncio.Event | None = None,
) -> Worked:
    """Work on a queue until all its items have ended. Costs money; needs the extra `fleet`.

    Any number of processes may work at once; each item has one task. If it is cancelled, it leaves
    its items to the other processes at once. `browser-use-async batch work` does the same.

    Args:
        address: The address of the queue.
        session: The `BrowserUseSession` that creates the tasks.
        concurrency: The most items under way at once in this process.
        secrets: The values of secrets by name; the queue has only the names.
        timeout: Seconds after which a task that has not ended makes room for others, and is waited
            for again; None for `PollPolicy.timeout`.
        outage_timeout: Seconds for which the service or the database may be away.
        max_failures: Take no more items once so many tasks in a row have failed, or None.
        lease: Seconds of silence after which other processes take over the items.
        on_result: Called with the result of each item that this process finished.
        drain: Once it is set, no more items are taken; those under way are finished.

    Returns:
        Why it ended early, if it did, and the state of the queue.

    Raises:
        InvalidRequestError: An argument was refused; nothing was sent.
        ConfigurationError: The extra is not installed, a secret is missing, or the service keeps
            no submission keys.
        LedgerError: The database cannot be used, or nothing was enqueued.
        BrowserUseError: An error that concerns every item, such as a wrong API key.
    """
    options = BatchOptions(concurrency=concurrency, timeout=timeout, max_failures=max_failures)
    if not is_seconds(outage_timeout):
        raise _refused("outage_timeout", "of 0 or more", outage_timeout)
    if not is_seconds(lease) or not lease > 0:
        raise _refused("lease", "above 0", lease)
    async with _opened(address, outage_timeout, waits=True) as store:
        from browser_use_async.batch.queue.worker import QueueWorker  # noqa: PLC0415

        worker = QueueWorker(
            store,
            session._runner,  # noqa: SLF001
            session._runtime,  # noqa: SLF001
            options,
            dict(secrets or {}),
            lease,
            on_result,
        )
        await worker.run(drain)
        # With the store's patience: an outage in this moment does not make finished work an error.
        return Worked(stopped_by=worker.stopped_by, status=await _status(store))


def _refused(name: str, wanted: str, given: object) -> InvalidRequestError:
    return InvalidRequestError(
        f"{name} must be a number of seconds {wanted}, not {given!r}; nothing was sent", field=name
    )


async def status(address: str) -> QueueStatus:
    """The state of a queue, also while processes work on it; needs the extra `fleet`.

    Raises:
        InvalidRequestError: The address was refused.
        LedgerError: The database cannot be used, or nothing was enqueued.
        ConfigurationError: The extra is not installed.
    """
    async with _opened(address) as store:
        return await _status(store)


async def results(address: str, *, follow: bool = False) -> AsyncIterator[BatchResult[Any]]:
    """Yield the results so far; with `follow` each as it comes, until the queue has ended.

    Results so far are in the order of the input, and followed ones in the order in which items end;
    an item that is tried again comes again. A queue that its budget has stopped has ended, too.

    Raises:
        InvalidRequestError: The address was refused.
        LedgerError: The database cannot be used, or nothing was enqueued.
        ConfigurationError: The extra is not installed.
    """
    async with contextlib.aclosing(ended_rows(address, follow=follow)) as rows:
        async for row in rows:
            yield result_of(row)


async def ended_rows(address: str, *, follow: bool) -> "AsyncGenerator[Columns]":
    """The rows of the items that `results` yields, for `result_of`."""
    async with _opened(address, OUTAGE_SECONDS) as store:
        await store.batch()  # refused if there is none
        async for row in store.ends() if follow else store.items():
            yield row


async def retry(address: str) -> QueueStatus:
    """Try items that ended without success again; needs the extra `fleet`.

    Items whose task failed or was stopped get another task, which costs again. Items that the
    service has refused are sent again.

    Args:
        address: The address of the queue.

    Returns:
        The state of the queue afterwards.

    Raises:
        InvalidRequestError: The address was refused.
        LedgerError: The database cannot be used, or nothing was enqueued.
        ConfigurationError: The extra is not installed.
    """
    async with _opened(address, OUTAGE_SECONDS) as store:
        await store.try_again()
        return await _status(store)


async def _status(store: "QueueStore") -> QueueStatus:
    from browser_use_async.batch.queue.tables import COUNTS  # noqa: PLC0415

    return QueueStatus.of(store.address, await store.batch(), await store.rows(COUNTS))

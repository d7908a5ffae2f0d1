"""A batch: workers that read the input and run its items, and a queue of their results."""

import asyncio
import time
from collections.abc import AsyncGenerator, Callable, Iterator, Mapping, Sequence
from decimal import Decimal
from functools import partial
from typing import Any, Generic, Self, TypeVar
from weakref import WeakValueDictionary

import attrs

from browser_use_async.batch.admission import Admission, nothing_would_run
from browser_use_async.batch.inputs import BatchInput, InputPrices, InputReader, Item
from browser_use_async.batch.key_limits import READ_AHEAD, LimitedRoom
from browser_use_async.batch.ledger.file import open_ledger, open_scratch
from browser_use_async.batch.ledger.records import LedgerTotals
from browser_use_async.batch.ledger.row import mismatch
from browser_use_async.batch.ledger.writer import open_writer
from browser_use_async.batch.options import BatchOptions
from browser_use_async.batch.progress import (
    FINISHES_BEGUN,
    BatchProgress,
    ProgressCounter,
    StopReason,
)
from browser_use_async.batch.result import BatchResult, columns_of, page_of, repeated_result
from browser_use_async.batch.runner import ItemRunner
from browser_use_async.batch.state import (
    BatchState,
    SharedBackoff,
    learn_service,
    name_running_tasks,
    running_task,
    session_closed_error,
    shut_down,
    stop_before_closing,
    worker_cancelled_error,
)
from browser_use_async.errors import (
    InvalidRequestError,
    LedgerError,
    LedgerMismatchError,
)
from browser_use_async.lifecycle.run import SubmissionRunner
from browser_use_async.logs import LOGGER
from browser_use_async.money.amounts import NO_LIMIT, BudgetAmounts
from browser_use_async.observing.observers import BatchBegan, BatchEnded
from browser_use_async.transport.config import Runtime

OutputT = TypeVar("OutputT")


class Batch(Generic[OutputT]):
    """The result of `session.run_many`. Iterate over it once, with `async for` or `collect()`.

    Nothing is opened, read or sent before the iteration begins. Leaving the loop early ends the
    batch; with `async with` that happens at once.
    """

    def __init__(
        self,
        lifecycle: SubmissionRunner,
        runtime: Runtime,
        requests: BatchInput,
        fields: Mapping[str, Any],
        options: BatchOptions,
    ) -> None:
        self._lifecycle = lifecycle
        self._runtime = runtime
        self._options = options
        has_type = options.output_type is not None
        limits = options.limits
        self._reader = InputReader(
            *(requests, fields),
            has_type=has_type,
            limit_key_of=None if limits is None else limits.key_of,
        )
        self._limited: LimitedRoom | None = None
        if limits is not None:
            room = asyncio.Semaphore(options.concurrency)
            self._limited = LimitedRoom(limits.per_key, room)
        # As long as a wait of the session sits an outage out
        self._patience = lifecycle.poller.policy.outage_timeout
        opens = open_scratch if options.ledger is None else partial(open_ledger, options.ledger)
        self._start_writer = partial(runtime.start_writer or open_writer, opens)
        self._prices = InputPrices.of(requests, fields) if isinstance(requests, Sequence) else None
        if options.budget_cents is not None:
            self._refuse_too_small(options.budget_cents)
        # Bounded, so that a slow consumer slows the workers down.
        self._results: asyncio.Queue[BatchResult[Any] | None] = asyncio.Queue(options.concurrency)
        self._workers: set[asyncio.Task[None]] = set()
        # Each item under way, by its key: itself, and its repetitions so far
        self._under_way: dict[str, list[Item]] = {}
        # Results that the program still references; the ledger has the others.
        self._known: WeakValueDictionary[str, BatchResult[Any]] = WeakValueDictionary()
        self._state: BatchState | None = None
        self._page_url: str | None = None
        self._started = False
        self._failure: BaseException | None = None
        self._drained = False
        self._reads = True  # whether the next items of the input may still be submitted
        self._has_open_round = False  # of trying failed items again
        self._closed = False
        self._ending: asyncio.Task[None] | None = None
        self._reading: set[asyncio.Task[Any]] = set()
        self._clock: Callable[[], float] = time.monotonic  # the loop's, once it runs
        self._ended_at: float | None = None
        # Only with `collect`: a loop keeps no results.
        self._collected: list[BatchResult[OutputT]] | None = None

    # --- the public interface -------------------------------------------------------------

    def __aiter__(self) -> AsyncGenerator[BatchResult[OutputT], None]:
        if self._started:
            is_new = self._closed and self._state is None
            why = "this batch was closed before" if is_new else "a batch is iterated over once"
            what = f"{why}; call run_many again, with the same ledger"
            raise InvalidRequestError(what, field="requests")
        self._started = True
        return self._iterate()

    async def collect(self) -> list[BatchResult[OutputT]]:
        """Run all items and return a result for each, in the order of the input.

        An item that is twice in the input has one task and two results. Items that are left for the
        next run have no result: `progress.stopped_by` says why.

        Raises:
            BrowserUseError: The error that ended the batch; see `run_many`.
        """
        self._collected = []
        async for result in self:
            self._collected.append(result)
        return sorted(self._collected, key=lambda result: result.index)

    def to_rows(self) -> list[dict[str, Any]]:
        """The results that `collect()` has so far, as flat mappings with the same columns.

        Use them as `pandas.DataFrame(batch.to_rows())` or `polars.DataFrame(batch.to_rows())`. They
        are in the order of the input; `BatchResult.to_row` describes the columns. If no item has
        an output, the columns of `parsed` are those of the `output_type`.

        Raises:
            InvalidRequestError: The batch is iterated over, and keeps no results then.
        """
        if self._started and self._collected is None:
            raise InvalidRequestError(
                "a batch keeps no results while you iterate over it: use result.to_row() in the "
                "loop, read_ledger(path).to_rows(), or await batch.collect() instead of the loop",
                field="requests",
            )
        results = sorted(self._collected or (), key=lambda result: result.index)
        rows = [each.to_row() for each in results]
        columns = dict.fromkeys(name for row in rows for name in row)
        if all(each.parsed is None for each in results):
            columns |= columns_of(self._options.output_type)
        return [{**columns, **row} for row in rows]

    def drain(self) -> None:
        """Submit nothing more. Running items finish, and then the iteration ends."""
        self._drained = True
        if self._state is not None:
            self._state.stop(StopReason.DRAINED)
        self._stop_reading()

    @property
    def progress(self) -> BatchProgress:
        """The current progress."""
        if self._state is None:
            stopped = StopReason.DRAINED if self._drained else None
            return BatchProgress(
                total=self._reader.size,
                budget_cents=self._options.budget_cents,
                estimate_cents=self._estimate,
                stopped_by=stopped,
            )
        return self._state.counter.progress(
            # The time of a batch that has ended does not grow.
            self._clock() if self._ended_at is None else self._ended_at,
            self._reader.size,
            self._estimate,
            self._state.admission,
            self._state.stopped_by,
        )

    @property
    def page_url(self) -> str | None:
        """The page of the batch on a bundled server; None elsewhere, and until a task has ended."""
        return self._page_url

    @property
    def _estimate(self) -> Decimal | None:
        return None if self._prices is None else self._prices.total_cents

    async def aclose(self) -> None:
        """Leave the batch: items under way are left or stopped as `on_cancel` says."""
        # If it was closed before it began, it does not begin.
        self._started = self._closed = True
        # Makes room for the end mark in a full queue.
        while not self._results.empty():
            self._results.get_nowait()  # the ledger has the results
        self._results.put_nowait(None)  # ends an iteration that waits
        if self._state is None:
            return
        if self._ended_at is None:
            self._ended_at = self._clock()
        # Once: after a `break` both the loop and `async with` end it.
        if self._ending is None:
            # In the background: if the caller is cancelled meanwhile, stops and writes go on.
            self._ending = self._lifecycle.background.start(self._end(self._state), "ends a batch")
        await asyncio.wait([self._ending])
        if not self._ending.cancelled():  # by the end of the session
            self._ending.result()

    async def _end_with_session(self) -> None:
        """Submit nothing more, and leave or stop the tasks under way, before the session closes."""
        if self._ending is not None:  # it was left a moment ago
            await asyncio.wait([self._ending])
            return
        in_flight = {} if self._state is None else self._state.in_flight
        if self._started and (in_flight or not self._reader.ended):
            error = session_closed_error(self._options, in_flight.values())
            self._failure = self._failure or error
            self._stop_reading()
        if self._state is not None:
            # In the background: if the session's `aclose` is cancelled, stops go on.
            stopping = self._lifecycle.background.start(
                stop_before_closing(self._state), "stops tasks of a batch before it closes"
            )
            await asyncio.wait([stopping])

    async def _end(self, state: BatchState) -> None:
        try:
            await shut_down(self._workers, state)
        finally:
            await state.writer.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_error: object) -> None:
        await self.aclose()

    def __repr__(self) -> str:
        if not hasattr(self, "_collected"):  # while __init__ raises
            return "<Batch>"
        figures = (f"{name} {value}" for name, value in self.progress.figures().items())
        return f"<Batch: {', '.join(figures)}>"

    def __rich_repr__(self) -> Iterator[tuple[str, object]]:
        """The same for rich."""
        yield from self.progress.figures().items()

    def _repr_html_(self) -> str:
        """The same for a notebook."""
        from browser_use_async.types.notebook import page_link, table  # noqa: PLC0415

        page = [] if self._page_url is None else [("page", page_link(self._page_url))]
        return table("Batch", [*self.progress.figures().items(), *page])

    # --- the workers ----------------------------------------------------------------------

    async def _iterate(self) -> AsyncGenerator[BatchResult[OutputT], None]:
        observers = self._lifecycle.creator.transport.observers
        try:
            await self._open()
            observers.notify(BatchBegan(), self)
            self._report_progress()
            # Another asyncio task may have closed it while it was opened.
            if not self._closed:
                self._start_worker()
            while (result := await self._results.get()) is not None:
                yield result
            if not self._closed:
                await self._finish()
        finally:
            await self.aclose()
            observers.notify(BatchEnded(), self)
        if self._failure is not None:
            raise self._failure

    async def _open(self) -> None:
        options, lifecycle = self._options, self._lifecycle
        now = self._runtime.now().timestamp()
        writer = await self._start_writer()
        try:
            totals: LedgerTotals = await writer.run(
                lambda store: store.begin_run(
                    *(now, options.budget_cents, options.labels),
                    key_prefix=options.key_prefix,
                    retry_failed=options.retry_failed,
                    per_key=None if options.limits is None else options.limits.per_key,
                )
            )
            self._has_open_round = totals.has_open_round
            options = attrs.evolve(options, key_prefix=totals.key_prefix)
            budget = BudgetAmounts(NO_LIMIT, totals.cost_cents, totals.reserved_cents)
            if options.budget_cents is not None:
                budget.limit_cents = options.budget_cents
            await learn_service(lifecycle)
        except BaseException:
            # `aclose` cannot close it: there is no state yet.
            await writer.aclose()
            raise
        # The loop's clock, which is virtual in simulations.
        self._clock = asyncio.get_running_loop().time
        self._state = BatchState(
            lifecycle,
            self._runtime.now,
            options,
            writer,
            Admission(budget, options.concurrency, self._prices is None),
            ProgressCounter(
                *(totals.counts, self._clock()),
                joined=totals.joined,
                retries=totals.has_open_round,
            ),
            SharedBackoff(self._patience, self._runtime.rng),
            self._report_progress,
        )
        if self._drained:
            self._state.stop(StopReason.DRAINED)

    def _refuse_too_small(self, limit: Decimal) -> None:
        """Refuse a budget that is too small for any task of the input."""
        cheapest = None if self._prices is None else self._prices.cheapest
        if cheapest is not None and cheapest.maximum_cents > limit:
            raise nothing_would_run(cheapest, limit)

    def _start_worker(self) -> None:
        """Start a worker. Each worker starts the next one while there is room."""
        worker = asyncio.get_running_loop().create_task(
            self._work(), name="browser-use: works on items of a batch"
        )
        self._workers.add(worker)
        worker.add_done_callback(self._worker_done)

    async def _work(self) -> None:
        assert self._state is not None
        # An eager task factory begins it at once, before `_workers` counts it.
        await asyncio.sleep(0)
        has_started_next = False
        try:
            while (item := await self._next()) is not None:
                waits = self._limited is not None and self._limited.is_full(item)
                # Only once there is an item: an input of three needs no more workers.
                if (waits or not has_started_next) and self._has_place(waits=waits):
                    has_started_next = True
                    self._start_worker()
                for result in await self._run(self._state, item):
                    await self._results.put(result)
        except asyncio.CancelledError:
            # Cancelled by other code: without an error its results would seem complete.
            if not self._closed:
                self._fail(worker_cancelled_error())
            raise
        except Exception as error:  # noqa: BLE001 - raised by the iteration
            self._fail(error)

    def _has_place(self, *, waits: bool) -> bool:
        """Whether one more worker may read: those that wait for a limit key take no place."""
        waiting = waits + (0 if self._limited is None else self._limited.waiting)
        return waiting <= READ_AHEAD and len(self._workers) - waiting < self._options.concurrency

    async def _run(self, state: BatchState, item: Item) -> list[BatchResult[Any]]:
        if self._limited is None:
            return await self._run_once(state, item)
        async with self._limited.for_item(item):
            # The batch may have been stopped while the item waited.
            return [] if self._leaves_rest(state) else await self._run_once(state, item)

    async def _run_once(self, state: BatchState, item: Item) -> list[BatchResult[Any]]:
        """Run an item; returns its result and those of its repetitions meanwhile."""
        # A repetition waits in no worker: in an input of pairs half of the workers would wait.
        if same := self._under_way.get(item.key):
            if same[0].digest != item.digest:
                raise mismatch(item.key, repeated=True)
            same.append(item)
            return []
        same = self._under_way[item.key] = [item]
        try:
            result = await ItemRunner(state, item, self._known.get(item.key)).run()
        finally:
            del self._under_way[item.key]
        if result is None:
            return []
        self._known[item.key] = result
        if self._page_url is None and result.task is not None:
            self._page_url = page_of(result.task, state.options.key_prefix)
        if repeats := same[1:]:
            state.counter.duplicates += len(repeats)
            state.on_change()
        return [result, *(repeated_result(each, result) for each in repeats)]

    def _leaves_rest(self, state: BatchState) -> bool:
        """Whether no more items are begun."""
        reason = state.stopped_by
        # The rest is read for items that already have a task, and to count what is left.
        reads_rest = state.counter.outstanding > 0 or self._reader.size is not None
        has_ended = reason is not None and not (reason in FINISHES_BEGUN and reads_rest)
        return self._closed or self._failure is not None or has_ended

    async def _next(self) -> Item | None:
        assert self._state is not None
        if self._leaves_rest(self._state):
            self._stop_reading()
            return None
        worker = asyncio.current_task()
        assert worker is not None
        self._reading.add(worker)
        try:
            return await self._reader.next()
        except asyncio.CancelledError:
            if self._closed or self._reads:
                raise
            # Only the reading was cancelled; the worker then ends by itself.
            worker.uncancel()
            return None
        finally:
            self._reading.discard(worker)

    def _stop_reading(self) -> None:
        """Stop reading: the next item would not be submitted."""
        self._reads = False
        running = running_task()
        for reading in self._reading - {running}:  # the input itself may call this
            reading.cancel()

    def _fail(self, error: Exception) -> None:
        """Start no more items, and raise the error once those in flight have ended."""
        # A mismatch concerns one item; after other errors of the ledger nothing can be written.
        if not isinstance(error, LedgerError) or isinstance(error, LedgerMismatchError):
            self._failure = self._failure or error
            self._stop_reading()
        else:
            assert self._state is not None
            self._failure = self._failure or name_running_tasks(
                error, self._state.in_flight.values()
            )
            for worker in self._workers:
                worker.cancel()

    def _worker_done(self, worker: "asyncio.Task[None]") -> None:
        self._workers.discard(worker)
        if not self._workers and not self._closed:
            # In a task, because the queue may be full and this callback must not block.
            end = asyncio.get_running_loop().create_task(
                self._results.put(None), name="browser-use: reports the end of a batch"
            )
            self._workers.add(end)
            end.add_done_callback(self._workers.discard)

    async def _finish(self) -> None:
        state = self._state
        assert state is not None
        # The whole input was read, so items that failed again may be tried in a new round.
        if self._failure is None and self._has_open_round and state.stopped_by is None:
            now = self._runtime.now().timestamp()
            await state.writer.run(lambda store: store.end_round(now))
        self._report_progress()

    def _report_progress(self) -> None:
        on_progress = self._options.on_progress
        if on_progress is None:
            return
        try:
            on_progress(self.progress)
        except Exception:
            LOGGER.exception("on_progress raised")

"""A batch: reads its input, keeps items under way, and gives results as they come."""

import asyncio
import logging
import random
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from decimal import Decimal
from types import TracebackType
from typing import Any, Generic, Self, TypeVar

from browser_use_async.batch.admission import Admission
from browser_use_async.batch.budget import Budget, nothing_would_run
from browser_use_async.batch.closing import let_go, naming_running
from browser_use_async.batch.entries import Entry, InputReader
from browser_use_async.batch.item import BatchInput
from browser_use_async.batch.items import Items
from browser_use_async.batch.ledger.facts import Totals
from browser_use_async.batch.ledger.reading import Orphan
from browser_use_async.batch.ledger.writer import Writer
from browser_use_async.batch.options import BatchOptions
from browser_use_async.batch.orphans import sweep
from browser_use_async.batch.outage import Outage
from browser_use_async.batch.pricing import InputPrices
from browser_use_async.batch.progress import BatchProgress
from browser_use_async.batch.result import BatchResult
from browser_use_async.batch.run import Run
from browser_use_async.batch.service import Service
from browser_use_async.batch.states import MAY_COST, StopReason
from browser_use_async.batch.step_estimator import StepEstimator
from browser_use_async.batch.tally import Tally
from browser_use_async.batch.way import FATAL
from browser_use_async.errors import (
    BrowserUseError,
    InvalidRequestError,
    LedgerError,
    LedgerMismatchError,
)

__all__ = ["Batch", "OnProgress", "StartWriter"]

OutputT = TypeVar("OutputT")

OnProgress = Callable[[BatchProgress], None]
StartWriter = Callable[[], Awaitable[Writer]]

_LOGGER = logging.getLogger("browser_use_async")
_READ_ON = frozenset({StopReason.BUDGET, StopReason.BALANCE})


class Batch(Generic[OutputT]):
    """What `session.run_many` gives: iterate over it once, with `async for` or `collect()`.

    Nothing is opened, read or sent before the first result is asked for. Leaving the loop early
    leaves the batch too; `async with` makes sure of it at once.

    Attributes:
        orphans: Tasks too many that were found at the end of the run.

    Args:
        service: What it needs of a session.
        requests: The input.
        fields: Fields of each request that does not give them itself.
        options: How it is run.
        start_writer: Opens the ledger.
        on_progress: Told how far it has come.
        draw: The source of chance.
    """

    def __init__(
        self,
        service: Service,
        requests: BatchInput,
        fields: Mapping[str, Any],
        options: BatchOptions,
        start_writer: StartWriter,
        on_progress: OnProgress | None = None,
        draw: random.Random | None = None,
    ) -> None:
        self._service = service
        self._options = options
        self._reader = InputReader(requests, fields, has_type=options.output_type is not None)
        self._start_writer = start_writer
        self._on_progress = on_progress
        self._draw = random.Random() if draw is None else draw  # noqa: S311 - jitter
        self._prices = InputPrices.of(requests, fields) if isinstance(requests, Sequence) else None
        self._refuse_too_small(options.budget_cents)
        self._results: asyncio.Queue[BatchResult[Any] | None] = asyncio.Queue(options.concurrency)
        self._workers: set[asyncio.Task[None]] = set()
        self._run: Run | None = None
        self._begun = False
        self._failure: BaseException | None = None
        self._drained = False
        self._closed = False
        self._reading: set[asyncio.Task[Any]] = set()
        self._clock: Callable[[], float] = time.monotonic  # the loop's, once it runs
        self._ended_at: float | None = None
        self.orphans: tuple[Orphan, ...] = ()

    # --- what users do with it ------------------------------------------------------------

    def __aiter__(self) -> AsyncGenerator[BatchResult[OutputT], None]:
        if self._begun:
            raise InvalidRequestError(
                "a batch is iterated over once; call run_many again, with the same ledger",
                field="requests",
            )
        self._begun = True
        return self._iterate()

    async def collect(self) -> list[BatchResult[OutputT]]:
        """Run everything and give all results in the order of the input.

        Raises:
            BrowserUseError: What ends a batch; see `run_many`.
        """
        results = [result async for result in self]
        return sorted(results, key=lambda result: result.index)

    def drain(self) -> None:
        """Submit nothing more; what runs comes to its end, and then the iteration ends."""
        self._drained = True
        if self._run is not None:
            self._run.stop(StopReason.DRAINED)
        for reading in self._reading:
            reading.cancel()  # what it waits for would not be submitted

    @property
    def progress(self) -> BatchProgress:
        """How far it has come."""
        if self._run is None:
            stopped = StopReason.DRAINED if self._drained else None
            return BatchProgress(
                total=self._reader.size,
                budget_cents=self._options.budget_cents,
                estimate_cents=self._estimate,
                stopped_by=stopped,
            )
        return self._run.tally.progress(
            self._clock() if self._ended_at is None else self._ended_at,
            self._reader.size,
            self._estimate,
            self._run.admission.budget,
            self._run.stopped_by,
        )

    @property
    def _estimate(self) -> Decimal | None:
        return None if self._prices is None else self._prices.total_cents

    async def aclose(self) -> None:
        """Leave the batch: items under way are left or stopped as `on_cancel` says."""
        self._begun = self._closed = True
        while not self._results.empty():
            self._results.get_nowait()  # the ledger has them
        self._results.put_nowait(None)  # whoever iterates comes to the end
        if self._run is None:
            return
        if self._ended_at is None:
            self._ended_at = self._clock()
        try:
            await let_go(self._workers, self._run)
        finally:
            await self._run.writer.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        error_class: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.aclose()

    # --- how it works ---------------------------------------------------------------------

    async def _iterate(self) -> AsyncGenerator[BatchResult[OutputT], None]:
        try:
            await self._open()
            self._tell()
            if not self._closed:
                self._engage()
            while (result := await self._results.get()) is not None:
                yield result
            if not self._closed:
                await self._conclude()
        finally:
            await self.aclose()
        if self._failure is not None:
            raise self._failure

    async def _open(self) -> None:
        options, service = self._options, self._service
        now = service.now().timestamp()
        writer: Writer = await self._start_writer()
        try:
            totals: Totals = await writer.do(
                lambda store: store.begin_run(now, options.budget_cents, options.labels)
            )
            budget = self._budget(totals)
            await self._ask_service(budget)
            self._refuse_too_small(budget.limit_cents)
        except BaseException:
            await writer.aclose()
            raise
        self._clock = asyncio.get_running_loop().time
        tally = Tally(totals.counts, self._clock())
        outage = Outage(options.outage_tolerance, self._draw)
        admission = Admission(budget, service.tasks.get)
        self._run = Run(service, options, writer, admission, tally, outage, self._tell)
        if self._drained:
            self._run.stop(StopReason.DRAINED)

    def _budget(self, totals: Totals) -> Budget:
        return Budget(
            self._options.budget_cents,
            totals.cost_cents,
            StepEstimator(totals.recent_steps),
            is_strict=self._options.budget_strict,
            unmet=sum(totals.counts[state] for state in MAY_COST),
            dearest=None if self._prices is None else self._prices.dearest,
        )

    def _refuse_too_small(self, limit_cents: Decimal | None) -> None:
        """Refuse a strict budget that is too small for any task of the input."""
        cheapest = None if self._prices is None else self._prices.cheapest
        if not self._options.budget_strict or cheapest is None or limit_cents is None:
            return
        if cheapest.maximum_cents > limit_cents:
            raise nothing_would_run(cheapest, limit_cents)

    async def _ask_service(self, budget: Budget) -> None:
        if self._options.check_balance:
            budget.cap((await self._service.get_balance()).cents)
        try:
            for _answer in range(2):  # that agree tell the service's time
                if self._service.service_time() is None:
                    await self._service.ping()
        except BrowserUseError as error:
            _LOGGER.debug("the service's time is not known: %s", error)

    def _engage(self) -> None:
        """Put one more to work, who engages the next one if there is work for another."""
        worker = asyncio.get_running_loop().create_task(self._work())
        self._workers.add(worker)
        worker.add_done_callback(self._dismiss)

    async def _work(self) -> None:
        assert self._run is not None
        items, engaged = Items(self._run), False
        try:
            while (entry := await self._next()) is not None:
                if not engaged and len(self._workers) < self._options.concurrency:
                    engaged = True
                    self._engage()
                result = await items.run(entry)
                if result is not None:
                    await self._results.put(result)
        except Exception as error:  # noqa: BLE001 - raised by the iteration
            self._fail(error)

    async def _next(self) -> Entry | None:
        run = self._run
        assert run is not None
        reason = run.stopped_by
        if self._failure is not None:
            return None
        if reason is not None and not (reason in _READ_ON and self._reads_on(run)):
            return None
        worker = asyncio.current_task()
        assert worker is not None
        self._reading.add(worker)
        try:
            return await self._reader.next()
        except asyncio.CancelledError:
            if self._closed or not self._drained:
                raise
            worker.uncancel()
            return None
        finally:
            self._reading.discard(worker)

    def _reads_on(self, run: Run) -> bool:
        """Whether the rest of the input is read although nothing is submitted.

        To follow tasks of an earlier run to their end, and to say how much is left.
        """
        return run.tally.unmet > 0 or self._reader.size is not None

    def _fail(self, error: Exception) -> None:
        """Begin nothing more, and raise it when what runs has come to its end."""
        if not isinstance(error, LedgerError) or isinstance(error, LedgerMismatchError):
            self._failure = self._failure or error
        else:
            assert self._run is not None
            self._failure = self._failure or naming_running(error, self._run.active.values())
            for worker in self._workers:  # nothing that happens could be written down
                worker.cancel()

    def _dismiss(self, worker: "asyncio.Task[None]") -> None:
        self._workers.discard(worker)
        if not self._workers and not self._closed:
            end = asyncio.get_running_loop().create_task(self._results.put(None))
            self._workers.add(end)
            end.add_done_callback(self._workers.discard)

    async def _conclude(self) -> None:
        run = self._run
        assert run is not None
        if self._failure is None:
            await self._look_for_orphans(run)
        self._tell()

    async def _look_for_orphans(self, run: Run) -> None:
        while True:
            try:
                self.orphans = await sweep(
                    self._service, run.writer, stop=self._options.stop_orphans
                )
                return
            except BrowserUseError as error:
                pause = run.outage.pause(asyncio.get_running_loop().time())
                if pause is None or isinstance(error, FATAL):
                    _LOGGER.warning("tasks too many could not be looked for: %s", error)
                    return
            await asyncio.sleep(pause)

    def _tell(self) -> None:
        if self._on_progress is None:
            return
        try:
            self._on_progress(self.progress)
        except Exception:
            _LOGGER.exception("on_progress raised")

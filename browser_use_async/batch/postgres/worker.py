"""A process that works on the items of a batch, beside others that do the same."""

# Who works on an item stands in its row and nowhere else, so that no job can be lost or doubled: a
# process claims as many rows as it has room for in one statement. It says regularly that it lives;
# what a silent one holds is handed out again.

import asyncio
import contextlib
import random
import time
import uuid
from collections.abc import AsyncGenerator, Callable, Collection, Mapping
from typing import Any

import attrs
import psycopg

from browser_use_async.api.requests import build_request
from browser_use_async.batch.budget import Budget
from browser_use_async.batch.duplicates import find_duplicates
from browser_use_async.batch.estimates import StepEstimator
from browser_use_async.batch.inputs import BatchOptions, InputItem
from browser_use_async.batch.ledger.records import FINAL_STATES, MAY_COST, Claim, ItemState, Orphan
from browser_use_async.batch.ledger.store import RunContext
from browser_use_async.batch.postgres.address import LedgerAddress
from browser_use_async.batch.postgres.admission import PlaceNeededError, SharedAdmission
from browser_use_async.batch.postgres.connection import acquire_lock
from browser_use_async.batch.postgres.schema import AT_REST, WAITING
from browser_use_async.batch.postgres.store import ClaimedItem, WorkerStore
from browser_use_async.batch.postgres.writer import PostgresWriter
from browser_use_async.batch.progress import FINISHES_BEGUN, ProgressCounter, StopReason
from browser_use_async.batch.results import BatchResult
from browser_use_async.batch.runner import DOUBTFUL, ItemRunner
from browser_use_async.batch.state import BatchState, SessionParts, SharedBackoff
from browser_use_async.errors import (
    BrowserUseError,
    ConfigurationError,
    InvalidRequestError,
    LeaseLostError,
    LedgerError,
)
from browser_use_async.logs import LOGGER
from browser_use_async.types import RunTaskRequest

LEASE = 30.0
PAUSE = 0.5  # seconds between two looks for items, if none wait
# Of its leases of unbroken contact before a silent process is believed to have ended: while the
# database is away, no process can report that it is alive.
CONTACT = 1.5
MOST_BETWEEN = 0.75  # of the shortest lease between two answers that are one contact
_BEATS = 6  # in the shortest lease: an outage that is long for one process is seen by all
_MOST_CLAIMED = 100  # in one statement, whose answer has their requests
OnResult = Callable[[BatchResult[Any]], None]


@attrs.frozen(kw_only=True)
class WorkerOptions:
    """How a process works; the terms of the batch stand in the ledger."""

    concurrency: int
    secrets: Mapping[str, str] = attrs.field(factory=dict, repr=False)  # values by name
    settle_window: float = 150.0
    timeout: float | None = None  # in seconds, for each task
    outage_tolerance: float = 600.0  # in seconds, for the service and for the database
    max_failures: int | None = None  # in a row
    stop_orphans: bool = False
    lease: float = LEASE  # seconds after which a silent process has lost its items

    def check_window(self, timeout: float) -> None:
        """Refuse a settle window in which a request of a silent process may still be on its way.

        A process sends as long as a lease after its intent was committed, and an attempt may take
        `timeout` seconds.

        Raises:
            InvalidRequestError: The window is not longer than both together.
        """
        least = self.lease + timeout
        if self.settle_window <= least:
            raise InvalidRequestError(
                f"settle_window: {self.settle_window:g} s are too short beside a lease of "
                f"{self.lease:g} s and {timeout:g} s for an attempt: what a silent process has "
                "sent may still be carried out after the search for it, and be paid twice; nothing "
                f"was sent. Give more than {least:g} s, or a shorter lease, for all processes",
                field="settle_window",
            )


@attrs.define(eq=False)
class ItemQueue:
    """The items of one batch that wait, as one process sees them."""

    writer: PostgresWriter[WorkerStore]
    lease: float  # the shortest one, in seconds after which a silent process has lost its items
    _first: int = 0  # no item before this position waits, as far as is known
    _contact_since: float | None = None  # when the database answered first since it last did not
    _answered_at: float = 0.0  # when it answered last
    _unknown: set[int] = attrs.field(factory=set)  # items that nobody here works on, once seen

    async def claim(self, room: int, *, only_begun: bool) -> list[ClaimedItem]:
        """Make up to so many items that wait this process's own.

        Those that are begun come first, then others in their order, unless `only_begun`.
        """
        taken: list[ClaimedItem] = []
        while len(taken) < room:
            count, first = min(room - len(taken), _MOST_CLAIMED), self._first
            more = await self.writer.transact(
                lambda store: store.claim_next(count, first, only_begun=only_begun)  # noqa: B023
            )
            taken += more
            # The index has claimed rows before it until a vacuum; most claims need not pass them.
            new = [each.record.position + 1 for each in more if not each.is_begun]
            self._first = max(new, default=first)
            if len(more) < count:
                self._first = 0
                if not first:
                    break
        return taken

    async def supervise(self, known: Collection[int]) -> None:
        """Say that this process, at work on `known`, lives, and rescue what ended ones hold."""
        while True:
            await asyncio.sleep(self.lease / _BEATS)
            held, self.lease = await self.writer.transact_first(
                lambda store: store.record_heartbeat()
            )
            # Those that were given back since, too.
            self._first = 0
            await self._give_back(held - set(known))
            await self._rescue(self._contact() / CONTACT)

    async def _give_back(self, unknown: set[int]) -> None:
        """Items are claimed and the answer lost: seen twice, nobody works on them."""
        lost, self._unknown = unknown & self._unknown, unknown
        if lost:
            await self.writer.transact_first(lambda store: store.give_back(lost))

    def _contact(self) -> float:
        """For how many seconds the database has answered, so that living processes could beat."""
        now = time.monotonic()
        # Statements wait for a database that is away: a round that took long says that it was.
        if self._contact_since is None or now - self._answered_at > MOST_BETWEEN * self.lease:
            self._contact_since = now
        self._answered_at = now
        return now - self._contact_since

    async def _rescue(self, longest: float) -> None:
        for position in await self.writer.transact_first(lambda store: store.rescue(longest)):
            LOGGER.warning(
                "the process of item %d was silent for too long, so the item is worked on again",
                position,
            )


@attrs.define(eq=False)
class BatchWorker:
    """Works on a batch until all of it has come to its end, or it is told to stop."""

    session: SessionParts
    address: LedgerAddress
    options: WorkerOptions
    on_result: OnResult = lambda _result: None  # called for each item that it brought to its end
    make_store: Callable[[psycopg.Connection, RunContext, str], WorkerStore] = WorkerStore
    orphans: tuple[Orphan, ...] = ()  # duplicate tasks that it found at the end
    _rng: random.Random = attrs.field(factory=random.Random)
    _drained: bool = False
    _failure: Exception | None = None
    _items: dict[int, "asyncio.Task[None]"] = attrs.field(factory=dict)  # by position
    _wakes_at: int = 0  # how many items may be under way when the next ones are claimed
    _woken: asyncio.Event = attrs.field(factory=asyncio.Event)
    _state: BatchState | None = None
    _admission: SharedAdmission | None = None
    _writer: PostgresWriter[WorkerStore] | None = None

    @property
    def stopped_by(self) -> StopReason | None:
        """Why it submits nothing more although there are items left, or None."""
        return None if self._state is None else self._state.stopped_by

    @property
    def _is_stopped(self) -> bool:
        """Whether it submits nothing more."""
        return self._failure is not None or self.stopped_by is not None

    @property
    def _takes_begun(self) -> bool:
        """Whether it still brings to its end what has a task, or may have one."""
        reason = self.stopped_by
        return self._failure is None and (reason is None or reason in FINISHES_BEGUN)

    def drain(self) -> None:
        """Take no more items; those under way come to their end."""
        self._drained = True
        if self._state is not None:
            self._state.stop(StopReason.DRAINED)

    async def run(self) -> None:
        """Work until the batch is over; cancelled, leave what is under way to other processes."""
        async with self._open_writer() as writer:
            self._writer = writer
            state = self._state = await self._open_state(writer)
            if self._drained:
                state.stop(StopReason.DRAINED)
            await self._work(ItemQueue(writer, self.options.lease))
            if self._failure is None and state.stopped_by is None:
                await self._finish(writer)
        if self._failure is not None:
            raise self._failure

    # --- opening --------------------------------------------------------------------------

    @contextlib.asynccontextmanager
    async def _open_writer(self) -> AsyncGenerator[PostgresWriter[WorkerStore], None]:
        lock = await acquire_lock(self.address, is_shared=True, creates=False)
        options = self.options
        context = RunContext(owner=uuid.uuid4().hex, lease=options.lease)
        writer = PostgresWriter(
            *(self.address, lock, context, options.outage_tolerance, self.make_store, options.lease)
        )
        try:
            yield writer
        finally:
            await writer.aclose()

    async def _open_state(self, writer: PostgresWriter[WorkerStore]) -> BatchState:
        options = self.options
        terms, totals = await writer.transact(lambda store: (store.terms(), store.totals()))
        if terms is None:
            raise LedgerError(f"nothing was enqueued in {self.address}: `batch enqueue` does it")
        budget = Budget(
            terms.budget_cents,
            totals.cost_cents,
            StepEstimator(totals.recent_steps),
            is_strict=terms.is_strict,
        )
        batch_options = BatchOptions(
            concurrency=options.concurrency,
            budget_cents=terms.budget_cents,
            budget_strict=terms.is_strict,
            settle_window=options.settle_window,
            timeout=options.timeout,
            outage_tolerance=options.outage_tolerance,
            max_failures=options.max_failures,
            is_recorded=True,
        )
        await self.session.learn_service_time()
        self._admission = admission = SharedAdmission(
            budget, self.session.tasks.get, writer, self._rng, lambda: self._is_stopped
        )
        return BatchState(
            self.session,
            batch_options,
            writer,
            admission,
            ProgressCounter(dict.fromkeys(ItemState, 0), asyncio.get_running_loop().time()),
            SharedBackoff(options.outage_tolerance, self._rng),
            lambda: None,
        )

    # --- working --------------------------------------------------------------------------

    async def _work(self, queue: ItemQueue) -> None:
        # Also while the last items come to their end, which may outlast a lease.
        supervising = asyncio.ensure_future(queue.supervise(self._items.keys()))
        working = asyncio.ensure_future(self._claim_items(queue))
        try:
            await asyncio.wait({supervising, working}, return_when=asyncio.FIRST_COMPLETED)
            while self._items and not supervising.done():
                ended = {supervising, *self._items.values()}
                await asyncio.wait(ended, return_when=asyncio.FIRST_COMPLETED)
        finally:
            # If it was told to leave them, or cannot say any more that it lives.
            tasks = {supervising, working, *self._items.values()}
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)
            queue.writer.put(lambda store: store.leave())
        for task in (working, supervising):
            if not task.cancelled() and (error := task.exception()) is not None:
                raise error

    async def _claim_items(self, queue: ItemQueue) -> None:
        """Start items as long as there are any and there is room; return when all is over."""
        most = self.options.concurrency
        while self._takes_begun:
            room = most - len(self._items)
            taken = await queue.claim(room, only_begun=self._is_stopped)
            self._report_searches(taken)
            for each in taken:
                self._start_item(each)
            if len(taken) == room:
                await self._until_items(most - 1)
            elif not self._items and await self._is_over(queue.writer):
                return
            else:
                await self._until_items(0, PAUSE * self._rng.uniform(0.5, 1.0))

    def _report_searches(self, taken: list[ClaimedItem]) -> None:
        # Else a process that only searches is silent for the whole settle window.
        count = sum(each.record.state in DOUBTFUL for each in taken)
        if count:
            LOGGER.warning(
                "looking for %d %s whose creation may not have been answered, for %g s at most "
                "before run-task is sent again",
                count,
                "task" if count == 1 else "tasks",
                self.options.settle_window,
            )

    async def _is_over(self, writer: PostgresWriter[WorkerStore]) -> bool:
        if not self._is_stopped:
            return await writer.transact(lambda store: store.is_over())
        # What others work on as well: one of them may end, and its items would be left lying.
        return await writer.transact(lambda store: store.is_settled())

    async def _until_items(self, count: int, timeout: float | None = None) -> None:
        """Wait until so few items are under way, for some seconds at most."""
        self._wakes_at = count
        self._woken.clear()
        if self._items and len(self._items) <= count:
            return
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout):
                await self._woken.wait()

    def _start_item(self, taken: ClaimedItem) -> None:
        position = taken.record.position
        before = self._items.get(position)
        if before is not None:
            # This process was silent for so long that its own item came back to it, with a row that
            # may be older than what is done: it is given back, and read anew once that has ended.
            before.cancel()
            self._give_back(taken.record.claim)
            return
        running = self._items[position] = asyncio.ensure_future(self._process(taken))
        running.add_done_callback(lambda _running: self._item_ended(position))

    def _item_ended(self, position: int) -> None:
        del self._items[position]
        if len(self._items) <= self._wakes_at:
            self._woken.set()

    async def _process(self, taken: ClaimedItem) -> None:
        state, writer, admission = self._state, self._writer, self._admission
        assert state is not None
        assert writer is not None
        assert admission is not None
        claim = taken.record.claim
        admission.claims[claim.position] = claim
        try:
            queue_state = await self._next_queue_state(taken, state, admission)
            if queue_state is not None:
                await writer.transact(lambda store: store.set_queue_state(claim, queue_state))
        except asyncio.CancelledError:
            # For other processes, which need not wait for the end of the lease then.
            self._give_back(claim)
            raise
        except PlaceNeededError:
            self._give_back(claim)
        except LeaseLostError as error:
            LOGGER.warning("%s", error)
        except Exception as error:  # noqa: BLE001 - true of every item, and raised by `run`
            self._failure = self._failure or error
            if not isinstance(error, LedgerError):
                self._give_back(claim)
        finally:
            del admission.claims[claim.position]

    def _give_back(self, claim: Claim) -> None:
        assert self._writer is not None
        self._writer.put(lambda store: store.set_queue_state(claim, WAITING))

    async def _next_queue_state(
        self, taken: ClaimedItem, state: BatchState, admission: SharedAdmission
    ) -> int | None:
        """Bring an item as far as it goes, and say what is to become of it; None: it says so."""
        if self._is_stopped and not (self._takes_begun and taken.record.state in MAY_COST):
            if taken.record.state not in MAY_COST:  # what is left out holds no money
                admission.release(taken.record.position)
            return WAITING
        if taken.record.state in {ItemState.DONE, ItemState.DEAD}:
            return AT_REST
        result = await ItemRunner(state, self._input_item(taken), taken.record).run()
        if result is None:
            return WAITING
        if result.restored or result.state not in FINAL_STATES:
            return AT_REST  # the next run of the batch goes on with it
        self.on_result(result)
        return None  # as its outcome was recorded

    def _input_item(self, taken: ClaimedItem) -> InputItem:
        fields = taken.fields
        if fields is None:
            raise LedgerError(
                f"the ledger {self.address} does not hold the request of the item {taken.key!r}, "
                "because a batch of one process made it; enqueue the same input first"
            )
        if fields.get("secrets"):
            fields["secrets"] = self._secrets(taken.key, fields["secrets"])
        request = build_request(RunTaskRequest, fields)
        return InputItem(
            index=taken.record.position,
            key=taken.key,
            name=taken.name,
            digest=taken.digest,
            request=request,
        )

    def _secrets(self, key: str, names: list[str]) -> dict[str, str]:
        missing = [name for name in names if name not in self.options.secrets]
        if missing:
            raise ConfigurationError(
                f"the item {key!r} needs the secret {missing[0]!r}, which no ledger holds; nothing "
                "was sent for it. Give it to each worker with --secret"
            )
        return {name: self.options.secrets[name] for name in names}

    async def _finish(self, writer: PostgresWriter[WorkerStore]) -> None:
        now = self.session.now().timestamp()
        if not await writer.transact(lambda store: store.finish(now)):
            return
        try:
            self.orphans = await find_duplicates(
                self.session, writer, stop=self.options.stop_orphans
            )
            await writer.transact(lambda store: store.end_doubts())
        except BrowserUseError as error:
            LOGGER.warning("tasks too many could not be looked for: %s", error)

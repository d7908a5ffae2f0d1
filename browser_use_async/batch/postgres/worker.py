"""A process that works on the items of a batch, together with others."""

# The row of an item is the only place that names its worker, so no job can be lost or doubled: a
# process claims as many rows as it has room for in one statement. It renews its lease regularly;
# the items of a process that does not are handed out again.

import asyncio
import contextlib
import time
import uuid
from collections.abc import AsyncGenerator, Callable, Collection
from typing import Any

import attrs

from browser_use_async.api.requests import build_request
from browser_use_async.batch.inputs import Item
from browser_use_async.batch.ledger import records
from browser_use_async.batch.ledger.row import Claim
from browser_use_async.batch.ledger.store import RunContext
from browser_use_async.batch.ledger.writer import LedgerWriter
from browser_use_async.batch.options import WorkerOptions
from browser_use_async.batch.postgres.address import LedgerAddress
from browser_use_async.batch.postgres.admission import PlaceNeededError, SharedAdmission
from browser_use_async.batch.postgres.connection import acquire_lock
from browser_use_async.batch.postgres.store import PostgresStore
from browser_use_async.batch.postgres.writer import MakeStore, PostgresLedger
from browser_use_async.batch.progress import FINISHES_BEGUN, ProgressCounter, StopReason
from browser_use_async.batch.results import BatchResult
from browser_use_async.batch.runner import ItemRunner
from browser_use_async.batch.state import BatchState, SharedBackoff, learn_service
from browser_use_async.errors import (
    BrowserUseError,
    ConfigurationError,
    LeaseLostError,
    LedgerCorruptError,
    LedgerError,
)
from browser_use_async.lifecycle.run import SubmissionRunner
from browser_use_async.logs import LOGGER
from browser_use_async.transport.config import Runtime
from browser_use_async.types import RunTaskRequest

PAUSE = 0.5  # seconds between two claims, if no items wait
# How many leases the contact to the database must last before a silent process counts as lost:
# while the database is unreachable, no process can renew its lease.
CONTACT = 1.5
MOST_BETWEEN = 0.75  # of the shortest lease; a longer gap between answers ends the contact
_BEATS = 6  # in the shortest lease, so that all processes notice an outage
_MOST_CLAIMED = 256  # in one statement, whose answer contains their requests
OnResult = Callable[[BatchResult[Any]], None]


@attrs.define(eq=False)
class ItemQueue:
    """The waiting items of a batch, as known to one process."""

    writer: LedgerWriter[PostgresStore]
    lease: float  # the shortest one, in seconds
    _first: int = 0  # no item before this position waits, as far as known
    is_limited: bool = True  # whether items wait for their limit keys, as far as known
    _after: str = ""  # the limit key after which the next claim begins
    _contact_since: float | None = None  # since when the database has answered without a gap
    _answered_at: float = 0.0  # when it last answered
    _unknown: set[int] = attrs.field(factory=set)  # items without a worker here, once seen

    async def claim(self, room: int, *, only_begun: bool) -> list[Claim]:
        """Claim up to so many waiting items.

        Begun items come first. Unless `only_begun`, others follow: those with a limit key, key by
        key, then those without one in their order.
        """
        if only_begun or not self.is_limited:
            return await self._claim_in_order(room, only_begun=only_begun)
        taken = await self._claim_in_order(room, only_begun=True)
        taken += await self._claim_limited(room - len(taken))
        return taken + await self._claim_in_order(room - len(taken), only_begun=False)

    async def _claim_limited(self, room: int) -> list[Claim]:
        taken: list[Claim] = []
        while len(taken) < room:
            count, after = min(room - len(taken), _MOST_CLAIMED), self._after
            more, self._after = await self.writer.run(
                lambda store: store.claim_limited(count, after),  # noqa: B023 - run at once
                durable=False,
            )
            taken += more
            if not self._after and not after:
                break
        return taken

    async def _claim_in_order(self, room: int, *, only_begun: bool) -> list[Claim]:
        taken: list[Claim] = []
        while len(taken) < room:
            count, first = min(room - len(taken), _MOST_CLAIMED), self._first
            more = await self.writer.run(
                lambda store: store.claim_next(count, first, only_begun=only_begun),  # noqa: B023
                durable=False,
            )
            taken += more
            # Until a vacuum the index has claimed rows before it, which most claims can skip.
            new = [each.position + 1 for each in more if not each.row.is_begun]
            self._first = max(new, default=first)
            if only_begun and len(more) < count:
                break
            if len(more) < count:
                self._first = 0
                if not first:
                    break
        return taken

    async def supervise(self, known: Collection[int]) -> None:
        """Renew the lease of this process, which works on `known`, and rescue lost items."""
        while True:
            await asyncio.sleep(self.lease / _BEATS)
            held, self.lease = await self.writer.run(
                lambda store: store.record_heartbeat(), durable=False, first=True
            )
            # Then items that were given back are found, too.
            self._first = 0
            self.is_limited = await self.writer.run(
                lambda store: store.has_limited(), durable=False, first=True
            )
            await self._give_back(held - set(known))
            await self._rescue(self._contact() / CONTACT)

    async def _give_back(self, unknown: set[int]) -> None:
        """Give items back whose claim was not answered: they are seen twice without a worker."""
        lost, self._unknown = unknown & self._unknown, unknown
        if lost:
            await self.writer.run(lambda store: store.give_back(lost), durable=False, first=True)

    def _contact(self) -> float:
        """For how many seconds the database has answered, so that processes could renew leases."""
        now = time.monotonic()
        # Statements wait for an unreachable database, so a long round means that it was
        # unreachable.
        if self._contact_since is None or now - self._answered_at > MOST_BETWEEN * self.lease:
            self._contact_since = now
        self._answered_at = now
        return now - self._contact_since

    async def _rescue(self, longest: float) -> None:
        rescued = await self.writer.run(
            lambda store: store.rescue(longest), durable=False, first=True
        )
        for position in rescued:
            LOGGER.warning(
                "the process of item %d was silent for too long, so the item is worked on again",
                position,
            )


@attrs.define(eq=False)
class BatchWorker:
    """Works on a batch until all items have ended, or until it is stopped."""

    lifecycle: SubmissionRunner
    runtime: Runtime
    address: LedgerAddress
    options: WorkerOptions
    on_result: OnResult = lambda _result: None  # called for each item that it finished
    make_store: MakeStore[PostgresStore] = PostgresStore
    _drained: bool = False
    _failure: Exception | None = None
    _items: dict[int, "asyncio.Task[None]"] = attrs.field(factory=dict)  # by position
    _wakes_at: int = 0  # the next items are claimed when so few are under way
    _woken: asyncio.Event = attrs.field(factory=asyncio.Event)
    _state: BatchState | None = None
    _admission: SharedAdmission | None = None
    _writer: LedgerWriter[PostgresStore] | None = None

    @property
    def stopped_by(self) -> StopReason | None:
        """Why it submits nothing more although items are left, or None."""
        return None if self._state is None else self._state.stopped_by

    @property
    def _is_stopped(self) -> bool:
        """Whether it submits nothing more."""
        return self._failure is not None or self.stopped_by is not None

    @property
    def _takes_begun(self) -> bool:
        """Whether it still finishes items that have a task, or may have one."""
        reason = self.stopped_by
        return self._failure is None and (reason is None or reason in FINISHES_BEGUN)

    def drain(self) -> None:
        """Take no more items; those under way are finished."""
        self._drained = True
        if self._state is not None:
            self._state.stop(StopReason.DRAINED)

    async def run(self) -> None:
        """Work until the batch is over; a cancellation leaves its items to other processes."""
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
    async def _open_writer(self) -> AsyncGenerator[LedgerWriter[PostgresStore], None]:
        lock = await acquire_lock(self.address, is_shared=True, creates=False)
        options = self.options
        context = RunContext(owner=uuid.uuid4().hex, lease=options.lease)
        ledger = PostgresLedger(
            address=self.address, lock=lock, context=context, patience=options.outage_timeout
        )
        writer = ledger.writer(self.make_store)
        try:
            yield writer
        finally:
            await writer.aclose()

    async def _open_state(self, writer: LedgerWriter[PostgresStore]) -> BatchState:
        options = self.options
        budget, key_prefix = await writer.run(
            lambda store: (store.budget(), store.key_prefix()), durable=False
        )
        if budget is None or key_prefix is None:
            raise LedgerError(f"nothing was enqueued in {self.address}: `batch enqueue` does it")
        await learn_service(self.lifecycle)
        self._admission = admission = SharedAdmission(
            *(budget, options.concurrency, False, writer),
            rng=self.runtime.rng,
            is_stopped=lambda: self._is_stopped,
        )
        return BatchState(
            self.lifecycle,
            self.runtime.now,
            attrs.evolve(options, key_prefix=key_prefix, ledger=str(self.address)),
            writer,
            admission,
            ProgressCounter(dict.fromkeys(records.ItemState, 0), asyncio.get_running_loop().time()),
            SharedBackoff(options.outage_timeout, self.runtime.rng),
            lambda: None,
        )

    # --- working --------------------------------------------------------------------------

    async def _work(self, queue: ItemQueue) -> None:
        # Also while the last items are finished, which may take longer than a lease.
        supervising = asyncio.create_task(
            queue.supervise(self._items.keys()),
            name="browser-use: supervises the items of a batch worker",
        )
        working = asyncio.create_task(
            self._claim_items(queue), name="browser-use: claims items of a batch"
        )
        try:
            await asyncio.wait({supervising, working}, return_when=asyncio.FIRST_COMPLETED)
            while self._items and not supervising.done():
                ended = {supervising, *self._items.values()}
                await asyncio.wait(ended, return_when=asyncio.FIRST_COMPLETED)
        finally:
            # If it was stopped, or can no longer renew its lease.
            tasks = {supervising, working, *self._items.values()}
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)
            queue.writer.post(lambda store: store.leave())
        for task in (working, supervising):
            if not task.cancelled() and (error := task.exception()) is not None:
                raise error

    async def _claim_items(self, queue: ItemQueue) -> None:
        """Start items while there is room; returns when the batch is over."""
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
                # The end of an item may make room for another one of its key.
                count = len(self._items) - 1 if queue.is_limited else 0
                await self._until_items(count, PAUSE * self.runtime.rng.uniform(0.5, 1.0))

    def _report_searches(self, taken: list[Claim]) -> None:
        # Else a process that only searches would log nothing for the whole settle window.
        keys_are_kept = self.lifecycle.creator.transport.keys.are_kept
        count = sum(
            each.row.state in records.DOUBTFUL and not (each.row.keyed and keys_are_kept)
            for each in taken
        )
        if count:
            LOGGER.warning(
                "looking for %d %s whose creation may not have been answered, for %g s at most "
                "before run-task is sent again",
                count,
                "task" if count == 1 else "tasks",
                self.lifecycle.creator.reconciler.settle_window,
            )

    async def _is_over(self, writer: LedgerWriter[PostgresStore]) -> bool:
        if not self._is_stopped:
            return await writer.run(lambda store: store.is_over(), durable=False)
        # Also items of other processes: one of these may end, and leave its items.
        return await writer.run(lambda store: store.is_settled(), durable=False)

    async def _until_items(self, count: int, timeout: float | None = None) -> None:
        """Wait until only `count` items are under way, for some seconds at most."""
        self._wakes_at = count
        self._woken.clear()
        if self._items and len(self._items) <= count:
            return
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout):
                await self._woken.wait()

    def _start_item(self, taken: Claim) -> None:
        position = taken.position
        before = self._items.get(position)
        if before is not None:
            # This process lost its lease and has claimed its own item again, with a row that may be
            # out of date: it is given back, and claimed again once the first run has ended.
            before.cancel()
            self._hand_back(taken)
            return
        running = self._items[position] = asyncio.create_task(
            self._process(taken), name="browser-use: works on an item of a batch"
        )
        running.add_done_callback(lambda _running: self._item_ended(position))

    def _item_ended(self, position: int) -> None:
        del self._items[position]
        if len(self._items) <= self._wakes_at:
            self._woken.set()

    async def _process(self, taken: Claim) -> None:
        state, admission = self._state, self._admission
        assert state is not None
        assert admission is not None
        if self._is_stopped and not (self._takes_begun and taken.row.state in records.MAY_COST):
            if taken.row.state not in records.MAY_COST:  # nothing is reserved for what is left out
                admission.release(taken)
            self._hand_back(taken)
            return
        if taken.row.state in records.FINAL_STATES and not taken.may_retry:
            self._hand_back(taken, waits=False)
            return
        try:
            item = self._item(taken)
        except BrowserUseError as error:
            self._failure = self._failure or error
            self._hand_back(taken)
            return
        try:
            result = await ItemRunner(state, item, taken).run()
            if result is not None and result.state in records.FINAL_STATES and not result.restored:
                self.on_result(result)
        except PlaceNeededError:
            pass
        except LeaseLostError as error:
            LOGGER.warning("%s", error)
        except Exception as error:  # noqa: BLE001 - true of every item, and raised by `run`
            self._failure = self._failure or error

    def _hand_back(self, claim: Claim, *, waits: bool = True) -> None:
        assert self._writer is not None
        self._writer.post(lambda store: store.hand_back(claim, waits=waits))

    def _item(self, taken: Claim) -> Item:
        fields = taken.fields
        if fields is None:
            raise LedgerCorruptError(
                f"{self.address} has no request of the item {taken.row.key!r}; nothing was sent "
                "for it. Restore the schema from a backup, or enqueue the same input again"
            )
        if fields.get("secrets"):
            fields["secrets"] = self._secrets(taken.row.key, fields["secrets"])
        request = build_request(RunTaskRequest, fields)
        return Item(
            index=taken.position,
            key=taken.row.key,
            name=taken.row.name,
            digest=taken.row.digest,
            request=request,
        )

    def _secrets(self, key: str, names: list[str]) -> dict[str, str]:
        missing = [name for name in names if name not in self.options.secrets]
        if missing:
            raise ConfigurationError(
                f"the item {key!r} needs the secret {missing[0]!r}, and ledgers keep no secrets; "
                "nothing was sent for it. Give it to each worker with --secret"
            )
        return {name: self.options.secrets[name] for name in names}

    async def _finish(self, writer: LedgerWriter[PostgresStore]) -> None:
        now = self.runtime.now().timestamp()
        await writer.run(lambda store: store.finish(now), durable=False)

"""Writes a ledger in a thread, since statements block: group commit, one fsync for many items.

A `LedgerEntry` writes the row of one item, while the item runs.
"""

import asyncio
import contextlib
import copy
import queue
import threading
import time
from collections.abc import Callable, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any, TypeVar

import attrs

from browser_use_async.api.submission_token import SubmissionToken
from browser_use_async.batch.ledger.file import LedgerFile, as_ledger_error
from browser_use_async.batch.ledger.records import UNANSWERED, Intent
from browser_use_async.batch.ledger.row import LedgerRow
from browser_use_async.batch.ledger.store import LedgerStore
from browser_use_async.batch.result import BatchResult
from browser_use_async.errors import LedgerError, LedgerMismatchError
from browser_use_async.lifecycle.create import Journal
from browser_use_async.lifecycle.reconcile import mark_of
from browser_use_async.system import open_in_thread
from browser_use_async.transport.service import SubmissionKeys
from browser_use_async.types import Task

ResultT = TypeVar("ResultT")

MAX_GROUP = 256  # jobs that wait for the same commit
MAX_LINGER = 0.005  # seconds for which a commit waits for more jobs
IDLE_SECONDS = 0.5  # after which jobs are committed even if no caller waits


@attrs.define(eq=False)
class Job:
    """Work that the event loop hands over to the thread."""

    work: Callable[[Any], Any]  # is called with the store
    future: "asyncio.Future[Any]"  # of the caller
    durable: bool  # whether it is committed when the future is done
    result: Any = None
    error: Exception | None = None


class LedgerWriter:
    """Executes jobs on a ledger in order; those that wait together share a transaction."""

    # After a failed statement or commit nothing more is written, because rows may be missing that
    # callers rely on.

    def __init__(self, ledger: LedgerFile, store: LedgerStore) -> None:
        self._ledger = ledger
        self._store = store
        self._loop = asyncio.get_running_loop()
        self._is_closing = False
        self._given: list[Job] = []  # and not handed over yet
        self._jobs = queue.SimpleQueue[Sequence[Job] | None]()
        self._mutex = threading.Lock()
        self._executed: list[Job] = []  # whose results the loop has yet to deliver
        self._ended: asyncio.Future[None] = self._loop.create_future()
        # Of the thread
        self._failure: LedgerError | None = None
        self._waiting: list[Job] = []  # executed, and not committed
        self._commits_at = 0.0
        self._is_alone = True  # whether the last commit was for one job
        # A daemon: a program that ends without closing the batch does not hang. Every job that a
        # caller relies on is committed by then.
        threading.Thread(target=self._execute_all, name="batch-ledger", daemon=True).start()

    # --- in the event loop ----------------------------------------------------------------

    async def run(self, work: Callable[[LedgerStore], ResultT], *, durable: bool = True) -> ResultT:
        """Run a job.

        A `durable` one is committed when this returns; else it is committed no later than the next
        durable one.
        """
        # A cancellation ends only the waiting: the thread writes the job.
        result: ResultT = await self._start(work, durable=durable)
        return result

    def post(self, work: Callable[[LedgerStore], object]) -> None:
        """Run a job before any later one, without waiting for it."""
        if not self._is_closing:
            # If it fails, the row lacks something, which the next run finds out.
            future = self._start(work, durable=False)
            future.add_done_callback(lambda done: done.cancelled() or done.exception())

    def _start(self, work: Callable[[LedgerStore], Any], *, durable: bool) -> "asyncio.Future[Any]":
        future: asyncio.Future[Any] = self._loop.create_future()
        if self._is_closing:
            future.set_exception(LedgerError("the batch has been closed"))
            return future
        # All jobs of one turn of the loop are handed over together: to wake a thread costs more
        # than a job.
        if not self._given:
            self._loop.call_soon(self._hand_over)
        self._given.append(Job(work, future, durable))
        if len(self._given) == MAX_GROUP:
            self._hand_over()
        return future

    def _hand_over(self) -> None:
        given, self._given = self._given, []
        if given:  # else they were handed over before
            self._jobs.put(given)

    async def aclose(self) -> None:
        """Run the remaining jobs, commit and close the ledger; idempotent."""
        if not self._is_closing:
            self._is_closing = True
            self._hand_over()
            self._jobs.put(None)
        # Shielded: several callers may wait for the same future, and one may be cancelled.
        await asyncio.shield(self._ended)

    def _deliver(self) -> None:
        with self._mutex:
            executed, self._executed = self._executed, []
        for job in executed:
            if job.future.done():  # its caller was cancelled
                continue
            if job.error is None:
                job.future.set_result(job.result)
            else:
                job.future.set_exception(job.error)

    def _set_ended(self) -> None:
        if not self._ended.done():
            self._ended.set_result(None)

    # --- in the thread --------------------------------------------------------------------

    def _execute_all(self) -> None:
        connection = self._ledger.connection
        try:
            while True:
                timeout = None
                if connection.in_transaction:
                    timeout = max(self._commits_at - time.monotonic(), 0.0)
                try:
                    jobs = self._jobs.get(timeout=timeout)
                except queue.Empty:
                    self._finish(self._commit())
                    continue
                if jobs is None:
                    break
                self._finish(self._execute(jobs))
        finally:
            try:
                self._finish(self._commit())
            finally:
                self._ledger.close()
                self._call_in_loop(self._set_ended)

    def _execute(self, jobs: Sequence[Job]) -> Sequence[Job]:
        """Execute jobs in the open transaction; returns those whose callers need not wait."""
        is_first = not self._waiting
        self._waiting += [job for job in jobs if job.durable]
        try:
            if self._failure is not None:
                raise self._failure  # noqa: TRY301 - each job fails with it
            if not self._ledger.connection.in_transaction:
                # IMMEDIATE: a busy lock fails here and not between the jobs.
                self._ledger.connection.execute("BEGIN IMMEDIATE")
            for job in jobs:
                self._work(job)
        except Exception as error:  # noqa: BLE001 - a dead thread would let callers wait forever
            return self._fail(error, jobs)
        passing = [job for job in jobs if not job.durable]
        if not self._waiting:
            self._commits_at = time.monotonic() + IDLE_SECONDS
            return passing
        count = len(self._waiting)
        # A single item does not wait for others.
        if count >= MAX_GROUP or (count == 1 and self._is_alone):
            return [*passing, *self._commit()]
        if is_first:
            self._commits_at = time.monotonic() + MAX_LINGER
        return passing

    def _work(self, job: Job) -> None:
        try:
            job.result = job.work(self._store)
        except LedgerMismatchError as error:  # about one item; nothing was written for it
            job.error = error

    def _commit(self) -> Sequence[Job]:
        """Commit the open transaction, if there is one; returns the jobs that waited for it."""
        if not self._ledger.connection.in_transaction:
            return ()
        try:
            self._ledger.connection.execute("COMMIT")
            if self._waiting:
                self._ledger.check_files()  # before a caller relies on the commit
        except Exception as error:  # noqa: BLE001 - as above
            return self._fail(error)
        committed, self._waiting = self._waiting, []
        self._is_alone = len(committed) <= 1
        return committed

    def _fail(self, error: Exception, jobs: Sequence[Job] = ()) -> Sequence[Job]:
        """Roll the open transaction back; its successful jobs are lost, too."""
        self._failure = as_ledger_error(error, self._ledger.path)
        if self._ledger.connection.in_transaction:
            self._ledger.connection.execute("ROLLBACK")
        failed = [*self._waiting, *(job for job in jobs if not job.durable)]
        self._waiting = []
        for job in failed:
            job.error = copy.copy(self._failure)  # each caller adds its own traceback
        return failed

    def _finish(self, jobs: Sequence[Job]) -> None:
        if not jobs:
            return
        with self._mutex:
            is_woken = bool(self._executed)  # the event loop will deliver these, too
            self._executed += jobs
        if not is_woken:
            self._call_in_loop(self._deliver)

    def _call_in_loop(self, call: Callable[[], None]) -> None:
        # In a closed event loop no caller waits.
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(call)


async def open_writer(opens: Callable[[], LedgerFile]) -> LedgerWriter:
    """Open a ledger outside of the event loop and start its thread."""
    ledger = await open_in_thread(opens, LedgerFile.close)
    return LedgerWriter(ledger, LedgerStore(ledger.connection))


@attrs.define(eq=False)
class LedgerEntry(Journal):
    """The ledger row of one item; each step is written before the next one can happen."""

    # It is the journal of the item's submission: run-task is sent after the ledger has its intent.

    writer: LedgerWriter
    row: LedgerRow  # as this run has found it
    now: Callable[[], datetime]  # the wall clock
    keys: SubmissionKeys  # whether the service keeps them
    # The token of the task, once that is known
    token: SubmissionToken | None = attrs.field(init=False)
    maximum_cents: Decimal = Decimal(0)  # what the task may cost
    has_ended: bool = False  # whether the row says how the item ended
    # Whether an earlier request, which the next one repeats, may have created the task
    is_repeat: bool = attrs.field(default=False, init=False)
    _claimed: str | None = attrs.field(default=None, init=False)  # the new task that the row has
    # Whether the row has a request whose outcome it does not have
    _is_open: bool = attrs.field(init=False)
    # Whether that request was sent to a service that keeps keys
    _is_keyed: bool = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self._is_open, self._is_keyed = self.row.state in UNANSWERED, self.row.keyed
        self.token = self.row.token

    @property
    def may_repeat(self) -> bool:
        """Whether sending the last request again cannot create a second task."""
        # The service must keep keys both times: one that was replaced meanwhile does not know it.
        return self._is_keyed and self.keys.are_kept

    def is_paid_elsewhere(self, task: Task) -> bool:
        """Whether its key has returned a task that other code has created."""
        own = "" if self.token is None else self.token.mark
        return self._is_keyed and mark_of(task) not in {"", own}

    async def before_send(self) -> None:
        """Record that run-task is about to be sent; returns once that is durable."""
        assert self.token is not None
        row = self.row
        intent = Intent(
            token=self.token,
            at=self.now().timestamp(),
            maximum_cents=self.maximum_cents,
            keyed=self.keys.are_kept,
        )
        self.is_repeat = self._is_open and self.may_repeat
        try:
            await self.writer.run(lambda store: store.begin_send(row, intent))
        except asyncio.CancelledError:
            # The row may be written, but the request will not be sent.
            self.not_created()
            raise
        self._is_open, self._is_keyed = True, intent.keyed

    def not_created(self) -> None:
        """Record that the last request created nothing."""
        if self.is_repeat:
            return  # an earlier request may have created the task, so the row stays an intent
        self._is_open = False
        self.writer.post(lambda store: store.mark_not_sent(self.row))

    # A task with a key need not be durable: after a crash the same request with the same key
    # returns it. Without keys the list would have to be searched for it.

    async def claim_task(self, task_id: str, *, joined: bool) -> bool:
        """Record that a new task exists; False if it is another item's task in the ledger."""
        row = self.row
        try:
            is_own = await self.writer.run(
                lambda store: store.claim_task(row, task_id, joined=joined),
                durable=not self._is_keyed,
            )
        except LedgerError:
            return True  # `record_task` will fail too, with an error that names the task
        if is_own:
            self._claimed = task_id
        return is_own

    async def record_task(self, task_id: str) -> None:
        """Record that the task exists, unless that was done when it was created."""
        if self._claimed == task_id:
            return
        row = self.row
        try:
            await self.writer.run(
                lambda store: store.record_task(row, task_id), durable=not self._is_keyed
            )
        except LedgerError as error:
            problem = str(error)
        else:
            return
        raise LedgerError(
            f"task {task_id} was created for the item {self.row.key!r}, but the ledger could "
            f"not record it: {problem}. The task goes on; run the batch again with this ledger, "
            "which finds the task",
            task_id=task_id,
        )

    async def record_result(self, result: BatchResult[Any]) -> BatchResult[Any]:
        """Record how the item ended; returns the result once that is recorded."""
        await self.writer.run(lambda store: store.record_outcome(self.row, result))
        self.has_ended = True
        return result

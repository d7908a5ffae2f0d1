"""Executes the jobs of a batch on its ledger, in threads, since statements block."""

import asyncio
import contextlib
import math
import queue
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Generic, TypeVar

import attrs

from browser_use_async.batch.ledger.records import Intent
from browser_use_async.batch.ledger.row import Claim
from browser_use_async.batch.ledger.store import LedgerStore
from browser_use_async.batch.results import BatchResult
from browser_use_async.errors import LedgerError

ResultT = TypeVar("ResultT")
StoreT_co = TypeVar("StoreT_co", bound=LedgerStore, covariant=True)

MOST_GIVEN = 256  # jobs that may wait for more before they are handed over
IDLE_SECONDS = 0.5  # after which jobs are committed even if no caller waits


@attrs.define(eq=False)
class Job:
    """Work that an event loop hands over to a thread."""

    work: Callable[[Any], Any]  # is called with a store
    future: "asyncio.Future[Any] | None"  # of the caller that waits for it
    durable: bool = True  # whether it is committed when the future is done
    result: Any = None
    error: Exception | None = None

    def deliver(self) -> None:
        """Pass the result to the caller; called in the event loop."""
        future = self.future
        if future is None or future.done():
            return
        if self.error is None:
            future.set_result(self.result)
        else:
            future.set_exception(self.error)


class LedgerConnection(ABC):
    """The connection of one thread of a writer; no other thread uses it."""

    @staticmethod
    def parts(jobs: Sequence[Job]) -> Iterable[Sequence[Job]]:
        """Divide jobs into parts that are executed together."""
        return [jobs]

    @abstractmethod
    def execute(self, jobs: Sequence[Job]) -> Sequence[Job]:
        """Execute jobs; returns those whose callers need not wait for a later commit."""

    @property
    def commits_at(self) -> float | None:
        """When to commit, by the monotonic clock; None if there is nothing to commit."""
        return None

    def commit(self) -> Sequence[Job]:
        """Commit the executed jobs; returns those whose callers waited for the commit."""
        return ()

    @abstractmethod
    def close(self) -> None:
        """Close it; called after the last commit."""


_Jobs = queue.SimpleQueue[Sequence[Job] | None]


class LedgerWriter(Generic[StoreT_co]):
    """Executes jobs in order, on one connection or on several."""

    # With several connections, the first one executes only jobs that must not wait for others.

    def __init__(
        self,
        connections: Sequence[LedgerConnection],
        *,
        lease: float = math.inf,  # seconds after which another process may take the items over
        closing: threading.Event | None = None,  # is set when the writer begins to close
        linger: float = 0.0,  # seconds for which jobs wait for more before they are handed over
        on_end: Callable[[], None] = lambda: None,  # called by the last thread
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._lease = lease
        self._closing = threading.Event() if closing is None else closing
        self._on_end = on_end
        self._jobs, self._posted = _Jobs(), set[asyncio.Future[Any]]()
        self._linger = linger
        self._is_alone = True  # whether the last job was handed over without others
        self._given: list[Job] = []  # and not handed over yet
        self._parts = connections[0].parts
        self._first_jobs = self._jobs if len(connections) == 1 else _Jobs()
        self._queues = [self._first_jobs, *[self._jobs] * (len(connections) - 1)]
        self._mutex = threading.Lock()
        self._executed: list[Job] = []  # whose results the loop has yet to deliver
        self._left = len(connections)  # threads that run
        self._ended: asyncio.Future[None] = self._loop.create_future()
        for connection, jobs in zip(connections, self._queues, strict=True):
            # A daemon: a program that ends without closing the batch does not hang. Every job that
            # a caller relies on is committed by then.
            threading.Thread(
                target=self._execute_all, args=(connection, jobs), name="batch-ledger", daemon=True
            ).start()

    # --- in the event loop ----------------------------------------------------------------

    async def run(
        self,
        work: Callable[[StoreT_co], ResultT],
        *,
        durable: bool = True,
        first: bool = False,
    ) -> ResultT:
        """Run a job, before others that wait if it is `first`.

        A `durable` one is committed when this returns, and its result is still true; else it is
        committed no later than the next durable one.
        """
        while True:
            asked = time.monotonic()
            # Posted jobs are written before any later job, on all connections.
            while self._posted and not first:
                await asyncio.wait(self._posted)
            # A cancellation ends only the waiting: the thread writes the job.
            result: ResultT = await self._start(work, durable=durable, first=first)
            # After a lease the row may have another owner.
            if not durable or time.monotonic() - asked <= self._lease:
                return result

    def post(self, work: Callable[[StoreT_co], object]) -> None:
        """Run a job before any later one, without waiting for it."""
        if self._closing.is_set():
            return
        future = self._start(work, durable=False)
        # If it fails, the row lacks something, which the next owner finds out.
        future.add_done_callback(lambda done: done.cancelled() or done.exception())
        if len(self._queues) > 1:
            self._posted.add(future)
            future.add_done_callback(self._posted.discard)

    def _start(
        self, work: Callable[[Any], ResultT], *, durable: bool, first: bool = False
    ) -> "asyncio.Future[ResultT]":
        future: asyncio.Future[ResultT] = self._loop.create_future()
        if self._closing.is_set():
            future.set_exception(LedgerError("the batch has been closed"))
        elif first:
            self._first_jobs.put([Job(work, future, durable)])
        else:
            # All jobs of one turn of the loop are handed over together: to wake a thread costs more
            # than a job.
            if not self._given:
                if self._linger and not self._is_alone:
                    self._loop.call_later(self._linger, self._hand_over)
                else:  # a single job does not wait for others
                    self._loop.call_soon(self._hand_over)
            self._given.append(Job(work, future, durable))
            if len(self._given) == MOST_GIVEN:
                self._hand_over()
        return future

    def _hand_over(self) -> None:
        given, self._given = self._given, []
        if not given:
            return  # they were handed over before
        self._is_alone = len(given) == 1
        for part in self._parts(given):
            self._jobs.put(part)

    async def aclose(self) -> None:
        """Run the remaining jobs, commit and close the ledger; idempotent."""
        if not self._closing.is_set():
            self._closing.set()
            self._hand_over()
            for jobs in self._queues:
                jobs.put(None)
        # Shielded: several callers may wait for the same future, and one may be cancelled.
        await asyncio.shield(self._ended)

    def _deliver(self) -> None:
        with self._mutex:
            executed, self._executed = self._executed, []
        for job in executed:
            job.deliver()

    def _set_ended(self) -> None:
        if not self._ended.done():
            self._ended.set_result(None)

    # --- in a thread ----------------------------------------------------------------------

    def _execute_all(self, connection: LedgerConnection, queued: _Jobs) -> None:
        try:
            is_open = True
            while is_open:
                commits_at = connection.commits_at
                timeout = None if commits_at is None else max(commits_at - time.monotonic(), 0.0)
                try:
                    jobs = queued.get(timeout=timeout)
                except queue.Empty:
                    self._finish(connection.commit())
                    continue
                if jobs is None:
                    is_open = False
                else:
                    self._finish(connection.execute(jobs))
        finally:
            try:
                self._finish(connection.commit())
            finally:
                connection.close()
                self._thread_ended()

    def _finish(self, jobs: Sequence[Job]) -> None:
        if not jobs:
            return
        with self._mutex:
            is_woken = bool(self._executed)  # the event loop will deliver these, too
            self._executed += jobs
        if not is_woken:
            self._call_in_loop(self._deliver)

    def _thread_ended(self) -> None:
        with self._mutex:
            self._left -= 1
            is_last = not self._left
        if is_last:
            self._on_end()
            self._call_in_loop(self._set_ended)

    def _call_in_loop(self, call: Callable[[], None]) -> None:
        # In a closed event loop no caller waits.
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(call)


@attrs.frozen
class SendBegins:
    """Run-task is about to be sent."""

    claim: Claim
    intent: Intent

    def __call__(self, store: LedgerStore) -> None:
        """Write it to a store."""
        store.begin_send(self.claim, self.intent)


@attrs.frozen
class TaskFound:
    """A new task exists; returns whether it belongs to no other item."""

    claim: Claim
    task_id: str
    joined: bool = False  # whether an earlier run or other code had created it

    def __call__(self, store: LedgerStore) -> bool:
        """Write it to a store."""
        return store.claim_task(self.claim, self.task_id, joined=self.joined)


@attrs.frozen
class ItemEnds:
    """The item has ended."""

    claim: Claim
    result: BatchResult[Any]

    def __call__(self, store: LedgerStore) -> None:
        """Write it to a store."""
        store.record_outcome(self.claim, self.result)


Write = SendBegins | TaskFound | ItemEnds

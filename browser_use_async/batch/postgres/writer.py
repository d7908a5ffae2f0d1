"""Executes the jobs of a batch on a ledger in PostgreSQL, each in a transaction of its own."""

import asyncio
import itertools
import math
import queue
import threading
import time
import uuid
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Generic, Self, TypeVar

import attrs
import psycopg

from browser_use_async.batch.ledger.store import LedgerStore, RunContext
from browser_use_async.batch.ledger.writer import Job, call_in_loop, deliver
from browser_use_async.batch.postgres.address import LedgerAddress
from browser_use_async.batch.postgres.connection import (
    BatchLock,
    acquire_lock,
    as_ledger_error,
    connect_again,
)
from browser_use_async.batch.postgres.store import PostgresStore
from browser_use_async.errors import LedgerError
from browser_use_async.postgres.connection import PASSING

ResultT = TypeVar("ResultT")
StoreT = TypeVar("StoreT", bound=PostgresStore)
Jobs = queue.SimpleQueue[Job | None]

CONNECTIONS = 4  # on which statements block, so that each has a thread
PAUSE = 0.25  # between two attempts to reach the database, in seconds
CLOSING_PATIENCE = 5.0  # seconds for which a closing batch waits for the database


@attrs.define(eq=False, repr=False)
class PostgresWriter(Generic[StoreT]):
    """Executes jobs on a ledger that several processes share."""

    # Unlike the writer of a file it goes on after a failure: the database may be restarted, and is
    # waited for. Commits of several jobs share the disk's writes in the server.

    address: LedgerAddress
    _lock: BatchLock  # shows the server that this process uses the batch
    context: RunContext
    _patience: float  # seconds for which the database may be away
    _make_store: Callable[[psycopg.Connection, RunContext, str], StoreT]
    _lease: float = math.inf  # seconds after which another process may have this one's items
    _loop: asyncio.AbstractEventLoop = attrs.field(factory=asyncio.get_running_loop)
    _call_prefix: str = attrs.field(factory=lambda: uuid.uuid4().hex)
    _calls: "itertools.count[int]" = attrs.field(factory=itertools.count)
    _jobs: Jobs = attrs.field(factory=queue.SimpleQueue)
    _first_jobs: Jobs = attrs.field(factory=queue.SimpleQueue)  # wait for no others
    _posted: "set[asyncio.Future[Any]]" = attrs.field(factory=set)
    _executed: list[Job] = attrs.field(factory=list)  # whose results the loop has yet to tell
    _mutex: threading.Lock = attrs.field(factory=threading.Lock)
    _closing: threading.Event = attrs.field(factory=threading.Event)
    _ended: "asyncio.Task[None] | None" = None
    _threads: list[threading.Thread] = attrs.field(factory=list)

    def __attrs_post_init__(self) -> None:
        for jobs in (self._first_jobs, *[self._jobs] * CONNECTIONS):
            self._threads.append(self._start_thread(jobs))

    def _start_thread(self, jobs: Jobs) -> threading.Thread:
        # A daemon: a program that ends without closing the batch does not hang. Every job that a
        # caller has relied on is committed by then.
        thread = threading.Thread(
            target=self._execute_all, args=(jobs,), name="batch-ledger", daemon=True
        )
        thread.start()
        return thread

    # --- in the event loop ----------------------------------------------------------------

    async def execute(self, work: Callable[[LedgerStore], ResultT]) -> ResultT:
        """Run a job; it is durable when this returns."""
        while True:
            asked = time.monotonic()
            result = await self.transact(work)
            # What is told after a lease may be true no more: the row may have another owner.
            if time.monotonic() - asked <= self._lease:
                return result

    async def query(self, work: Callable[[LedgerStore], ResultT]) -> ResultT:
        """Run a job; it is durable when this returns."""
        return await self.transact(work)

    async def transact(self, work: Callable[[StoreT], ResultT]) -> ResultT:
        """Run a job that needs more statements than those of every batch."""
        # What was posted is written before any later job, on whatever connection.
        while self._posted:
            await asyncio.wait(self._posted)
        # A cancellation ends the waiting only: what a thread writes stands.
        return await self._start(work, self._jobs)

    async def transact_first(self, work: Callable[[StoreT], ResultT]) -> ResultT:
        """Run a job at once, however many others wait."""
        return await self._start(work, self._first_jobs)

    def post(self, work: Callable[[LedgerStore], object]) -> None:
        """Run a job before any later one, without waiting for it."""
        self.put(work)

    def put(self, work: Callable[[StoreT], object]) -> None:
        """The same for a job that needs more statements."""
        if self._ended is None:
            future = self._start(work, self._jobs)
            self._posted.add(future)
            future.add_done_callback(self._finish_posted)

    def _start(self, work: Callable[[StoreT], ResultT], jobs: Jobs) -> "asyncio.Future[ResultT]":
        if self._ended is not None:
            raise LedgerError("the batch has been closed")
        future: asyncio.Future[ResultT] = self._loop.create_future()
        jobs.put(Job(work, future))
        return future

    def _finish_posted(self, future: "asyncio.Future[Any]") -> None:
        self._posted.discard(future)
        # Nobody is told of an error: the row then says less than what is true, which the next
        # owner of the item finds out.
        future.exception()

    def _deliver(self) -> None:
        with self._mutex:
            executed, self._executed = self._executed, []
        deliver(executed)

    async def aclose(self) -> None:
        """Run the remaining jobs and close the connections; idempotent."""
        if self._ended is None:
            self._ended = asyncio.get_running_loop().create_task(self._close())
        await asyncio.shield(self._ended)

    async def _close(self) -> None:
        self._closing.set()
        self._first_jobs.put(None)
        for _ in range(CONNECTIONS):
            self._jobs.put(None)
        await asyncio.to_thread(self._join)

    # --- in a thread ----------------------------------------------------------------------

    def _join(self) -> None:
        for thread in self._threads:
            thread.join()
        self._lock.close()

    def _execute_all(self, jobs: Jobs) -> None:
        """Execute jobs until there are no more, on a connection of this thread's own."""
        with _Connection(self.address) as connection:
            while (job := jobs.get()) is not None:
                try:
                    job.result = self._transact(job.work, connection)
                except Exception as error:  # noqa: BLE001 - raised by whoever waits for it
                    job.error = error
                self._finish(job)

    def _finish(self, job: Job) -> None:
        with self._mutex:
            self._executed.append(job)
            if len(self._executed) > 1:
                return  # the event loop has been woken and has not looked yet
        call_in_loop(self._loop, self._deliver)

    def _transact(self, work: Callable[[StoreT], ResultT], connection: "_Connection") -> ResultT:
        # The same for each attempt: statements know by it what an attempt whose answer was lost has
        # written.
        call, started = f"{self._call_prefix}.{next(self._calls)}", time.monotonic()
        while True:
            try:
                return work(self._make_store(connection.open(), self.context, call))
            except PASSING as error:
                if self._is_over(started):
                    raise as_ledger_error(error, self.address) from None
                connection.close()
                self._recover()
            except psycopg.Error as error:
                raise as_ledger_error(error, self.address) from None

    def _is_over(self, started: float) -> bool:
        patience = CLOSING_PATIENCE if self._closing.is_set() else self._patience
        return time.monotonic() - started > patience

    def _recover(self) -> None:
        """Wait for the database, and make sure that this process still uses the batch."""
        # Closing, too, waits for so long: a server that refuses connections does so at once.
        time.sleep(PAUSE)
        with suppress(*PASSING):
            self._lock.renew()


@attrs.define(eq=False)
class _Connection:
    """The connection of one thread, which is made when it is needed, and again once it is lost."""

    address: LedgerAddress
    _opened: psycopg.Connection | None = None

    def open(self) -> psycopg.Connection:
        if self._opened is None:
            self._opened = connect_again(self.address)
        return self._opened

    def close(self) -> None:
        if self._opened is not None:
            self._opened.close()
            self._opened = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()


async def start_writer(
    address: LedgerAddress,
    patience: float,
    make_store: Callable[[psycopg.Connection, RunContext, str], PostgresStore] = PostgresStore,
) -> PostgresWriter[PostgresStore]:
    """Open the ledger of a batch that runs in this process alone."""
    lock = await acquire_lock(address, is_shared=False, creates=True)
    context = RunContext(owner=uuid.uuid4().hex)
    return PostgresWriter(address, lock, context, patience, make_store)

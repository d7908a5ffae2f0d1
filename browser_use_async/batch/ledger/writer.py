"""The ledger that a batch writes to, and the thread that writes to one in a file."""

import asyncio
import contextlib
import copy
import os
import queue
import sqlite3
import threading
from collections.abc import Awaitable, Callable, Iterable
from functools import partial
from typing import Any, Protocol, TypeVar

import attrs

from browser_use_async.batch.ledger.file import (
    FileStore,
    LedgerFile,
    as_ledger_error,
    open_ledger,
    open_scratch,
)
from browser_use_async.batch.ledger.store import LedgerStore
from browser_use_async.batch.postgres.address import LedgerAddress
from browser_use_async.errors import LedgerError, LedgerMismatchError
from browser_use_async.postgres.address import is_postgres, require_packages
from browser_use_async.system import open_in_thread

ResultT = TypeVar("ResultT")

IDLE_SECONDS = 0.5  # after which posted jobs are committed although no caller waits for them
MAX_DRAIN = 1000  # jobs in one transaction, so that no caller waits for a long one


@attrs.define(eq=False)
class Job:
    """What an event loop gives a thread to do."""

    work: Callable[[Any], Any]  # is called with a store
    future: "asyncio.Future[Any] | None"  # of whoever waits for it
    durable: bool = True  # whether it is committed when the future is done
    result: Any = None
    error: Exception | None = None

    def deliver(self) -> None:
        """Tell the result to whoever waits for it; in the event loop."""
        future = self.future
        if future is None or future.done():
            return
        if self.error is None:
            future.set_result(self.result)
        else:
            future.set_exception(self.error)


def deliver(jobs: Iterable[Job]) -> None:
    """Tell the results of some jobs; in the event loop."""
    for job in jobs:
        job.deliver()


def call_in_loop(loop: asyncio.AbstractEventLoop, call: Callable[..., None], *given: Any) -> None:
    """Let an event loop call something, unless it is closed, and with it whoever waits."""
    with contextlib.suppress(RuntimeError):
        loop.call_soon_threadsafe(call, *given)


class LedgerWriter:
    """Executes jobs on a ledger in a thread, in the order in which they are given."""

    # One transaction for each drain of the queue: fifty items that wait share one fsync.
    #
    # After a statement or a commit has failed nothing is written any more, because rows may be
    # missing that callers rely on.

    def __init__(
        self, ledger: LedgerFile, store: Callable[[sqlite3.Connection], FileStore] = FileStore
    ) -> None:
        self._ledger = ledger
        self._store = store(ledger.connection)
        self._loop = asyncio.get_running_loop()
        self._queue: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
        self._failure: LedgerError | None = None
        self._closed = False
        self._ended: asyncio.Future[None] = self._loop.create_future()
        # A daemon: a program that ends without closing the batch does not hang. Every job that a
        # caller has relied on is committed by then.
        self._thread = threading.Thread(target=self._run, name="batch-ledger", daemon=True)
        self._thread.start()

    # --- in the event loop ----------------------------------------------------------------

    async def execute(self, work: Callable[[LedgerStore], ResultT]) -> ResultT:
        """Run a job; it is durable when this returns."""
        result: ResultT = await self._put(work, durable=True)
        return result

    async def query(self, work: Callable[[LedgerStore], ResultT]) -> ResultT:
        """Run a job that becomes durable no later than the next `execute`."""
        result: ResultT = await self._put(work, durable=False)
        return result

    def post(self, work: Callable[[LedgerStore], object]) -> None:
        """Run a job before any later one, without waiting for it."""
        self._queue.put(Job(work, None, durable=False))

    def _put(self, work: Callable[[LedgerStore], Any], *, durable: bool) -> "asyncio.Future[Any]":
        future: asyncio.Future[Any] = self._loop.create_future()
        if self._closed:
            future.set_exception(LedgerError("the batch has been closed"))
        else:
            self._queue.put(Job(work, future, durable))
        return future

    async def aclose(self) -> None:
        """Run the remaining jobs, commit and close the ledger; idempotent."""
        if not self._closed:
            self._closed = True
            self._queue.put(None)
        # Shielded: several callers may wait for the same future, and one may be cancelled.
        await asyncio.shield(self._ended)

    # --- in the thread -------------------------------------------------------------------

    def _run(self) -> None:
        try:
            while (jobs := self._next()) is not None:
                self._write(jobs)
                call_in_loop(self._loop, deliver, jobs)
        finally:
            try:
                self._commit()  # what was posted, and nobody waited for
            finally:
                self._ledger.close()
                call_in_loop(self._loop, self._set_ended)

    def _set_ended(self) -> None:
        if not self._ended.done():
            self._ended.set_result(None)

    def _next(self) -> list[Job] | None:
        """Wait for a job and return all that are queued; None at the end."""
        jobs: list[Job] = []
        job = self._first()
        while job is not None:
            jobs.append(job)
            if len(jobs) == MAX_DRAIN:
                return jobs
            try:
                job = self._queue.get_nowait()
            except queue.Empty:
                return jobs
        if jobs:
            self._queue.put(None)  # put the end mark back for the next call
        return jobs or None

    def _first(self) -> Job | None:
        if not self._ledger.connection.in_transaction:
            return self._queue.get()
        # Jobs without `durable` are uncommitted: wait for a while to commit them with others.
        try:
            return self._queue.get(timeout=IDLE_SECONDS)
        except queue.Empty:
            self._commit()
            return self._queue.get()

    def _write(self, jobs: list[Job]) -> None:
        try:
            self._refuse_after_failure()
            if not self._ledger.connection.in_transaction:
                # IMMEDIATE: a lock that is busy fails here and not in the middle of the jobs.
                self._ledger.connection.execute("BEGIN IMMEDIATE")
            for job in jobs:
                self._work(job)
            if any(job.durable for job in jobs):
                self._commit()
                self._ledger.check_files()  # before a caller relies on the commit
        except Exception as error:  # noqa: BLE001 - a dead thread would let callers wait forever
            self._fail(error)
        if self._failure is not None:
            # The transaction was rolled back, so jobs that succeeded are lost as well.
            for job in jobs:
                job.error = copy.copy(self._failure)  # each caller adds its own traceback

    def _refuse_after_failure(self) -> None:
        if self._failure is not None:
            raise self._failure

    def _work(self, job: Job) -> None:
        try:
            job.result = job.work(self._store)
        except LedgerMismatchError as error:  # about one item; nothing was written for it
            job.error = error

    def _commit(self) -> None:
        connection = self._ledger.connection
        if connection.in_transaction:
            try:
                connection.execute("COMMIT")
            except sqlite3.Error as error:
                self._fail(error)

    def _fail(self, error: Exception) -> None:
        self._failure = as_ledger_error(error, self._ledger.path)
        connection = self._ledger.connection
        if connection.in_transaction:
            connection.execute("ROLLBACK")


async def start_writer(open_ledger: Callable[[], LedgerFile]) -> LedgerWriter:
    """Open a ledger outside of the event loop and start its thread."""
    return LedgerWriter(await open_in_thread(open_ledger, LedgerFile.close))


class Ledger(Protocol):
    """An open ledger: runs jobs on its store, outside of the event loop."""

    async def execute(self, work: Callable[[LedgerStore], ResultT]) -> ResultT:
        """Run a job; it is durable when this returns."""
        ...

    async def query(self, work: Callable[[LedgerStore], ResultT]) -> ResultT:
        """Run a job that becomes durable no later than the next `execute`."""
        ...

    def post(self, work: Callable[[LedgerStore], object]) -> None:
        """Run a job before any later one, without waiting for it."""
        ...

    async def aclose(self) -> None:
        """Run the remaining jobs and close the ledger; idempotent."""
        ...


def ledger_opener(
    ledger: str | os.PathLike[str] | None,
    patience: float,
    start: Callable[[Callable[[], Any]], Awaitable[Any]] | None = None,
) -> Callable[[], Awaitable[Ledger]]:
    """What opens a ledger; `start` is called instead for one in a file.

    Raises:
        InvalidRequestError: The address of a ledger in PostgreSQL is malformed.
        ConfigurationError: It needs a package that is not installed.
    """
    if ledger is not None and is_postgres(ledger):
        address = LedgerAddress.parse(str(ledger))
        require_packages("a ledger", "psycopg", "psycopg_pool")
        # Loaded by those who use it.
        from browser_use_async.batch.postgres import writer  # noqa: PLC0415

        return partial(writer.start_writer, address, patience)
    opens = open_scratch if ledger is None else partial(open_ledger, ledger)
    return partial(start or start_writer, opens)

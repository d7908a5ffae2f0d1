"""Writes to a ledger in PostgreSQL: many jobs of a kind are one statement, repeated if lost."""

import copy
import itertools
import math
import threading
import time
import uuid
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from typing import Any, TypeVar, cast

import attrs
import psycopg

from browser_use_async.batch.ledger.store import RunContext
from browser_use_async.batch.ledger.writer import (
    ItemEnds,
    Job,
    LedgerConnection,
    LedgerWriter,
    SendBegins,
    TaskFound,
    Write,
)
from browser_use_async.batch.postgres.address import LedgerAddress
from browser_use_async.batch.postgres.connection import (
    BatchLock,
    acquire_lock,
    as_ledger_error,
    connect_again,
)
from browser_use_async.batch.postgres.store import PostgresStore
from browser_use_async.postgres.connection import PASSING

ResultT = TypeVar("ResultT")
StoreT = TypeVar("StoreT", bound=PostgresStore)
MakeStore = Callable[[psycopg.Connection, RunContext, str], StoreT]

# Methods that execute a kind of job for many items in one statement. They return the positions of
# the items that they have written; the other jobs are executed alone.
TOGETHER: dict[type, Callable[[PostgresStore, Sequence[Any]], set[int]]] = {
    SendBegins: lambda store, works: store.begin_sends(works),
    TaskFound: lambda store, works: store.claim_tasks(works),
    ItemEnds: lambda store, works: store.record_outcomes(works),
}

LINGER = 0.02  # seconds for which jobs of several items wait for more
CONNECTIONS = 4  # without the one for jobs that must not wait
PAUSE = 0.25  # between two attempts to reach the database, in seconds
CLOSING_PATIENCE = 5.0  # seconds for which a closing batch waits for the database


@attrs.define(eq=False, kw_only=True)
class PostgresLedger:
    """A ledger in PostgreSQL as one process uses it."""

    address: LedgerAddress
    lock: BatchLock  # shows the server that this process uses the batch
    context: RunContext
    patience: float  # seconds for which the database may be unreachable
    closing: threading.Event = attrs.field(factory=threading.Event, init=False)
    _name: str = attrs.field(factory=lambda: uuid.uuid4().hex, init=False)
    _calls: "itertools.count[int]" = attrs.field(factory=itertools.count, init=False)

    def next_call(self) -> str:
        """The id of a job, by which statements know the writes of a lost attempt."""
        return f"{self._name}.{next(self._calls)}"

    def writer(self, make_store: MakeStore[StoreT]) -> LedgerWriter[StoreT]:
        """Start the threads that write to it."""
        return LedgerWriter(
            [PostgresConnection(self, make_store) for _number in range(1 + CONNECTIONS)],
            lease=self.context.lease or math.inf,
            closing=self.closing,
            linger=LINGER,
            on_end=self.lock.close,
        )


@attrs.define(eq=False)
class PostgresConnection(LedgerConnection):
    """The connection of one thread; made on first use, and again after it was lost."""

    # Unlike the writer of a file it continues after a failure, since the database may be restarted.
    # Commits of several jobs share the server's writes to disk.

    _ledger: PostgresLedger
    _make_store: Callable[[psycopg.Connection, RunContext, str], PostgresStore]
    _opened: psycopg.Connection | None = attrs.field(default=None, init=False)

    @staticmethod
    def parts(jobs: Sequence[Job]) -> Iterable[Sequence[Job]]:
        """The jobs of a kind that one statement executes together; each other job by itself."""
        by_kind: defaultdict[type, list[Job]] = defaultdict(list)
        for job in jobs:
            if type(job.work) in TOGETHER:
                by_kind[type(job.work)].append(job)
            else:
                yield [job]
        yield from by_kind.values()

    def execute(self, jobs: Sequence[Job]) -> Sequence[Job]:
        """Execute jobs: in one statement if there are several, else each in a transaction."""
        alone = self._execute_together(jobs) if len(jobs) > 1 else jobs
        for job in alone:
            self._execute_alone(job)
        return jobs

    def _execute_together(self, jobs: Sequence[Job]) -> Sequence[Job]:
        """Execute jobs of a kind; returns those that must be executed alone."""
        works = [cast("Write", job.work) for job in jobs]
        try:
            written = self._transact(lambda store: TOGETHER[type(works[0])](store, works))
        except psycopg.Error:
            return jobs  # one of them is wrong, which then fails by itself
        except Exception as error:  # noqa: BLE001 - raised by the callers that wait
            for job in jobs:
                job.error = copy.copy(error)
            return ()
        alone: list[Job] = []
        for job, work in zip(jobs, works, strict=True):
            if work.claim.position in written:
                job.result = True
            else:
                alone.append(job)
        return alone

    def _execute_alone(self, job: Job) -> None:
        try:
            job.result = self._transact(job.work)
        except psycopg.Error as error:
            job.error = as_ledger_error(error, self._ledger.address)
        except Exception as error:  # noqa: BLE001 - raised by the caller that waits for it
            job.error = error

    def _transact(self, work: Callable[[Any], ResultT]) -> ResultT:
        ledger, started = self._ledger, time.monotonic()
        call = ledger.next_call()  # the same for each attempt
        while True:
            try:
                return work(self._make_store(self._connection(), ledger.context, call))
            except PASSING as error:
                if self._is_over(started):
                    raise as_ledger_error(error, ledger.address) from None
                self.close()
                self._recover()

    def _is_over(self, started: float) -> bool:
        is_closing = self._ledger.closing.is_set()
        patience = CLOSING_PATIENCE if is_closing else self._ledger.patience
        return time.monotonic() - started > patience

    def _recover(self) -> None:
        """Wait for the database, and make sure that this process still has the batch."""
        # Also while closing: a server that refuses connections does so at once.
        time.sleep(PAUSE)
        with suppress(*PASSING):
            self._ledger.lock.renew()

    def _connection(self) -> psycopg.Connection:
        if self._opened is None:
            self._opened = connect_again(self._ledger.address)
        return self._opened

    def close(self) -> None:
        """Close the connection, if there is one."""
        if self._opened is not None:
            self._opened.close()
            self._opened = None


async def open_postgres_writer(
    address: LedgerAddress, patience: float
) -> LedgerWriter[PostgresStore]:
    """Open a ledger for a process that alone enqueues items and works on them."""
    lock = await acquire_lock(address, is_shared=False, creates=True)
    context = RunContext(owner=uuid.uuid4().hex)
    ledger = PostgresLedger(address=address, lock=lock, context=context, patience=patience)
    return ledger.writer(PostgresStore)

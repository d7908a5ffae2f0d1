"""Writes to a ledger in a file: jobs that wait together share a transaction and its fsync."""

import copy
import sqlite3
import time
from collections.abc import Callable, Sequence

from browser_use_async.batch.ledger import writer
from browser_use_async.batch.ledger.file import FileStore, LedgerFile, as_ledger_error
from browser_use_async.batch.ledger.writer import Job, LedgerConnection, LedgerWriter
from browser_use_async.errors import LedgerError, LedgerMismatchError
from browser_use_async.system import open_in_thread

MAX_GROUP = 256  # jobs that wait for the same commit
MAX_LINGER = 0.005  # seconds for which a commit waits for more jobs


class FileConnection(LedgerConnection):
    """The one connection to a file."""

    # After a failed statement or commit nothing more is written, because rows may be missing that
    # callers rely on.

    def __init__(self, ledger: LedgerFile, store: FileStore) -> None:
        self._ledger = ledger
        self._store = store
        self._failure: LedgerError | None = None
        self._waiting: list[Job] = []  # executed, and not committed
        self._commits_at = 0.0
        self._is_alone = True  # whether the last commit was for one job

    @property
    def commits_at(self) -> float | None:
        """When to commit, by the monotonic clock; None without a transaction."""
        return self._commits_at if self._ledger.connection.in_transaction else None

    def execute(self, jobs: Sequence[Job]) -> Sequence[Job]:
        """Execute jobs in the open transaction; returns those that need not be durable."""
        is_first = not self._waiting
        self._waiting += [job for job in jobs if job.durable]
        try:
            self._refuse_after_failure()
            if not self._ledger.connection.in_transaction:
                # IMMEDIATE: a busy lock fails here and not between the jobs.
                self._ledger.connection.execute("BEGIN IMMEDIATE")
            for job in jobs:
                self._work(job)
        except Exception as error:  # noqa: BLE001 - a dead thread would let callers wait forever
            return self._fail(error, jobs)
        passing = [job for job in jobs if not job.durable]
        if not self._waiting:
            self._commits_at = time.monotonic() + writer.IDLE_SECONDS
            return passing
        count = len(self._waiting)
        # A single item does not wait for others.
        if count >= MAX_GROUP or (count == 1 and self._is_alone):
            return [*passing, *self.commit()]
        if is_first:
            self._commits_at = time.monotonic() + MAX_LINGER
        return passing

    def _refuse_after_failure(self) -> None:
        if self._failure is not None:
            raise self._failure

    def _work(self, job: Job) -> None:
        try:
            job.result = job.work(self._store)
        except LedgerMismatchError as error:  # about one item; nothing was written for it
            job.error = error

    def commit(self) -> Sequence[Job]:
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

    def close(self) -> None:
        """Close the file and release its lock."""
        self._ledger.close()


def file_writer(
    ledger: LedgerFile, store: Callable[[sqlite3.Connection], FileStore] = FileStore
) -> LedgerWriter[FileStore]:
    """The writer of a file that is open."""
    return LedgerWriter([FileConnection(ledger, store(ledger.connection))])


async def open_file_writer(opens: Callable[[], LedgerFile]) -> LedgerWriter[FileStore]:
    """Open a ledger outside of the event loop and start its thread."""
    return file_writer(await open_in_thread(opens, LedgerFile.close))

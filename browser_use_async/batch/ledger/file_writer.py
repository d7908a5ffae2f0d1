"""Writes to a ledger in a file: jobs that wait together share a transaction and its fsync."""

import copy
import sqlite3
from collections.abc import Callable, Sequence

from browser_use_async.batch.ledger.file import (
    FileStore,
    LedgerFile,
    as_ledger_error,
)
from browser_use_async.batch.ledger.writer import Job, LedgerConnection, LedgerWriter
from browser_use_async.errors import LedgerError, LedgerMismatchError
from browser_use_async.system import open_in_thread

MAX_DRAIN = 1000  # jobs in one transaction, so that no caller waits for a long one


class FileConnection(LedgerConnection):
    """The one connection to a file."""

    # After a statement or a commit has failed nothing is written any more, because rows may be
    # missing that callers rely on.

    most_jobs = MAX_DRAIN

    def __init__(self, ledger: LedgerFile, store: FileStore) -> None:
        self._ledger = ledger
        self._store = store
        self._failure: LedgerError | None = None

    @property
    def is_pending(self) -> bool:
        """Whether a transaction is open."""
        return self._ledger.connection.in_transaction

    def execute(self, jobs: Sequence[Job]) -> None:
        """Execute jobs in one transaction, and commit it if one of them is durable."""
        try:
            self._refuse_after_failure()
            if not self.is_pending:
                # IMMEDIATE: a lock that is busy fails here and not in the middle of the jobs.
                self._ledger.connection.execute("BEGIN IMMEDIATE")
            for job in jobs:
                self._work(job)
            if any(job.durable for job in jobs):
                self.commit()
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

    def commit(self) -> None:
        """Commit the open transaction, if there is one."""
        if self.is_pending:
            try:
                self._ledger.connection.execute("COMMIT")
            except sqlite3.Error as error:
                self._fail(error)

    def _fail(self, error: Exception) -> None:
        self._failure = as_ledger_error(error, self._ledger.path)
        if self.is_pending:
            self._ledger.connection.execute("ROLLBACK")

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

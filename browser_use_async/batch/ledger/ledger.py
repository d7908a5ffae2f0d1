"""A ledger as a batch uses it, and which kind it is: a file, PostgreSQL, or a temporary one."""

import os
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any, Protocol, TypeVar

from browser_use_async.batch.ledger.file import open_ledger, open_scratch
from browser_use_async.batch.ledger.store import LedgerStore
from browser_use_async.batch.ledger.writer import start_writer
from browser_use_async.batch.postgres.address import LedgerAddress
from browser_use_async.postgres.address import is_postgres, require_packages

ResultT = TypeVar("ResultT")


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

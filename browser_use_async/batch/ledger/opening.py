"""Which kind of ledger a batch uses: a file, PostgreSQL, or none that outlives it."""

import os
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

from browser_use_async.batch.ledger.file import open_ledger, open_scratch
from browser_use_async.batch.ledger.interface import Ledger
from browser_use_async.batch.ledger.writer import start_writer
from browser_use_async.batch.postgres.address import LedgerAddress, is_address
from browser_use_async.batch.postgres.extras import require_packages


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
    if ledger is not None and is_address(ledger):
        address = LedgerAddress.parse(str(ledger))
        require_packages("psycopg", "psycopg_pool")
        # Loaded by those who use it.
        from browser_use_async.batch.postgres import writer  # noqa: PLC0415

        return partial(writer.start_writer, address, patience)
    opens = open_scratch if ledger is None else partial(open_ledger, ledger)
    return partial(start or start_writer, opens)

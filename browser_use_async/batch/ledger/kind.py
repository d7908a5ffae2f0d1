"""The kinds of ledgers: in a file, in memory, or in PostgreSQL."""

import os
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

import attrs

from browser_use_async.batch.admission import Admission
from browser_use_async.batch.ledger.file import open_ledger, open_scratch
from browser_use_async.batch.ledger.file_writer import open_file_writer
from browser_use_async.batch.ledger.store import LedgerStore
from browser_use_async.batch.ledger.writer import LedgerWriter
from browser_use_async.batch.postgres.address import LedgerAddress
from browser_use_async.money.amounts import BudgetAmounts
from browser_use_async.postgres.address import is_postgres, require_packages


@attrs.frozen
class LedgerKind:
    """How a batch opens its ledger, and which admission keeps its budget."""

    start_writer: Callable[[], Awaitable[LedgerWriter[LedgerStore]]]
    # Of the budget, the concurrency, and whether the first task must fit
    make_admission: Callable[[BudgetAmounts, int, bool, LedgerWriter[Any]], Admission]


def kind_of_ledger(
    ledger: str | os.PathLike[str] | None,
    patience: float,
    start: Callable[[Callable[[], Any]], Awaitable[Any]] | None = None,
) -> LedgerKind:
    """The kind of a ledger by its address; `start` opens one in a file.

    Raises:
        InvalidRequestError: The address of a ledger in PostgreSQL is malformed.
        ConfigurationError: It needs a package that is not installed.
    """
    if ledger is not None and is_postgres(ledger):
        address = LedgerAddress.parse(str(ledger))
        require_packages("a ledger", "psycopg", "psycopg_pool")
        # Loaded when used.
        from browser_use_async.batch.postgres.admission import LedgerAdmission  # noqa: PLC0415
        from browser_use_async.batch.postgres.writer import open_postgres_writer  # noqa: PLC0415

        return LedgerKind(partial(open_postgres_writer, address, patience), LedgerAdmission)
    opens = open_scratch if ledger is None else partial(open_ledger, ledger)
    return LedgerKind(partial(start or open_file_writer, opens), _admission_in_memory)


def _admission_in_memory(
    budget: BudgetAmounts,
    concurrency: int,
    is_first: bool,
    _writer: LedgerWriter[Any],
) -> Admission:
    return Admission(budget, concurrency, is_first)

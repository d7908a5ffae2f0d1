"""Writes a report to a file: the pieces in their order, all of them or no file."""

import asyncio
import contextlib
import os
from collections.abc import AsyncGenerator, Callable, Generator, Iterable
from itertools import islice
from pathlib import Path
from typing import TextIO

from browser_use_async import system
from browser_use_async.batch.forecast import Forecast
from browser_use_async.batch.ledger.reader import LedgerView, read_ledger
from browser_use_async.batch.ledger.row import LedgerRow
from browser_use_async.cli.batch.failures import Failures
from browser_use_async.cli.batch.settings import items_of_input
from browser_use_async.cli.report import items, page
from browser_use_async.cli.report.figures import Figures, add_up
from browser_use_async.cli.report.items import NO_DETAILS, Details, details_of
from browser_use_async.session import BrowserUseSession

_FIRST = 10  # rows that are named for each reason why rows failed
_AT_ONCE = 8  # tasks whose details are fetched at the same time
_ROWS_AT_ONCE = 100  # rows that are written before other tasks of the loop run


async def write_report(
    ledger: str | os.PathLike[str],
    destination: str | os.PathLike[str],
    *,
    session: BrowserUseSession | None = None,
    screenshots: int = 0,
    on_progress: Callable[[int, int], None] | None = None,
) -> Figures:
    """Write what a ledger or a queue says as one HTML page with everything embedded. Free.

    The page is the same for the same ledger. It has no links of the service, because they
    expire and let their reader steer a browser. A batch may be running meanwhile.

    Raises:
        LedgerError: The ledger cannot be read.
        OSError: The page cannot be written.
    """
    view = await asyncio.to_thread(read_ledger, ledger)
    # Two passes: the totals stand above the rows, which are too many to hold.
    figures = await asyncio.to_thread(lambda: add_up(view.rows()))
    rest = await asyncio.to_thread(view.about, items_of_input(view))
    with (
        system.replaced_file(Path(destination)) as descriptor,
        os.fdopen(descriptor, "w", encoding="utf-8", newline="\n", closefd=False) as file,
    ):
        await asyncio.to_thread(_write, file, _before_the_items(view, figures, rest))
        async with contextlib.aclosing(_detailed(view.rows(), session, screenshots)) as rows:
            written = 0
            async for row, details in rows:
                _write(file, [items.row_of(row, details)])
                written += 1
                if written % _ROWS_AT_ONCE == 0:
                    await asyncio.sleep(0)  # let other tasks of this loop run
                if on_progress is not None:
                    on_progress(written, figures.total)
        await asyncio.to_thread(_write, file, _after_the_items(view, figures))
    return figures


def _before_the_items(view: LedgerView, figures: Figures, rest: Forecast | None) -> Generator[str]:
    yield page.head(view, figures, rest)
    yield from page.failures(Failures.of(view.rows(), _FIRST))
    yield items.header()


def _after_the_items(view: LedgerView, figures: Figures) -> Generator[str]:
    yield items.footer()
    yield page.plots(figures)
    yield page.totals(figures)
    yield page.end()


async def _detailed(
    rows: Iterable[LedgerRow], session: BrowserUseSession | None, screenshots: int
) -> AsyncGenerator[tuple[LedgerRow, Details]]:
    """The rows in their order; the details of a few tasks are fetched at the same time."""
    remaining = iter(rows)
    while some := list(islice(remaining, _AT_ONCE)):
        found = [NO_DETAILS] * len(some)
        if session is not None:
            found = await asyncio.gather(
                *(details_of(session, row.task_id, screenshots) for row in some)
            )
        for each in zip(some, found, strict=True):
            yield each


def _write(file: TextIO, pieces: Iterable[str]) -> None:
    file.writelines(piece.rstrip("\n") + "\n" for piece in pieces if piece)

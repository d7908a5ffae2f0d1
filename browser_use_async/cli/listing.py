"""Lists: a table on a terminal, one JSON object per line in a pipe."""

from collections.abc import AsyncIterable, Callable, Sequence
from datetime import datetime
from typing import TypeVar

from browser_use_async.api.converter import unstructure
from browser_use_async.cli.console import Console, Span

__all__ = ["local_time", "show_rows"]

RowT = TypeVar("RowT")


def local_time(moment: datetime | None) -> str:
    """A time in the zone of the person who looks on."""
    return "?" if moment is None else f"{moment.astimezone():%Y-%m-%d %H:%M:%S}"


async def show_rows(
    rows: AsyncIterable[RowT],
    console: Console,
    headings: Sequence[str],
    cells: Callable[[RowT], Sequence[Span]],
    limit: int | None = None,
) -> int:
    """Write rows to stdout as they come; a table waits for the last one to know its widths."""
    as_table = console.results_are_read_by_people
    lines: list[Sequence[Span]] = []
    listed = 0
    async for row in rows:
        if as_table:
            lines.append(cells(row))
        else:
            console.emit(unstructure(row))
        listed += 1
        if listed == limit:
            break
    if as_table:
        console.table(headings, lines)
    return listed

"""Rows and objects of the API as output: tables and columns on a terminal, else JSON."""

import re
from collections.abc import AsyncIterable, Callable, Sequence
from datetime import UTC, datetime
from typing import Any, TypeVar

from browser_use_async.api.converter import unstructure
from browser_use_async.cli.console import Console, json_text
from browser_use_async.cli.screen import Span, Style

RowT = TypeVar("RowT")


def local_time(moment: datetime | None, *, with_zone: bool = False) -> str:
    """A time in the local time zone, below a heading of `with_zone` or with the zone itself."""
    if moment is None:
        return "?"
    text, zone = f"{moment.astimezone():%Y-%m-%d %H:%M:%S}", _zone_at(moment)
    # In summer it may be another zone than the heading's.
    return f"{text} {zone}" if with_zone or zone != _zone_at(datetime.now(UTC)) else text


def in_local_time(heading: str) -> str:
    """The heading of a column of local times, such as `CREATED (UTC-5)`."""
    return f"{heading} ({_zone_at(datetime.now(UTC))})"


def _zone_at(moment: datetime) -> str:
    """What local time is at a moment: `UTC`, `UTC-5`, `UTC+5:30`."""
    # By its distance: names of zones are ambiguous, and Windows has others.
    sign, hours, minutes = re.findall(r"([+-])(\d\d)(\d\d)", f"{moment.astimezone():%z}")[0]
    if (hours, minutes) == ("00", "00"):
        return "UTC"
    return f"UTC{sign}{int(hours)}" + ("" if minutes == "00" else f":{minutes}")


def show_object(value: Any, console: Console) -> None:
    """Write an object of the API to stdout: its fields in a column on a terminal, else as JSON."""
    fields: dict[str, Any] = unstructure(value)
    if not console.stdout_is_tty:
        console.result(fields)
        return
    width = max(map(len, fields)) + 2
    for name, field in fields.items():
        # Texts as they are; what the API has as null is left empty.
        shown = field if isinstance(field, str) else "" if field is None else json_text(field)
        console.line((name.ljust(width), Style.FAINT), " ".join(shown.split()))


def show_deleted(key: str, note: str, console: Console) -> None:
    """Report that an object was deleted."""
    console.info(("ok ", Style.GOOD), note)
    console.result({"id": key, "deleted": True})


def show_dicts(
    rows: Sequence[dict[str, Any]],
    headings: Sequence[str],
    cells: Callable[[dict[str, Any]], Sequence[Span]],
    console: Console,
) -> None:
    """Write rows to stdout, as a table on a terminal, else as JSON lines."""
    if console.stdout_is_tty:
        console.table(headings, [cells(each) for each in rows])
        return
    for row in rows:
        console.result(row)


async def show_rows(
    rows: AsyncIterable[RowT],
    console: Console,
    headings: Sequence[str],
    cells: Callable[[RowT], Sequence[Span]],
    limit: int | None = None,
) -> int:
    """Write rows to stdout: as JSON lines as they come, or as a table at the end."""
    as_table = console.stdout_is_tty
    lines: list[Sequence[Span]] = []
    listed = 0
    async for row in rows:
        if as_table:
            lines.append(cells(row))
        else:
            console.result(unstructure(row))
        listed += 1
        if listed == limit:
            break
    # A table needs all rows to know the widths of its columns.
    if as_table:
        console.table(headings, lines)
    return listed

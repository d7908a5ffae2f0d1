"""Lists: a table for people, lines of JSON for programs, and the columns of both.

A command that lists something yields rows, and a `Listing` does the rest:

    TASKS = Listing("no such tasks", (Column("id"), Column("task", is_text=True)), TaskSummary)

    @tasks.listing("list", TASKS)
    async def _list(console: Console, server: ServerOptions) -> AsyncIterator[TaskSummary]: ...
"""

from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from datetime import datetime
from decimal import Decimal
from typing import Any, Generic, TypeVar

import attrs
import click

from browser_use_async.api.converter import unstructure
from browser_use_async.api.scalars import parse_timestamp
from browser_use_async.cli.completers import complete_words
from browser_use_async.cli.console import Console, json_text
from browser_use_async.cli.options import Option, either, group, option
from browser_use_async.cli.screen import Span, text_of
from browser_use_async.cli.table import Head
from browser_use_async.cli.times import in_local_time, local_time
from browser_use_async.cli.values import suggestion
from browser_use_async.prices import format_cents

RowT = TypeVar("RowT")


@attrs.frozen
class Column(Generic[RowT]):
    """A column of a table.

    Its name is that of a field. The name shows the kind: times end in `at`, money in `_cents`.
    """

    name: str
    cell: Callable[[RowT], Span | datetime | None] | None = None  # None: the field itself
    is_text: bool = False  # whether it may be cut
    missing: str = ""  # the text for null

    @property
    def heading(self) -> str:
        """The text above the column."""
        words = self.name.removesuffix("_at").removesuffix("_cents").replace("_", " ").upper()
        return in_local_time("TIME" if words == "AT" else words) if self.is_time else words

    @property
    def is_time(self) -> bool:
        """Whether it has times."""
        return self.name == "at" or self.name.endswith("_at")

    def head(self, cells: Sequence[Span]) -> Head:
        """Its head; numbers and money are aligned on the right."""
        is_number = self.name.endswith("_cents") or (
            bool(cells) and all(text_of(each).replace(",", "").isdecimal() for each in cells)
        )
        return Head(self.heading, self.is_text, is_number)

    def shown(self, row: RowT) -> Span:
        """The cell of a row."""
        value: Any = unstructure(row).get(self.name) if self.cell is None else self.cell(row)
        if self.is_time and isinstance(value, str):
            value = parse_timestamp(value) or value
        if value is None or isinstance(value, tuple):
            return value or self.missing
        if isinstance(value, datetime):
            return local_time(value)
        if self.name.endswith("_cents"):
            return format_cents(Decimal(str(value)))
        if isinstance(value, bool):
            return "yes" if value else "no"
        return " ".join(value.split()) if isinstance(value, str) else json_text(value)


class Listing(Generic[RowT]):
    """The columns and fields of a list, from which `--columns` and `--json` choose.

    Args:
        nothing: The message if there are no rows.
        columns: The columns of the table without `--columns`.
        fields: The class of the rows, or the names of their fields.
    """

    def __init__(
        self, nothing: str, columns: Sequence[Column[RowT]], fields: type[Any] | Sequence[str]
    ) -> None:
        self._nothing = nothing
        self._shown = tuple(columns)
        if isinstance(fields, type):
            fields = [each.name for each in attrs.fields(fields) if each.name != "extra"]
        self._fields = tuple(fields)
        others = [Column[RowT](name, is_text=True) for name in self._fields]
        # The columns of the table come first.
        self._columns = {each.name: each for each in (*others, *self._shown)}

    def options(self) -> list[Option]:
        """The options of a command that lists."""
        names = dict.fromkeys((*(each.name for each in self._shown), *self._fields))
        columns, fields = tuple(names), self._fields
        given = either(
            option(
                "--columns A,B",
                f"show a table with these columns: {', '.join(columns)}",
                multiple=True,
                type=_chooser("column", columns),
                shell_complete=complete_words(columns, several=True),
            ),
            option(
                "--json [FIELDS]",
                "show JSON, on a terminal too: all fields, or only the named ones, as in "
                f"--json {','.join(fields[:2])}",
                name="fields",
                flag_value="",
                multiple=True,
                type=_chooser("field", fields),
                shell_complete=complete_words(fields, several=True),
            ),
        )
        return group("columns", *given)

    async def show(
        self,
        rows: AsyncGenerator[RowT, None],
        console: Console,
        columns: Sequence[str],
        fields: Sequence[str],
    ) -> None:
        """Write rows to stdout: JSON as they come, or a table at the end.

        Args:
            rows: The rows.
            console: Where to write them.
            columns: The columns of the table; none for the usual ones.
            fields: The fields of the JSON; none for all.
        """
        shown = [self._columns[name] for name in columns] or self._shown
        # A table needs all rows to know the widths of its columns.
        lines, count = list[list[Span]](), 0
        async with aclosing(rows):
            async for row in rows:
                count += 1
                if console.shows_text:
                    lines.append([each.shown(row) for each in shown])
                else:
                    value = unstructure(row)
                    console.result({name: value.get(name) for name in fields} or value)
        if not count:
            console.info(self._nothing)
        elif console.shows_text:
            heads = [
                each.head(cells)
                for each, cells in zip(shown, zip(*lines, strict=True), strict=True)
            ]
            console.table(heads, lines)


def _chooser(noun: str, known: Sequence[str]) -> Callable[[str], list[str]]:
    """A parser of names with commas between them."""

    def choose(text: str) -> list[str]:
        chosen = [each.strip().lower() for each in text.split(",")] if text else []
        for name in chosen:
            if name not in known:
                likely = suggestion(name, known) or f"; there are {', '.join(known)}"
                raise click.BadParameter(f"there is no {noun} {name!r}{likely}")
        return chosen

    return choose

"""Fits a table into the width of a terminal. No I/O."""

import textwrap
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from datetime import datetime
from decimal import Decimal
from typing import Any, Generic, TypeVar

import attrs
import click
from rich.cells import cell_len, set_cell_size

from browser_use_async.api.converter import unstructure
from browser_use_async.api.scalars import parse_timestamp
from browser_use_async.cli.completers import complete_words
from browser_use_async.cli.console import Console, json_text
from browser_use_async.cli.options import Option, either, group, option, suggestion
from browser_use_async.cli.screen import Span, Style, cut_at, text_of
from browser_use_async.cli.times import in_local_time, local_time
from browser_use_async.prices import format_cents

_GAP = 2
# No text is cut to fewer columns, since it would not be readable.
_NARROWEST = 10

Cell = tuple[str, Style]


@attrs.frozen
class Head:
    """The head of a column."""

    text: str
    is_text: bool = False  # whether its cells may be cut: an id or an address may not
    is_number: bool = False  # whether they are aligned on the right


def fitted(
    heads: Sequence[Head], rows: Sequence[Sequence[Cell]], width: int | None
) -> list[list[Cell]]:
    """The lines of a table; if it does not fit, each cell has its own line.

    Args:
        heads: The heads of the columns.
        rows: The cells below them.
        width: The width of a line; None for any width.
    """
    widths = [
        max(cell_len(text) for text in (head.text, *(row[place][0] for row in rows)))
        for place, head in enumerate(heads)
    ]
    if width is not None:
        _narrow(widths, heads, width)
        if _sum(widths) > width:
            return _blocks(heads, rows, width)
    lines = [[(head.text, Style.STRONG) for head in heads], *rows]
    return [_line(heads, line, widths) for line in lines]


def _sum(widths: Sequence[int]) -> int:
    return sum(widths) + _GAP * (len(widths) - 1)


def _narrow(widths: list[int], heads: Sequence[Head], width: int) -> None:
    """Take from the widest texts first, as long as the table does not fit."""
    texts = [place for place, head in enumerate(heads) if head.is_text]
    for place in texts:
        widths[place] = min(widths[place], width)
    while texts and _sum(widths) > width:
        widest = max(texts, key=widths.__getitem__)
        if widths[widest] <= max(_NARROWEST, cell_len(heads[widest].text)):
            return
        widths[widest] -= 1


def _line(heads: Sequence[Head], cells: Sequence[Cell], widths: Sequence[int]) -> list[Cell]:
    line = list[Cell]()
    for head, (text, style), width in zip(heads, cells, widths, strict=True):
        shown = cut_at(text, width)
        blanks = " " * (width - cell_len(shown))
        line.append((blanks + shown if head.is_number else shown + blanks, style))
        line.append((" " * _GAP, Style.PLAIN))
    # No blanks at the end of a line: they would wrap when a terminal becomes narrower.
    while line and not line[-1][0].strip():
        line.pop()
    if line:
        line[-1] = (line[-1][0].rstrip(), line[-1][1])
    return line


def _blocks(heads: Sequence[Head], rows: Sequence[Sequence[Cell]], width: int) -> list[list[Cell]]:
    indent = max(cell_len(head.text) for head in heads) + _GAP
    room = max(width - indent, _NARROWEST)
    lines = list[list[Cell]]()
    for row in rows:
        if lines:
            lines.append([])
        for head, (text, style) in zip(heads, row, strict=True):
            # An address that is longer than the line stays whole, so that it can be copied.
            parts = textwrap.wrap(text, room, break_long_words=False, break_on_hyphens=False)
            for number, part in enumerate(parts or [""]):
                name = "" if number else head.text
                lines.append([(set_cell_size(name, indent), Style.STRONG), (part, style)])
    return lines


# --- lists -------------------------------------------------------------------------------------

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
    is_optional: bool = False  # whether it is left out if no row has a text for it

    @property
    def is_time(self) -> bool:
        """Whether it has times."""
        return self.name == "at" or self.name.endswith("_at")

    def head(self, cells: Sequence[Span]) -> Head:
        """Its head; numbers and money are aligned on the right."""
        is_number = self.name.endswith("_cents") or (
            bool(cells) and all(text_of(each).replace(",", "").isdecimal() for each in cells)
        )
        words = self.name.removesuffix("_at").removesuffix("_cents").replace("_", " ").upper()
        if self.is_time:
            words = in_local_time("TIME" if words == "AT" else words)
        return Head(words, self.is_text, is_number)

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

        Without names of columns and fields, the table has the usual ones, and the JSON has all.
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
                    value = {**unstructure(row), **self._optional(row)}
                    console.result({name: value.get(name) for name in fields} or value)
        if not count:
            console.info(self._nothing)
        elif console.shows_text:
            cells = {
                each: list(of) for each, of in zip(shown, zip(*lines, strict=True), strict=True)
            }
            kept = {
                each: of
                for each, of in cells.items()
                if columns or not each.is_optional or any(map(text_of, of))
            }
            heads = [each.head(of) for each, of in kept.items()]
            console.table(heads, list(map(list, zip(*kept.values(), strict=True))))

    def _optional(self, row: RowT) -> dict[str, str]:
        """The fields of a row that only some answers have."""
        texts = {each.name: text_of(each.shown(row)) for each in self._shown if each.is_optional}
        return {name: text for name, text in texts.items() if text}


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

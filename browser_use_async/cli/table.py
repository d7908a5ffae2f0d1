"""Fits a table into the width of a terminal. No I/O."""

import textwrap
from collections.abc import Sequence

import attrs
from rich.cells import cell_len, set_cell_size

from browser_use_async.cli.screen import Style, cut_at

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

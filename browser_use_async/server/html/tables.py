"""Tables of a page, with merged cells repeated."""

from collections.abc import Iterator

import attrs
from yarl import URL

from browser_use_async.server.html.addresses import absolute
from browser_use_async.server.html.page import Row, Table
from browser_use_async.server.html.tree import (
    Element,
    attribute,
    children,
    is_unseen,
    text_of,
    walk,
)

_MAX_COLUMNS = 50


@attrs.frozen
class _Cell:
    text: str
    header: bool
    width: int
    height: int


def read_table(element: Element, base: URL, heading: str) -> Table | None:
    """The table of a `table` element, or None when there is nothing in it."""
    if any(inner.tag == "table" for inner in walk(element) if inner is not element):
        return None  # it only arranges the page
    captions = [text_of(child, is_unseen) for child in children(element) if child.tag == "caption"]
    rows = _grid(element, base)
    name = next(filter(None, captions), heading)
    headers: tuple[str, ...] = ()
    if rows and _is_header(rows):
        headers, rows = rows[0].texts, rows[1:]
    body = [Row(row.texts, row.link) for row in rows if not row.footer and any(row.texts)]
    if not body:
        return None
    named = all(row.headers[:1] == (True,) for row in rows if not row.footer)
    return Table(headers, body, name, named)


@attrs.frozen
class _GridRow:
    texts: tuple[str, ...]
    headers: tuple[bool, ...]
    link: str
    footer: bool


def _is_header(rows: list[_GridRow]) -> bool:
    first = rows[0]
    if len(rows) == 1 or first.footer:
        return False
    if all(header or not text for header, text in zip(first.headers, first.texts, strict=True)):
        return any(first.texts)
    # Without any marks a wide table begins with the names of its columns, a narrow one with data.
    unmarked = not any(header for row in rows for header in row.headers)
    wordy = not any(character.isdigit() for text in first.texts for character in text)
    return unmarked and len(first.texts) > 2 and wordy and all(first.texts)


def _grid(table: Element, base: URL) -> list[_GridRow]:
    grid: list[_GridRow] = []
    carried: dict[int, tuple[int, _Cell]] = {}
    for row, footer in _rows(table):
        cells = [_cell(child) for child in children(row) if child.tag in {"td", "th"}]
        # One cell across the whole table is a heading between rows, not a row.
        if not cells or (len(cells) == 1 and cells[0].width > 1 and not carried):
            continue
        placed = _placed(cells, carried)
        texts = tuple(cell.text for cell in placed)
        marks = tuple(cell.header for cell in placed)
        grid.append(_GridRow(texts, marks, _first_link(row, base), footer))
    return grid


def _placed(cells: list[_Cell], carried: dict[int, tuple[int, _Cell]]) -> list[_Cell]:
    placed: list[_Cell] = []
    waiting = iter(cells)
    while len(placed) < _MAX_COLUMNS:
        column = len(placed)
        if column in carried:
            left, cell = carried.pop(column)
            if left > 1:
                carried[column] = (left - 1, cell)
            placed.append(cell)
            continue
        following = next(waiting, None)
        if following is None:
            break
        for offset in range(following.width):
            if following.height > 1:
                carried[column + offset] = (following.height - 1, following)
            placed.append(following)
    return placed[:_MAX_COLUMNS]


def _rows(table: Element) -> Iterator[tuple[Element, bool]]:
    footers: list[Element] = []
    for child in children(table):
        if child.tag == "tr":
            yield child, False
        elif child.tag in {"thead", "tbody"}:
            yield from ((row, False) for row in children(child) if row.tag == "tr")
        elif child.tag == "tfoot":
            footers += [row for row in children(child) if row.tag == "tr"]
    yield from ((row, True) for row in footers)


def _first_link(row: Element, base: URL) -> str:
    anchors = (attribute(one, "href") or "" for one in walk(row) if one.tag == "a")
    return next(filter(None, (absolute(base, address) for address in anchors)), "")


def _cell(element: Element) -> _Cell:
    return _Cell(
        text=text_of(element, lambda inner: inner.tag == "table" or is_unseen(inner)),
        header=element.tag == "th",
        width=_span(element, "colspan"),
        height=_span(element, "rowspan"),
    )


def _span(element: Element, name: str) -> int:
    number = (attribute(element, name) or "1").strip()
    if not (number.isascii() and number.isdigit()):
        return 1
    return min(max(int(number[:4]), 1), _MAX_COLUMNS)

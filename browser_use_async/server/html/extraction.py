"""From a tree of elements to a page."""

from collections.abc import Iterator
from operator import attrgetter, itemgetter

import attrs
from yarl import URL

from browser_use_async.server.html import page
from browser_use_async.server.html.text import (
    HEADINGS,
    Element,
    attribute,
    find_main_part,
    is_boilerplate,
    is_hidden,
    marked_part,
    parse_tree,
    prune,
    readable_text,
    text_of,
)
from browser_use_async.server.web_addresses import absolute

_MAX_COLUMNS = 50
_LONGEST_BASE = 1_000
_LONG_TEXT = 500  # characters


@attrs.frozen
class _Cell:
    text: str
    header: bool
    width: int
    height: int


def read_table(element: Element, base: URL, heading: str) -> page.Table | None:
    """The table of a `table` element, or None when there is nothing in it."""
    if sum(inner.tag == "table" for inner in element.traverse()) > 1:
        return None  # it only arranges the page
    captions = map(text_of, element.css("caption"))
    rows = _grid(element, base)
    name = next(filter(None, captions), heading)
    headers: tuple[str, ...] = ()
    if rows and _is_header(rows):
        headers, rows = rows[0].texts, rows[1:]
    body = [page.Row(row.texts, row.link) for row in rows if not row.footer and any(row.texts)]
    if not body:
        return None
    named = all(row.headers[:1] == (True,) for row in rows if not row.footer)
    return page.Table(headers, body, name, named)


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
    rows = table.css("tr")
    footers = [row.parent is not None and row.parent.tag == "tfoot" for row in rows]
    for footer, row in sorted(zip(footers, rows, strict=True), key=itemgetter(0)):
        cells = [
            _Cell(text_of(each), each.tag == "th", _span(each, "colspan"), _span(each, "rowspan"))
            for each in row.css("td, th")
        ]
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


def _first_link(row: Element, base: URL) -> str:
    links = (absolute(base, attribute(one, "href")) for one in row.css("a[href]"))
    return next(filter(None, links), "")


def _span(element: Element, name: str) -> int:
    number = attribute(element, name).strip()
    if not (number.isascii() and number.isdigit()):
        return 1
    return min(max(int(number[:4]), 1), _MAX_COLUMNS)


def read_html(url: str, text: str) -> page.Page:
    """Read an HTML document, however broken it is."""
    root, cut = parse_tree(text)
    base = _base(URL(url), root)
    titles = [*map(text_of, root.css("title")), _meta(root, "og:title")]
    description = _meta(root, "description", "og:description")
    prune(root, is_hidden)
    links = list(_links(root, base))
    prune(root, is_boilerplate)
    headings, tables, labels = _content(root, base)
    shown = readable_text(root)
    # A short text is read whole, and a cut document would take too long.
    is_asked = len(shown) >= _LONG_TEXT and not cut
    main = find_main_part(text) if is_asked else ""
    if (marked := marked_part(root)) is not None:
        shown = readable_text(marked)
    elif len(main) >= len(shown) / 2:
        # One with less is more often a part that was overrated than all there is to read.
        shown = main
    first = min(headings, key=attrgetter("level"), default=page.Heading(1, ""))
    return page.Page(
        url=url,
        title=next(filter(None, [*titles, first.text]), ""),
        description=description,
        text=shown,
        headings=headings,
        links=links,
        tables=tables,
        labels=labels,
        cut=cut,
    )


def _content(
    root: Element, base: URL
) -> tuple[list[page.Heading], list[page.Table], list[page.Label]]:
    """The headings, the tables and the terms, each of these with the heading before it."""
    headings, tables, labels = list[page.Heading](), list[page.Table](), list[page.Label]()
    heading = ""
    for element in root.traverse():
        tag = element.tag or ""
        if tag in HEADINGS:
            if words := text_of(element):
                heading = words
                headings.append(page.Heading(HEADINGS[tag], words))
        elif tag == "table":
            if (table := read_table(element, base, heading)) is not None:
                tables.append(table)
        elif tag == "dl":
            labels += [page.Label(name, text, heading) for name, text in _definitions(element)]
    return headings, tables, labels


def _definitions(element: Element) -> list[tuple[str, str]]:
    """The terms of a definition list, each with its description; several are joined."""
    described: list[tuple[str, list[str]]] = []
    stack = [*reversed([*element.iter()])]
    while stack:
        child = stack.pop()
        if child.tag == "dt":
            described.append((text_of(child).rstrip(": "), []))
        elif child.tag == "dd" and described:
            described[-1][1].append(text_of(child))
        if child.tag not in {"dl", "table"}:
            stack += reversed([*child.iter()])
    pairs = ((term, ", ".join(filter(None, parts))) for term, parts in described)
    return [(term, text) for term, text in pairs if term and text]


def _base(url: URL, root: Element) -> URL:
    base = root.css_first("base[href]")
    address = attribute(base, "href") if base is not None else ""
    # It becomes part of each relative link.
    return URL((absolute(url, address) if len(address) <= _LONGEST_BASE else "") or url)


def _meta(root: Element, *names: str) -> str:
    """The content of the first meta element with one of some names."""
    found: dict[str, str] = {}
    for element in root.css("meta[content]"):
        said = " ".join(attribute(element, "content").split())
        name = attribute(element, "name") or attribute(element, "property")
        if said:
            found.setdefault(name.strip().lower(), said)
    return next((found[name] for name in names if name in found), "")


def _links(root: Element, base: URL) -> Iterator[page.Link]:
    for element in root.css("a[href], area[href]"):
        if url := absolute(base, attribute(element, "href")):
            pictures = (attribute(inner, "alt") for inner in (element, *element.css("[alt]")))
            words = text_of(element) or " ".join(" ".join(pictures).split())
            hint = attribute(element, "aria-label") or attribute(element, "title")
            yield page.Link(words, url, " ".join(hint.split()))

"""From a tree of elements to a page."""

import re
from collections.abc import Iterator, Sequence
from typing import Any

import attrs
from yarl import URL

from browser_use_async.server.html.addresses import absolute
from browser_use_async.server.html.document import load_json
from browser_use_async.server.html.page import (
    Heading,
    Label,
    Link,
    Page,
    Row,
    Table,
    TextList,
    types_of,
)
from browser_use_async.server.html.text import (
    HEADINGS,
    Element,
    MainPart,
    attribute,
    children,
    find_main_part,
    is_boilerplate,
    is_hidden,
    marked_part,
    parse_tree,
    readable_text,
    text_of,
    walk,
)

_MAX_COLUMNS = 50
_LABELLED = re.compile(r"(?P<name>[^\s:][^:]{0,60}?)\s*:\s+(?P<value>\S.{0,300})")
_LISTS = frozenset({"ul", "ol"})
_LONGEST_BASE = 1_000
_LONG_TEXT = 500  # characters


_JSON_LD = "application/ld+json"
# Nodes about the site rather than about what this page is about come last.
_SURROUNDING_TYPES = frozenset(
    "BreadcrumbList ImageObject Organization SearchAction WebPage WebSite".split()
)
_MAX_NODES = 500
_MAX_DEPTH = 8


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
    captions = [text_of(child, is_hidden) for child in children(element) if child.tag == "caption"]
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
        text=text_of(element, lambda inner: inner.tag == "table" or is_hidden(inner)),
        header=element.tag == "th",
        width=_span(element, "colspan"),
        height=_span(element, "rowspan"),
    )


def _span(element: Element, name: str) -> int:
    number = (attribute(element, name) or "1").strip()
    if not (number.isascii() and number.isdigit()):
        return 1
    return min(max(int(number[:4]), 1), _MAX_COLUMNS)


def read_html(url: str, text: str) -> Page:
    """The page that an HTML document makes, however broken it is."""
    root, cut = parse_tree(text)
    elements = list(walk(root))
    base = _base(URL(url), elements)
    metadata = _metadata(elements)
    content = _Content(base)
    for element in walk(root, is_boilerplate):
        content.read(element)
    shown = readable_text(root)
    # What is short is read whole.
    main = find_main_part(text) if len(shown) >= _LONG_TEXT else MainPart()
    if (marked := marked_part(root)) is not None:
        shown = readable_text(marked)
    elif len(main.text) >= len(shown) / 2:
        # One with less is more often a part that was overrated than all there is to read.
        shown = main.text
    return Page(
        url=url,
        title=_title(elements, metadata, content.headings),
        description=_named(metadata, "description", "og:description", "twitter:description"),
        text=shown,
        headings=content.headings,
        links=_links(root, base),
        tables=content.tables,
        lists=content.lists,
        labels=content.labels,
        metadata=[*metadata, *main.labels],
        data=json_ld(elements),
        cut=cut,
    )


class _Content:
    """Headings, tables, lists and labels, each with the heading before it."""

    def __init__(self, base: URL) -> None:
        self.headings: list[Heading] = []
        self.tables: list[Table] = []
        self.lists: list[TextList] = []
        self.labels: list[Label] = []
        self._base = base
        self._heading = ""

    def read(self, element: Element) -> None:
        """Take in one element."""
        tag = element.tag or ""
        if tag in HEADINGS:
            if words := text_of(element, is_hidden):
                self._heading = words
                self.headings.append(Heading(HEADINGS[tag], words))
        elif tag == "table":
            self._read_table(element)
        elif tag in _LISTS:
            self._read_list(element)
        elif tag == "dl":
            pairs = _definitions(element)
            self.labels += [Label(name, value, self._heading) for name, value in pairs]
        elif tag in {"p", "li"}:
            self._read_label(element)

    def _read_table(self, element: Element) -> None:
        table = read_table(element, self._base, self._heading)
        if table is None:
            return
        self.tables.append(table)
        if all(len(row.cells) == 2 for row in table.rows):
            pairs = (row.cells for row in table.rows)
            self.labels += [Label(_bare(name), value, table.name) for name, value in pairs if name]

    def _read_list(self, element: Element) -> None:
        entries = (child for child in children(element) if child.tag == "li")
        texts = (text_of(entry, _is_inner_list) for entry in entries)
        items = tuple(filter(None, texts))
        if items:
            self.lists.append(TextList(items, self._heading))

    def _read_label(self, element: Element) -> None:
        match = _LABELLED.fullmatch(text_of(element, _is_inner_list))
        if match is not None:
            self.labels.append(Label(match["name"], match["value"], self._heading))


def _is_inner_list(element: Element) -> bool:
    return element.tag in _LISTS or element.tag in {"dl", "table"} or is_hidden(element)


def _bare(name: str) -> str:
    return name.rstrip(": ")


def _definitions(element: Element) -> list[tuple[str, str]]:
    """The terms of a definition list, each with its description; several are joined."""
    described: list[tuple[str, list[str]]] = []
    for child in walk(element, lambda inner: inner.tag in {"dl", "table"} or is_hidden(inner)):
        if child.tag == "dt":
            described.append((_bare(text_of(child, is_hidden)), []))
        elif child.tag == "dd" and described:
            described[-1][1].append(text_of(child, is_hidden))
    pairs = ((term, ", ".join(filter(None, parts))) for term, parts in described)
    return [(term, text) for term, text in pairs if term and text]


def _base(url: URL, elements: Sequence[Element]) -> URL:
    addresses = (attribute(one, "href") or "" for one in elements if one.tag == "base")
    address = next(addresses, "")
    # It becomes part of each relative link.
    return URL((absolute(url, address) if len(address) <= _LONGEST_BASE else "") or url)


def _metadata(elements: Sequence[Element]) -> list[Label]:
    found: list[Label] = []
    for element in elements:
        if element.tag != "meta":
            continue
        attributes = element.attributes
        name = attributes.get("property") or attributes.get("name") or attributes.get("itemprop")
        value = " ".join((attributes.get("content") or "").split())
        if name and value:
            found.append(Label(name.strip(), value))
    return found


def _named(metadata: Sequence[Label], *names: str) -> str:
    for name in names:
        for label in metadata:
            if label.name.lower() == name:
                return label.value
    return ""


def _title(
    elements: Sequence[Element], metadata: Sequence[Label], headings: Sequence[Heading]
) -> str:
    titles = (text_of(one) for one in elements if one.tag == "title")
    first = min(headings, key=lambda heading: heading.level, default=None)
    shown = first.text if first is not None else ""
    return next(filter(None, titles), "") or _named(metadata, "og:title") or shown


def _links(root: Element, base: URL) -> list[Link]:
    links: list[Link] = []
    for element in walk(root, is_hidden):
        address = attribute(element, "href") if element.tag in {"a", "area"} else None
        if address is None:
            continue
        url = absolute(base, address)
        if url:
            links.append(Link(_link_text(element), url, _hint(element)))
    return links


def _link_text(element: Element) -> str:
    words = text_of(element, is_hidden)
    if not words:
        pictures = (attribute(inner, "alt") or "" for inner in walk(element))
        words = " ".join(" ".join(pictures).split())
    return words


def _hint(element: Element) -> str:
    attributes = element.attributes
    return " ".join((attributes.get("aria-label") or attributes.get("title") or "").split())


# --- linked data --------------------------------------------------------------------------


def json_ld(elements: Sequence[Element]) -> list[Any]:
    """The nodes of all readable JSON-LD scripts, what the page is about first."""
    scripts = (
        element
        for element in elements
        if element.tag == "script"
        and (attribute(element, "type") or "").partition(";")[0].strip().lower() == _JSON_LD
    )
    nodes = [node for script in scripts for node in _nodes(_loaded(script), _MAX_DEPTH)]
    return sorted(nodes, key=_is_surrounding)[:_MAX_NODES]


def _loaded(script: Element) -> Any:
    text = "".join(child.text_content or "" for child in children(script) if child.is_text_node)
    try:
        return load_json(text)
    except ValueError:
        return None


def _nodes(document: Any, depth: int) -> Iterator[Any]:
    if isinstance(document, list) and depth:
        for part in document:
            yield from _nodes(part, depth - 1)
    elif isinstance(document, dict):
        graph = document.get("@graph")
        if isinstance(graph, list):
            yield from (node for node in graph if isinstance(node, dict))
        else:
            yield document


def _is_surrounding(node: Any) -> bool:
    kinds = types_of(node)
    return bool(kinds) and _SURROUNDING_TYPES.issuperset(kinds)

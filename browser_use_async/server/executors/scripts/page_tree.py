"""A page as a tree of its visible elements, and the places of its texts."""

import re
from collections.abc import Iterator
from enum import StrEnum
from typing import Any, Self

import attrs

MOST_NODES = 20_000
_HEADINGS = frozenset({"h1", "h2", "h3", "h4", "h5", "h6"})
_CELLS = ("td", "th")
_MOST_SENTENCE = 300  # characters of a text in which a value is looked for


class PageNode:
    """An element of a page.

    Attributes that a value can stand in, such as the address of a link, are nodes of their own,
    whose tag is `@` and the name of the attribute.
    """

    def __init__(self, tag: str, attributes: dict[str, str], parent: "PageNode | None") -> None:
        self.tag = tag
        self.attributes = attributes
        self.parent = parent
        self.content: list[str | PageNode] = []
        self._text: str | None = None

    @classmethod
    def of(cls, tree: list[Any]) -> Self:
        """Make the tree of what `snapshot` in `element.js` returns."""
        tag, attributes, content = tree
        root = cls(tag, attributes, None)
        waiting: list[tuple[PageNode, list[Any]]] = [(root, content)]
        left = MOST_NODES
        for node, inside in waiting:  # which grows
            for each in inside[: max(left, 0)]:
                if isinstance(each, str):
                    node.content.append(each)
                else:
                    left -= 1
                    child = PageNode(each[0], each[1], node)
                    node.content.append(child)
                    waiting.append((child, each[2]))
        return root

    @property
    def text(self) -> str:
        """All text inside of it, without attributes."""
        if self._text is None:
            parts = (
                each if isinstance(each, str) else "" if each.is_attribute else each.text
                for each in self.content
            )
            self._text = " ".join(filter(None, parts))
        return self._text

    @property
    def is_attribute(self) -> bool:
        """Whether it represents an attribute."""
        return self.tag.startswith("@")

    @property
    def has_own_text(self) -> bool:
        """Whether it directly contains text."""
        return any(isinstance(each, str) for each in self.content)

    @property
    def children(self) -> "list[PageNode]":
        """Its child elements."""
        return [each for each in self.content if isinstance(each, PageNode)]

    def walk(self) -> "Iterator[PageNode]":
        """Itself and all descendants, in the order of the page."""
        waiting: list[PageNode] = [self]
        while waiting:
            node = waiting.pop()
            yield node
            waiting.extend(reversed(node.children))

    def texts(self) -> "list[PageNode]":
        """All descendants that directly contain text."""
        return [each for each in self.walk() if each.has_own_text]

    def within(self, *tags: str) -> "PageNode | None":
        """Itself or the innermost ancestor with one of these tags."""
        node: PageNode | None = self
        while node is not None and node.tag not in tags:
            node = node.parent
        return node

    def ancestors(self) -> "Iterator[PageNode]":
        """Its ancestors, the innermost first."""
        node = self.parent
        while node is not None:
            yield node
            node = node.parent


class PlaceKind(StrEnum):
    """The ways to find a text on a page."""

    TERM = "term"  # the text right before it: `<dt>`, the first of two cells, "City:"
    CELL = "cell"  # a column of a table, and the first cell of its row
    HEADING = "heading"  # the heading or the title itself
    PROPERTY = "property"  # itemprop, data-testid or id
    CLASS = "class"
    BETWEEN = "between"  # words before and after it in the same sentence
    COLUMN = "column"  # in a row of a list: a column of its table
    ORDINAL = "ordinal"  # in a row of a list: its number among the texts of the row


NAMED = frozenset(PlaceKind) - {PlaceKind.ORDINAL}
"""Kinds of places that a word of the page names."""
# A few words and no clause; else the text between two others could be a new sentence.
_FEW_WORDS = r"[^\s;:!?()]+(?: [^\s;:!?()]+){0,3}?"


@attrs.frozen
class Place:
    """The place of a text on a page."""

    kind: PlaceKind
    name: str  # the term, column, tag, value of the attribute, words before, or number
    detail: str = ""  # the row, the attribute, the words after, or how many there are


def places_of(node: PageNode) -> Iterator[Place]:
    """The places of a node, the best first."""
    if node.is_attribute:
        owner = "" if node.parent is None else node.parent.text
        yield Place(PlaceKind.TERM, f"{node.tag} {owner}".strip())
    elif term := _term(node):
        yield Place(PlaceKind.TERM, term)
    if (cell := _cell(node)) is not None:
        yield Place(PlaceKind.CELL, *cell)
    if node.tag in {"h1", "h2", "title"}:
        yield Place(PlaceKind.HEADING, node.tag)
    for attribute in ("itemprop", "data-testid", "id", "class"):
        if value := node.attributes.get(attribute):
            kind = PlaceKind.CLASS if attribute == "class" else PlaceKind.PROPERTY
            yield Place(kind, value, attribute)


def places_in_row(row: PageNode, node: PageNode) -> Iterator[Place]:
    """The places of a node in one row of a list, the best first."""
    if (cell := _cell(node)) is not None:
        column = f"{cell[0]} {node.tag}" if node.is_attribute else cell[0]
        yield Place(PlaceKind.COLUMN, column)
    kinds = {PlaceKind.TERM, PlaceKind.PROPERTY, PlaceKind.CLASS}
    yield from (each for each in places_of(node) if each.kind in kinds and each.detail != "id")
    texts = row.texts()
    yield Place(PlaceKind.ORDINAL, str(texts.index(node)), str(len(texts)))


def texts_at(root: PageNode, place: Place) -> list[str]:
    """The texts at a place; a good place has one."""
    if place.kind is PlaceKind.BETWEEN:
        sentence = re.compile(
            rf"{re.escape(place.name)}\s*({_FEW_WORDS})\s*{re.escape(place.detail)}"
        )
        matches = (sentence.fullmatch(each.text) for each in root.texts())
        return [match[1] for match in matches if match is not None]
    found = [each for each in root.walk() if each.content and place in places_of(each)]
    kept = {id(each) for each in found}
    # If an element and one inside of it are at the same place, the outer one counts.
    outer = [each for each in found if each.parent is None or id(each.parent) not in kept]
    return [each.text for each in outer]


def text_in_row(row: PageNode, place: Place) -> str | None:
    """The one text at a place of a row, or None."""
    texts = row.texts()
    if place.kind is PlaceKind.ORDINAL:
        has_as_many = len(texts) == int(place.detail)
        return texts[int(place.name)].text if has_as_many else None
    found = [each.text for each in texts if place in places_in_row(row, each)]
    return found[0] if len(found) == 1 else None


def holding(root: PageNode) -> list[PageNode]:
    """The nodes with a text that may contain a value, without whole paragraphs."""
    return [each for each in root.walk() if 0 < len(each.text) <= _MOST_SENTENCE]


def _term(node: PageNode) -> str:
    """The words right before a node that name it; empty if there are none."""
    own = node.within("dd", *_CELLS) or node
    parent = own.parent
    if parent is None:
        return ""
    siblings = [each for each in _content(parent) if isinstance(each, str) or each.text]
    place = next((place for place, each in enumerate(siblings) if each is own), 0)
    last = siblings[place - 1] if place else None
    if last is None:
        return ""
    text = (last if isinstance(last, str) else last.text).rstrip()
    if isinstance(last, PageNode):
        is_pair = own.tag not in _CELLS and last.tag not in _HEADINGS and _is_row_of_two(parent)
        is_named = last.tag == "dt" or (last.tag in _CELLS and len(siblings) == 2)
        if is_pair or is_named:
            return text.rstrip(": ")
    return text.rstrip(": ") if text.endswith(":") else ""


def _is_row_of_two(parent: PageNode) -> bool:
    """Whether an element has two texts, and is one of several such elements."""
    around = parent.parent
    if len(_content(parent)) != 2 or around is None:
        return False
    alike = (parent.tag, parent.attributes)
    return sum((each.tag, each.attributes) == alike for each in around.children) > 1


def _content(node: PageNode) -> list[str | PageNode]:
    return [each for each in node.content if isinstance(each, str) or not each.is_attribute]


def _cell(node: PageNode) -> tuple[str, str] | None:
    """The column of a node's cell, and the first text of its row."""
    cell = node.within(*_CELLS)
    row = None if cell is None else cell.within("tr")
    table = None if cell is None else cell.within("table")
    if cell is None or row is None or table is None or cell.tag == "th":
        return None
    heads = next((each for each in table.walk() if each.tag == "th"), None)
    head_row = None if heads is None else heads.within("tr")
    if head_row is None:
        return None
    columns, cells = head_row.children, row.children
    place = next((place for place, each in enumerate(cells) if each is cell), len(cells))
    if place >= len(columns) or len(cells) != len(columns):
        return None
    return columns[place].text, cells[0].text


# --- lists -------------------------------------------------------------------------------------


@attrs.frozen
class RowKind:
    """The selector of the rows of a list."""

    heading: str  # the words above the list; empty if there are none
    tag: str
    css_class: str  # of a `div`, whose tag says nothing


def rows_of(root: PageNode, kind: RowKind) -> list[PageNode]:
    """The rows of a list, without rows that name the columns."""
    return [
        each
        for each in _below(root, kind.heading)
        if each.tag == kind.tag
        and (kind.tag != "div" or each.attributes.get("class", "") == kind.css_class)
        and (kind.tag != "tr" or all(cell.tag != "th" for cell in each.children))
    ]


def lists_of(rows: list[PageNode]) -> int:
    """The number of tables or lists that contain the rows."""
    return len({id(each.within("table", "ul", "ol")) for each in rows})


def row_kind_of(root: PageNode, row: PageNode) -> RowKind:
    """The kind of rows to which a row belongs."""
    return RowKind(_heading_above(root, row), row.tag, row.attributes.get("class", ""))


def _below(root: PageNode, heading: str) -> Iterator[PageNode]:
    """The content below a heading, up to the next one of its level."""
    if not heading:
        yield from root.walk()
        return
    level = ""
    for node in root.walk():
        if node.tag in _HEADINGS:
            if level and node.tag <= level:
                return
            level = level or (node.tag if node.text == heading else "")
        elif level:
            yield node


def _heading_above(root: PageNode, row: PageNode) -> str:
    """The last heading before a row that is not the heading of one of its siblings."""
    siblings = {id(each) for each in (row.parent.children if row.parent is not None else ())}
    last = ""
    for node in root.walk():
        if node is row:
            return last
        is_inside = any(id(each) in siblings for each in node.ancestors())
        if node.tag in _HEADINGS and not is_inside:
            last = node.text
    return last

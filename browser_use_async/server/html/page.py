"""What there is to know about a page that was read."""

from collections.abc import Sequence
from typing import Any

import attrs


@attrs.frozen
class Link:
    """A link that can be followed."""

    text: str  # its words
    url: str  # where it leads, absolute, http or https
    hint: str = ""  # its tooltip or label for screen readers, if there is one


@attrs.frozen
class Heading:
    """A heading."""

    level: int  # 1 for the most important to 6
    text: str  # its words


@attrs.frozen
class Row:
    """A row of a table."""

    cells: tuple[str, ...]  # the texts of its cells
    link: str = ""  # where its first link leads, if there is one


@attrs.frozen
class Table:
    """A table, merged cells repeated."""

    headers: tuple[str, ...]  # the names of the columns, empty if there are none
    rows: Sequence[Row]  # the rows, without header and footer
    name: str = ""  # its caption, or the heading before it
    named_rows: bool = False  # whether the first cell of each row is marked as the name of the row


@attrs.frozen
class TextList:
    """A list with bullets or numbers."""

    items: tuple[str, ...]  # the texts of its items
    name: str = ""  # the heading before it


@attrs.frozen
class Label:
    """A value with a name in front of it."""

    name: str
    value: str
    section: str = ""  # the heading before it


@attrs.frozen
class Page:
    """A page, or a file, that was read."""

    url: str  # its address, after redirects
    title: str = ""
    description: str = ""  # what it says of itself in a sentence
    # what there is to read, a line for each paragraph, row or item
    text: str = attrs.field(default="", repr=False)
    headings: Sequence[Heading] = attrs.field(default=(), repr=False)
    links: Sequence[Link] = attrs.field(default=(), repr=False)
    tables: Sequence[Table] = attrs.field(default=(), repr=False)
    lists: Sequence[TextList] = attrs.field(default=(), repr=False)
    # values with a name in front of them: definition lists and the like
    labels: Sequence[Label] = attrs.field(default=(), repr=False)
    # names and values of its meta elements, Open Graph among them
    metadata: Sequence[Label] = attrs.field(default=(), repr=False)
    # JSON objects: JSON-LD and microdata, or the document when it is JSON itself
    data: Sequence[Any] = attrs.field(default=(), repr=False)
    cut: bool = False  # whether it was too long, and its end is missing here


def types_of(node: Any) -> list[str]:
    """The types of a JSON-LD node, without their vocabulary."""
    kinds = node.get("@type", []) if isinstance(node, dict) else []
    kinds = kinds if isinstance(kinds, list) else [kinds]
    return [kind.rstrip("/").rpartition("/")[2] for kind in kinds if isinstance(kind, str)]


def shorten(text: str, limit: int) -> str:
    """The beginning of a text, saying how much was left out."""
    if len(text) <= limit:
        return text
    return f"{text[:limit].rstrip()}\n[... {len(text) - limit:,} more characters]"

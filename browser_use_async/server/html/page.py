"""What there is to know about a page that was read."""

from collections.abc import Sequence
from typing import Any

import attrs


@attrs.frozen
class Link:
    """A link that can be followed.

    Attributes:
        text: Its words.
        url: Where it leads, absolute, http or https.
        hint: Its tooltip or label for screen readers, if there is one.
    """

    text: str
    url: str
    hint: str = ""


@attrs.frozen
class Heading:
    """A heading.

    Attributes:
        level: 1 for the most important to 6.
        text: Its words.
    """

    level: int
    text: str


@attrs.frozen
class Row:
    """A row of a table.

    Attributes:
        cells: The texts of its cells.
        link: Where its first link leads, if there is one.
    """

    cells: tuple[str, ...]
    link: str = ""


@attrs.frozen
class Table:
    """A table, merged cells repeated.

    Attributes:
        headers: The names of the columns, empty if there are none.
        rows: The rows, without header and footer.
        name: Its caption, or the heading before it.
        named_rows: Whether the first cell of each row is marked as the name of the row.
    """

    headers: tuple[str, ...]
    rows: Sequence[Row]
    name: str = ""
    named_rows: bool = False


@attrs.frozen
class TextList:
    """A list with bullets or numbers.

    Attributes:
        items: The texts of its items.
        name: The heading before it.
    """

    items: tuple[str, ...]
    name: str = ""


@attrs.frozen
class Label:
    """A value with a name in front of it.

    Attributes:
        name: The name.
        value: The value.
        section: The heading before it.
    """

    name: str
    value: str
    section: str = ""


@attrs.frozen
class Page:
    """A page, or a file, that was read.

    Attributes:
        url: Its address, after redirects.
        title: Its title.
        description: What it says of itself in a sentence.
        text: What there is to read, a line for each paragraph, row or item.
        headings: Its headings.
        links: Its links.
        tables: Its tables.
        lists: Its lists.
        labels: Values with a name in front of them: definition lists and the like.
        metadata: Names and values of its meta elements, Open Graph among them.
        data: JSON objects: JSON-LD and microdata, or the document when it is JSON itself.
        cut: Whether it was too long, and its end is missing here.
    """

    url: str
    title: str = ""
    description: str = ""
    text: str = attrs.field(default="", repr=False)
    headings: Sequence[Heading] = attrs.field(default=(), repr=False)
    links: Sequence[Link] = attrs.field(default=(), repr=False)
    tables: Sequence[Table] = attrs.field(default=(), repr=False)
    lists: Sequence[TextList] = attrs.field(default=(), repr=False)
    labels: Sequence[Label] = attrs.field(default=(), repr=False)
    metadata: Sequence[Label] = attrs.field(default=(), repr=False)
    data: Sequence[Any] = attrs.field(default=(), repr=False)
    cut: bool = False


def types_of(node: Any) -> list[str]:
    """The types of a JSON-LD node, without their vocabulary.

    Args:
        node: The node.
    """
    kinds = node.get("@type", []) if isinstance(node, dict) else []
    kinds = kinds if isinstance(kinds, list) else [kinds]
    return [kind.rstrip("/").rpartition("/")[2] for kind in kinds if isinstance(kind, str)]


def shorten(text: str, limit: int) -> str:
    """The beginning of a text, saying how much was left out.

    Args:
        text: The text.
        limit: The most characters to keep.
    """
    if len(text) <= limit:
        return text
    return f"{text[:limit].rstrip()}\n[... {len(text) - limit:,} more characters]"

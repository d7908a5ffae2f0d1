"""A page that was read: its text, headings, links, tables and terms."""

from collections.abc import Sequence
from typing import Any

import attrs


@attrs.frozen
class Link:
    """A link that can be followed."""

    text: str  # its words
    url: str  # its address, absolute, http or https
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
    link: str = ""  # the address of its first link, if there is one


@attrs.frozen
class Table:
    """A table, merged cells repeated."""

    headers: tuple[str, ...]  # the names of the columns, empty if there are none
    rows: Sequence[Row]  # the rows, without header and footer
    name: str = ""  # its caption, or the heading before it
    named_rows: bool = False  # whether the first cell of each row is marked as the name of the row


@attrs.frozen
class Label:
    """A term of a definition list."""

    name: str
    value: str  # its description
    section: str = ""  # the heading before it


@attrs.frozen
class Page:
    """A page, or a file, that was read."""

    url: str  # its address, after redirects
    title: str = ""
    description: str = ""  # its own summary, in a sentence
    # the readable text, a line for each paragraph, row or item
    text: str = attrs.field(default="", repr=False)
    headings: Sequence[Heading] = attrs.field(default=(), repr=False)
    links: Sequence[Link] = attrs.field(default=(), repr=False)
    tables: Sequence[Table] = attrs.field(default=(), repr=False)
    # the terms of definition lists
    labels: Sequence[Label] = attrs.field(default=(), repr=False)
    # the document, if it is JSON
    data: Sequence[Any] = attrs.field(default=(), repr=False)
    cut: bool = False  # whether it was too long, and its end is missing here


def shorten(text: str, limit: int) -> str:
    """The beginning of a text, saying how much was left out."""
    if len(text) <= limit:
        return text
    return f"{text[:limit].rstrip()}\n[... {len(text) - limit:,} more characters]"

"""What a person reads of a page: its text, headings, links, tables and terms."""

from collections.abc import Sequence

import attrs

from browser_use_async.server.html.page_tree import PageNode


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


@attrs.frozen
class Table:
    """A table."""

    headers: tuple[str, ...]  # the names of the columns, empty if there are none
    rows: Sequence[Row]  # the rows, without header and footer
    name: str = ""  # its caption, or the heading before it


@attrs.frozen
class Label:
    """A term of a definition list."""

    name: str
    value: str  # its description
    section: str = ""  # the heading before it


@attrs.frozen
class Page:
    """A page, or a file, that was read; what has no tree, as a picture, has its name only."""

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
    root: PageNode | None = attrs.field(default=None, repr=False, eq=False)  # its tree
    cut: bool = False  # whether it was too long, and its end is missing here


def shorten(text: str, limit: int) -> str:
    """The beginning of a text, saying how much was left out."""
    if len(text) <= limit:
        return text
    return f"{text[:limit].rstrip()}\n[... {len(text) - limit:,} more characters]"

"""From a tree of elements to a page."""

import asyncio
import re
from collections.abc import Sequence

from yarl import URL

from browser_use_async.server.reading.addresses import absolute
from browser_use_async.server.reading.linked_data import json_ld, microdata
from browser_use_async.server.reading.noise import content_root, is_noise, is_unseen
from browser_use_async.server.reading.page import Heading, Label, Link, Page, Table, TextList
from browser_use_async.server.reading.prose import HEADINGS, readable_text
from browser_use_async.server.reading.tables import read_table
from browser_use_async.server.reading.tree import Element, parse_tree

_LABELLED = re.compile(r"(?P<name>[^\s:][^:]{0,60}?)\s*:\s+(?P<value>\S.{0,300})")
_LISTS = frozenset({"ul", "ol"})
_BREATH = 8


async def read_html(url: str, text: str) -> Page:
    """The page that an HTML document makes, however broken it is.

    Args:
        url: The address of the page, after redirects.
        text: The document.
    """
    root, cut = await parse_tree(text)
    elements = list(root.walk())
    await asyncio.sleep(0)  # each part below takes a moment for the largest pages
    base = _base(URL(url), elements)
    metadata = _metadata(elements)
    content = _Content(base)
    await content.read(root)
    await asyncio.sleep(0)
    data = [*json_ld(elements), *microdata(elements, base)]
    await asyncio.sleep(0)
    return Page(
        url=url,
        title=_title(elements, metadata, content.headings),
        description=_named(metadata, "description", "og:description", "twitter:description"),
        text=readable_text(content_root(root)),
        headings=content.headings,
        links=_links(root, base),
        tables=content.tables,
        lists=content.lists,
        labels=content.labels,
        metadata=metadata,
        data=data,
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

    async def read(self, root: Element) -> None:
        """Read a document, letting the event loop breathe: nested elements are read repeatedly."""
        for place, element in enumerate(root.walk(is_noise)):
            self._read(element)
            if place % _BREATH == 0:
                await asyncio.sleep(0)

    def _read(self, element: Element) -> None:
        if element.tag in HEADINGS:
            if words := element.text(is_unseen):
                self._heading = words
                self.headings.append(Heading(HEADINGS[element.tag], words))
        elif element.tag == "table":
            self._read_table(element)
        elif element.tag in _LISTS:
            self._read_list(element)
        elif element.tag == "dl":
            pairs = _definitions(element)
            self.labels += [Label(name, value, self._heading) for name, value in pairs]
        elif element.tag in {"p", "li"}:
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
        children = (child for child in element.children if isinstance(child, Element))
        texts = (child.text(_is_inner_list) for child in children if child.tag == "li")
        items = tuple(filter(None, texts))
        if items:
            self.lists.append(TextList(items, self._heading))

    def _read_label(self, element: Element) -> None:
        match = _LABELLED.fullmatch(element.text(_is_inner_list))
        if match is not None:
            self.labels.append(Label(match["name"], match["value"], self._heading))


def _is_inner_list(element: Element) -> bool:
    return element.tag in _LISTS or element.tag in {"dl", "table"} or is_unseen(element)


def _bare(name: str) -> str:
    return name.rstrip(": ")


def _definitions(element: Element) -> list[tuple[str, str]]:
    """The terms of a definition list, each with its description; several are joined."""
    described: list[tuple[str, list[str]]] = []
    for child in element.walk(lambda inner: inner.tag in {"dl", "table"} or is_unseen(inner)):
        if child.tag == "dt":
            described.append((_bare(child.text(is_unseen)), []))
        elif child.tag == "dd" and described:
            described[-1][1].append(child.text(is_unseen))
    pairs = ((term, ", ".join(filter(None, parts))) for term, parts in described)
    return [(term, text) for term, text in pairs if term and text]


def _base(url: URL, elements: Sequence[Element]) -> URL:
    addresses = (one.attributes.get("href", "") for one in elements if one.tag == "base")
    return URL(absolute(url, next(addresses, "")) or url)


def _metadata(elements: Sequence[Element]) -> list[Label]:
    found: list[Label] = []
    for element in elements:
        attributes = element.attributes
        name = attributes.get("property") or attributes.get("name") or attributes.get("itemprop")
        value = " ".join(attributes.get("content", "").split())
        if element.tag == "meta" and name and value:
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
    titles = (one.text() for one in elements if one.tag == "title")
    first = min(headings, key=lambda heading: heading.level, default=None)
    shown = first.text if first is not None else ""
    return next(filter(None, titles), "") or _named(metadata, "og:title") or shown


def _links(root: Element, base: URL) -> list[Link]:
    links: list[Link] = []
    for element in root.walk(is_unseen):
        if element.tag not in {"a", "area"} or "href" not in element.attributes:
            continue
        url = absolute(base, element.attributes["href"])
        if url:
            links.append(Link(_link_text(element), url, _hint(element)))
    return links


def _link_text(element: Element) -> str:
    words = element.text(is_unseen)
    if not words:
        pictures = (inner.attributes.get("alt", "") for inner in element.walk())
        words = " ".join(" ".join(pictures).split())
    return words


def _hint(element: Element) -> str:
    attributes = element.attributes
    return " ".join((attributes.get("aria-label") or attributes.get("title") or "").split())

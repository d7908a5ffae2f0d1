"""Named values of pages, JSON objects and rows of tables, found by the words of their names."""

import re
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

import attrs

from browser_use_async.server.html.page import Label, Page, Row, Table, shorten, types_of
from browser_use_async.server.html.words import word_set

# Words that do not tell one name from another: "published_at" is "datePublished".
_LITTLE = frozenset("a an at date for has is of on the time value".split())
MAX_TEXT = 20_000
"""The most characters of a page's text that go into an answer."""

_MAX_NAME = 200  # characters; pages may have names of megabytes for each of many values
_MAX_DEPTH = 6
_MAX_FACTS = 5000
_SEPARATORS = re.compile("[,;|\u2022\u00b7]")
# What may hold a comma without being an enumeration.
_SENTENCES = frozenset("body content description heading headline summary text title url".split())
_MAX_NODES = 5000


@attrs.frozen
class Fact:
    """A named value."""

    name: str  # its name in any spelling
    value: Any  # the value, a text most of the time
    other_name: bool = False  # whether the name is not the page's own, so that better names win
    # the words of the name
    words: frozenset[str] = attrs.field(
        default=attrs.Factory(lambda fact: word_set(fact.name[:_MAX_NAME]), takes_self=True)
    )


@attrs.frozen
class Wanted:
    """The objects that a list shall hold."""

    name: str  # what the list is called
    fields: Sequence[str] = ()  # the names of their properties
    required: Sequence[str] = ()  # the names of the properties that they must have


class Facts:
    """Facts of a page, a JSON object or a row, looked up by name, the best candidates first."""

    def __init__(self, facts: Iterable[Fact], base: str = "") -> None:
        self.base = base  # what addresses are relative to
        self._facts = list(facts)
        self._exact: dict[frozenset[str], list[Fact]] = {}
        self._close: dict[frozenset[str], list[Fact]] = {}
        for fact in self._facts:
            self._exact.setdefault(fact.words, []).append(fact)
            self._close.setdefault(fact.words - _LITTLE, []).append(fact)

    def values(self, name: str) -> Iterator[Any]:
        """What a name may mean: all its words, those that tell, or the only name that has them."""
        wanted = word_set(name)
        exact = self._exact.get(wanted, []) if wanted else []
        yield from (fact.value for fact in exact if not fact.other_name)
        yield from (fact.value for fact in exact if fact.other_name)
        telling = wanted - _LITTLE
        close = self._close.get(telling, []) if telling else []
        yield from (fact.value for fact in close if fact.words != wanted)
        if wanted and not exact:
            yield from self._only_longer(wanted)

    def lists(self, name: str) -> Iterator[list[Any]]:
        """Lists, and texts that enumerate something."""
        for value in self.values(name):
            if isinstance(value, list):
                yield value
            elif isinstance(value, str) and not word_set(name) & _SENTENCES:
                yield [each.strip() for each in _SEPARATORS.split(value)]
            else:
                yield [value]

    def parts(self, name: str) -> Iterator["Facts"]:
        """Inner objects."""
        for value in self.values(name):
            only = value[0] if isinstance(value, list) and len(value) == 1 else value
            if isinstance(only, Mapping):
                yield Facts(mapping_facts(only), self.base)

    def records(self, wanted: Wanted) -> Iterator[Iterable["Facts"]]:
        """Lists of inner objects."""
        for value in self.values(wanted.name):
            inner = value if isinstance(value, list) else [value]
            if inner and all(isinstance(one, Mapping) for one in inner):
                yield (Facts(mapping_facts(one), self.base) for one in inner)

    def mappings(self, name: str) -> Iterator[Mapping[str, Any]]:
        """Inner objects, or without a name the whole."""
        if not name:  # the most trusted value of each name
            own = [fact for fact in self._facts if not fact.other_name]
            yield {fact.name: fact.value for fact in reversed(own)}
        yield from (value for value in self.values(name) if isinstance(value, Mapping))

    def _only_longer(self, wanted: frozenset[str]) -> Iterator[Any]:
        longer = [fact for fact in self._facts if wanted < fact.words and not fact.other_name]
        if len({fact.words for fact in longer}) == 1:
            yield from (fact.value for fact in longer)


def page_facts(page: Page) -> Iterator[Fact]:
    """What a page says, the plainest first."""
    links = [{"text": link.text, "url": link.url} for link in page.links]
    headings = [{"level": heading.level, "text": heading.text} for heading in page.headings]
    yield Fact("title", page.title)
    yield Fact("description", page.description)
    yield Fact("url", page.url)
    text = shorten(page.text, MAX_TEXT)
    yield Fact("text", text)
    yield Fact("links", [link.url for link in page.links])
    yield Fact("links", [_link_names(link) for link in links])
    yield Fact("headings", [heading.text for heading in page.headings])
    yield Fact("headings", [{**heading, "title": heading["text"]} for heading in headings])
    nodes = [node for node in page.data if isinstance(node, Mapping)]
    for node in nodes:
        yield from _own_facts(node)
    yield from (Fact(label.name, label.value) for label in page.labels)
    yield from _metadata_facts(page.metadata)
    for node in nodes:
        yield from _nested_facts(node)
    yield from _other_names(page, text)


def mapping_facts(mapping: Mapping[str, Any]) -> Iterator[Fact]:
    """The values in a JSON object, then those in the objects inside it."""
    yield from _own_facts(mapping)
    yield from _nested_facts(mapping)


def row_facts(table: Table, row: Row, name: str) -> Iterator[Fact]:
    """The cells of a row under the names of their columns."""
    cells = list(zip(table.headers, row.cells, strict=False))
    yield from (Fact(header, cell) for header, cell in cells)
    # The first column names the row when it is marked so, has no name, or is named like the rows.
    first = table.headers[0] if table.headers else ""
    if cells and (table.named_rows or not first or word_set(first) == word_set(name)):
        yield Fact("name", row.cells[0], other_name=True)
        yield Fact("title", row.cells[0], other_name=True)
    if row.link:
        yield from (Fact(other, row.link, other_name=True) for other in ("url", "link", "href"))


def _link_names(link: Mapping[str, str]) -> dict[str, str]:
    text, url = link["text"], link["url"]
    return {"text": text, "url": url, "name": text, "title": text, "href": url, "link": url}


def _own_facts(mapping: Mapping[str, Any]) -> Iterator[Fact]:
    own = (Fact(key, value) for key, value in mapping.items() if not key.startswith("@"))
    return islice(own, _MAX_FACTS)


def _nested_facts(mapping: Mapping[str, Any]) -> Iterator[Fact]:
    """Values of inner objects, nearest first: under the whole path, and under the last name."""
    return islice(_all_nested_facts(mapping), _MAX_FACTS)


def _all_nested_facts(mapping: Mapping[str, Any]) -> Iterator[Fact]:
    waiting = deque([("", mapping, 0)])
    while waiting:
        path, inner, depth = waiting.popleft()
        for key, value in inner.items():
            if depth and not key.startswith("@"):
                yield Fact(f"{path} {key[:_MAX_NAME]}", value)
                yield Fact(key, value)
            only = value[0] if isinstance(value, list) and len(value) == 1 else value
            if isinstance(only, Mapping) and depth < _MAX_DEPTH:
                waiting.append((f"{path} {key[:_MAX_NAME]}"[:_MAX_NAME], only, depth + 1))


def _metadata_facts(metadata: Iterable[Label]) -> Iterator[Fact]:
    for label in metadata:
        yield Fact(label.name, label.value)
        last = label.name.rpartition(":")[2]
        if last != label.name:
            yield Fact(last, label.value)


def _other_names(page: Page, text: str) -> Iterator[Fact]:
    heading = next((heading.text for heading in page.headings if heading.level == 1), "")
    types = [kind for node in page.data for kind in types_of(node)]
    others = {
        "page title": page.title,
        "page url": page.url,
        "source url": page.url,
        "link": page.url,
        "content": text,
        "body": text,
        "page text": text,
        "summary": page.description,
        "page description": page.description,
        "heading": heading,
        "headline": heading,
        "name": heading or page.title,
        "type": next(iter(types), ""),
    }
    return (Fact(name, value, other_name=True) for name, value in others.items())


class PageFacts(Facts):
    """The facts of one or several pages."""

    def __init__(self, pages: Sequence[Page]) -> None:
        super().__init__((fact for page in pages for fact in page_facts(page)), pages[0].url)
        self._pages = pages

    def lists(self, name: str) -> Iterator[list[Any]]:
        """Columns and lists of that name."""
        wanted = word_set(name)
        yield from super().lists(name)
        for table in self._tables():
            for column, header in enumerate(table.headers):
                if wanted and word_set(header) == wanted:
                    yield [row.cells[column] for row in table.rows if column < len(row.cells)]
        lists = (one for page in self._pages for one in page.lists)
        yield from (list(one.items) for one in lists if wanted and wanted <= word_set(one.name))

    def parts(self, name: str) -> Iterator["Facts"]:
        """Inner objects, nodes of that type, labels below a heading of that name."""
        yield from (Facts(mapping_facts(node), self.base) for node in self._nodes(name))
        section = self._section(name)
        if section:
            yield Facts((Fact(key, value) for key, value in section.items()), self.base)
        yield from super().parts(name)

    def records(self, wanted: Wanted) -> Iterator[Iterable["Facts"]]:
        """Nodes of that type, tables with such columns, the pages themselves."""
        yield from super().records(wanted)
        if nodes := list(self._nodes(wanted.name)):
            yield (Facts(mapping_facts(node), self.base) for node in nodes)
        for table in sorted(self._tables(), key=lambda one: _fit(one, wanted), reverse=True):
            if not wanted.fields or any(_fit(table, wanted)[1:]):
                yield (Facts(row_facts(table, row, wanted.name), self.base) for row in table.rows)
        for document in (node for page in self._pages for node in page.data):
            if isinstance(document, list) and all(isinstance(one, Mapping) for one in document):
                yield (Facts(mapping_facts(one), self.base) for one in document)
        if len(self._pages) > 1:
            yield (PageFacts([page]) for page in self._pages)

    def mappings(self, name: str) -> Iterator[Mapping[str, Any]]:
        """Inner objects, labels below a heading of that name, without a name all labels."""
        if name:
            yield from super().mappings(name)
            yield self._section(name)
        else:
            yield {label.name: label.value for page in self._pages for label in page.labels}

    def _tables(self) -> list[Table]:
        return [table for page in self._pages for table in page.tables]

    def _section(self, name: str) -> dict[str, str]:
        wanted = word_set(name)
        labels = [label for page in self._pages for label in page.labels]
        return {
            label.name: label.value
            for label in labels
            if wanted and wanted <= word_set(label.section)
        }

    def _nodes(self, name: str) -> Iterator[Mapping[str, Any]]:
        """The nodes whose type is the name, wherever they stand in the page's data."""
        wanted = word_set(name)
        waiting: deque[Any] = deque(node for page in self._pages for node in page.data)
        for _ in range(_MAX_NODES):
            if not waiting:
                return
            node = waiting.popleft()
            if isinstance(node, list):
                waiting.extendleft(reversed(node[:_MAX_NODES]))
            elif isinstance(node, Mapping):
                if wanted and any(word_set(kind) == wanted for kind in types_of(node)):
                    yield node
                else:
                    waiting += [value for key, value in node.items() if not key.startswith("@")]


def _fit(table: Table, wanted: Wanted) -> tuple[bool, int, bool]:
    """How well a table fits: all that is required, how many columns, whether its name."""
    row = Facts(row_facts(table, table.rows[0], wanted.name))
    has = {field for field in wanted.fields if next(row.values(field), None) is not None}
    named = word_set(wanted.name)
    return (
        has.issuperset(wanted.required),
        len(has),
        bool(named) and named <= word_set(table.name),
    )

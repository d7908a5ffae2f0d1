"""Where the fields of a schema are read from: pages, JSON objects and rows of tables."""

import re
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any, Protocol

import attrs

from browser_use_async.server.executors.reader.facts import (
    Fact,
    Facts,
    mapping_facts,
    page_facts,
    row_facts,
)
from browser_use_async.server.html.page import Page, Row, Table, types_of
from browser_use_async.server.html.words import word_set

_SEPARATORS = re.compile("[,;|\u2022\u00b7]")
# What may hold a comma without being an enumeration.
_SENTENCES = frozenset("body content description heading headline summary text title url".split())
_ANY_LIST = frozenset({"bullet", "bullet point", "entry", "item", "list", "list item", "point"})
_ANY_LABELS = frozenset({"", "attribute", "detail", "fact", "label", "property", "specification"})
_MAX_NODES = 5000


@attrs.frozen
class Wanted:
    """The objects that a list shall hold."""

    name: str  # what the list is called
    fields: Sequence[str] = ()  # the names of their properties
    required: Sequence[str] = ()  # the names of the properties that they must have


class Source(Protocol):
    """Something to read fields from. Every method gives the best candidates first."""

    base: str
    """What addresses are relative to."""

    def values(self, name: str) -> Iterator[Any]:
        """Single values."""
        ...

    def lists(self, name: str) -> Iterator[list[Any]]:
        """Lists of single values."""
        ...

    def parts(self, name: str) -> Iterator["Source"]:
        """What an inner object is read from."""
        ...

    def records(self, wanted: Wanted) -> Iterator[Iterable["Source"]]:
        """What a list of objects is read from."""
        ...

    def mappings(self, name: str) -> Iterator[Mapping[str, Any]]:
        """Names with their values, for objects that may have any property."""
        ...


class FactSource:
    """Facts as a source: a JSON object or the row of a table."""

    def __init__(self, facts: Facts, base: str) -> None:
        self._facts = facts
        self.base = base

    def values(self, name: str) -> Iterator[Any]:
        """Single values."""
        return self._facts.values(name)

    def lists(self, name: str) -> Iterator[list[Any]]:
        """Lists, and texts that enumerate something."""
        for value in self._facts.values(name):
            if isinstance(value, list):
                yield value
            elif isinstance(value, str) and not word_set(name) & _SENTENCES:
                yield [each.strip() for each in _SEPARATORS.split(value)]
            else:
                yield [value]

    def parts(self, name: str) -> Iterator[Source]:
        """Inner objects, then the facts whose names begin with the name."""
        for value in self._facts.values(name):
            only = value[0] if isinstance(value, list) and len(value) == 1 else value
            if isinstance(only, Mapping):
                yield _mapping_source(only, self.base)
        if prefixed := self._facts.under(name):
            yield FactSource(prefixed, self.base)

    def records(self, wanted: Wanted) -> Iterator[Iterable[Source]]:
        """Lists of inner objects."""
        for value in self._facts.values(wanted.name):
            inner = value if isinstance(value, list) else [value]
            if inner and all(isinstance(one, Mapping) for one in inner):
                yield (_mapping_source(one, self.base) for one in inner)

    def mappings(self, name: str) -> Iterator[Mapping[str, Any]]:
        """Inner objects, or without a name the whole."""
        if not name:
            yield self._facts.named_values()
        yield from (value for value in self._facts.values(name) if isinstance(value, Mapping))


class PagesSource(FactSource):
    """One or several pages as a source."""

    def __init__(self, pages: Sequence[Page]) -> None:
        super().__init__(Facts(fact for page in pages for fact in page_facts(page)), pages[0].url)
        self._pages = pages

    def lists(self, name: str) -> Iterator[list[Any]]:
        """Columns and lists of that name, one value from each of several pages, any only list."""
        wanted = word_set(name)
        if len(self._pages) > 1:
            each = [next(filter(None, one.values(name)), None) for one in self._alone]
            if all(isinstance(value, str) for value in each):
                yield each
        yield from super().lists(name)
        for table in self._tables():
            for column, header in enumerate(table.headers):
                if wanted and word_set(header) == wanted:
                    yield [row.cells[column] for row in table.rows if column < len(row.cells)]
        lists = [one for page in self._pages for one in page.lists]
        yield from (list(one.items) for one in lists if wanted and wanted <= word_set(one.name))
        if len(lists) == 1 and (not wanted or " ".join(sorted(wanted)) in _ANY_LIST):
            yield list(lists[0].items)

    def parts(self, name: str) -> Iterator[Source]:
        """Inner objects, nodes of that type, labels below a heading of that name."""
        yield from (_mapping_source(node, self.base) for node in self._nodes(name))
        section = self._section(name)
        if section:
            yield FactSource(Facts(Fact(key, value) for key, value in section.items()), self.base)
        yield from super().parts(name)

    def records(self, wanted: Wanted) -> Iterator[Iterable[Source]]:
        """Nodes of that type, tables with such columns, the pages themselves."""
        yield from super().records(wanted)
        if nodes := list(self._nodes(wanted.name)):
            yield (_mapping_source(node, self.base) for node in nodes)
        for table in sorted(self._tables(), key=lambda one: _fit(one, wanted), reverse=True):
            if not wanted.fields or any(_fit(table, wanted)[1:]):
                yield (_row_source(table, row, wanted.name, self.base) for row in table.rows)
        for document in (node for page in self._pages for node in page.data):
            if isinstance(document, list) and all(isinstance(one, Mapping) for one in document):
                yield (_mapping_source(one, self.base) for one in document)
        if len(self._pages) > 1:
            yield self._alone

    def mappings(self, name: str) -> Iterator[Mapping[str, Any]]:
        """Inner objects, labels below a heading of that name, all labels, meta elements."""
        yield from (value for value in self._facts.values(name) if isinstance(value, Mapping))
        if section := self._section(name):
            yield section
        words = " ".join(sorted(word_set(name)))
        if words in _ANY_LABELS:
            yield {label.name: label.value for page in self._pages for label in page.labels}
        if words in {"metadata", "meta"}:
            yield {label.name: label.value for page in self._pages for label in page.metadata}

    @cached_property
    def _alone(self) -> list["PagesSource"]:
        return [PagesSource([page]) for page in self._pages]

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


def _mapping_source(mapping: Mapping[str, Any], base: str) -> FactSource:
    return FactSource(Facts(mapping_facts(mapping)), base)


def _row_source(table: Table, row: Row, name: str, base: str) -> FactSource:
    return FactSource(Facts(row_facts(table, row, name)), base)


def _fit(table: Table, wanted: Wanted) -> tuple[bool, int, bool]:
    """How well a table fits: all that is required, how many columns, whether its name."""
    row = _row_source(table, table.rows[0], wanted.name, "")
    has = {field for field in wanted.fields if next(row.values(field), None) is not None}
    named = word_set(wanted.name)
    return (
        has.issuperset(wanted.required),
        len(has),
        bool(named) and named <= word_set(table.name),
    )

"""Facts of pages, by the names of their parts, the terms of their lists and columns of tables."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from browser_use_async.server.html.page import Page, Row, Table, shorten
from browser_use_async.server.html.words import word_set

MAX_TEXT = 20_000
"""The maximum length of a page's text in an answer, in characters."""
_MAX_NAME = 200  # characters of a name that are compared


class Facts:
    """Named values, found by the words of their names in any spelling."""

    def __init__(self, pairs: Iterable[tuple[str, Any]], base: str) -> None:
        self.base = base  # the base of relative addresses
        self._values: dict[frozenset[str], list[Any]] = {}
        self.pairs = list(pairs)  # the properties of an object that may have any
        for name, value in self.pairs:
            self._values.setdefault(word_set(name[:_MAX_NAME]), []).append(value)

    def values(self, name: str) -> list[Any]:
        """The values of a name, the first on the page first."""
        return self._values.get(word_set(name), []) if name else []

    def within(self, value: Any) -> "Facts | None":
        """The facts of an inner object, or of a list of one; None for other values."""
        only = value[0] if isinstance(value, list) and len(value) == 1 else value
        return Facts(only.items(), self.base) if isinstance(only, Mapping) else None

    def records(self, name: str, _required: Sequence[str]) -> Iterator[list["Facts"]]:
        """Lists of inner objects with a name."""
        for value in self.values(name):
            inner = [self.within(one) for one in (value if isinstance(value, list) else [value])]
            found = [each for each in inner if each is not None]
            if found and len(found) == len(inner):
                yield found


class PageFacts(Facts):
    """The facts of one or several pages."""

    def __init__(self, pages: Sequence[Page]) -> None:
        super().__init__((pair for page in pages for pair in _of_page(page)), pages[0].url)
        self._pages = pages
        self.pairs = [(label.name, label.value) for page in pages for label in page.labels]

    def records(self, name: str, required: Sequence[str]) -> Iterator[list[Facts]]:
        """The rows of the table that fits, lists of a JSON document, the pages themselves."""
        yield from super().records(name, required)
        if (table := self._table(name, required)) is not None:
            yield [Facts(_of_row(table, row, name), self.base) for row in table.rows]
        for document in (each for page in self._pages for each in page.data):
            if isinstance(document, list):
                objects = [one for one in document if isinstance(one, Mapping)]
                yield [Facts(one.items(), self.base) for one in objects]
        if len(self._pages) > 1:
            yield [PageFacts([page]) for page in self._pages]

    def _table(self, name: str, required: Sequence[str]) -> Table | None:
        """Find the only table with all required columns, or among several the one by name."""
        tables = [table for page in self._pages for table in page.tables]
        rows = [Facts(_of_row(table, table.rows[0], name), self.base) for table in tables]
        counts = [sum(bool(row.values(each)) for each in required) for row in rows]
        most = max(counts, default=0)
        # An error then names the missing columns of the closest table.
        fitting = [table for table, count in zip(tables, counts, strict=True) if count == most]
        wanted = word_set(name)
        named = [table for table in fitting if wanted and wanted <= word_set(table.name)]
        return next((each[0] for each in (fitting, named) if len(each) == 1), None)


def _of_page(page: Page) -> Iterator[tuple[str, Any]]:
    yield "title", page.title
    yield "description", page.description
    yield "url", page.url
    yield "text", shorten(page.text, MAX_TEXT)
    yield "heading", next((each.text for each in page.headings if each.level == 1), "")
    yield "headings", [each.text for each in page.headings]
    yield "headings", [{"level": each.level, "text": each.text} for each in page.headings]
    yield "links", [each.url for each in page.links]
    yield "links", [{"text": each.text, "url": each.url, "href": each.url} for each in page.links]
    yield from ((label.name, label.value) for label in page.labels)
    for section in dict.fromkeys(label.section for label in page.labels):
        inside = (label for label in page.labels if label.section == section)
        yield section, {label.name: label.value for label in inside}
    for table in page.tables:
        for column, header in enumerate(table.headers):
            yield header, [row.cells[column] for row in table.rows if column < len(row.cells)]
    for document in page.data:
        if isinstance(document, Mapping):
            yield from document.items()


def _of_row(table: Table, row: Row, name: str) -> Iterator[tuple[str, Any]]:
    """The cells of a row under the names of their columns; the first one may name the row."""
    yield from zip(table.headers, row.cells, strict=False)
    first = table.headers[0] if table.headers else ""
    if row.cells and (table.named_rows or not first or word_set(first) == word_set(name)):
        yield "name", row.cells[0]
    if row.link:
        yield "url", row.link

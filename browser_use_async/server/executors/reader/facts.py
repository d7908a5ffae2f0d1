"""Named values, found by the words of their names."""

from collections import deque
from collections.abc import Iterable, Iterator, Mapping
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


class Facts:
    """Facts that are looked up by name."""

    def __init__(self, facts: Iterable[Fact]) -> None:
        self._facts = list(facts)
        self._exact: dict[frozenset[str], list[Fact]] = {}
        self._close: dict[frozenset[str], list[Fact]] = {}
        for fact in self._facts:
            self._exact.setdefault(fact.words, []).append(fact)
            self._close.setdefault(fact.words - _LITTLE, []).append(fact)

    def values(self, name: str) -> Iterator[Any]:
        """What may be meant by a name, the best first.

        The same words come first, in whatever order; then the same words but for the little ones;
        at last a name that contains the words, provided that there is only one.
        """
        wanted = word_set(name)
        exact = self._exact.get(wanted, []) if wanted else []
        yield from (fact.value for fact in exact if not fact.other_name)
        yield from (fact.value for fact in exact if fact.other_name)
        telling = wanted - _LITTLE
        close = self._close.get(telling, []) if telling else []
        yield from (fact.value for fact in close if fact.words != wanted)
        if wanted and not exact:
            yield from self._only_longer(wanted)

    def under(self, name: str) -> "Facts":
        """The facts whose names contain a name, called by the rest of their names."""
        outer = word_set(name)
        inner = (fact for fact in self._facts if outer and outer < fact.words)
        return Facts(Fact(" ".join(sorted(fact.words - outer)), fact.value) for fact in inner)

    def named_values(self) -> dict[str, Any]:
        """All facts by their own names, the most trusted value of each."""
        own = [fact for fact in self._facts if not fact.other_name]
        return {fact.name: fact.value for fact in reversed(own)}

    def __bool__(self) -> bool:
        return bool(self._facts)

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
    yield from _cell_facts(page.tables)
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


def _cell_facts(tables: Iterable[Table]) -> Iterator[Fact]:
    """The cells of tables under the names of their row and column: "Family price"."""
    cells = (
        Fact(f"{row.cells[0][:_MAX_NAME]} {header[:_MAX_NAME]}", cell)
        for table in tables
        for row in table.rows
        for header, cell in list(zip(table.headers, row.cells, strict=False))[1:]
    )
    return islice(cells, _MAX_FACTS)


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

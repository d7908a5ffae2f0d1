"""Answers to a schema, by the names that pages have for their values.

A field is read where a page calls something by its name. Several different values of one name are
refused, and what has no such name is left to a model. Of an earlier run only the spelling of the
site is known, and none of its values, so that no old value can be an answer.
"""

import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

import attrs

from browser_use_async.server.executors.answers.names import PageNames, is_head
from browser_use_async.server.executors.answers.spelling import Spelling, Value
from browser_use_async.server.executors.protocol import CannotContinueError
from browser_use_async.server.executors.schema import Alternatives, Schema
from browser_use_async.server.html.page_tree import PageNode

_EMPTY = frozenset({"", "-", "–", "—", "n/a", "none"})  # noqa: RUF001 - as pages write it
_HEADINGS = ("h1", "h2", "h3", "h4", "h5", "h6")
_ROW_TAGS = ("tr", "li", "article", "section", "div", "option")
_SAME_LETTERS = 5  # from which on the ends of words do not count
_MOST_LEVELS = 32  # of objects in each other, as of a schema that contains itself
_LONGEST_NAME = 200  # characters
_TOO_DEEP = "structured_output_json is nested too deeply."
_NOT_NAMED = "is not named on the page"

Words = frozenset[str]


class ValueNotFoundError(Exception):
    """The pages have no value for a field, or several. The text is a clause for a person."""


def read(
    schema: str,
    roots: Sequence[PageNode],
    spelling: Spelling,
    *,
    but: Collection[str] = (),
    inputs: Collection[str] = (),
    rows: int | None = None,
) -> Any:
    """The answer to a schema.

    Args:
        schema: JSON schema, as a text.
        roots: The pages. A list may go on from one to the next.
        spelling: What is known of how the site spells its values.
        but: The fields, by their paths, that somebody else reads.
        inputs: The inputs of the task. Of several rows with a field, those with an input count.
        rows: The most rows of a list, its first ones; None for all.

    Raises:
        ValueNotFoundError: A field has no value, or several.
        CannotContinueError: The schema cannot be followed.
    """
    try:
        return _Reading(Schema(schema), _Texts(roots), spelling, but, inputs, rows).answer()
    except RecursionError:  # alternatives that contain themselves
        raise CannotContinueError(_TOO_DEEP) from None


def learn(
    schema: str, answer: Any, roots: Sequence[PageNode], inputs: Collection[str] = ()
) -> tuple[Spelling, list[str]]:
    """The spelling of a site, from an answer and its pages; and the fields that cannot be read."""
    texts, wanted = _Texts(roots), dict(fields_of(answer))

    def gives(field: str, tried: Spelling) -> bool:
        others = wanted.keys() - {field}
        try:
            said = _Reading(Schema(schema), texts, tried, others, inputs).answer()
        except ValueNotFoundError:
            return False
        found, value = dict(fields_of(said)).get(field, ...), wanted[field]
        return isinstance(found, bool) is isinstance(value, bool) and bool(found == value)

    spelling, unread = Spelling(), list[str]()
    for field in wanted:
        narrowed = spelling.narrowed(partial(gives, field))
        if narrowed is None:
            unread.append(field)
        else:
            spelling = narrowed
    return spelling, unread


def fields_of(answer: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """The values of an answer by their paths; a list is one value."""
    if not isinstance(answer, dict) or not answer or any("." in name for name in answer):
        yield path, answer
        return
    for name, value in answer.items():
        yield from fields_of(value, _inside(path, name))


def put_field(answer: Any, field: str, value: Any) -> None:
    """Put a value at its path in an answer."""
    *groups, name = field.split(".")
    for group in groups:
        answer = answer.setdefault(group, {})
    answer[name] = value


def words_of(name: str) -> Words:
    """The words of a name, without their ends and signs; none if it is a text and no name."""
    if len(name) > _LONGEST_NAME:
        return frozenset()
    spaced = re.sub("(?<=[a-z])(?=[A-Z])", " ", name)  # "unitPrice"
    words = re.findall(r"[^\W\d_]{2,}", spaced.casefold())
    return frozenset(word[:_SAME_LETTERS] for word in words)


@attrs.frozen
class _Rows:
    """Elements of one kind that stand together: the rows of a table, or the items of a list."""

    heading: str  # the one before them
    nodes: list[PageNode]


@attrs.frozen
class _FilledRows:
    """Rows that have all that a list asks for, and what they have."""

    rows: _Rows
    values: list[Any]


class _Texts:
    """The texts of pages by the words of their names, and the rows of pages."""

    def __init__(self, roots: Sequence[PageNode]) -> None:
        self.roots = roots
        self.nodes = [node for root in roots for node in root.walk()]
        self.rows = [rows for root in roots for rows in _rows_of(root)]
        self._names = PageNames(roots)
        self._named: dict[Words, list[tuple[PageNode, str]]] = {}
        for node in self.nodes:
            if node.content:
                for name, text in self._names_of(node, in_row=False):
                    self._named.setdefault(words_of(name), []).append((node, text))

    def named(self, name: str) -> list[tuple[PageNode, str]]:
        """The nodes and texts with a name. One inside of another of them is a part of it."""
        words = words_of(name)
        found = self._named.get(words, []) if words else []
        ids = {id(node) for node, _ in found}
        return [
            (node, text)
            for node, text in found
            if not any(id(around) in ids for around in node.ancestors())
        ]

    def in_row(self, row: PageNode) -> dict[Words, list[str]]:
        """The texts of one row by the words of their names."""
        found: dict[Words, list[str]] = {}
        for node in row.texts():
            for name, text in self._names_of(node, in_row=True):
                found.setdefault(words_of(name), []).append(text)
        return found

    def links(self) -> Iterator[dict[str, Value]]:
        """The links of the pages, which stand in no list of their own."""
        for node in self.nodes:
            target = next((each for each in node.children if each.tag == "@href"), None)
            if target is not None and node.tag == "a" and node.text:
                yield {"text": node.text, "url": target.attribute_text}

    def of_page(self, name: str) -> Any:
        """What each page has, whatever it calls it; None if it has none, or several."""
        if name == "headings":
            return [each.text for each in self.nodes if each.tag in _HEADINGS]
        tag = {"title": "title", "description": "description", "heading": "h1"}.get(name)
        texts = [each.text for each in self.nodes if each.tag == tag and each.text]
        return texts[0] if len(texts) == 1 else None

    def _names_of(self, node: PageNode, *, in_row: bool) -> Iterator[tuple[str, str]]:
        for name in self._names.in_row(node) if in_row else self._names.of(node):
            yield name, node.text
        if node.has_own_text:
            name, colon, value = node.text.partition(": ")  # as in "City: Bern"
            if colon:
                yield name, value


def _rows_of(root: PageNode) -> Iterator[_Rows]:
    groups: dict[tuple[int, str, str], _Rows] = {}
    heading = ""
    for node in root.walk():
        if node.tag in _HEADINGS or node.tag == "caption":
            heading = node.text
        if node.tag not in _ROW_TAGS:
            continue
        is_of_table = node.tag == "tr"
        around = node.within("table") if is_of_table else node.parent
        is_no_row = is_of_table and (is_head(node) or node.within("tfoot") is not None)
        if around is not None and not is_no_row:
            kind = (id(around), node.tag, node.attributes.get("class", ""))
            groups.setdefault(kind, _Rows(heading, [])).nodes.append(node)
    yield from groups.values()


@attrs.define(eq=False)
class _Reading:
    """The reading of one answer."""

    _schema: Schema
    _texts: _Texts
    _spelling: Spelling
    _but: Collection[str]
    _inputs: Collection[str]
    _most_rows: int | None = None
    _open: list[int] = attrs.field(factory=list)  # the objects that are being read

    def answer(self) -> Any:
        """What the whole schema asks for."""
        return self.value(self._schema.root, "", "")

    def value(self, part: Any, name: str, path: str) -> Any:
        """What a part of the schema asks for."""
        wanted = self._schema.alternatives(part)
        if path.count(".") > _MOST_LEVELS:
            raise CannotContinueError(_TOO_DEEP)
        refusal = _missing(name, _NOT_NAMED)
        for branch in wanted.branches:
            try:
                match branch["type"]:
                    case "object":
                        return self._object(branch, path)
                    case "array":
                        return self._list(branch.get("items", {}), name)
                    case _:
                        texts = self._texts_for(name)
                        return self._only(texts, branch, name, may_be_null=wanted.nullable)
            except ValueNotFoundError as error:
                refusal = error
        if (said := self._texts.of_page(name)) is not None:
            return said
        if wanted.nullable and not self._texts.named(name):
            return None
        raise refusal

    def _texts_for(self, name: str) -> list[str]:
        """The texts with a name; only those in the rows of inputs, if there are some."""
        named = self._texts.named(name)
        in_rows = [text for node, text in named if self._is_in_row_of_input(node)]
        return in_rows or [text for _, text in named]

    def _is_in_row_of_input(self, node: PageNode) -> bool:
        row = node.within("tr", "li", "article") if self._inputs else None
        return row is not None and any(each.text in self._inputs for each in row.texts())

    def _only(
        self, texts: Iterable[str], branch: Mapping[str, Any], name: str, *, may_be_null: bool
    ) -> Value:
        """The one value that some texts have."""
        values = set[Value]()
        for text in texts:
            if may_be_null and text.strip().casefold() in _EMPTY:
                values.add(None)
            else:
                values |= self._spelling.meanings(text, branch)
        if not values:
            raise _missing(name, _NOT_NAMED)
        if len(values) > 1:
            raise _missing(name, "could be either of several values")
        return values.pop()

    def _object(self, branch: dict[str, Any], path: str) -> dict[str, Any]:
        """A group of fields. One that is not required may be missing if no page has its name."""
        properties: dict[str, Any] = branch.get("properties", {})
        if id(properties) in self._open:
            raise ValueNotFoundError(f"{path} is in itself")
        fields = {key: _inside(path, key) for key in properties}
        found = dict[str, Any]()
        self._open.append(id(properties))
        try:
            for key in (key for key, inner in fields.items() if inner not in self._but):
                try:
                    found[key] = self.value(properties[key], key, fields[key])
                except ValueNotFoundError:
                    if key in branch.get("required", ()) or self._texts.named(key):
                        raise
        finally:
            self._open.pop()
        if properties and not found and not self._but:
            raise _missing(path, _NOT_NAMED)
        return found

    # --- lists --------------------------------------------------------------------------------

    def _list(self, part: Any, name: str) -> list[Any]:
        """The rows with all that is asked for, of the only such list or of that with the name."""
        item = self._schema.alternatives(part)
        fields = {
            key: self._schema.alternatives(each)
            for key, each in _first(item).get("properties", {}).items()
        }
        filled, reason = self._filled(item, fields, name)
        is_of_links = not filled and name == "links" and fields.keys() == {"text", "url"}
        if is_of_links and (links := [*self._texts.links()]):
            return links
        roots = self._texts.roots
        if not filled and len(roots) > 1:  # each page is a row
            pages = (attrs.evolve(self, texts=_Texts([root])) for root in roots)
            return [each.value(part, "", "") for each in pages]
        named = [each for each in filled if words_of(each.rows.heading) == words_of(name)]
        meant = _without_others_inside(named or filled)
        if not meant:
            raise _missing(name, f"is no list on the page{reason and f': {reason}'}")
        if len(meant) not in {1, len(roots)}:
            raise _missing(name, "could be either of several lists")
        return [value for each in meant for value in each.values][: self._most_rows]

    def _filled(
        self, item: Alternatives, fields: Mapping[str, Alternatives], name: str
    ) -> tuple[list[_FilledRows], str]:
        """All rows that have what is asked for, and why the longest of the others have not."""
        found = list[_FilledRows]()
        longest, reason = 1, ""
        is_of_objects = _first(item)["type"] == "object"
        for rows in self._texts.rows:
            is_named = bool(words_of(name)) and words_of(rows.heading) == words_of(name)
            try:
                values = [
                    self._record(fields, row) if is_of_objects else self._word(item, row, name)
                    for row in rows.nodes[: self._most_rows]
                    if is_of_objects or is_named
                ]
            except ValueNotFoundError as error:
                longest, reason = max((longest, reason), (len(rows.nodes), str(error)))
                continue
            if values:
                found.append(_FilledRows(rows, values))
        return found, reason

    def _word(self, item: Alternatives, row: PageNode, name: str) -> Value:
        """An item of a list of words, which has the name of its heading."""
        if row.tag != "li":
            raise _missing(name, _NOT_NAMED)
        return self._only([row.text], _first(item), name, may_be_null=item.nullable)

    def _record(self, fields: Mapping[str, Alternatives], row: PageNode) -> dict[str, Value]:
        """A row with several fields. The first cell of a row of a table is its name."""
        texts = self._texts.in_row(row)
        values = dict[str, Value]()
        for key, field in fields.items():
            words = words_of(key)
            found = texts.get(words, []) if words else []
            if key == "name" and not found and row.tag == "tr" and row.children:
                found = [row.children[0].text]
            values[key] = self._only(found, _first(field), key, may_be_null=field.nullable)
        return values


def _first(wanted: Alternatives) -> dict[str, Any]:
    """The first of some alternatives; a row is not compared with all of them."""
    return wanted.branches[0] if wanted.branches else {"type": "null"}


def _without_others_inside(filled: Sequence[_FilledRows]) -> list[_FilledRows]:
    """Only the innermost of rows that are in each other."""
    around = {id(each) for one in filled for node in one.rows.nodes for each in node.ancestors()}
    return [one for one in filled if not any(id(node) in around for node in one.rows.nodes)]


def _inside(path: str, key: str) -> str:
    return f"{path}.{key}" if path else key


def _missing(name: str, why: str) -> ValueNotFoundError:
    return ValueNotFoundError(f"{name or 'the answer'} {why}")

"""Answers by the names that pages have for their values: terms, columns, properties, headings.

A field is read where a page has exactly its name. What has several values is refused, and what has
no such name needs a model. Of an earlier page nothing is kept but how the site writes numbers and
dates, so that no value of it can be repeated.
"""

import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

import attrs

from browser_use_async.server.executors.answers.names import PageNames, is_head
from browser_use_async.server.executors.protocol import CannotContinueError
from browser_use_async.server.executors.schema import Alternatives, Schema
from browser_use_async.server.html.page_tree import PageNode

Value = str | int | float | bool | None
# Ways to write a number, with the sign between groups of digits and that of the fraction
NUMBERS = {"1,250.5": ",.", "1.250,5": ".,", "1 250,5": " ,", "1'250.5": "'."}
DATES = (
    "%Y-%m-%d", "%d %b %Y", "%d %B %Y", "%b %d, %Y", "%B %d, %Y", "%d.%m.%Y", "%d/%m/%Y",
    "%m/%d/%Y", "%Y/%m/%d",
)  # fmt: skip
_NUMBER = re.compile(r"(?<![\w.,-])-?\d[\d.,\u202f\u00a0' ]{0,40}\d|(?<![\w.,-])-?\d")
# "10-20", "4.5 of 5" and "1.2M" are not the number that they begin with.
_OTHERWISE = re.compile(r"\d\s?(?:[kKMB]|thousand|million|billion|mn|bn|of|/)\b|\d\s?[-–]\s?\d")  # noqa: RUF001
_DATE = re.compile(
    r"\d{4}[-/]\d\d[-/]\d\d|\d\d[./]\d\d[./]\d{4}|\d{1,2} [A-Z][a-z]{2,9} \d{4}"
    r"|[A-Z][a-z]{2,9} \d{1,2}, \d{4}"
)
_NOTHING = frozenset({"", "-", "–", "—", "n/a", "none"})  # noqa: RUF001 - as pages write it
_YES_AND_NO: dict[str, bool] = {
    **dict.fromkeys(("yes", "true", "on", "✓"), True),
    **dict.fromkeys(("no", "false", "off", "✗"), False),
}
_HEADING = re.compile("h[1-6]|caption")
_ROWS = frozenset({"tr", "li", "article", "section", "div", "option"})
_STEM = 5  # letters by which two words are one
_DEEPEST = 32  # groups of fields in each other, as of a schema that contains itself
_TOO_DEEP = "structured_output_json is nested too deeply."
_LONGEST_NAME = 200  # characters
_LONGEST_VALUE = 1000  # characters of a text in which a number or a date is looked for


class ValueNotFoundError(Exception):
    """A value is not on the pages, or could be several. The text is a clause for a person."""


@attrs.frozen
class Written:
    """How a site writes numbers and dates: all ways that have fitted so far.

    Where they differ for a text, nothing is known of its value.
    """

    numbers: tuple[str, ...] = tuple(NUMBERS)
    dates: tuple[str, ...] = DATES

    def values(self, text: str, branch: Mapping[str, Any]) -> set[Value]:
        """The possible values of a text, as a branch of a schema asks for them."""
        members = [branch["const"]] if "const" in branch else branch.get("enum", ())
        if members:
            return {each for each in members if text == each or _slug(text) == _slug(str(each))}
        match branch["type"]:
            case "boolean":
                said = _YES_AND_NO.get(text.strip().casefold())
                return set() if said is None else {said}
            case "integer" | "number" as kind:
                return self._numbers(text[:_LONGEST_VALUE], is_whole=kind == "integer")
            case _ if branch.get("format") in {"date", "date-time"}:
                return self._dates(text[:_LONGEST_VALUE])
            case _:
                return {text} if text else set()

    def _numbers(self, text: str, *, is_whole: bool) -> set[Value]:
        written = _NUMBER.findall(text)
        if len(written) != 1 or _OTHERWISE.search(text):
            return set()
        token, found = re.sub("[\u202f\u00a0]", " ", written[0]), set[Value]()
        for group, point in (tuple(NUMBERS[each]) for each in self.numbers):
            groups, fraction = re.escape(group), rf"({re.escape(point)}\d+)?"
            if re.fullmatch(rf"-?(\d{{1,3}}({groups}\d{{3}})+|\d+){fraction}", token):
                number = float(token.replace(group, "").replace(point, "."))
                if number.is_integer() or not is_whole:
                    found.add(int(number) if number.is_integer() else number)
        return found

    def _dates(self, text: str) -> set[Value]:
        written, found = _DATE.findall(text), set[Value]()
        for form in self.dates if len(written) == 1 else ():
            try:
                found.add(datetime.strptime(written[0], form).date().isoformat())  # noqa: DTZ007
            except ValueError:
                continue
        return found


def read(
    schema: str,
    roots: Sequence[PageNode],
    written: Written,
    *,
    but: Collection[str] = (),
    inputs: Collection[str] = (),
    rows: int | None = None,
) -> Any:
    """The value that a schema asks for.

    Args:
        schema: The JSON schema.
        roots: The pages, several for a list that goes on.
        written: How the site writes its values.
        but: Paths of fields that are left out.
        inputs: What the task asked for; where several rows have a field, it is that of its row.
        rows: How many of the first rows of a list are asked for; None for all.

    Raises:
        ValueNotFoundError: The pages do not have a value, or have several.
        CannotContinueError: It is no schema that can be followed.
    """
    try:
        return _Reading(Schema(schema), _Places(roots), written, but, inputs, rows).whole()
    except RecursionError:  # alternatives that contain themselves
        raise CannotContinueError(_TOO_DEEP) from None


def learn(
    schema: str, answer: Any, roots: Sequence[PageNode], inputs: Collection[str] = ()
) -> tuple[Written, list[str]]:
    """How the site writes the values of an answer, and the fields that are not read by name."""
    places, fields = _Places(roots), dict(fields_of(answer))

    def gives(field: str, written: Written) -> bool:
        others = [each for each in fields if each != field]
        try:
            found = _Reading(Schema(schema), places, written, others, inputs).whole()
        except ValueNotFoundError:
            return False
        said, wanted = dict(fields_of(found)).get(field, ...), fields[field]
        return isinstance(said, bool) is isinstance(wanted, bool) and bool(said == wanted)

    written, unplaced = Written(), list[str]()
    for field in fields:
        numbers = tuple(each for each in written.numbers if gives(field, Written((each,), DATES)))
        dates = tuple(each for each in written.dates if gives(field, Written(numbers, (each,))))
        if numbers and dates:
            written = Written(numbers, dates)
        else:
            unplaced.append(field)
    return written, unplaced


def fields_of(answer: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """The values of an answer by their paths; a list is one value."""
    if isinstance(answer, dict) and answer and not any("." in name for name in answer):
        for name, value in answer.items():
            yield from fields_of(value, f"{path}.{name}" if path else name)
    else:
        yield path, answer


def put_field(answer: Any, field: str, value: Any) -> None:
    """Put a value at its path in an answer."""
    *groups, name = field.split(".")
    for group in groups:
        answer = answer.setdefault(group, {})
    answer[name] = value


class _Places:
    """The texts of pages by the stems of their names, and their lists."""

    def __init__(self, roots: Sequence[PageNode]) -> None:
        self.roots = roots
        self.names = PageNames(roots)
        self.nodes = [each for root in roots for each in root.walk()]
        self.lists = [each for root in roots for each in _lists(root)]
        self._texts: dict[frozenset[str], list[tuple[PageNode, str]]] = {}
        for node in (each for each in self.nodes if each.content):
            for name in self.names.of(node):
                self._texts.setdefault(stems(name), []).append((node, node.text))
            if pair := _pair(node):
                self._texts.setdefault(stems(pair[0]), []).append((node, pair[1]))

    def named(self, name: str) -> list[tuple[PageNode, str]]:
        """The texts with a name, without those inside of others with the same name."""
        found = self._texts.get(stems(name), []) if stems(name) else []
        kept = {id(node) for node, _ in found}
        return [each for each in found if not any(id(one) in kept for one in each[0].ancestors())]


@attrs.define(eq=False)
class _Reading:
    _schema: Schema
    _places: _Places
    _written: Written
    _but: Collection[str]
    _inputs: Collection[str]
    _rows: int | None = None
    _around: list[int] = attrs.field(factory=list)  # the groups that are being read

    def whole(self) -> Any:
        """The value that the whole schema asks for."""
        return self.value(self._schema.root, "", "")

    def value(self, part: Any, name: str, path: str) -> Any:
        """The value that a part of the schema asks for."""
        known, refusal = self._schema.alternatives(part), ValueNotFoundError(name)
        if path.count(".") > _DEEPEST:
            raise CannotContinueError(_TOO_DEEP)
        for branch in known.branches:
            try:
                return self._branch(branch, name, path, may_be_null=known.nullable)
            except ValueNotFoundError as error:
                refusal = error
        if (of_page := self._of_page(name)) is not None:
            return of_page
        if known.nullable and not self._places.named(name):
            return None  # the page has no such name
        raise refusal

    def _of_page(self, name: str) -> Any:
        """What each page has, where nothing on it is called so."""
        nodes = self._places.nodes
        match name:
            case "title" | "description":
                found = [each.text for each in nodes if each.tag == name and each.text]
            case "heading":
                found = [each.text for each in nodes if each.tag == "h1" and each.text]
            case "headings":
                return [each.text for each in nodes if re.fullmatch("h[1-6]", each.tag)]
            case _:
                found = []
        return found[0] if len(found) == 1 else None

    def _branch(self, branch: dict[str, Any], name: str, path: str, *, may_be_null: bool) -> Any:
        if branch["type"] == "object":
            return self._object(branch, path)
        if branch["type"] == "array":
            return self._list(branch.get("items", {}), name)
        places = self._places.named(name)
        texts = [text for node, text in places if self._is_asked_for(node)]
        return self._only(
            texts or [text for _, text in places], branch, name, may_be_null=may_be_null
        )

    def _object(self, branch: dict[str, Any], path: str) -> dict[str, Any]:
        """The fields of a group. Of those that may be missing, the ones that the page names."""
        found, properties = dict[str, Any](), branch.get("properties", {})
        if id(properties) in self._around:
            raise ValueNotFoundError(f"{path} is in itself")
        self._around.append(id(properties))
        try:
            for key, part in properties.items():
                inner = f"{path}.{key}" if path else key
                if inner in self._but:
                    continue
                try:
                    found[key] = self.value(part, key, inner)
                except ValueNotFoundError:
                    if key in branch.get("required", ()) or self._places.named(key):
                        raise
        finally:
            self._around.pop()
        if properties and not found and not self._but:
            raise ValueNotFoundError(f"{path or 'the answer'} is not named on the page")
        return found

    def _is_asked_for(self, node: PageNode) -> bool:
        """Whether a node is in the row of an input."""
        row = node.within("tr", "li", "article") if self._inputs else None
        return row is not None and any(each.text in self._inputs for each in row.texts())

    def _only(
        self, texts: Iterable[str], branch: Mapping[str, Any], name: str, *, may_be_null: bool
    ) -> Value:
        values = set[Value]()
        for text in texts:
            is_nothing = may_be_null and text.strip().casefold() in _NOTHING
            values |= {None} if is_nothing else self._written.values(text, branch)
        if len(values) != 1:
            what = "could be either of several values" if values else "is not named on the page"
            raise ValueNotFoundError(f"{name or 'the answer'} {what}")
        return values.pop()

    def _list(self, part: Any, name: str) -> list[Any]:
        """The rows of the only list that has all fields, or of that with the name."""
        fitting: list[tuple[str, list[PageNode], list[Any]]] = []
        nearest = (1, "")  # the longest list that does not fit, and why
        item = self._schema.alternatives(part)
        fields = {
            key: self._schema.alternatives(each)
            for key, each in item.branches[0].get("properties", {}).items()
        }
        for heading, rows in self._places.lists:
            is_named = stems(heading) == stems(name) != frozenset()
            try:
                said = [
                    self._record(fields, row)
                    if item.branches[0]["type"] == "object"
                    else self._word(item, row, name if is_named else "")
                    for row in rows[: self._rows]
                ]
            except ValueNotFoundError as error:
                nearest = max(nearest, (len(rows), str(error)))
                continue
            fitting.append((heading, rows, said))
        roots = self._places.roots
        is_of_links = not fitting and name == "links" and {*fields} == {"text", "url"}
        if is_of_links and (links := [*self._links()]):
            return links
        if not fitting and len(roots) > 1:  # each page is a row
            pages = (attrs.evolve(self, places=_Places([each])) for each in roots)
            return [each.value(part, "", "") for each in pages]
        named = [each for each in fitting if stems(each[0]) == stems(name)]
        kept = _innermost(named or fitting)
        if len(kept) != 1 and len(kept) != len(roots):
            why = f": {nearest[1]}" if nearest[1] else ""
            what = "could be either of several lists" if kept else f"is no list on the page{why}"
            raise ValueNotFoundError(f"{name or 'the answer'} {what}")
        return [value for _, _, said in kept for value in said][: self._rows]

    def _links(self) -> Iterator[dict[str, Value]]:
        """The links of the pages, which have no list of their own."""
        for node in self._places.nodes:
            address = next((each for each in node.children if each.tag == "@href"), None)
            if node.tag == "a" and address is not None and node.text:
                yield {"text": node.text, "url": address.attribute_text}

    def _word(self, item: Alternatives, row: PageNode, name: str) -> Value:
        """A row of a list of words, which has the name of its heading."""
        if not name or row.tag != "li":
            raise ValueNotFoundError(name)
        return self._only([row.text], item.branches[0], name, may_be_null=item.nullable)

    def _record(self, fields: Mapping[str, Alternatives], row: PageNode) -> dict[str, Value]:
        """A row with several values."""
        texts: dict[frozenset[str], list[str]] = {}
        for node in row.texts():
            for each in self._places.names.in_row(node):
                texts.setdefault(stems(each), []).append(node.text)
            if pair := _pair(node):
                texts.setdefault(stems(pair[0]), []).append(pair[1])
        values = {}
        for key, field in fields.items():
            found = texts.get(stems(key), []) if stems(key) else []
            if key == "name" and not found and row.tag == "tr" and row.children:
                found = [row.children[0].text]  # the first cell names the row
            values[key] = self._only(found, field.branches[0], key, may_be_null=field.nullable)
        return values


def _pair(node: PageNode) -> tuple[str, str] | None:
    """The name and the value in a text, such as "City: Bern"."""
    name, colon, value = node.text.partition(": ") if node.has_own_text else ("", "", "")
    return (name, value) if colon else None


def _lists(root: PageNode) -> Iterator[tuple[str, list[PageNode]]]:
    """Rows that are alike and stand in one table or list, with the heading before them."""
    found: dict[tuple[int, str, str], tuple[str, list[PageNode]]] = {}
    heading = ""
    for node in root.walk():
        if _HEADING.fullmatch(node.tag):
            heading = node.text
        around = node.within("table") if node.tag == "tr" else node.parent
        is_none = node.tag == "tr" and (is_head(node) or node.within("tfoot") is not None)
        if around is not None and node.tag in _ROWS and not is_none:
            key = (id(around), node.tag, node.attributes.get("class", ""))
            found.setdefault(key, (heading, []))[1].append(node)
    yield from found.values()


def _innermost(
    lists: Sequence[tuple[str, list[PageNode], list[Any]]],
) -> list[tuple[str, list[PageNode], list[Any]]]:
    around = {id(each) for _, rows, _ in lists for row in rows for each in row.ancestors()}
    return [each for each in lists if not any(id(row) in around for row in each[1])]


def _slug(text: str) -> str:
    return re.sub(r"\W+", "_", text.casefold()).strip("_")


def stems(name: str) -> frozenset[str]:
    """The words of a name without their endings and signs; none of what is no name but a text."""
    if len(name) > _LONGEST_NAME:
        return frozenset()
    spaced = re.sub("([a-z])([A-Z])", r"\1 \2", name).casefold()
    return frozenset(word[:_STEM] for word in re.findall(r"[^\W\d_]+", spaced) if len(word) > 1)

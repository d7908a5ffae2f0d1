"""From what stands on pages to the JSON value that a schema asks for."""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import Any, TypeVar

from yarl import URL

from browser_use_async.server.executors.protocol import CannotContinueError
from browser_use_async.server.executors.reader.facts import Facts, Wanted
from browser_use_async.server.executors.schema import Schema
from browser_use_async.server.html.words import words
from browser_use_async.server.web_addresses import absolute

ItemT = TypeVar("ItemT")
ResultT = TypeVar("ResultT")

_NUMBER = re.compile(
    r"""(?:(?P<sign>[-+\u2212])\s?)?
        (?:[A-Z]{0,3}[$€£¥₹]\s?)?
        (?<![^\W_])(?P<digits>
            \d{1,3}(?:[,.'\u2019\s]\d{3})+(?![\d,.'\u2019]?\d)
            | \d{1,3}(?:[,.'\u2019\s]\d{3})+[.,]\d+
            | \d+(?:[.,]\d+)?
        )(?P<scale>(?:[kKMB]|\s?(?:thousand|million|billion|mn|bn))\b)?""",
    re.VERBOSE,
)
_ASIDE = re.compile(r"\([^()]*\)")
_PLAIN_THOUSANDS = re.compile(r"\d{1,3}(?:[,'\u2019\s]\d{3})+(?:\.\d+)?")
_LONGEST_NUMBER = 60
_LONGEST_MEMBER = 1_000  # of a text that says a member of an enumeration in other words
_YES = frozenset(
    ("yes", "true", "on", "included", "available", "in stock", "\u2713", "\u2714", "\u2705", "1")
)
_NO = frozenset(
    "no|false|off|none|not included|not available|unavailable|out of stock|sold out"
    "|-|\u2013|\u2014|\u2717|\u2718|\u2715|\u274c|0".split("|")
)
_DATE_FORMATS = ("%d %B %Y", "%B %d, %Y", "%B %d %Y", "%d %b %Y", "%b %d, %Y", "%d.%m.%Y")
_SPEAKING_KEYS = ("name", "@value", "text", "url", "@id")
# Names for the whole of what was read, as in {"page": {"title": ...}}.
_WHOLE = frozenset({"answer", "data", "output", "page", "response", "result"})


def as_string(value: Any, form: str, base: str) -> str | None:
    """A text, or None when there is none."""
    text = _text(value)
    if not text:
        return None
    if form in {"date", "date-time"}:
        return _moment(text, form)
    if form in {"uri", "url"}:
        return absolute(URL(base), text) or None
    return text


def as_number(value: Any, *, whole: bool = False) -> float | int | None:
    """The number in a text such as `$1,299.00`, or None when it has none or more than one."""
    if isinstance(value, bool):
        return None
    number = value if isinstance(value, int | float) else _parsed(_text(value))
    if number is None or number != number or abs(number) == float("inf"):  # noqa: PLR0124
        return None
    if number == int(number) and (whole or isinstance(number, int)):
        return int(number)
    return None if whole else number


def as_boolean(value: Any) -> bool | None:
    """Yes or no, or None when a text says neither."""
    if isinstance(value, bool):
        return value
    said = _text(value).casefold()
    if said.startswith(("http://", "https://")):
        said = " ".join(re.findall(r"[A-Z][a-z]+", _text(value).rpartition("/")[2])).casefold()
    if said in _YES:
        return True
    return False if said in _NO else None


def as_member(value: Any, members: list[Any]) -> Any:
    """The member of an enumeration that a value means, or None."""
    if value in members and not isinstance(value, bool):
        return value
    text = _text(value)
    said = _words_of_name(text)
    for member in members:
        if isinstance(member, bool):
            fits = as_boolean(value) is member
        elif isinstance(member, int | float):
            fits = as_number(value) == member
        else:
            fits = isinstance(member, str) and (text == member or said == words(member) != ())
        if fits:
            return member
    return None


def _words_of_name(text: str) -> tuple[str, ...]:
    """The words of a text that may be a name, or of the end of an address."""
    tail = text.rpartition("/")[2] if text.startswith(("http://", "https://")) else text
    return words(tail) if len(tail) <= _LONGEST_MEMBER else ()


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value.strip()
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return str(value)
    if isinstance(value, Mapping):
        return next(filter(None, (_text(value[key]) for key in _SPEAKING_KEYS if key in value)), "")
    if isinstance(value, list):
        return ", ".join(filter(None, map(_text, value)))
    return ""


def _parsed(text: str) -> float | int | None:
    if text.casefold() == "free":
        return 0
    if len(text) > _LONGEST_NUMBER:
        return None  # prose with a number in it
    numbers = list(_NUMBER.finditer(_ASIDE.sub(" ", text) if text[:1] != "(" else text))
    # "10-20", "4.5 of 5" and "1.2M" are not the number that they begin with.
    if len(numbers) != 1 or numbers[0]["scale"]:
        return None
    number = _digits(numbers[0]["digits"])
    return -number if numbers[0]["sign"] in {"-", "\u2212"} else number


def _digits(text: str) -> float | int:
    if _PLAIN_THOUSANDS.fullmatch(text):
        plain = re.sub(r"[,'\u2019\s]", "", text)
    else:
        # A comma that is not between thousands is the decimal point, and dots before it are not.
        plain = text.replace(".", "") if "," in text else text
        plain = re.sub(r"['\u2019\s]", "", plain).replace(",", ".")
        if plain.count(".") > 1:
            plain = plain.replace(".", "")
    return float(plain) if "." in plain else int(plain)


def _moment(text: str, form: str) -> str | None:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        day = _day(text)
        if day is None:
            return None
        moment = day
    if form == "date":
        return moment.date().isoformat()
    return text if "T" in text else moment.isoformat()


def _day(text: str) -> datetime | None:
    for spelled in _DATE_FORMATS:
        try:
            return datetime.strptime(text, spelled)  # noqa: DTZ007 - a day has no zone
        except ValueError:
            continue
    return None


class NotReadableError(Exception):
    """A field that could not be read."""

    def __init__(self, path: str) -> None:
        super().__init__(path)
        self.path = path


def fill(schema: Schema, facts: Facts) -> Any:
    """The value that a schema asks for; null, or nothing, for what may be missing and is."""
    name = schema.root.get("title", "")
    extraction = _Extraction(schema)
    name = name if isinstance(name, str) else ""
    try:
        return extraction.value(schema.root, name, facts, "", whole=True)
    except RecursionError as error:
        raise CannotContinueError("structured_output_json is nested too deeply.") from error


class _Extraction:
    def __init__(self, schema: Schema) -> None:
        self._schema = schema

    def value(self, part: Any, name: str, facts: Facts, path: str, *, whole: bool) -> Any:
        """The value of one place in the schema; `whole` means that the facts are about it."""
        alternatives = self._schema.alternatives(part)
        branches = alternatives.branches
        # Of several constants, or one that may be missing, the pages must say which it is.
        if len(branches) == 1 and "const" in branches[0] and not alternatives.nullable:
            return branches[0]["const"]
        try:
            read = partial(self._branch, name=name, facts=facts, path=path, whole=whole)
            return _first_readable(read, branches, path)
        except NotReadableError:
            if alternatives.nullable:
                return None
            raise

    def _branch(
        self, branch: dict[str, Any], name: str, facts: Facts, path: str, *, whole: bool
    ) -> Any:
        if branch["type"] == "object":
            return self._object(branch, name, facts, path, whole=whole)
        if branch["type"] == "array":
            return self._array(branch, name, facts, path)
        for value in facts.values(name):
            if (found := _read(branch, value, facts.base)) is not None:
                return found
        raise NotReadableError(path)

    def _object(
        self, branch: dict[str, Any], name: str, facts: Facts, path: str, *, whole: bool
    ) -> Any:
        if not branch.get("properties"):
            return self._dictionary(branch, "" if whole else name, facts, path)
        parts = [facts] if whole else facts.parts(name)
        return _first_readable(lambda part: self._properties(branch, part, path), parts, path)

    def _properties(self, branch: dict[str, Any], facts: Facts, path: str) -> dict[str, Any]:
        properties: dict[str, Any] = branch["properties"]
        required = branch.get("required", ())
        found: dict[str, Any] = {}
        for key, part in properties.items():
            inner = f"{path}.{key}" if path else key
            # An only property, or one named so, may be a wrapping around what the facts are about.
            wraps = len(properties) == 1 or key.casefold() in _WHOLE
            try:
                found[key] = self._property(part, key, facts, inner, wraps=wraps)
            except NotReadableError:
                if key in required:
                    raise
        if all(value is None for value in found.values()):
            raise NotReadableError(path)
        return found

    def _property(self, part: Any, key: str, facts: Facts, path: str, *, wraps: bool) -> Any:
        try:
            return self.value(part, key, facts, path, whole=False)
        except NotReadableError:
            if not wraps:
                raise
        return self.value(part, key, facts, path, whole=True)

    def _dictionary(
        self, branch: dict[str, Any], name: str, facts: Facts, path: str
    ) -> dict[str, Any]:
        part = branch.get("additionalProperties", True) or {"enum": []}  # False: nothing fits
        for mapping in facts.mappings(name):
            read = {
                key: _of_any(self._schema.alternatives(part).branches, value, facts.base)
                for key, value in mapping.items()
            }
            if kept := {key: value for key, value in read.items() if value is not None}:
                return kept
        raise NotReadableError(path)

    def _array(self, branch: dict[str, Any], name: str, facts: Facts, path: str) -> list[Any]:
        items = branch.get("items", True)
        branches = self._schema.alternatives(items).branches
        if any(one["type"] == "object" for one in branches):
            found = self._records(items, branches, name, facts, path)
        else:
            read = (_all_of(branches, values, facts.base) for values in facts.lists(name))
            found = next(filter(None, read), [])
        if not found or len(found) < branch.get("minItems", 0):
            raise NotReadableError(path)
        longest: int = branch.get("maxItems", len(found))
        return found[:longest]

    def _records(
        self, items: Any, branches: list[dict[str, Any]], name: str, facts: Facts, path: str
    ) -> list[Any]:
        objects = [one for one in branches if one["type"] == "object"]
        fields = list(dict.fromkeys(key for one in objects for key in one.get("properties", {})))
        required = objects[0].get("required", ())

        def read(records: Iterable[Facts]) -> list[Any]:
            return [
                self.value(items, name, record, f"{path}[{place}]", whole=True)
                for place, record in enumerate(records)
            ]

        return _first_readable(read, facts.records(Wanted(name, fields, required)), path)


def _first_readable(
    read: Callable[[ItemT], ResultT], candidates: Iterable[ItemT], path: str
) -> ResultT:
    """What the first candidate gives that can be read; else the first problem counts."""
    problem: NotReadableError | None = None
    for candidate in candidates:
        try:
            return read(candidate)
        except NotReadableError as error:
            problem = problem or error
    raise problem or NotReadableError(path)


def _all_of(branches: list[dict[str, Any]], values: Sequence[Any], base: str) -> list[Any] | None:
    """Every value in one of the branches, or None if one of them fits nowhere."""
    present = (value for value in values if value is not None and value != "")
    read = [_of_any(branches, value, base) for value in present]
    return None if any(value is None for value in read) else read


def _of_any(branches: list[dict[str, Any]], value: Any, base: str) -> Any:
    read = (_read(branch, value, base) for branch in branches)
    return next((found for found in read if found is not None), None)


def _read(branch: dict[str, Any], value: Any, base: str) -> Any:
    """A value as the branch of a schema has it; None for what does not fit."""
    found = _converted(branch, value, base)
    return found if found is not None and _within_bounds(branch, found) else None


def _converted(branch: dict[str, Any], value: Any, base: str) -> Any:
    if "const" in branch:
        return as_member(value, [branch["const"]])
    if "enum" in branch:
        return as_member(value, branch["enum"])
    kind = branch["type"]
    if kind == "string":
        return as_string(value, branch.get("format", ""), base)
    if kind in {"number", "integer"}:
        return as_number(value, whole=kind == "integer")
    if kind == "boolean":
        return as_boolean(value)
    return value if kind == "any" and value not in ("", []) else None


def _within_bounds(branch: dict[str, Any], value: Any) -> bool:
    if isinstance(value, str):
        size = len(value)
        return not (size < branch.get("minLength", size) or size > branch.get("maxLength", size))
    if isinstance(value, bool) or not isinstance(value, int | float):
        return True
    return not (
        value < branch.get("minimum", value)
        or value > branch.get("maximum", value)
        or value <= branch.get("exclusiveMinimum", value - 1)
        or value >= branch.get("exclusiveMaximum", value + 1)
    )

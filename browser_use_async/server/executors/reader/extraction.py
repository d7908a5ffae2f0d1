"""Extraction of a JSON value from pages, by a schema."""

import re
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Any, TypeVar

from browser_use_async.server.executors.protocol import CannotContinueError
from browser_use_async.server.executors.reader.facts import Facts
from browser_use_async.server.executors.reader.values import converted
from browser_use_async.server.executors.schema import Schema

ItemT = TypeVar("ItemT")
ResultT = TypeVar("ResultT")

_SEPARATORS = re.compile("[,;|\u2022\u00b7]")


class NotReadableError(Exception):
    """A field that could not be read."""

    def __init__(self, path: str) -> None:
        super().__init__(path)
        self.path = path


def fill(schema: Schema, facts: Facts) -> Any:
    """Fill a schema; optional values that are missing are null or left out."""
    title = schema.root.get("title", "")
    name = title if isinstance(title, str) else ""
    try:
        return _Extraction(schema).value(schema.root, name, facts, "", whole=True)
    except RecursionError as error:
        raise CannotContinueError("structured_output_json is nested too deeply.") from error


class _Extraction:
    def __init__(self, schema: Schema) -> None:
        self._schema = schema

    def value(self, part: Any, name: str, facts: Facts, path: str, *, whole: bool) -> Any:
        """The value of one place in the schema; `whole` means that the facts are about it."""
        known = self._schema.alternatives(part)
        # Of several constants, or one that may be missing, the pages must say which it is.
        if len(known.branches) == 1 and "const" in known.branches[0] and not known.nullable:
            return known.branches[0]["const"]

        def read(branch: dict[str, Any]) -> Any:
            if branch["type"] == "object":
                return self._object(branch, name, facts, path, whole=whole)
            if branch["type"] == "array":
                return self._array(branch, name, facts, path)
            return _converted_of([branch], facts.values(name), facts.base, path)

        try:
            return _first_readable(read, known.branches, path)
        except NotReadableError:
            if known.nullable:
                return None
            raise

    def _object(
        self, branch: dict[str, Any], name: str, facts: Facts, path: str, *, whole: bool
    ) -> Any:
        inner = [facts] if whole else [facts.within(value) for value in facts.values(name)]
        read = self._properties if branch.get("properties") else self._dictionary
        candidates = [each for each in inner if each is not None]
        return _first_readable(lambda each: read(branch, each, path), candidates, path)

    def _properties(self, branch: dict[str, Any], facts: Facts, path: str) -> dict[str, Any]:
        properties: dict[str, Any] = branch["properties"]
        found: dict[str, Any] = {}
        for key, part in properties.items():
            inner = f"{path}.{key}" if path else key
            # An only property may be a wrapping around what the facts are about.
            ways = (False, True) if len(properties) == 1 else (False,)

            def read(whole: bool, key: str = key, part: Any = part, inner: str = inner) -> Any:
                return self.value(part, key, facts, inner, whole=whole)

            try:
                found[key] = _first_readable(read, ways, inner)
            except NotReadableError:
                if key in branch.get("required", ()):
                    raise
        if all(value is None for value in found.values()):
            raise NotReadableError(path)
        return found

    def _dictionary(self, branch: dict[str, Any], facts: Facts, path: str) -> dict[str, Any]:
        part = branch.get("additionalProperties", True) or {"enum": []}  # False: nothing fits
        branches = self._schema.alternatives(part).branches
        found: dict[str, Any] = {}
        for key, value in facts.pairs:
            with suppress(NotReadableError):
                found.setdefault(key, _converted_of(branches, [value], facts.base, path))
        if not found:
            raise NotReadableError(path)
        return found

    def _array(self, branch: dict[str, Any], name: str, facts: Facts, path: str) -> list[Any]:
        items = branch.get("items", True)
        branches = self._schema.alternatives(items).branches
        objects = [one for one in branches if one["type"] == "object"]

        def read_records(records: list[Facts]) -> list[Any]:
            return [
                self.value(items, name, record, f"{path}[{place}]", whole=True)
                for place, record in enumerate(records)
            ]

        def read_values(value: Any) -> list[Any]:
            present = [each for each in _listed(value) if each is not None and each != ""]
            return [_converted_of(branches, [each], facts.base, path) for each in present]

        if objects:
            required = objects[0].get("required", ())
            found = _first_readable(read_records, facts.records(name, required), path)
        else:
            lists_first = sorted(facts.values(name), key=lambda each: not isinstance(each, list))
            found = _first_readable(read_values, lists_first, path)
        if not found or len(found) < branch.get("minItems", 0):
            raise NotReadableError(path)
        longest: int = branch.get("maxItems", len(found))
        return found[:longest]


def _listed(value: Any) -> list[Any]:
    """A list, or the parts of an enumeration in a text."""
    if isinstance(value, str):
        return [each.strip() for each in _SEPARATORS.split(value)]
    return value if isinstance(value, list) else [value]


def _converted_of(
    branches: Iterable[dict[str, Any]], values: Iterable[Any], base: str, path: str
) -> Any:
    """Return the first value that fits one of the branches, converted."""
    for value in values:
        for branch in branches:
            if (found := converted(branch, value, base)) is not None:
                return found
    raise NotReadableError(path)


def _first_readable(
    read: Callable[[ItemT], ResultT], candidates: Iterable[ItemT], path: str
) -> ResultT:
    """Read the first readable candidate; without one, raise the first problem."""
    problem: NotReadableError | None = None
    for candidate in candidates:
        try:
            return read(candidate)
        except NotReadableError as error:
            problem = problem or error
    raise problem or NotReadableError(path)

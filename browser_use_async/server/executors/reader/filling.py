"""Filling a JSON schema from what can be read."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from browser_use_async.server.executors.reader.schema import Schema, SchemaRefusedError
from browser_use_async.server.executors.reader.sources import Source, Wanted
from browser_use_async.server.executors.reader.values import (
    as_boolean,
    as_member,
    as_number,
    as_string,
)

# Names for the whole of what was read, as in {"page": {"title": ...}}.
_WHOLE = frozenset({"answer", "data", "output", "page", "response", "result"})


class NotReadableError(Exception):
    """A field that could not be read."""

    def __init__(self, path: str) -> None:
        super().__init__(path)
        self.path = path


def fill(schema: Schema, source: Source) -> Any:
    """The value that a schema asks for.

    What is not required and cannot be read becomes null where null is allowed, and is left out
    otherwise.

    Raises:
        NotReadableError: Something that is required cannot be read, or nothing at all.
        SchemaRefusedError: The schema cannot be followed.
    """
    name = schema.root.get("title", "")
    filler = _Filler(schema)
    name = name if isinstance(name, str) else ""
    try:
        return filler.value(schema.root, name, source, "", whole=True)
    except RecursionError as error:
        raise SchemaRefusedError("structured_output_json is nested too deeply.") from error


class _Filler:
    def __init__(self, schema: Schema) -> None:
        self._schema = schema

    def value(self, part: Any, name: str, source: Source, path: str, *, whole: bool) -> Any:
        """The value of one place in the schema; `whole` means that the source is about it."""
        alternatives = self._schema.alternatives(part)
        problem: NotReadableError | None = None
        # Of several constants, or one that may be missing, the pages must say which it is.
        is_given = len(alternatives.branches) == 1 and not alternatives.nullable
        for branch in alternatives.branches:
            if "const" in branch and is_given:
                return branch["const"]
            try:
                return self._branch(branch, name, source, path, whole=whole)
            except NotReadableError as error:
                problem = problem or error
        if alternatives.nullable:
            return None
        raise problem or NotReadableError(path)

    def _branch(
        self, branch: dict[str, Any], name: str, source: Source, path: str, *, whole: bool
    ) -> Any:
        if branch["type"] == "object":
            return self._object(branch, name, source, path, whole=whole)
        if branch["type"] == "array":
            return self._array(branch, name, source, path)
        return _first(source.values(name), _reader(branch, source.base), path)

    def _object(
        self, branch: dict[str, Any], name: str, source: Source, path: str, *, whole: bool
    ) -> Any:
        if not branch.get("properties"):
            return self._dictionary(branch, "" if whole else name, source, path)
        problem: NotReadableError | None = None
        for part in [source] if whole else source.parts(name):
            try:
                return self._properties(branch, part, path)
            except NotReadableError as error:
                problem = problem or error
        raise problem or NotReadableError(path)

    def _properties(self, branch: dict[str, Any], source: Source, path: str) -> dict[str, Any]:
        properties: dict[str, Any] = branch["properties"]
        required = branch.get("required", ())
        filled: dict[str, Any] = {}
        for key, part in properties.items():
            inner = f"{path}.{key}" if path else key
            # An only property, or one named so, may be a wrapping around what the source is about.
            wraps = len(properties) == 1 or key.casefold() in _WHOLE
            try:
                filled[key] = self._property(part, key, source, inner, wraps=wraps)
            except NotReadableError:
                if key in required:
                    raise
        if all(value is None for value in filled.values()):
            raise NotReadableError(path)
        return filled

    def _property(self, part: Any, key: str, source: Source, path: str, *, wraps: bool) -> Any:
        try:
            return self.value(part, key, source, path, whole=False)
        except NotReadableError:
            if not wraps:
                raise
        return self.value(part, key, source, path, whole=True)

    def _dictionary(
        self, branch: dict[str, Any], name: str, source: Source, path: str
    ) -> dict[str, Any]:
        part = branch.get("additionalProperties", True) or {"enum": []}  # False: nothing fits
        for mapping in source.mappings(name):
            read = {
                key: _of_any(self._schema.alternatives(part).branches, value, source.base)
                for key, value in mapping.items()
            }
            if kept := {key: value for key, value in read.items() if value is not None}:
                return kept
        raise NotReadableError(path)

    def _array(self, branch: dict[str, Any], name: str, source: Source, path: str) -> list[Any]:
        items = branch.get("items", True)
        branches = self._schema.alternatives(items).branches
        if any(one["type"] == "object" for one in branches):
            found = self._records(items, branches, name, source, path)
        else:
            read = (_all_of(branches, values, source.base) for values in source.lists(name))
            found = next(filter(None, read), [])
        if not found or len(found) < branch.get("minItems", 0):
            raise NotReadableError(path)
        longest: int = branch.get("maxItems", len(found))
        return found[:longest]

    def _records(
        self, items: Any, branches: list[dict[str, Any]], name: str, source: Source, path: str
    ) -> list[Any]:
        objects = [one for one in branches if one["type"] == "object"]
        fields = list(dict.fromkeys(key for one in objects for key in one.get("properties", {})))
        required = objects[0].get("required", ())
        problem: NotReadableError | None = None
        for records in source.records(Wanted(name, fields, required)):
            try:
                return [
                    self.value(items, name, record, f"{path}[{place}]", whole=True)
                    for place, record in enumerate(records)
                ]
            except NotReadableError as error:
                problem = problem or error
        raise problem or NotReadableError(path)


def _first(values: Iterable[Any], read: Callable[[Any], Any], path: str) -> Any:
    for value in values:
        found = read(value)
        if found is not None:
            return found
    raise NotReadableError(path)


def _all_of(branches: list[dict[str, Any]], values: Sequence[Any], base: str) -> list[Any] | None:
    """Every value in one of the branches, or None if one of them fits nowhere."""
    present = (value for value in values if value is not None and value != "")
    read = [_of_any(branches, value, base) for value in present]
    return None if any(value is None for value in read) else read


def _of_any(branches: list[dict[str, Any]], value: Any, base: str) -> Any:
    read = (_reader(branch, base)(value) for branch in branches)
    return next((found for found in read if found is not None), None)


def _reader(branch: dict[str, Any], base: str) -> Callable[[Any], Any]:
    """Reads a value into the branch of a schema; gives None for what does not fit."""

    def read(value: Any) -> Any:
        found = _converted(branch, value, base)
        return found if found is not None and _within_bounds(branch, found) else None

    return read


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

"""Makes a value that a JSON schema allows, for answers of scripted tasks; always the same one.

It follows types, enumerations, formats and required properties. A schema that asks for more, such
as a pattern or a long text, has no value here: the test gives the answer.
"""

import json
import operator
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import attrs

from browser_use_async.server.executors.protocol import CannotContinueError
from browser_use_async.server.executors.schema import Schema

_UNSUPPORTED = frozenset(
    "not if contains dependentSchemas $dynamicRef pattern patternProperties propertyNames".split()
)
_SIZED = ("Length", "Items", "Properties")
_MOST = 5_000  # parts of an answer, of 200 characters each
_WHOLE = 500  # beyond so many only what is required: models that contain each other have no end
_CLASSES: dict[str, Any] = {
    "boolean": bool,
    "integer": int,
    "number": (int, float),
    "string": str,
    "array": list,
    "object": dict,
}
_PLAIN = {"boolean": True, "integer": 1, "number": 1.0}
_FORMATS = {
    "date-time": "2026-01-01T12:00:00Z",
    "date": "2026-01-01",
    "time": "12:01:00Z",
    "duration": "PT1H",
    "email": "user@example.com",
    "uri": "https://example.com/",
    "uuid": "00000000-0000-4000-8000-000000000001",
    "hostname": "host.example.com",
    "ipv4": "192.0.2.1",
    "ipv6": "2001:db8::1",
}
_BOUNDS: dict[str, Callable[[Any, Any], bool]] = {
    "minimum": operator.ge,
    "maximum": operator.le,
    "exclusiveMinimum": operator.gt,
    "exclusiveMaximum": operator.lt,
    "multipleOf": lambda value, step: Fraction(str(value)) % Fraction(str(step)) == 0,
    "uniqueItems": lambda value, wanted: not wanted or len(value) < 2,
    **{f"min{name}": lambda value, least: len(value) >= least for name in _SIZED},
    **{f"max{name}": lambda value, most: len(value) <= most for name in _SIZED},
}


class SchemaUnsatisfiedError(CannotContinueError):
    """No value is known that the schema allows. The text says where and why, for a person."""


def instance_of(schema_text: str) -> Any:
    """A value that a schema allows: whole objects, and lists of one item where one will do."""
    try:
        schema = Schema(schema_text)
        return _Builder(schema).value(schema.root, "$")
    # Keywords may have wrong types, since the schema is the client's.
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
        raise SchemaUnsatisfiedError(
            f"a keyword has a value that is none: {error!s:.80}"
        ) from error
    except RecursionError as error:
        raise SchemaUnsatisfiedError("it is nested too deeply") from error


@attrs.define
class _Builder:
    """Builds one value; null, and what is not required, is for what has no other."""

    schema: Schema
    parts: int = 0  # that were built
    within: frozenset[str] = frozenset()  # the references on the way down

    def value(self, part: Any, place: str) -> Any:
        if part is False:
            raise SchemaUnsatisfiedError(f"{place}: False is no schema that allows a value")
        self._count(place, place)
        known = self.schema.alternatives(part)
        failure = SchemaUnsatisfiedError(f"{place}: nothing is allowed")
        if not known.nullable or self.parts <= _WHOLE:
            for branch, followed in zip(known.branches, known.followed, strict=True):
                try:
                    return self._of_branch(branch, followed, place)
                except SchemaUnsatisfiedError as error:
                    failure = error
        if known.nullable:
            return None
        raise failure

    def _count(self, text: str, place: str) -> None:
        self.parts += 1 + len(text) // 200
        if self.parts > _MOST:
            raise SchemaUnsatisfiedError(f"{place:.80}: the schema is too large to answer")

    def _of_branch(self, part: dict[str, Any], followed: frozenset[str], place: str) -> Any:
        if repeated := followed & self.within:
            raise SchemaUnsatisfiedError(f"{place}: {min(repeated)} contains itself without an end")
        before, self.within = self.within, self.within | followed
        try:
            value = self._typed(part, place)
        finally:
            self.within = before
        if problem := _problem(part, value):
            raise SchemaUnsatisfiedError(f"{place}: the keyword {problem}")
        return value

    def _typed(self, part: dict[str, Any], place: str) -> Any:
        kind = part["type"]
        if "const" in part or "enum" in part:
            member = _constant(part, place)
            self._count(json.dumps(member), place)
            return member
        if kind == "array":
            return self._array(part, place)
        if kind == "object":
            return self._object(part, place)
        if kind in _PLAIN:
            return _PLAIN[kind]
        if (form := part.get("format")) is not None:
            if form not in _FORMATS:
                raise SchemaUnsatisfiedError(f"{place}: no text of format {form!r:.40} is known")
            return _FORMATS[form]
        return f"Example {place.rpartition('.')[2].partition('[')[0].strip('$')}".strip()

    def _array(self, part: dict[str, Any], place: str) -> list[Any]:
        least, prefix = part.get("minItems", 0), part.get("prefixItems", [])
        others = min(max(least - len(prefix), not (prefix or self.parts > _WHOLE)), _MOST)
        wanted = [*prefix, *[part.get("items", True)] * others][: part.get("maxItems")]
        items: list[Any] = []
        try:
            items += (self.value(each, f"{place}[{at}]") for at, each in enumerate(wanted))
        except SchemaUnsatisfiedError:
            if len(items) < least:
                raise
        return items

    def _object(self, part: dict[str, Any], place: str) -> dict[str, Any]:
        properties, required = part.get("properties", {}), part.get("required", [])
        values: dict[str, Any] = {}
        for name in dict.fromkeys([*properties, *required]):
            try:
                if name in required or self.parts <= _WHOLE:
                    inner = properties.get(name, part.get("additionalProperties", True))
                    values[name] = self.value(inner, f"{place}.{name}")
            except SchemaUnsatisfiedError:
                if name in required:
                    raise
        return values


def _constant(part: dict[str, Any], place: str) -> Any:
    """The first member of an enumeration that is of the type."""
    kind, members = part["type"], part.get("enum", [part.get("const")])
    for member in members:
        is_one = isinstance(member, _CLASSES.get(kind, object))
        is_one &= kind == "any" or isinstance(member, bool) == (kind == "boolean")
        if is_one and part.get("const", member) == member:
            return member
    raise SchemaUnsatisfiedError(f"{place}: none of {members!r:.80} is of type {kind!r}")


def _problem(part: dict[str, Any], value: Any) -> str | None:
    """The keyword that does not allow a value, and why; None if all do."""
    for keyword, wanted in part.items():
        if keyword in _UNSUPPORTED:
            return f"{keyword!r} is not supported"
        if keyword in _BOUNDS and not _BOUNDS[keyword](value, wanted):
            return f"{keyword!r} wants another value than {json.dumps(value):.80}"
    return None

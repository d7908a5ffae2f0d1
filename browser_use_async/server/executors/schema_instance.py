"""Makes a value that a JSON schema allows, for answers of scripted tasks; always the same one.

The number of the variant makes a value differ from the others of a list.
"""

import json
import math
from collections.abc import Callable
from fractions import Fraction
from functools import partial
from typing import Any

import attrs

from browser_use_async.server.executors.pattern_text import PatternRefusedError, matching_text
from browser_use_async.server.executors.protocol import CannotContinueError
from browser_use_async.server.executors.schema import Schema

_UNSUPPORTED = ("not", "if", "contains", "dependentSchemas", "$dynamicRef")
_MAX_PARTS = 5_000
_MAX_DEPTH = 120
_MAX_ITEMS = 1_000
_VARIANTS = 64  # that are tried for an item that differs from earlier ones
_MAX_LENGTH = 100_000
_MAX_CHARACTERS = 1_000_000  # of an answer

_BOUNDS = ("minimum", "exclusiveMinimum", "maximum", "exclusiveMaximum")
# Into the braces goes the number of the variant, from 1.
_FORMATS = {
    "date-time": "2026-01-{:02}T12:00:00Z",
    "date": "2026-01-{:02}",
    "time": "12:{:02}:00Z",
    "duration": "PT{}H",
    "email": "user{}@example.com",
    "uri": "https://example.com/{}",
    "uuid": "00000000-0000-4000-8000-{:012x}",
    "hostname": "host{}.example.com",
    "ipv4": "192.0.2.{}",
    "ipv6": "2001:db8::{:x}",
}


class SchemaUnsatisfiedError(CannotContinueError):
    """No value is known that the schema allows. The text says where and why, for a person."""


class _TooLargeError(SchemaUnsatisfiedError):
    """The schema has too many parts for one answer."""


def instance_of(schema_text: str) -> Any:
    """A value that a schema allows: whole objects, and lists of one item where one will do."""
    try:
        schema = Schema(schema_text)
        try:
            return _Builder(schema).value(schema.root, "$")
        except _TooLargeError:
            # Models that contain each other have no largest instance; a lean one is short.
            schema = Schema(schema_text)  # whose looks are counted anew
            return _Builder(schema, lean=True).value(schema.root, "$")
    # Keywords may have wrong types, since the schema is the client's.
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
        raise SchemaUnsatisfiedError(
            f"a keyword has a value that is none: {error!s:.80}"
        ) from error
    except RecursionError as error:
        raise SchemaUnsatisfiedError("it is nested too deeply") from error


@attrs.define
class _Builder:
    """Builds one value.

    A reference that leads back to itself fails, and the failure ends at the nearest alternative,
    optional property or list that can be empty: a shortest instance never needs it.
    """

    schema: Schema
    lean: bool = False  # without optional properties and items
    parts: int = 0  # that were built
    depth: int = 0
    characters: int = 0  # of the answer
    within: frozenset[str] = frozenset()  # the references on the way down

    def value(self, part: Any, place: str, variant: int = 0) -> Any:
        if part is False:
            raise SchemaUnsatisfiedError(f"{place}: False is no schema that allows a value")
        self.parts += 1
        if self.parts > _MAX_PARTS or self.depth > _MAX_DEPTH:
            raise _TooLargeError(f"{place:.80}: the schema is too large to answer")
        known = self.schema.alternatives(part)
        options: list[Callable[[], Any]] = [
            partial(self._of_branch, branch, followed, place, variant)
            for branch, followed in zip(known.branches, known.followed, strict=True)
        ]
        if known.nullable:
            # Null comes last, since another value tests more of a program.
            options.insert(0 if self.lean else len(options), lambda: None)
        first = variant % len(options) if options else 0
        failure = SchemaUnsatisfiedError(f"{place}: nothing is allowed")
        for place_of_option, make in enumerate(options[first:] + options[:first]):
            try:
                return make()
            except _TooLargeError:
                raise
            except SchemaUnsatisfiedError as error:
                failure = failure if place_of_option else error
        raise failure

    def _of_branch(
        self, branch: dict[str, Any], followed: frozenset[str], place: str, variant: int
    ) -> Any:
        if repeated := followed & self.within:
            raise SchemaUnsatisfiedError(f"{place}: {min(repeated)} contains itself without an end")
        # Its size counts, since all of its members are visited.
        sized = (each for each in branch.values() if isinstance(each, dict | list))
        self.parts += sum(map(len, sized)) // 64
        before = self.within
        self.within, self.depth = before | followed, self.depth + 1
        try:
            return self._typed(branch, place, variant)
        finally:
            self.within, self.depth = before, self.depth - 1

    def _write(self, text: str, place: str) -> str:
        """Count a text or a name of the answer."""
        self.characters += len(text)
        if self.characters > _MAX_CHARACTERS:
            raise _TooLargeError(f"{place:.80}: the answer is too large")
        return text

    def _typed(self, part: dict[str, Any], place: str, variant: int) -> Any:
        for keyword in _UNSUPPORTED:
            if keyword in part:
                raise SchemaUnsatisfiedError(f"{place}: the keyword {keyword!r} is not supported")
        if "const" in part or "enum" in part:
            member = _constant(part, place, variant)
            self._write(json.dumps(member), place)
            return member
        match part["type"]:
            case "boolean":
                return variant % 2 == 0
            case "integer" | "number":
                return _number(part, place, variant)
            case "array":
                return self._array(part, place, variant)
            case "object":
                return self._object(part, place, variant)
            case _:
                return self._write(_text(part, place, variant), place)

    def _array(self, part: dict[str, Any], place: str, variant: int) -> list[Any]:
        prefix = part.get("prefixItems", [])
        least, most = part.get("minItems", 0), part.get("maxItems", _MAX_ITEMS)
        if least > min(most, _MAX_ITEMS):
            raise SchemaUnsatisfiedError(f"{place}: a list of {least} items is not possible")
        rest = part.get("items", True)
        others = 0 if rest is False else max(least - len(prefix), 0 if self.lean or prefix else 1)
        items: list[Any] = []
        taken: set[str] = set()
        try:
            for index, each in enumerate([*prefix, *[rest] * others][:most]):
                inner = f"{place}[{index}]"
                if part.get("uniqueItems") is True:
                    items.append(self._other_than(taken, each, inner, variant))
                else:
                    items.append(self.value(each, inner, variant))
        except SchemaUnsatisfiedError:
            if len(items) < least:
                raise
        if len(items) < least:
            raise SchemaUnsatisfiedError(f"{place}: only {len(items)} of {least} items are allowed")
        return items

    def _other_than(self, taken: set[str], part: Any, place: str, variant: int) -> Any:
        """A new item that differs from earlier ones."""
        for other in range(variant, variant + len(taken) + _VARIANTS):
            item = self.value(part, place, other)
            if (written := json.dumps(item, sort_keys=True)) not in taken:
                taken.add(written)
                return item
        raise SchemaUnsatisfiedError(f"{place}: no {len(taken) + 1} different items are known")

    def _object(self, part: dict[str, Any], place: str, variant: int) -> dict[str, Any]:
        properties: dict[str, Any] = part.get("properties", {})
        required: list[str] = part.get("required", [])
        other, most = part.get("additionalProperties", True), part.get("maxProperties", math.inf)
        values: dict[str, Any] = {}
        names: list[str] = [*required, *([] if self.lean else properties)]
        for name in dict.fromkeys(names):
            is_required = name in required
            if not is_required and len(values) >= most:
                continue
            try:
                value = self.value(properties.get(name, other), f"{place}.{name}", variant)
                values[self._write(name, place)] = value
            except SchemaUnsatisfiedError:
                if is_required:
                    raise
        self._add_others(part, values, place, variant)
        # In the order of the schema, as a person would write them.
        order = {name: index for index, name in enumerate([*properties, *required])}
        return dict(sorted(values.items(), key=lambda pair: order.get(pair[0], len(order))))

    def _add_others(
        self, part: dict[str, Any], values: dict[str, Any], place: str, variant: int
    ) -> None:
        """Add properties without a name in the schema: as many as it needs, one of a map."""
        other = part.get("additionalProperties", True)
        least = part.get("minProperties", 0)
        # Names that have to fit a schema are not made.
        has_rules = "propertyNames" in part or "patternProperties" in part
        is_map = isinstance(other, dict) and not (values or has_rules or self.lean)
        wanted = min(max(least, is_map), part.get("maxProperties", math.inf))
        if wanted > len(values) and (has_rules or other is False):
            raise SchemaUnsatisfiedError(f"{place}: it needs more properties than it names")
        if wanted > _MAX_ITEMS:
            raise SchemaUnsatisfiedError(f"{place}: {wanted} properties are not possible")
        try:
            for index in range(_MAX_ITEMS):
                if len(values) >= wanted:
                    return
                name = f"example{index or ''}"
                value = self.value(other, f"{place}.{name}", variant)
                values.setdefault(self._write(name, place), value)
        except SchemaUnsatisfiedError:
            if len(values) < least:
                raise


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


_TYPES: dict[str, Callable[[Any], bool]] = {
    "any": lambda _: True,
    "null": lambda value: value is None,
    "boolean": lambda value: isinstance(value, bool),
    "integer": lambda value: _is_number(value) and float(value).is_integer(),
    "number": _is_number,
    "string": lambda value: isinstance(value, str),
    "array": lambda value: isinstance(value, list),
    "object": lambda value: isinstance(value, dict),
}


def _constant(part: dict[str, Any], place: str, variant: int) -> Any:
    members = [part["const"]] if "const" in part else part["enum"]
    if "const" in part and "enum" in part:
        members = [each for each in members if each in part["enum"]]
    kind = part["type"]
    fitting = [each for each in members if _TYPES[kind](each)]
    if not fitting:
        raise SchemaUnsatisfiedError(f"{place}: none of {members!r:.80} is of type {kind!r}")
    return fitting[variant % len(fitting)]


def _number(part: dict[str, Any], place: str, variant: int) -> int | float:
    """A multiple of the step, the first one from 1 if it is within; else one between the bounds."""
    bounds = {each: Fraction(str(part[each])) for each in _BOUNDS if each in part}
    # The narrower of two bounds counts.
    low = max((bounds[each] for each in _BOUNDS[:2] if each in bounds), default=None)
    high = min((bounds[each] for each in _BOUNDS[2:] if each in bounds), default=None)
    excluded = {bound for name, bound in bounds.items() if name.startswith("exclusive")}
    is_whole, step = part["type"] == "integer", Fraction(str(part.get("multipleOf", 1)))
    if is_whole:
        step = Fraction(step.numerator)  # the multiples that are whole
    first, last = -math.inf, math.inf
    if low is not None:
        first = math.ceil(low / step) + (low in excluded and low % step == 0)
    if high is not None:
        last = math.floor(high / step) - (high in excluded and high % step == 0)
    if low is not None and high is not None and not is_whole and "multipleOf" not in part:
        # Whole numbers are read more easily; between 0 and 1 there are too few of them.
        if low < high and (variant or first > last):
            return float(low + (high - low) * Fraction(variant + 1, variant + 2))
        if low == high and low not in excluded:
            return float(low)
    if first > last:
        raise SchemaUnsatisfiedError(f"{place}: no {part['type']} lies within its bounds")
    begin = max(first, math.ceil(1 / step))
    chosen = begin + variant if begin + variant <= last else max(first, last - variant)
    return int(chosen * step) if is_whole else float(chosen * step)


def _text(part: dict[str, Any], place: str, variant: int) -> str:
    """A text that a schema allows: of its pattern, of its format, or named after its property."""
    least, most = part.get("minLength", 0), part.get("maxLength", _MAX_LENGTH)
    if least > min(most, _MAX_LENGTH):
        raise SchemaUnsatisfiedError(f"{place}: a text of {least} characters is not possible")
    if (pattern := part.get("pattern")) is not None:
        try:
            return matching_text(pattern, least=least, most=most, variant=variant)
        except PatternRefusedError as error:
            raise SchemaUnsatisfiedError(f"{place}: pattern {pattern!r:.80}: {error}") from None
    if (form := part.get("format")) is not None:
        if form not in _FORMATS:
            raise SchemaUnsatisfiedError(f"{place}: no text of format {form!r:.40} is known")
        known = _FORMATS[form].format(variant + 1)
        if not least <= len(known) <= most:
            raise SchemaUnsatisfiedError(
                f"{place}: no text of format {form!r} of {least} to {most} characters is known"
            )
        return known
    name = place.rpartition(".")[2].partition("[")[0].strip("$")
    words = f"Example {name}".strip() + (f" {variant + 1}" if variant else "")
    if len(words) > most:  # variants of a short text differ at its end
        words = str(variant + 1)[:most].rjust(min(most, 7), "x") if variant else words[:most]
    return words.ljust(least, ".")

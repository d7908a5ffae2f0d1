"""A value that a JSON schema allows, for answers of scripted tasks; always the same one.

The number of the variant makes a value differ from the others of a list.
"""

import json
import math
from collections.abc import Callable
from fractions import Fraction
from functools import partial
from typing import Any

import attrs

from browser_use_async.server.executors.pattern_text import (
    Budget,
    PatternRefusedError,
    matching_text,
)
from browser_use_async.server.executors.protocol import CannotContinueError
from browser_use_async.server.executors.schema import Schema

_UNSUPPORTED = ("not", "if", "contains", "dependentSchemas", "$dynamicRef")
_MAX_VISITS = 5_000
_MAX_DEPTH = 120
_MAX_ITEMS = 1_000
_VARIANTS = 64
_MEMBERS = 64  # of a list or object in the schema: as many cost as much as one part
_MAX_LENGTH = 100_000
_BOUNDS = ("minimum", "exclusiveMinimum", "maximum", "exclusiveMaximum")

# By their texts, into whose braces the number of the variant goes, from 1.
_FORMATS = {
    "2026-01-{:02}T12:00:00Z": "date-time",
    "2026-01-{:02}": "date",
    "12:{:02}:00Z": "time",
    "PT{}H": "duration",
    "user{}@example.com": "email idn-email",
    "User {0} <user{0}@example.com>": "name-email",
    "host{}.example.com": "hostname idn-hostname",
    "https://example.com/{}": "uri url iri multi-host-uri",
    "/example/{}": "uri-reference json-pointer",
    "192.0.2.{}": "ipv4 ipvanyaddress",
    "2001:db8::{:x}": "ipv6",
    "192.0.2.{}/24": "ipv4interface ipvanyinterface",
    "2001:db8::{:x}/64": "ipv6interface",
    "10.0.{}.0/24": "ipv4network ipvanynetwork",
    "2001:db8:{:x}::/64": "ipv6network",
    "00000000-0000-4000-8000-{:012x}": "uuid uuid4",
    "00000000-0000-1000-8000-{:012x}": "uuid1",
    "00000000-0000-3000-8000-{:012x}": "uuid3",
    "00000000-0000-5000-8000-{:012x}": "uuid5",
    "{}": "json-string",
    "example{}": "regex",
    "ZXhhbXBsZQ==": "base64 base64url",
}
_OF_FORMAT = {name: text for text, names in _FORMATS.items() for name in names.split()}


class SchemaUnsatisfiedError(CannotContinueError):
    """No value is known that the schema allows. Its text says where and why, for a person."""


class _TooLargeError(SchemaUnsatisfiedError):
    """The schema has too many parts for one answer."""


def instance_of(schema_text: str) -> Any:
    """A value that a schema allows: whole objects, and lists of one item where one will do."""
    try:
        try:
            return _Builder(Schema(schema_text)).whole()
        except _TooLargeError:
            # Models that hold each other have endlessly many whole instances; a lean one is short.
            return _Builder(Schema(schema_text), lean=True).whole()
    # Keywords are read as what they should be, and what they are lies with the client.
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
    visits: int = 0
    depth: int = 0
    budget: Budget = attrs.field(factory=Budget)
    within: frozenset[str] = frozenset()  # the references on the way down

    def whole(self) -> Any:
        """A value of the whole schema."""
        return self.value(self.schema.root, "$")

    def value(self, part: Any, place: str, variant: int = 0) -> Any:
        if part is False:
            raise SchemaUnsatisfiedError(f"{place}: False is no schema that allows a value")
        self.visits += 1
        if self.visits > _MAX_VISITS or self.depth > _MAX_DEPTH:
            raise _TooLargeError(f"{place:.80}: the schema is too large to answer")
        known = self.schema.alternatives(part)
        options: list[Callable[[], Any]] = [
            partial(self._of_branch, branch, followed, place, variant)
            for branch, followed in zip(known.branches, known.followed, strict=True)
        ]
        if known.nullable:
            # Null comes last: a value shows more of what a program does with it.
            options.insert(0 if self.lean else len(options), lambda: None)
        first = variant % len(options) if options else 0
        return _first_possible(options[first:] + options[:first], f"{place}: nothing is allowed")

    def _of_branch(
        self, branch: dict[str, Any], followed: frozenset[str], place: str, variant: int
    ) -> Any:
        if repeated := followed & self.within:
            raise SchemaUnsatisfiedError(f"{place}: {min(repeated)} holds itself without an end")
        # Its size counts: a reader looks at all of its members.
        sized = (each for each in branch.values() if isinstance(each, dict | list))
        self.visits += (len(branch) + sum(map(len, sized))) // _MEMBERS
        before = self.within
        self.within, self.depth = before | followed, self.depth + 1
        try:
            return self._typed(branch, place, variant)
        finally:
            self.within, self.depth = before, self.depth - 1

    def _write(self, text: str, place: str) -> str:
        """Count a text or a name of the answer."""
        self.budget.characters -= len(text)
        if self.budget.characters < 0:
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
            case "integer" | "number" as kind:
                return _number(part, kind, place, variant)
            case "array":
                return self._array(part, place, variant)
            case "object":
                return self._object(part, place, variant)
            case _:
                return self._write(_text(part, place, variant, self.budget), place)

    # --- arrays and objects -----------------------------------------------------------------

    def _array(self, part: dict[str, Any], place: str, variant: int) -> list[Any]:
        prefix = part.get("prefixItems", [])
        least, most = part.get("minItems", 0), part.get("maxItems", _MAX_ITEMS)
        if least > min(most, _MAX_ITEMS):
            raise SchemaUnsatisfiedError(f"{place}: a list of {least} items is not possible")
        rest = part.get("items", True)
        others = 0 if rest is False else max(least - len(prefix), 0 if self.lean or prefix else 1)
        parts = [*prefix, *[rest] * others][:most]
        items: list[Any] = []
        taken: set[str] = set()
        try:
            for index, each in enumerate(parts):
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
        """An item that is not among those taken, and is then."""
        for other in range(variant, variant + len(taken) + _VARIANTS):
            item = self.value(part, place, other)
            if (written := json.dumps(item, sort_keys=True)) not in taken:
                taken.add(written)
                return item
        raise SchemaUnsatisfiedError(f"{place}: no {len(taken) + 1} different items are known")

    def _object(self, part: dict[str, Any], place: str, variant: int) -> dict[str, Any]:
        properties: dict[str, Any] = part.get("properties", {})
        required: list[str] = part.get("required", [])
        needed = set(required)
        values: dict[str, Any] = {}
        most = part.get("maxProperties", math.inf)
        for name in [*required, *([] if self.lean else properties)]:
            is_required = name in needed
            if name in values or (not is_required and len(values) >= most):
                continue
            try:
                schema = properties.get(name, part.get("additionalProperties", True))
                value = self.value(schema, f"{place}.{name}", variant)
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
        """Add properties without a name in the schema: as many as it needs, and one as a sample."""
        least = part.get("minProperties", 0)
        patterns = part.get("patternProperties", {})
        other = part.get("additionalProperties", not patterns)
        is_map = bool(patterns or isinstance(other, dict)) and not part.get("properties")
        wanted = least if self.lean or not is_map else max(least, 1)
        wanted = min(wanted, part.get("maxProperties", wanted))
        try:
            for index in range(_MAX_ITEMS):
                if len(values) >= wanted:
                    return
                name, schema = self._other_name(part, place, index)
                value = self.value(schema, f"{place}.{name}", variant)
                values.setdefault(self._write(name, place), value)
        except SchemaUnsatisfiedError:
            if len(values) < least:
                raise
        if len(values) < least:
            raise SchemaUnsatisfiedError(f"{place}: no {least} names of properties are known")

    def _other_name(self, part: dict[str, Any], place: str, index: int) -> tuple[str, Any]:
        for pattern, schema in part.get("patternProperties", {}).items():
            return _text_matching(pattern, {}, f"{place}, a name", index, self.budget), schema
        schema = part.get("additionalProperties", True)
        if schema is False:
            raise SchemaUnsatisfiedError(f"{place}: it needs more properties than it allows")
        names = part.get("propertyNames")
        if names is None:
            return f"example{index or ''}", schema
        name = self.value({"type": "string", **names}, f"{place}, a name", index)
        return str(name), schema


def _first_possible(makers: list[Callable[[], Any]], problem: str) -> Any:
    failure: SchemaUnsatisfiedError | None = None
    for make in makers:
        try:
            return make()
        except _TooLargeError:
            raise
        except SchemaUnsatisfiedError as error:
            failure = failure or error
    raise failure or SchemaUnsatisfiedError(problem)


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


# --- numbers --------------------------------------------------------------------------------


@attrs.frozen
class _Range:
    """The bounds of a number, both of which it may reach unless they are excluded."""

    low: Fraction | None
    high: Fraction | None
    excluded: tuple[Fraction, ...]

    @classmethod
    def of(cls, part: dict[str, Any]) -> "_Range":
        """The range that a schema gives; of two bounds the narrower one counts."""
        bounds = {each: Fraction(str(part[each])) for each in _BOUNDS if _is_number(part.get(each))}
        lows = [bounds[each] for each in ("minimum", "exclusiveMinimum") if each in bounds]
        highs = [bounds[each] for each in ("maximum", "exclusiveMaximum") if each in bounds]
        excluded = [bound for name, bound in bounds.items() if name.startswith("exclusive")]
        return cls(max(lows, default=None), min(highs, default=None), tuple(excluded))

    def multiple(self, step: Fraction, variant: int) -> Fraction | None:
        """A multiple of a step, the first one from 1 if it is within."""
        low = None if self.low is None else math.ceil(self.low / step)
        high = None if self.high is None else math.floor(self.high / step)
        if low is not None and low * step in self.excluded:
            low += 1
        if high is not None and high * step in self.excluded:
            high -= 1
        if low is not None and high is not None and low > high:
            return None
        first = math.ceil(1 / step) if low is None else max(low, math.ceil(1 / step))
        if high is None or first + variant <= high:
            return (first + variant) * step
        return (high - variant if low is None else max(low, high - variant)) * step

    def between(self, variant: int) -> Fraction | None:
        """A number inside of both bounds."""
        if self.low is None or self.high is None or self.low > self.high:
            return None
        if self.low == self.high:
            return None if self.low in self.excluded else self.low
        return self.low + (self.high - self.low) * Fraction(variant + 1, variant + 2)


def _number(part: dict[str, Any], kind: str, place: str, variant: int) -> int | float:
    step = Fraction(str(part.get("multipleOf", 1)))
    bounds = _Range.of(part)
    if kind == "integer":
        whole = bounds.multiple(Fraction(step.numerator), variant)  # the multiples that are whole
        if whole is not None:
            return int(whole)
    elif "multipleOf" in part:
        chosen = bounds.multiple(step, variant)
        if chosen is not None:
            return float(chosen)
    else:
        # Whole numbers are read more easily; between 0 and 1 there are too few of them.
        chosen = bounds.multiple(step, 0) if variant == 0 else bounds.between(variant)
        chosen = chosen if chosen is not None else bounds.between(variant)
        chosen = chosen if chosen is not None else bounds.multiple(step, variant)
        if chosen is not None:
            return float(chosen)
    raise SchemaUnsatisfiedError(f"{place}: no {kind} lies within its bounds")


# --- texts ----------------------------------------------------------------------------------


def _text(part: dict[str, Any], place: str, variant: int, budget: Budget) -> str:
    """A text that a schema allows: of its pattern, of its format, or named after its property."""
    least, most = part.get("minLength", 0), part.get("maxLength", _MAX_LENGTH)
    if least > min(most, _MAX_LENGTH):
        raise SchemaUnsatisfiedError(f"{place}: a text of {least} characters is not possible")
    pattern, known = part.get("pattern"), _OF_FORMAT.get(part.get("format", ""))
    if pattern is not None:
        return _text_matching(pattern, part, place, variant, budget)
    if known is not None:
        return _of_format(part, known, place, variant)
    name = place.rpartition(".")[2].partition("[")[0].strip("$")
    words = f"Example {name}".strip() + (f" {variant + 1}" if variant else "")
    if len(words) > most:  # the end of a short text tells its variants apart
        words = str(variant + 1)[:most].rjust(min(most, 7), "x") if variant else words[:most]
    return words.ljust(least, ".")


def _of_format(part: dict[str, Any], template: str, place: str, variant: int) -> str:
    least, most = part.get("minLength", 0), part.get("maxLength", _MAX_LENGTH)
    known = template.format(variant + 1)
    if not least <= len(known) <= most:
        name = part["format"]
        bounds = f"of {least} to {most} characters"
        raise SchemaUnsatisfiedError(f"{place}: no text of format {name!r} {bounds} is known")
    return known


def _text_matching(
    pattern: str, part: dict[str, Any], place: str, variant: int, budget: Budget
) -> str:
    least, most = part.get("minLength", 0), part.get("maxLength", _MAX_LENGTH)
    try:
        return matching_text(pattern, least=least, most=most, variant=variant, budget=budget)
    except PatternRefusedError as error:
        raise SchemaUnsatisfiedError(f"{place}: pattern {pattern!r:.80}: {error}") from None

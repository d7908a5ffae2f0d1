"""A value that a JSON schema allows, for answers of scripted tasks; always the same one."""

import json
import math
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import Any

import attrs

from browser_use_async.api.task_fields import MISSING, resolve_pointer
from browser_use_async.server.executors.pattern_text import Budget
from browser_use_async.server.executors.schema_scalars import (
    SchemaUnsatisfiedError,
    constant,
    number,
    text,
    text_matching,
)
from browser_use_async.server.html.document import load_json

_MAX_SCHEMA = 100_000  # characters
_UNSUPPORTED = ("not", "if", "contains", "dependentSchemas", "$dynamicRef")
_MAX_VISITS = 5_000
_MAX_DEPTH = 120
_MAX_ITEMS = 1_000
_VARIANTS = 64
_MEMBERS = 64  # of a list or object in the schema: as many cost as much as one part


class _TooLargeError(SchemaUnsatisfiedError):
    """The schema has too many parts for one answer."""


def instance_of(schema_text: str) -> Any:
    """A value that a schema allows: whole objects, and lists of one item where one will do.

    Raises:
        SchemaUnsatisfiedError: None is known.
    """
    if len(schema_text) > _MAX_SCHEMA:
        raise SchemaUnsatisfiedError(f"it has more than {_MAX_SCHEMA:,} characters")
    try:
        root = load_json(schema_text)
    except ValueError:
        raise SchemaUnsatisfiedError("structured_output_json is not JSON") from None
    try:
        return _either(root)
    # Keywords are read as what they should be, and what they are lies with the client.
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
        raise SchemaUnsatisfiedError(
            f"a keyword has a value that is none: {error!s:.80}"
        ) from error
    except RecursionError as error:
        raise SchemaUnsatisfiedError("it is nested too deeply") from error


def _either(root: Any) -> Any:
    """A whole instance, or else a lean one."""
    try:
        return _Builder(root).value(root, "$")
    except _TooLargeError:
        # Models that hold each other have endlessly many whole instances; a lean one is short.
        return _Builder(root, lean=True).value(root, "$")


@attrs.define
class _Builder:
    """Builds one value.

    A reference that leads back to itself fails, and the failure ends at the nearest alternative,
    optional property or list that can be empty: a shortest instance never needs it.
    """

    root: Any
    lean: bool = False  # without optional properties and items
    visits: int = 0
    budget: Budget = attrs.field(factory=Budget)
    # The places and references on the way down
    within: list[Any] = attrs.field(factory=list)

    def value(self, part: Any, place: str, variant: int = 0) -> Any:
        schema = _as_object(part, place)
        self._visit(schema, place)
        reference = schema.get("$ref")
        if reference is None:
            with self._following([place], place):
                return self._resolved(schema, place, variant)
        around = {key: each for key, each in schema.items() if key != "$ref"}
        with self._following([reference], place):
            target = _merged(self._referred(reference, place), around, place)
            return self.value(target, place, variant)

    def _visit(self, schema: dict[str, Any], place: str) -> None:
        """Count a part as large as it is: whoever reads it looks at all of its members."""
        sized = (each for each in schema.values() if isinstance(each, dict | list))
        self.visits += 1 + (len(schema) + sum(map(len, sized))) // _MEMBERS
        if self.visits > _MAX_VISITS or len(self.within) > _MAX_DEPTH:
            raise _TooLargeError(f"{place:.80}: the schema is too large to answer")

    def _write(self, text: str, place: str) -> str:
        """Count a text or a name of the answer."""
        self.budget.characters -= len(text)
        if self.budget.characters < 0:
            raise _TooLargeError(f"{place:.80}: the answer is too large")
        return text

    @contextmanager
    def _following(self, references: list[Any], place: str) -> Generator[None]:
        for each in references:
            if each in self.within and each != place:
                raise SchemaUnsatisfiedError(f"{place}: {each} holds itself without an end")
        self.within += references
        try:
            yield
        finally:
            del self.within[len(self.within) - len(references) :]

    def _referred(self, reference: Any, place: str) -> dict[str, Any]:
        target = resolve_pointer(self.root, reference) if isinstance(reference, str) else MISSING
        if not isinstance(target, dict):
            raise SchemaUnsatisfiedError(f"{place}: the schema has no {reference!r:.80}")
        return target

    def _resolved(self, part: dict[str, Any], place: str, variant: int) -> Any:
        for keyword in _UNSUPPORTED:
            if keyword in part:
                raise SchemaUnsatisfiedError(f"{place}: the keyword {keyword!r} is not supported")
        if "allOf" in part:
            return self._all_of(part, place, variant)
        for keyword in ("anyOf", "oneOf"):
            if keyword in part:
                return self._chosen(part, keyword, place, variant)
        return self._typed(part, place, variant)

    def _all_of(self, part: dict[str, Any], place: str, variant: int) -> Any:
        merged = {key: each for key, each in part.items() if key != "allOf"}
        references = [each["$ref"] for each in part["allOf"] if _is_reference(each)]
        for option in part["allOf"]:
            if _is_reference(option):
                around = {key: each for key, each in option.items() if key != "$ref"}
                option = _merged(self._referred(option["$ref"], place), around, place)  # noqa: PLW2901
            merged = _merged(merged, _as_object(option, place), place)
            self._visit(merged, place)  # or lists of options that hold lists of them would double
        with self._following(references, place):
            return self.value(merged, place, variant)

    def _chosen(self, part: dict[str, Any], keyword: str, place: str, variant: int) -> Any:
        around = {key: each for key, each in part.items() if key != keyword}
        options = [_merged(around, _as_object(each, place), place) for each in part[keyword]]
        # Null comes last: a value shows more of what a program does with it.
        options.sort(key=lambda each: (each.get("type") == "null") is not self.lean)
        first = variant % len(options) if variant else 0
        return _first_possible(
            [partial(self.value, each, place, variant) for each in _from(options, first)],
            f"{place}: {keyword} is empty",
        )

    def _typed(self, part: dict[str, Any], place: str, variant: int) -> Any:
        if "const" in part or "enum" in part:
            member = constant(part, place, variant)
            self._write(json.dumps(member), place)
            return member
        kinds = part.get("type", _implied(part))
        named: list[Any] = kinds if isinstance(kinds, list) else [kinds]
        named = [each for each in named if each != "null"] + ["null"] * ("null" in named)
        return _first_possible(
            [partial(self._of_type, each, part, place, variant) for each in named],
            f"{place}: the list of types is empty",
        )

    def _of_type(self, kind: Any, part: dict[str, Any], place: str, variant: int) -> Any:
        match kind:
            case "null":
                return None
            case "boolean":
                return variant % 2 == 0
            case "integer" | "number":
                return number(part, kind, place, variant)
            case "string":
                return self._write(text(part, place, variant, self.budget), place)
            case "array":
                return self._array(part, place, variant)
            case "object":
                return self._object(part, place, variant)
            case _:
                raise SchemaUnsatisfiedError(f"{place}: there is no type {kind!r:.40}")

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
            return text_matching(pattern, {}, f"{place}, a name", index, self.budget), schema
        schema = part.get("additionalProperties", True)
        if schema is False:
            raise SchemaUnsatisfiedError(f"{place}: it needs more properties than it allows")
        names = part.get("propertyNames")
        if names is None:
            return f"example{index or ''}", schema
        name = self.value({"type": "string", **names}, f"{place}, a name", index)
        return str(name), schema


def _is_reference(part: Any) -> bool:
    return isinstance(part, dict) and "$ref" in part


def _as_object(part: Any, place: str) -> dict[str, Any]:
    if part is True:
        return {}
    if not isinstance(part, dict):
        raise SchemaUnsatisfiedError(f"{place}: {part!r:.40} is no schema that allows a value")
    return part


def _from(options: list[Any], first: int) -> Iterator[Any]:
    yield from options[first:]
    yield from options[:first]


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


def _implied(part: Mapping[str, Any]) -> str:
    """The type of a schema that names none."""
    for kind, keywords in {
        "object": ("properties", "required", "additionalProperties", "minProperties"),
        "array": ("items", "prefixItems", "minItems"),
        "number": ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"),
    }.items():
        if any(keyword in part for keyword in keywords):
            return kind
    return "string"


# --- allOf ----------------------------------------------------------------------------------


def _merged(first: dict[str, Any], second: dict[str, Any], place: str) -> dict[str, Any]:
    """One schema of what two of them ask for."""
    merged = {**first, **second}
    for keyword in first.keys() & second.keys():
        one, other = first[keyword], second[keyword]
        if one != other:
            merged[keyword] = _both(keyword, one, other, place)
    return merged


def _both(keyword: str, one: Any, other: Any, place: str) -> Any:
    match keyword:
        case "required":
            return list(dict.fromkeys([*one, *other]))
        case "properties":
            shared = {each: {"allOf": [one[each], other[each]]} for each in one.keys() & other}
            return {**one, **other, **shared}
        case "enum":
            known = {json.dumps(each, sort_keys=True) for each in other}
            return [each for each in one if json.dumps(each, sort_keys=True) in known]
        case "minimum" | "exclusiveMinimum" | "minLength" | "minItems" | "minProperties":
            return max(one, other)
        case "maximum" | "exclusiveMaximum" | "maxLength" | "maxItems" | "maxProperties":
            return min(one, other)
        case "items" | "additionalProperties":
            return {"allOf": [one, other]}
        case "type":
            return _common_type(one, other, place)
        case "allOf":
            return [*one, *other]
        case "$ref" | "anyOf" | "oneOf" | "pattern" | "const" | "format" | "multipleOf":
            what = f"two different values of {keyword} are not supported"
            raise SchemaUnsatisfiedError(f"{place}: {what}")
        case _:
            return other  # titles, descriptions and defaults


def _common_type(one: Any, other: Any, place: str) -> Any:
    ones, others = ([each] if isinstance(each, str) else list(each) for each in (one, other))
    common = [each for each in ones if each in others]
    if not common and {"integer", "number"} <= {*ones, *others}:
        common = ["integer"]
    if not common:
        raise SchemaUnsatisfiedError(f"{place}: nothing is of type {one!r} and {other!r} at once")
    return common

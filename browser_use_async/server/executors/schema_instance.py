"""A value that a JSON schema allows, for answers of scripted tasks; always the same one."""

import json
import math
from collections.abc import Callable
from functools import partial
from typing import Any

import attrs

from browser_use_async.server.executors.pattern_text import Budget
from browser_use_async.server.executors.schema import Schema
from browser_use_async.server.executors.schema_scalars import (
    SchemaUnsatisfiedError,
    constant,
    number,
    text,
    text_matching,
)

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
        CannotContinueError: None is known.
    """
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
        # As large as it is: whoever reads it looks at all of its members.
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
            member = constant(part, place, variant)
            self._write(json.dumps(member), place)
            return member
        match part["type"]:
            case "boolean":
                return variant % 2 == 0
            case "integer" | "number" as kind:
                return number(part, kind, place, variant)
            case "array":
                return self._array(part, place, variant)
            case "object":
                return self._object(part, place, variant)
            case _:
                return self._write(text(part, place, variant, self.budget), place)

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

"""JSON schemas, for the building of values: references, alternatives and null."""

import json
from collections.abc import Mapping
from typing import Any

import attrs

from browser_use_async.server.executors.protocol import CannotContinueError
from browser_use_async.server.executors.task_fields import MISSING, resolve_pointer
from browser_use_async.server.html.document import load_json

# The required types of keywords.
_KEYWORDS: dict[str, tuple[type, ...]] = {
    "properties": (dict,),
    "required": (list,),
    "type": (str, list),
    "format": (str,),
    "pattern": (str,),
    **dict.fromkeys(("minItems", "maxItems", "minLength", "maxLength"), (int,)),
    **dict.fromkeys(("minProperties", "maxProperties"), (int,)),
    **dict.fromkeys(("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"), (int, float)),
}
_TYPES = frozenset({"any", "array", "boolean", "integer", "null", "number", "object", "string"})
# The types of schemas without one, by their keywords.
_IMPLIED = {
    "object": ("properties", "required", "additionalProperties", "minProperties"),
    "array": ("items", "prefixItems", "minItems"),
    "number": ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"),
    "string": ("pattern", "minLength", "maxLength", "format"),
}
_MAX_REFERENCES = 32
_MAX_SCHEMA = 100_000  # characters
_MAX_LOOKS = 50_000
_MEMBERS = 20  # that are merged; so many cost as much as one more look


@attrs.frozen
class Alternatives:
    """The allowed values."""

    # schemas without alternatives, of which one has to fit
    branches: list[dict[str, Any]]
    nullable: bool  # whether null fits, too
    followed: list[frozenset[str]]  # the references that led to each of the branches


class Schema:
    """A JSON schema whose parts refer to each other."""

    def __init__(self, text: str) -> None:
        if len(text) > _MAX_SCHEMA:
            raise CannotContinueError(
                f"structured_output_json has more than {_MAX_SCHEMA:,} characters."
            )
        try:
            root = load_json(text)
        except ValueError:
            raise CannotContinueError("structured_output_json is not JSON.") from None
        if not isinstance(root, dict):
            raise CannotContinueError("structured_output_json is not a JSON schema (an object).")
        self.root: dict[str, Any] = root
        self._looks = 0

    def alternatives(self, part: Any) -> Alternatives:
        """The allowed values of a part of this schema."""
        self._count(1)
        schema, followed = self._resolved(part)
        for keyword in ("anyOf", "oneOf"):
            if keyword in schema:
                return self._chosen(schema, keyword, followed)
        return _by_type(schema, followed)

    def _chosen(
        self, schema: dict[str, Any], keyword: str, followed: frozenset[str]
    ) -> Alternatives:
        around = {key: value for key, value in schema.items() if key != keyword}
        chosen = Alternatives([], schema.get("nullable") is True, [])
        for option in _listed(schema[keyword], keyword):
            target, others = self._resolved(option)
            inner = self.alternatives(self._merged(around, target))
            chosen.branches.extend(inner.branches)
            chosen.followed.extend(followed | others | each for each in inner.followed)
            chosen = attrs.evolve(chosen, nullable=chosen.nullable or inner.nullable)
        return chosen

    def _resolved(self, part: Any) -> tuple[dict[str, Any], frozenset[str]]:
        """A part with its references and `allOf` resolved, and those references."""
        if part is True:
            return {}, frozenset()
        followed: frozenset[str] = frozenset()
        for _ in range(_MAX_REFERENCES):
            if not isinstance(part, dict):
                raise CannotContinueError(f"structured_output_json has no schema in {part!r:.40}.")
            if "$ref" in part:
                around = {key: value for key, value in part.items() if key != "$ref"}
                followed |= {str(part["$ref"])}
                part = self._merged(self._referred(part["$ref"]), around)
            elif "allOf" in part:
                merged = {key: value for key, value in part.items() if key != "allOf"}
                for option in _listed(part["allOf"], "allOf"):
                    self._count(1)  # nested lists double with each level
                    target, others = self._resolved(option)
                    followed |= others
                    merged = self._merged(merged, target)
                part = merged
            else:
                return _checked(part), followed
        raise CannotContinueError("structured_output_json has references that lead in a circle.")

    def _merged(self, first: dict[str, Any], second: dict[str, Any]) -> dict[str, Any]:
        """One schema with the requirements of two."""
        first, second = _checked(first), _checked(second)
        merged = {**first, **second}
        sized = (each for each in merged.values() if isinstance(each, dict | list))
        self._count((len(merged) + sum(map(len, sized))) // _MEMBERS)
        for keyword in first.keys() & second.keys():
            if first[keyword] != second[keyword]:
                merged[keyword] = _both(keyword, first[keyword], second[keyword])
        return merged

    def _count(self, looks: int) -> None:
        self._looks += looks
        if self._looks > _MAX_LOOKS:
            raise CannotContinueError("structured_output_json asks for more than can be read.")

    def _referred(self, reference: Any) -> dict[str, Any]:
        target = resolve_pointer(self.root, reference) if isinstance(reference, str) else MISSING
        if not isinstance(target, dict):
            raise CannotContinueError(f"structured_output_json has no {reference!r:.80}.")
        return target


def _by_type(schema: dict[str, Any], followed: frozenset[str]) -> Alternatives:
    nullable = schema.get("nullable") is True
    if "enum" in schema:
        members = _listed(schema["enum"], "enum")
        nullable = nullable or None in members
        schema = {**schema, "enum": [member for member in members if member is not None]}
    if "const" in schema and schema["const"] is None:
        return Alternatives([], nullable=True, followed=[])
    kinds = schema.get("type", _implied(schema))
    named = kinds if isinstance(kinds, list) else [kinds]
    for kind in named:
        if not isinstance(kind, str) or kind not in _TYPES:
            raise CannotContinueError(f"structured_output_json has no known type in {kind!r:.40}.")
    branches = [{**schema, "type": kind} for kind in named if kind != "null"]
    return Alternatives(branches, nullable or "null" in named, [followed] * len(branches))


def _both(keyword: str, one: Any, other: Any) -> Any:
    """The merged value of a keyword that differs in two schemas."""
    match keyword:
        case "required":
            return list(dict.fromkeys([*one, *other]))
        case "properties":
            shared = {each: {"allOf": [one[each], other[each]]} for each in one.keys() & other}
            return {**one, **other, **shared}
        case "enum":
            known = {json.dumps(each, sort_keys=True) for each in _listed(other, keyword)}
            return [each for each in one if json.dumps(each, sort_keys=True) in known]
        case "minimum" | "exclusiveMinimum" | "minLength" | "minItems" | "minProperties":
            return max(one, other)
        case "maximum" | "exclusiveMaximum" | "maxLength" | "maxItems" | "maxProperties":
            return min(one, other)
        case "items" | "additionalProperties":
            return {"allOf": [one, other]}
        case "type":
            return _common_types(one, other)
        case "allOf":
            return [*_listed(one, keyword), *_listed(other, keyword)]
        case "$ref" | "anyOf" | "oneOf" | "pattern" | "const" | "format" | "multipleOf":
            raise CannotContinueError(
                f"structured_output_json has two values of {keyword} for the same part."
            )
        case _:
            return other  # titles, descriptions and defaults


def _common_types(one: Any, other: Any) -> list[Any]:
    ones, others = ([each] if isinstance(each, str) else list(each) for each in (one, other))
    common = [each for each in ones if each in others]
    if not common and {"integer", "number"} <= {*ones, *others}:
        common = ["integer"]
    if not common:
        raise CannotContinueError(
            f"structured_output_json wants {one!r:.40} and {other!r:.40} at once."
        )
    return common


def _checked(schema: dict[str, Any]) -> dict[str, Any]:
    for keyword, types in _KEYWORDS.items():
        if keyword in schema and not isinstance(schema[keyword], types):
            raise CannotContinueError(f"structured_output_json has a {keyword} that is none.")
    return schema


def _implied(schema: Mapping[str, Any]) -> str:
    """The type of a schema without one."""
    kinds = (kind for kind, keywords in _IMPLIED.items() if not schema.keys().isdisjoint(keywords))
    return next(kinds, "any")


def _listed(value: Any, keyword: str) -> list[Any]:
    if not isinstance(value, list):
        raise CannotContinueError(f"structured_output_json has no list in its {keyword}.")
    return value

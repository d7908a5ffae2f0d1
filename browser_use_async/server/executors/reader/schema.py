"""JSON schemas as far as a value is built from them: references, alternatives and null."""

from collections.abc import Mapping
from typing import Any

import attrs

from browser_use_async.api.task_fields import MISSING, resolve_pointer
from browser_use_async.server.executors.protocol import CannotContinueError
from browser_use_async.server.html.document import load_json

# The types that the keywords read here must have.
_KEYWORDS: dict[str, tuple[type, ...]] = {
    "properties": (dict,),
    "required": (list,),
    "format": (str,),
    **dict.fromkeys(("minItems", "maxItems", "minLength", "maxLength"), (int,)),
    **dict.fromkeys(("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"), (int, float)),
}
_TYPES = frozenset({"any", "array", "boolean", "integer", "null", "number", "object", "string"})
_MAX_REFERENCES = 32
_MAX_SCHEMA = 100_000  # characters
_MAX_LOOKS = 50_000
_MEMBERS = 20  # that are put together with others: as many cost as much as one look


@attrs.frozen
class Alternatives:
    """What a value may be."""

    # schemas without alternatives of their own, of which one has to fit
    branches: list[dict[str, Any]]
    nullable: bool  # whether null will do as well


class Schema:
    """A JSON schema whose parts refer to each other.

    Raises:
        CannotContinueError: The text is not JSON, or not a schema.
    """

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
        """What a value may be by a part of this schema.

        Raises:
            CannotContinueError: It refers to what is not there, or the schema is out of proportion.
        """
        self._count(1)
        schema = self._resolved(part)
        for keyword in ("anyOf", "oneOf"):
            if keyword in schema:
                return self._chosen(schema, keyword)
        return _by_type(schema)

    def _chosen(self, schema: dict[str, Any], keyword: str) -> Alternatives:
        around = {key: value for key, value in schema.items() if key != keyword}
        branches: list[dict[str, Any]] = []
        nullable = schema.get("nullable") is True
        for option in _listed(schema[keyword], keyword):
            inner = self.alternatives(self._merged(around, self._resolved(option)))
            branches += inner.branches
            nullable = nullable or inner.nullable
        return Alternatives(branches, nullable)

    def _resolved(self, part: Any) -> dict[str, Any]:
        """A part with its references and `allOf` put in place."""
        if part is True:
            return {}
        for _ in range(_MAX_REFERENCES):
            if not isinstance(part, dict):
                raise CannotContinueError(f"structured_output_json has no schema in {part!r:.40}.")
            if "$ref" in part:
                around = {key: value for key, value in part.items() if key != "$ref"}
                part = self._merged(self._referred(part["$ref"]), around)
            elif "allOf" in part:
                merged = {key: value for key, value in part.items() if key != "allOf"}
                for option in _listed(part["allOf"], "allOf"):
                    self._count(1)  # what holds lists of what holds lists doubles with each
                    merged = self._merged(merged, self._resolved(option))
                part = merged
            else:
                return _checked(part)
        raise CannotContinueError("structured_output_json has references that lead in a circle.")

    def _merged(self, first: dict[str, Any], second: dict[str, Any]) -> dict[str, Any]:
        first, second = _checked(first), _checked(second)
        merged = {**first, **second}
        properties = {**first.get("properties", {}), **second.get("properties", {})}
        required = [*first.get("required", ()), *second.get("required", ())]
        self._count((len(merged) + len(properties) + len(required)) // _MEMBERS)
        if properties:
            merged["properties"] = properties
        if required:
            merged["required"] = required
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


def _by_type(schema: dict[str, Any]) -> Alternatives:
    nullable = schema.get("nullable") is True
    if "enum" in schema:
        members = _listed(schema["enum"], "enum")
        nullable = nullable or None in members
        schema = {**schema, "enum": [member for member in members if member is not None]}
    if "const" in schema and schema["const"] is None:
        return Alternatives([], nullable=True)
    kinds = schema.get("type", _implied(schema))
    named = kinds if isinstance(kinds, list) else [kinds]
    for kind in named:
        if not isinstance(kind, str) or kind not in _TYPES:
            raise CannotContinueError(f"structured_output_json has no known type in {kind!r:.40}.")
    branches = [{**schema, "type": kind} for kind in named if kind != "null"]
    return Alternatives(branches, nullable or "null" in named)


def _checked(schema: dict[str, Any]) -> dict[str, Any]:
    for keyword, types in _KEYWORDS.items():
        if keyword in schema and not isinstance(schema[keyword], types):
            raise CannotContinueError(f"structured_output_json has a {keyword} that is none.")
    return schema


def _implied(schema: Mapping[str, Any]) -> str:
    if "properties" in schema or "additionalProperties" in schema:
        return "object"
    return "array" if "items" in schema else "any"


def _listed(value: Any, keyword: str) -> list[Any]:
    if not isinstance(value, list):
        raise CannotContinueError(f"structured_output_json has no list in its {keyword}.")
    return value

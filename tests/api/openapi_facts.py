"""An OpenAPI document reduced to its facts: no descriptions, titles, tags or order."""

from collections.abc import Iterator
from typing import Any

__all__ = ["facts_of", "flattened"]

_METHODS = ("get", "put", "post", "delete", "patch")
_WORDS = frozenset({"title", "description"})


def facts_of(document: dict[str, Any]) -> dict[str, Any]:
    """The facts that a client depends on: calls by method and path, and schemas by name.

    Args:
        document: The OpenAPI document.
    """
    operations = {
        f"{method.upper()} {path}": _call(item[method])
        for path, item in document["paths"].items()
        for method in _METHODS
        if method in item
    }
    components = document["components"]
    schemas = {name: _schema(each) for name, each in components["schemas"].items()}
    return {
        "operations": operations,
        "schemas": schemas,
        "security": components["securitySchemes"],
    }


def _call(operation: dict[str, Any]) -> dict[str, Any]:
    return {
        "operationId": operation["operationId"],
        "security": operation.get("security", []),
        "parameters": {
            f"{each['in']} {each['name']}": {
                "required": each["required"],
                "schema": _schema(each["schema"]),
            }
            for each in operation.get("parameters", [])
        },
        "body": _content(operation.get("requestBody")),
        "responses": {status: _content(each) for status, each in operation["responses"].items()},
    }


def _content(part: dict[str, Any] | None) -> Any:
    if part is None:
        return None
    content = {kind: _schema(each["schema"]) for kind, each in part.get("content", {}).items()}
    return {"required": part["required"], **content} if "required" in part else content


def _schema(schema: Any) -> Any:
    if isinstance(schema, list):
        return [_schema(each) for each in schema]
    if isinstance(schema, float) and schema.is_integer():
        return int(schema)
    if not isinstance(schema, dict):
        return schema
    facts = {name: _schema(each) for name, each in schema.items() if name not in _WORDS}
    if "properties" in schema:  # whose names may be words, too
        facts["properties"] = {name: _schema(each) for name, each in schema["properties"].items()}
    if facts.get("type") == "object":
        facts.setdefault("properties", {})
    if "required" in facts:
        facts["required"] = sorted(facts["required"])
    return facts


def flattened(facts: Any, place: str = "") -> Iterator[tuple[str, Any]]:
    """Each fact by itself, with its place.

    Args:
        facts: What `facts_of` gave, or a part of it.
        place: The place of the part.
    """
    if isinstance(facts, dict) and facts:
        for name, each in facts.items():
            yield from flattened(each, f"{place} > {name}" if place else name)
    elif isinstance(facts, list) and facts and not isinstance(facts[0], str):
        for index, each in enumerate(facts):
            yield from flattened(each, f"{place} > {index}")
    else:
        yield place, facts

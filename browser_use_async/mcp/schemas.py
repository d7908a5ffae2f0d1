"""JSON schemas of tools as clients get them: each word of them costs a model's context."""

from typing import Any


def concise(schema: dict[str, Any], *, nullable: bool) -> dict[str, Any]:
    """A schema without titles; unless nullable, what may be null may only be left out."""
    short: dict[str, Any] = {}
    for word, value in schema.items():
        if word in {"properties", "$defs"}:
            parts = value.items()
            short[word] = {name: concise(each, nullable=nullable) for name, each in parts}
        elif word == "items":
            short[word] = concise(value, nullable=nullable)
        elif word == "anyOf":
            short |= _union([concise(each, nullable=nullable) for each in value], nullable=nullable)
        elif word not in {"title", "default"} or (word == "default" and value is not None):
            short[word] = value
    return short


def _union(arms: list[dict[str, Any]], *, nullable: bool) -> dict[str, Any]:
    """What pydantic makes of `X | None`: X, whose type is a list if it may be null."""
    one, null = arms
    assert null == {"type": "null"}
    return {**one, "type": [one["type"], "null"]} if nullable else one

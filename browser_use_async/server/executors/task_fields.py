"""Checks the JSON schema and the domains of a task before the task is paid for."""

import difflib
import re
from collections.abc import Iterator, Mapping
from typing import Any, TypeAlias
from urllib.parse import unquote

_TYPES = ("any", "array", "boolean", "integer", "null", "number", "object", "string")
# The keywords whose values are schemas: by name, in a list, or one.
_BY_NAME = ("properties", "patternProperties", "$defs", "definitions", "dependentSchemas")
_IN_A_LIST = ("anyOf", "oneOf", "allOf", "prefixItems")
_ONE = ("additionalProperties", "not", "contains", "propertyNames", "if", "then", "else")

# The path to a part, its last step first, so that parts can share the beginnings of paths.
_Way: TypeAlias = "tuple[_Way, str] | None"
_SHOWN = 80  # characters of a name or value in a problem


def schema_problem(schema: Mapping[str, Any]) -> str | None:
    """Why no answer can follow a JSON schema, with the place, or None."""
    # Unknown keywords are allowed by the standard. A stack and no recursion, since a user's schema
    # may be deep.
    parts: list[tuple[_Way, Any]] = [(None, schema)]
    while parts:
        way, part = parts.pop()
        if isinstance(part, bool):
            continue
        if not isinstance(part, Mapping):
            return f"{_place(way) or 'it'} is not a schema, which is an object"
        if problem := _own_problem(part, schema):
            return f"{_place(way)}: {problem}" if way else problem
        parts += (((way, step), each) for step, each in _below(part))
    return None


def _place(way: _Way) -> str:
    steps: list[str] = []
    while way is not None:
        outer, step = way
        steps.append(step)
        way = outer
    return ".".join(reversed(steps))


def _own_problem(part: Mapping[str, Any], root: Mapping[str, Any]) -> str | None:
    for keyword in _BY_NAME:
        if not isinstance(part.get(keyword, {}), Mapping):
            return f"{keyword} is not an object"
    for keyword in (*_IN_A_LIST, "required", "enum"):
        if not isinstance(part.get(keyword, []), list):
            return f"{keyword} is not a list"
    if not all(isinstance(name, str) for name in part.get("required", [])):
        return "required contains something that is not a name"
    return _type_problem(part) or _reference_problem(part, root)


def _type_problem(part: Mapping[str, Any]) -> str | None:
    types = part.get("type", [])
    for each in types if isinstance(types, list) else [types]:
        if each not in _TYPES:
            close = difflib.get_close_matches(str(each), _TYPES, n=1)
            likely = f"did you mean {close[0]!r}?" if close else f"there are {', '.join(_TYPES)}"
            return f"{each!r:.{_SHOWN}} is not a type; {likely}"
    return None


def _reference_problem(part: Mapping[str, Any], root: Mapping[str, Any]) -> str | None:
    reference = part.get("$ref")
    # References to other documents and to anchors are not checked.
    if not isinstance(reference, str) or not reference.startswith("#/"):
        return None
    found = resolve_pointer(root, reference)
    return f"$ref {reference!r:.{_SHOWN}} leads nowhere" if found is MISSING else None


# The result of `resolve_pointer` for a missing part; null is not missing.
MISSING: Any = object()


def resolve_pointer(root: Any, reference: str) -> Any:
    """The part of a document that a reference such as `#/$defs/Price` or `#/anyOf/0` names."""
    if not reference.startswith("#"):
        return MISSING
    target = root
    for name in unquote(reference[1:]).split("/")[1:]:
        # In this order (RFC 6901): `~01` stands for `~1` and not for a slash.
        key = name.replace("~1", "/").replace("~0", "~")
        if isinstance(target, Mapping):
            target = target.get(key, MISSING)
        # Limited, since a number of a million digits is no index and takes long to read.
        elif isinstance(target, list) and key.isascii() and key.isdigit() and len(key) < 10:
            target = target[int(key)] if int(key) < len(target) else MISSING
        else:
            return MISSING
    return target


def _below(part: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """The schemas inside a schema, each with the step to it."""
    for keyword in _BY_NAME:
        for name, each in part.get(keyword, {}).items():
            yield f"{keyword}.{name:.{_SHOWN}}", each
    for keyword in _IN_A_LIST:
        for number, each in enumerate(part.get(keyword, [])):
            yield f"{keyword}[{number}]", each
    for keyword in _ONE:
        if keyword in part:
            yield keyword, part[keyword]
    items = part.get("items", [])
    for each in items if isinstance(items, list) else [items]:
        yield "items", each


# A scheme, a host in which * is any part, a port; the rest is not checked.
_DOMAIN = re.compile(
    r"(?:[a-z*][a-z0-9+.*-]*://)?(?:\[[0-9a-f:.]+\]|[\w*-]+(?:\.[\w*-]+)*\.?)(?::\d{1,5})?(?:[/?#]\S*)?",
    re.IGNORECASE,
)


def domain_problem(domain: str) -> str | None:
    """Why no page can fit an entry of `allowed_domains`, or None."""
    if _DOMAIN.fullmatch(domain.strip()):
        return None
    if "," in domain:
        return f"{domain!r:.{_SHOWN}} is several domains; give each one by itself"
    return (
        f"{domain!r:.{_SHOWN}} is not a domain; write shop.example, or *.shop.example for its "
        "subdomains"
    )

"""The JSON schema of an output type: models, classes, TypedDicts and containers of them."""

import dataclasses
import enum
import inspect
import json
import types
import typing
from collections.abc import Iterable, Mapping
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

import attrs

from browser_use_async.errors import InvalidRequestError

__all__ = ["is_pydantic_model", "output_schema"]

_SCALARS: dict[Any, dict[str, Any]] = {
    str: {"type": "string"},
    int: {"type": "integer"},
    float: {"type": "number"},
    Decimal: {"type": "number"},
    bool: {"type": "boolean"},
    types.NoneType: {"type": "null"},
    None: {"type": "null"},
    datetime: {"type": "string", "format": "date-time"},
    date: {"type": "string", "format": "date"},
    Any: {},
    object: {},
    dict: {"type": "object"},
    list: {"type": "array"},
}


def is_pydantic_model(kind: Any) -> bool:
    """Whether a class can describe and validate itself the way pydantic models do.

    Args:
        kind: Any type.
    """
    return isinstance(kind, type) and hasattr(kind, "model_json_schema")


def output_schema(kind: Any) -> str:
    """The JSON schema of a type, as the string that `structured_output_json` takes.

    Args:
        kind: The `output_type` of a call.

    Raises:
        InvalidRequestError: The type has no JSON form.
    """
    if is_pydantic_model(kind):
        return json.dumps(kind.model_json_schema())
    definitions: dict[str, Any] = {}
    schema = dict(_schema(kind, definitions))
    reference = schema.pop("$ref", None)
    if reference is not None:
        # Agents follow a schema better whose top level is spelt out.
        name = reference.rpartition("/")[2]
        schema.update(definitions[name])
        if f'"{reference}"' not in json.dumps(definitions):
            del definitions[name]  # nothing refers to it but the top level, which spells it out
    if definitions:
        schema["$defs"] = definitions
    return json.dumps(schema)


def _schema(kind: Any, definitions: dict[str, Any]) -> dict[str, Any]:
    if isinstance(kind, typing.NewType):
        kind = kind.__supertype__
    if _is_scalar(kind):
        return dict(_SCALARS[kind])
    origin, arguments = get_origin(kind), get_args(kind)
    if origin is typing.Annotated:
        return _schema(arguments[0], definitions)
    if origin in {Union, types.UnionType}:
        return {"anyOf": [_schema(each, definitions) for each in arguments]}
    if origin is Literal:
        return {"enum": list(arguments)}
    if isinstance(origin, type) and issubclass(origin, Iterable):
        return _container(origin, arguments, definitions)
    if isinstance(kind, type):
        return _class(kind, definitions)
    raise InvalidRequestError(
        f"output_type: {kind!r} has no JSON schema; use a pydantic model, an attrs class, a "
        "dataclass, a TypedDict, a plain JSON type or a container of them; nothing was sent",
        field="output_type",
    )


def _is_scalar(kind: Any) -> bool:
    try:
        return kind in _SCALARS
    except TypeError:
        return False


def _container(
    origin: type[Any], arguments: tuple[Any, ...], definitions: dict[str, Any]
) -> dict[str, Any]:
    if issubclass(origin, Mapping):
        return {"type": "object", "additionalProperties": _schema(arguments[1], definitions)}
    if origin is tuple and arguments[-1] is not Ellipsis:
        items = [_schema(each, definitions) for each in arguments]
        return {
            "type": "array",
            "prefixItems": items,
            "minItems": len(items),
            "maxItems": len(items),
        }
    schema = {"type": "array", "items": _schema(arguments[0], definitions)}
    return {**schema, "uniqueItems": True} if issubclass(origin, set | frozenset) else schema


def _class(kind: type[Any], definitions: dict[str, Any]) -> dict[str, Any]:
    if issubclass(kind, enum.Enum):
        return {"enum": [member.value for member in kind]}
    name = kind.__name__
    reference = {"$ref": f"#/$defs/{name}"}
    if name in definitions:
        return reference
    if is_pydantic_model(kind):
        schema: dict[str, Any] = typing.cast("Any", kind).model_json_schema()
        definitions.update(schema.pop("$defs", {}))
        definitions[name] = schema
        return reference
    fields = _fields_of(kind)
    if fields is None:
        raise InvalidRequestError(
            f"output_type: {kind!r} has no JSON schema; make it an attrs class, a dataclass or a "
            "TypedDict; nothing was sent",
            field="output_type",
        )
    definitions[name] = {}  # a class may hold itself
    hints = get_type_hints(kind)
    definitions[name] = {
        "type": "object",
        "title": name,
        **_description(kind),
        "properties": {field: _schema(_bare(hints[field]), definitions) for field in fields},
        "required": [field for field, required in fields.items() if required],
    }
    return reference


def _bare(hint: Any) -> Any:
    """A TypedDict's field without `Required[...]` or `NotRequired[...]`."""
    if get_origin(hint) in {typing.Required, typing.NotRequired}:
        return get_args(hint)[0]
    return hint


def _fields_of(kind: type[Any]) -> dict[str, bool] | None:
    """Names of the fields, and whether each is required; None for other classes."""
    if typing.is_typeddict(kind):
        required: frozenset[str] = kind.__required_keys__
        return {name: name in required for name in get_type_hints(kind)}
    if attrs.has(kind):
        fields: Iterable[Any] = attrs.fields(kind)
        return {each.name: each.default is attrs.NOTHING for each in fields if each.init}
    if dataclasses.is_dataclass(kind):
        missing = dataclasses.MISSING
        return {
            each.name: each.default is missing and each.default_factory is missing
            for each in dataclasses.fields(kind)
            if each.init
        }
    return None


def _description(kind: type[Any]) -> dict[str, str]:
    """The class's own words for the agent; generated signatures say nothing."""
    text = kind.__dict__.get("__doc__") or ""
    generated = text.startswith(f"{kind.__name__}(") or "Method generated by attrs" in text
    return {} if not text or generated else {"description": inspect.cleandoc(text)}

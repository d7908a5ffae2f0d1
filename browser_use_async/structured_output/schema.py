"""The JSON schema of an output type: models, classes, TypedDicts and containers of them."""

import inspect
import json
import types
from collections.abc import Callable
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import attrs

from browser_use_async.errors import InvalidRequestError
from browser_use_async.structured_output import shapes

_REFERENCE = "#/$defs/"

_SCALARS: dict[type[Any], dict[str, Any]] = {
    str: {"type": "string"},
    int: {"type": "integer"},
    float: {"type": "number"},
    Decimal: {"type": "number"},
    bool: {"type": "boolean"},
    types.NoneType: {"type": "null"},
    datetime: {"type": "string", "format": "date-time"},
    date: {"type": "string", "format": "date"},
}


def output_schema(kind: Any) -> str:
    """The JSON schema of a type, as the string that `structured_output_json` takes."""
    kind = shapes.aliased(kind)
    # A model's own schema has more than is read here: descriptions, examples and bounds.
    if shapes.is_pydantic_model(kind):
        return json.dumps(_own_schema(kind))
    definitions = _Definitions()
    schema = definitions.schema_of(kind)
    reference = schema.pop("$ref", None)
    if reference is not None:
        # Agents follow a schema better if its top level is no reference.
        name = reference.removeprefix(_REFERENCE)
        schema.update(definitions.schemas[name])
        if f'"{reference}"' not in json.dumps(definitions.schemas):
            del definitions.schemas[name]  # only the top level refers to it
    if definitions.schemas:
        schema["$defs"] = definitions.schemas
    return json.dumps(schema)


@attrs.define
class _Definitions:
    """The schemas of the classes found so far."""

    schemas: dict[str, Any] = attrs.field(factory=dict)  # by name, as in `$defs`
    # The names of classes: classes of different modules may have the same one
    names: dict[Any, str] = attrs.field(factory=dict)

    def schema_of(self, kind: Any) -> dict[str, Any]:
        if shapes.is_alias(kind):
            return self._defined(kind, kind.__name__, lambda: self.schema_of(shapes.aliased(kind)))
        return self._schema_of(shapes.shape_of(kind))

    def _schema_of(self, shape: shapes.Shape) -> dict[str, Any]:
        match shape:
            case shapes.Scalar(scalar):
                return dict(_SCALARS[scalar])
            case shapes.AnyType():
                return {}
            case shapes.ArrayType(item, _build, unique):
                schema = {"type": "array", "items": self.schema_of(item)}
                return {**schema, "uniqueItems": True} if unique else schema
            case shapes.TupleType(items):
                return self._fixed([self.schema_of(each) for each in items])
            case shapes.MapType(key, value):
                schema = {"type": "object", "additionalProperties": self.schema_of(value)}
                # Else the model would not know which keys fit.
                is_open = not isinstance(shapes.shape_of(key), shapes.EnumType)
                return schema if is_open else {**schema, "propertyNames": self.schema_of(key)}
            case shapes.UnionOf(options):
                return {"anyOf": [self.schema_of(each) for each in options]}
            case shapes.EnumType(values):
                return {"enum": [value for value, _member in values]}
            case shapes.Model(model):
                return self._model(model)
            case shapes.RecordType() as record:
                return self._record(record)

    def _fixed(self, items: list[dict[str, Any]]) -> dict[str, Any]:
        schema = {"type": "array", "minItems": len(items), "maxItems": len(items)}
        return {**schema, "prefixItems": items} if items else schema

    def _record(self, record: shapes.RecordType) -> dict[str, Any]:
        kind = record.kind

        def schema() -> dict[str, Any]:
            return {
                "type": "object",
                "title": kind.__name__,
                **_description(kind),
                "properties": {each.name: self.schema_of(each.kind) for each in record.fields},
                "required": [each.name for each in record.fields if each.required],
            }

        return self._defined(kind, kind.__name__, schema)

    def _defined(
        self, kind: Any, name: str, schema: Callable[[], dict[str, Any]]
    ) -> dict[str, Any]:
        known = self.names.get(kind)
        if known is None:
            known = self.names[kind] = self._free(name)
            # Its name is reserved before its fields are read: a type may contain itself.
            self.schemas[known] = {}
            self.schemas[known] = schema()
        return {"$ref": _REFERENCE + known}

    def _model(self, model: type[Any]) -> dict[str, Any]:
        name = self.names.get(model)
        if name is None:
            schema = self._adopted(_own_schema(model))
            if "$ref" in schema:  # a model that contains itself is among the definitions
                name = schema["$ref"].removeprefix(_REFERENCE)
            else:
                name = model.__name__
                if self.schemas.get(name) != schema:  # else another model has added it
                    name = self._free(name)
                    self.schemas[name] = schema
            self.names[model] = name
        return {"$ref": _REFERENCE + name}

    def _adopted(self, schema: dict[str, Any]) -> dict[str, Any]:
        """Add a model's own definitions, under other names if theirs are in use."""
        # References are replaced in the text, in which each is a whole string in quotes: a walk
        # would have to know every keyword with schemas.
        text = json.dumps(schema)
        names: dict[str, str] = {}
        for name, definition in schema.get("$defs", {}).items():
            taken = self.schemas.get(name, definition) != definition
            names[name] = free = self._free(name) if taken else name
            text = text.replace(json.dumps(_REFERENCE + name), json.dumps(_REFERENCE + free))
        adopted: dict[str, Any] = json.loads(text)
        own: dict[str, Any] = adopted.pop("$defs", {})
        self.schemas.update({names[name]: definition for name, definition in own.items()})
        return adopted

    def _free(self, name: str) -> str:
        number, free = 1, name
        while free in self.schemas:
            number += 1
            free = f"{name}_{number}"
        return free


def _own_schema(model: Any) -> dict[str, Any]:
    problem: str
    try:
        if shapes.is_pydantic_dataclass(model):
            from pydantic import TypeAdapter  # noqa: PLC0415 - there, since it made the class

            schema: dict[str, Any] = TypeAdapter(model).json_schema()
        else:
            schema = model.model_json_schema()
    except Exception as error:  # noqa: BLE001 - pydantic is not imported here, nor are its errors
        problem = str(error)
    else:
        return schema
    raise InvalidRequestError(
        f"output_type: {model!r} has no JSON schema: {problem}; nothing was sent",
        field="output_type",
    )


def _description(kind: type[Any]) -> dict[str, str]:
    """The class's own description for the agent; generated signatures are left out."""
    text = kind.__dict__.get("__doc__") or ""
    generated = text.startswith(f"{kind.__name__}(") or "Method generated by attrs" in text
    return {} if not text or generated else {"description": inspect.cleandoc(text)}

"""What requests and responses have in common, and the rules that fields of requests carry."""

import json
import types
from collections.abc import Callable, KeysView, Mapping
from datetime import datetime
from enum import Enum, StrEnum
from functools import partial
from typing import Any, Self, TypeVar, Union, get_args, get_origin

import attrs

from browser_use_async.errors import ResponseDecodeError
from browser_use_async.types.enums import OpenEnum


class Unset(Enum):
    """The type of `UNSET`: a field that was not given, and is therefore not sent."""

    UNSET = "unset"

    def __repr__(self) -> str:
        return "UNSET"

    def __bool__(self) -> bool:
        return False


UNSET = Unset.UNSET
RULE = "rule"


class FieldKind(StrEnum):
    """The JSON shapes that request fields have."""

    TEXT = "text"
    INTEGER = "integer"
    NUMBER = "number"  # a JSON number, or its text, which no binary fraction rounds
    BOOLEAN = "boolean"
    TEXT_LIST = "text_list"
    LIST = "list"
    TEXT_MAP = "text_map"
    DATETIME = "datetime"
    JSON_SCHEMA = "json_schema"  # a string that holds a JSON object
    CRON = "cron"  # a string of five fields


@attrs.frozen
class FieldRule:
    """What one request field may hold.

    Attributes:
        kind: The JSON shape.
        required: Whether the field must be given.
        nullable: Whether `null` is accepted.
        enum: The known values. The SDK sends others too; the bundled server refuses them.
        lower_case: Whether the value is lower-cased before it is compared and sent.
        minimum: The smallest integer or number.
        maximum: The largest integer or number.
        max_pairs: How many pairs a map may have.
        max_key_length: How many characters a key of the map may have.
        max_length: How many characters a text, or a value of the map, may have.
        min_length: How many characters a text must have.
        blank_is_null: Whether the bundled server takes an empty text or list for null, as the
            service does. The SDK refuses such a list.
        default: What the service takes for a field that is not given, where it is published.
        check: Says what is wrong with a value of this shape, or None.
    """

    kind: FieldKind
    required: bool = False
    nullable: bool = True
    enum: type[OpenEnum] | None = None
    lower_case: bool = False
    minimum: int | None = None
    maximum: int | None = None
    max_pairs: int | None = None
    max_key_length: int | None = None
    max_length: int | None = None
    min_length: int | None = None
    blank_is_null: bool = False
    default: Any = UNSET
    check: Callable[[Any], str | None] | None = None


def ruled(
    rule: FieldRule,
    *,
    default: Any = UNSET,
    converter: Callable[[Any], Any] | None = None,
    shown: Callable[[Any], str] | None = None,
) -> Any:
    """An attrs field that carries its rule; `shown` makes the text for the repr."""
    return attrs.field(
        default=attrs.NOTHING if rule.required else default,
        converter=converter,
        metadata={RULE: rule},
        repr=shown or True,
    )


def rule_of(field: "attrs.Attribute[Any]") -> FieldRule:
    """The rule that an attrs field carries."""
    rule: FieldRule = field.metadata[RULE]
    return rule


# --- responses ------------------------------------------------------------------------------


@attrs.define
class Response:
    """A response of the API, which can be stored as JSON and read back.

    `dict(response)` and FastAPI's `jsonable_encoder(response)` give `to_dict()`. pydantic
    validates responses and writes them as JSON: as fields of a model, or as the return type of a
    FastAPI route. It is imported by no one but you.

    Attributes:
        extra: Fields that this version does not know.
    """

    extra: dict[str, Any] = attrs.field(factory=dict, repr=False, kw_only=True)

    def to_dict(self, *, include_secrets: bool = False) -> dict[str, Any]:
        """The response as the API writes it, ready for `json.dumps`.

        Field names are the API's own, times are texts, and fields that this version does not
        know are included. What the repr hides is left out, since its holder can use it:
        live and public links, signed URLs, and cookies.

        Args:
            include_secrets: Whether those are included.
        """
        # Responses are read and written a level above; loaded by those who store them.
        from browser_use_async.api.converter import export  # noqa: PLC0415

        exported: dict[str, Any] = export(self, include_secrets=include_secrets)
        return exported

    def to_json(self, *, include_secrets: bool = False, indent: int | None = None) -> str:
        """`to_dict` as a text.

        Args:
            include_secrets: As for `to_dict`.
            indent: Spaces per level, or None for a single line.
        """
        return json.dumps(self.to_dict(include_secrets=include_secrets), indent=indent)

    @classmethod
    def from_dict(cls, value: Mapping[str, Any]) -> Self:
        """The response that `to_dict` gave, or that the API wrote.

        With `include_secrets` it is equal to the first one, without it lacks what was left out.

        Raises:
            ResponseDecodeError: It does not fit; `.path` says where.
        """
        from browser_use_async.api.converter import structure  # noqa: PLC0415

        response: Self = structure(value, cls)
        return response

    def keys(self) -> KeysView[str]:
        """The names in `to_dict()`; with `[]` they make `dict(response)` work."""
        return self.to_dict().keys()

    def __getitem__(self, name: str) -> Any:
        return self.to_dict()[name]

    # Without it a loop over a response would ask for item 0, and a page is not its rows.
    __iter__ = None

    def _repr_html_(self) -> str:
        """How a notebook shows it: a table of its fields, or of the rows of a page."""
        from browser_use_async.types.notebook import response_html  # noqa: PLC0415

        return response_html(self)

    # --- pydantic ---------------------------------------------------------------------------

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: Any) -> Any:
        """How pydantic reads and writes responses; called by pydantic alone."""
        from pydantic_core import core_schema  # noqa: PLC0415 - there, since pydantic calls

        # As JSON only: `model_dump()` keeps a response as it is.
        return core_schema.no_info_plain_validator_function(
            partial(cls._validated, arguments=get_args(source)),
            ref=_type_name(source),  # which makes it a schema of its own, such as `Task`
            serialization=core_schema.plain_serializer_function_ser_schema(
                _serialized, info_arg=True, when_used="json"
            ),
        )

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: Any, handler: Any) -> dict[str, Any]:
        """The JSON schema, such as OpenAPI documents of FastAPI show it."""
        fields = [each for each in attrs.fields(cls) if each.name != "extra"]
        return {
            "title": cls.__name__,
            "type": "object",
            "properties": {each.alias: _json_schema(each.type, handler) for each in fields},
            "required": [each.alias for each in fields if each.default is attrs.NOTHING],
        }

    @classmethod
    def _validated(cls, value: Any, *, arguments: tuple[Any, ...]) -> Self:  # noqa: ARG003
        """The response that pydantic was given, or one from its JSON."""
        if isinstance(value, cls):
            return value
        try:
            return cls.from_dict(value)
        except ResponseDecodeError as error:
            problem = str(error)
        raise ValueError(problem)  # which pydantic reports with the place in the model


def _serialized(response: Response, info: Any) -> dict[str, Any]:
    context = info.context
    wanted = isinstance(context, Mapping) and bool(context.get("include_secrets"))
    return response.to_dict(include_secrets=wanted)


_SCALARS: dict[Any, dict[str, Any]] = {
    bool: {"type": "boolean"},
    int: {"type": "integer"},
    datetime: {"type": "string", "format": "date-time"},
}


def _type_name(kind: Any) -> str:
    """A name that no other type has, as pydantic makes it; its id makes it so."""
    owner, arguments = get_origin(kind) or kind, get_args(kind)
    if not isinstance(owner, type):
        return repr(kind)
    name = f"{owner.__module__}.{owner.__qualname__}:{id(owner)}"
    return f"{name}[{','.join(map(_type_name, arguments))}]" if arguments else name


def _json_schema(kind: Any, handler: Any) -> dict[str, Any]:
    """The JSON schema of a field's type; objects may have more fields than it names."""
    origin, arguments = get_origin(kind), get_args(kind)
    if origin in {Union, types.UnionType}:
        return {"anyOf": [_json_schema(each, handler) for each in arguments]}
    if kind is types.NoneType:
        return {"type": "null"}
    if origin is list:
        return {"type": "array", "items": _json_schema(arguments[0], handler)}
    if origin is dict:
        return {"type": "object", "additionalProperties": _json_schema(arguments[1], handler)}
    if kind in _SCALARS:
        return dict(_SCALARS[kind])
    if isinstance(kind, type) and issubclass(kind, Response):
        from pydantic import TypeAdapter  # noqa: PLC0415 - there, since pydantic asks
        from pydantic_core import core_schema  # noqa: PLC0415

        # In a list, since the handler names what is inside of a schema, and not the schema itself.
        listed = handler(core_schema.list_schema(TypeAdapter(kind).core_schema))
        return dict(listed["items"])
    if kind is Any or isinstance(kind, TypeVar):
        return {}
    return {"type": "string"}  # texts, open enums, and exact amounts

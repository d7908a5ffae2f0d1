"""The base of requests and responses, and the rules of request fields."""

import json
import types
from collections.abc import Callable, KeysView, Mapping
from datetime import datetime
from enum import Enum, Flag, StrEnum, auto
from functools import partial
from typing import Any, Literal, Self, TypeVar, Union, get_args, get_origin

import attrs

from browser_use_async.errors import ResponseDecodeError
from browser_use_async.types.enums import OpenEnum


class Unset(Enum):
    """The type of `UNSET`: a field that was not given, and is therefore not sent."""

    UNSET = "unset"

    def __repr__(self) -> str:
        return "UNSET"

    def __bool__(self) -> Literal[False]:
        return False


UNSET = Unset.UNSET
RULE = "rule"


class Place(Flag):
    """Where a field of run-task appears besides in run-task."""

    TASK = auto()  # get-task returns it, under its name
    ROW = auto()  # the list of tasks returns it; a field of rows has a column of its own
    CREATE = auto()  # the creation of a schedule takes it
    SCHEDULE = auto()  # get-scheduled-task returns it
    UPDATE = auto()  # an update of a schedule changes it


NOWHERE = Place(0)


class FieldKind(StrEnum):
    """The JSON shapes of request fields."""

    TEXT = "text"
    INTEGER = "integer"
    NUMBER = "number"  # a JSON number, or its text, read without binary rounding
    BOOLEAN = "boolean"
    TEXT_LIST = "text_list"
    LIST = "list"
    TEXT_MAP = "text_map"
    DATETIME = "datetime"
    JSON_SCHEMA = "json_schema"  # a string with a JSON object in it
    CRON = "cron"  # a string of five fields


@attrs.frozen
class FieldRule:
    """The rule of one request field."""

    kind: FieldKind  # the JSON shape
    required: bool = False  # whether the field must be given
    nullable: bool = True  # whether `null` is accepted
    # The known values. The SDK also sends others; the bundled server refuses them
    enum: type[OpenEnum] | None = None
    lower_case: bool = False  # whether the value is lower-cased before it is compared and sent
    minimum: int | None = None  # the smallest integer or number
    maximum: int | None = None  # the largest integer or number
    max_pairs: int | None = None  # how many pairs a map may have
    max_key_length: int | None = None  # how many characters a key of the map may have
    max_length: int | None = None  # how many characters a text, or a value of the map, may have
    min_length: int | None = None  # how many characters a text must have
    # Whether the bundled server takes an empty text or list for null, as the service does. The SDK
    # refuses such a list
    blank_is_null: bool = False
    # The service's default for a field that is not given, if it is published
    default: Any = UNSET
    # Returns the problem of a value of this shape, or None
    check: Callable[[Any], str | None] | None = None
    # Where a field of run-task appears besides in run-task
    places: Place = NOWHERE


def ruled(
    rule: FieldRule,
    *,
    places: Place = NOWHERE,
    default: Any = UNSET,
    converter: Callable[[Any], Any] | None = None,
    shown: Callable[[Any], str] | None = None,
    kw_only: bool = False,
) -> Any:
    """An attrs field with a rule; `shown` makes the text for the repr."""
    return attrs.field(
        default=attrs.NOTHING if rule.required else default,
        converter=converter,
        metadata={RULE: attrs.evolve(rule, places=places) if places else rule},
        repr=shown or True,
        kw_only=kw_only,
    )


_rules: dict[Any, dict[str, FieldRule]] = {}  # of the models that were asked for


def rules_of(model: type[Any]) -> dict[str, FieldRule]:
    """The rules of the fields of the API in a request, by their names."""
    if (found := _rules.get(model)) is None:
        fields = attrs.fields(model)
        found = {each.name: each.metadata[RULE] for each in fields if RULE in each.metadata}
        _rules[model] = found
    return found


def extra_fields() -> Any:
    """The attrs field for what a newer or another server takes, and this version does not know."""
    return attrs.field(default=UNSET, kw_only=True, repr=_names_alone)


def _names_alone(extra: object) -> str:
    return repr(sorted(extra)) if isinstance(extra, Mapping) else repr(extra)


# --- responses ------------------------------------------------------------------------------


@attrs.define
class Response:
    """A response of the API, which can be stored as JSON and read back.

    `dict(response)` and FastAPI's `jsonable_encoder(response)` return `to_dict()`. pydantic
    validates responses and writes them as JSON: as fields of a model, or as the return type of a
    FastAPI route. This package does not import pydantic itself.

    Attributes:
        extra: Fields that this version does not know.
    """

    extra: dict[str, Any] = attrs.field(factory=dict, repr=False, kw_only=True)

    def to_dict(self, *, include_secrets: bool = False) -> dict[str, Any]:
        """Return the response in the form of the API, for `json.dumps`.

        It has the field names of the API, times as texts, and fields that this version does not
        know. Values that grant access are left out, as in the repr: live and public links, signed
        URLs, and cookies.

        Args:
            include_secrets: Whether these values are included.
        """
        # Responses are read and written a level above; loaded when they are stored.
        from browser_use_async.api.converter import export  # noqa: PLC0415

        exported: dict[str, Any] = export(self, include_secrets=include_secrets)
        return exported

    def to_json(self, *, include_secrets: bool = False, indent: int | None = None) -> str:
        """Return `to_dict` as a JSON text.

        Args:
            include_secrets: As for `to_dict`.
            indent: Spaces per level, or None for a single line.
        """
        return json.dumps(self.to_dict(include_secrets=include_secrets), indent=indent)

    @classmethod
    def from_dict(cls, value: Mapping[str, Any]) -> Self:
        """Make a response from the result of `to_dict`, or from JSON of the API.

        From a `to_dict` with `include_secrets` it is equal to the original; else it lacks the
        secrets.

        Raises:
            ResponseDecodeError: The JSON does not fit; `.path` says where.
        """
        from browser_use_async.api.converter import structure  # noqa: PLC0415

        response: Self = structure(value, cls)
        return response

    def keys(self) -> KeysView[str]:
        """The names in `to_dict()`; with `[]` they make `dict(response)` work."""
        return self.to_dict().keys()

    def __getitem__(self, name: str) -> Any:
        return self.to_dict()[name]

    # Else a loop over a response would ask for item 0; a page is not a list of its rows.
    __iter__ = None

    def _repr_html_(self) -> str:
        """The HTML for notebooks: a table of its fields, or of the rows of a page."""
        from browser_use_async.types.notebook import response_html  # noqa: PLC0415

        return response_html(self)

    # --- pydantic ---------------------------------------------------------------------------

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: Any) -> Any:
        """The pydantic schema of responses; only pydantic calls this."""
        from pydantic_core import core_schema  # noqa: PLC0415 - there, since pydantic calls

        # As JSON only: `model_dump()` keeps a response unchanged.
        return core_schema.no_info_plain_validator_function(
            partial(cls._validated, arguments=get_args(source)),
            ref=_type_name(source),  # a name makes it a separate schema, such as `Task`
            serialization=core_schema.plain_serializer_function_ser_schema(
                _serialized, info_arg=True, when_used="json"
            ),
        )

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: Any, handler: Any) -> dict[str, Any]:
        """The JSON schema, for example in OpenAPI documents of FastAPI."""
        fields = [each for each in attrs.fields(cls) if each.name != "extra"]
        return {
            "title": cls.__name__,
            "type": "object",
            "properties": {each.alias: _json_schema(each.type, handler) for each in fields},
            "required": [each.alias for each in fields if each.default is attrs.NOTHING],
        }

    @classmethod
    def _validated(cls, value: Any, *, arguments: tuple[Any, ...]) -> Self:  # noqa: ARG003
        """The response that pydantic got, or one made from its JSON."""
        if isinstance(value, cls):
            return value
        try:
            return cls.from_dict(value)
        except ResponseDecodeError as error:
            problem = str(error)
        raise ValueError(problem)  # pydantic adds the place in the model


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
    """A unique name of a type, in the form of pydantic, with the id of the type."""
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

        # In a list, since the handler gives names only to inner schemas.
        listed = handler(core_schema.list_schema(TypeAdapter(kind).core_schema))
        return dict(listed["items"])
    if kind is Any or isinstance(kind, TypeVar):
        return {}
    return {"type": "string"}  # texts, open enums, and exact amounts

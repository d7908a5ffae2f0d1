"""The JSON shape of an `output_type`, for both the schema and the parser."""

# An unsupported type is refused before anything is sent, so that no task is paid for whose answer
# could not be parsed.

# The JSON key of a field is its name, also of a private field with its underscore. If an attrs
# field was given an alias, the alias is its only key. The alias that attrs makes for `_x` by itself
# does not count. attrs 26.1 and later can distinguish it from an equal one that was given,
# `alias="x"`; earlier versions cannot. The schema of a field with a converter is that of its
# annotation; an answer of another type is passed to the converter unchanged.

import dataclasses
import enum
import inspect
import types
import typing
from collections.abc import (
    Callable,
    Collection,
    Hashable,
    Iterable,
    Iterator,
    Mapping,
    MutableMapping,
    MutableSequence,
    MutableSet,
    Sequence,
)
from collections.abc import Set as AbstractSet
from datetime import date, datetime
from decimal import Decimal
from functools import lru_cache
from typing import Any, Literal, NoReturn, Union, get_args, get_origin, get_type_hints

import attrs

from browser_use_async.errors import InvalidRequestError


@attrs.frozen
class Scalar:
    """A single value of this class: text, number, flag, time or nothing."""

    kind: type[Any]


@attrs.frozen
class AnyType:
    """Any JSON value, unchanged."""


@attrs.frozen
class ArrayType:
    """An array of one type of items, collected by `build`."""

    item: Any
    build: Callable[[list[Any]], Any]
    unique: bool


@attrs.frozen
class TupleType:
    """An array with a type for each place."""

    items: tuple[Any, ...]


@attrs.frozen
class MapType:
    """An object with arbitrary keys."""

    key: Any
    value: Any


@attrs.frozen
class UnionOf:
    """A value of any of these types."""

    options: tuple[Any, ...]


@attrs.frozen
class EnumType:
    """One of these JSON values, each with its Python value."""

    values: tuple[tuple[Any, Any], ...]


@attrs.frozen
class Field:
    """A field of a record: its JSON key, the argument of the class, and its type."""

    name: str  # its JSON key
    argument: str  # its name in the arguments of the class
    kind: Any
    required: bool  # whether it has no default
    # The attrs converter that the class itself calls, or None
    converter: Callable[[Any], Any] | None = None


@attrs.frozen
class RecordType:
    """An object whose keys are known: an attrs class, a dataclass or a TypedDict."""

    kind: type[Any]
    fields: tuple[Field, ...]


@attrs.frozen
class Model:
    """A class that pydantic describes and validates, or that does so itself in the same way."""

    kind: Any


Shape = Scalar | AnyType | ArrayType | TupleType | MapType | UnionOf | EnumType | RecordType | Model

_SCALARS = frozenset({str, int, float, Decimal, bool, types.NoneType, datetime, date})
_ALIASES: Any = getattr(typing, "TypeAliasType", ())
_ANYTHING = (Any, object)
_BUILDERS: dict[Any, Callable[[list[Any]], Any]] = {
    list: list,
    tuple: tuple,
    set: set,
    frozenset: frozenset,
    Sequence: list,
    MutableSequence: list,
    Collection: list,
    Iterable: list,
    AbstractSet: frozenset,
    MutableSet: set,
}
_MAPPINGS = frozenset({dict, Mapping, MutableMapping})


def is_pydantic_model(kind: Any) -> bool:
    """Whether a class describes and validates itself, like pydantic's models and dataclasses."""
    return isinstance(kind, type) and (
        hasattr(kind, "model_json_schema") or is_pydantic_dataclass(kind)
    )


def is_pydantic_dataclass(kind: type[Any]) -> bool:
    """Whether pydantic made this dataclass; plain subclasses of it inherit everything."""
    return dataclasses.is_dataclass(kind) and "__pydantic_validator__" in kind.__dict__


def is_alias(kind: Any) -> bool:
    """Whether a type is an alias, made by `type X = ...` of Python 3.12."""
    return isinstance(kind, _ALIASES)


def aliased(kind: Any) -> Any:
    """The type behind an alias."""
    return _named(kind, frozenset())


def _named(kind: Any, names: frozenset[Any]) -> Any:
    """The type behind an alias; an alias of itself is refused."""
    while is_alias(kind):
        if kind in names:
            _refuse(kind, "it stands for itself")
        names |= {kind}
        try:
            kind = kind.__value__
        except Exception as error:  # noqa: BLE001 - annotations are code, and raise what they like
            _refuse(kind, f"what it stands for cannot be resolved ({error})")
    # Parsing would not end, since each option of the union leads back to the alias.
    for each in get_args(kind) if get_origin(kind) in {Union, types.UnionType} else ():
        if is_alias(each):
            _named(each, names)
    return kind


def shape_of(kind: Any) -> Shape:
    """The JSON shape of a type; of its parts only their types."""
    kind = aliased(kind)
    if isinstance(kind, typing.NewType):
        return shape_of(kind.__supertype__)
    origin, arguments = get_origin(kind), get_args(kind)
    if origin is typing.Annotated:
        return shape_of(arguments[0])
    if origin in {Union, types.UnionType}:
        return UnionOf(arguments)
    if origin is Literal:
        return _constants(kind, arguments)
    # By identity, since a type may define its own equality.
    if any(kind is each for each in _ANYTHING):
        return AnyType()
    if kind is None:
        return Scalar(types.NoneType)
    return _class_or_container(kind, kind if origin is None else origin, arguments)


def _class_or_container(kind: Any, origin: Any, arguments: tuple[Any, ...]) -> Shape:
    if not isinstance(origin, type):
        _refuse(kind, "it has no JSON schema")
    if origin in _SCALARS:
        return Scalar(origin)
    if origin in _MAPPINGS:
        return _pairs(kind, *(arguments or (str, Any)))
    # A bare `tuple` is an array, as is `tuple[int, ...]`; `tuple[()]` is one without items.
    if origin is tuple and arguments[-1:] != (Ellipsis,) and (arguments or kind is not tuple):
        return TupleType(arguments)
    if origin in _BUILDERS:
        return _items(kind, _BUILDERS[origin], arguments[0] if arguments else Any)
    if issubclass(origin, enum.Enum):
        return _constants(kind, tuple(origin))
    if is_pydantic_model(kind):
        return Model(kind)
    return _record(kind)


def _items(kind: Any, build: Callable[[list[Any]], Any], item: Any) -> ArrayType:
    unique = build in {set, frozenset}
    # Refused before the task is paid for, since its answer could not be collected.
    if unique and not _is_hashable(item):
        _refuse(kind, "its items cannot be hashed, so they make no set")
    return ArrayType(item, build, unique)


def _is_hashable(kind: Any) -> bool:
    kind = aliased(kind)
    origin = get_origin(kind) or kind
    return not isinstance(origin, type) or (
        issubclass(origin, Hashable) and not typing.is_typeddict(origin)
    )


def _pairs(kind: Any, key: Any, value: Any) -> MapType:
    shape = shape_of(key)
    textual = isinstance(shape, EnumType) and all(isinstance(each, str) for each, _ in shape.values)
    if not (textual or isinstance(shape, AnyType) or shape == Scalar(str)):
        _refuse(kind, "the keys of a JSON object are strings")
    return MapType(key, value)


def _constants(kind: Any, members: tuple[Any, ...]) -> EnumType:
    values = tuple((each.value if isinstance(each, enum.Enum) else each, each) for each in members)
    if not values or not all(
        value is None or isinstance(value, str | int | float) for value, _member in values
    ):
        _refuse(kind, "its values are not strings, numbers, booleans or None")
    return EnumType(values)


@lru_cache(maxsize=256)  # an array of many records asks for each of them
def _record(kind: Any) -> RecordType:
    if not isinstance(kind, type):
        _refuse(kind, "a class with type arguments has no JSON schema")
    if not (typing.is_typeddict(kind) or attrs.has(kind) or dataclasses.is_dataclass(kind)):
        _refuse(kind, "it has no JSON schema")
    hints = _hints(kind)
    fields = tuple(_fields(kind, hints))
    if len({field.name for field in fields}) < len(fields):  # an alias is the name of another one
        _refuse(kind, "two of its fields have one JSON key")
    if not typing.is_typeddict(kind):
        _check_signature(kind, {field.argument for field in fields})
    return RecordType(kind, fields)


def _hints(kind: type[Any]) -> dict[str, Any]:
    try:
        return get_type_hints(kind, include_extras=True)
    except Exception as error:  # noqa: BLE001 - annotations are code, and raise what they like
        problem = f"its annotations cannot be resolved ({error})"
    return _refuse(kind, problem)


def _fields(kind: Any, hints: dict[str, Any]) -> Iterator[Field]:
    def field(name: str, required: bool, key: str = "", argument: str = "") -> Field:
        hint = _demanded(hints.get(name, Any), required=required)
        return Field(key or name, argument or name, *hint)

    if typing.is_typeddict(kind):
        yield from (field(name, name in kind.__required_keys__) for name in hints)
    elif attrs.has(kind):
        own: Iterable[Any] = attrs.fields(kind)
        for each in own:
            if each.init:
                required = each.default is attrs.NOTHING
                made = field(each.name, required, _key_of(each), each.alias)
                yield attrs.evolve(made, converter=each.converter)
    else:
        missing = dataclasses.MISSING
        for each in dataclasses.fields(kind):
            if each.init:
                yield field(each.name, each.default is missing and each.default_factory is missing)


def _key_of(attribute: Any) -> str:
    """The JSON key of an attrs field: the given alias, else the name."""
    made: bool | None = getattr(attribute, "alias_is_default", None)
    if made is None:  # before attrs 26.1
        made = attribute.alias == attribute.name.lstrip("_")
    key: str = attribute.name if made else attribute.alias
    return key


def _check_signature(kind: type[Any], arguments: set[str]) -> None:
    """Refuse a class that cannot be made from its fields, such as one with its own `__init__`."""
    parameters = inspect.signature(kind).parameters.values()
    named = {each.name for each in parameters if each.kind is not each.VAR_KEYWORD}
    needed = {each.name for each in parameters if each.default is each.empty} & named
    open_ended = len(named) < len(parameters)
    if not needed <= arguments or not (open_ended or arguments <= named):
        _refuse(kind, "its __init__ does not take exactly its fields")


def _demanded(hint: Any, *, required: bool) -> tuple[Any, bool]:
    """A field's type without `Required[...]` or `NotRequired[...]`, and whether it is required."""
    # Postponed annotations hide these two from the class itself.
    if get_origin(hint) in {typing.Required, typing.NotRequired}:
        return get_args(hint)[0], get_origin(hint) is typing.Required
    return hint, required


def _refuse(kind: Any, why: str) -> NoReturn:
    raise InvalidRequestError(
        f"output_type: {kind!r} cannot be used: {why}; use a pydantic model, an attrs class, a "
        "dataclass, a TypedDict, a plain JSON type or a container of them; nothing was sent",
        field="output_type",
    )


def json_value(value: Any) -> Any:
    """The JSON value of a parsed output, which parses into an equal one."""
    if hasattr(value, "model_dump"):
        return value.model_dump(mode="json", by_alias=True)
    if is_pydantic_dataclass(type(value)):
        return type(value).__pydantic_serializer__.to_python(value, mode="json", by_alias=True)
    if isinstance(value, enum.Enum):
        return value.value
    if isinstance(value, datetime | date):
        return value.isoformat()
    if isinstance(value, Decimal):
        return str(value)  # a float would change it
    if isinstance(value, Mapping):
        return {json_value(name): json_value(each) for name, each in value.items()}
    if isinstance(value, list | tuple | AbstractSet):
        return [json_value(each) for each in value]
    if attrs.has(type(value)) or dataclasses.is_dataclass(value):
        kind: Any = type(value)
        fields = _record(kind).fields
        names = {each.alias: each.name for each in getattr(value, "__attrs_attrs__", ())}
        return {
            each.name: json_value(getattr(value, names.get(each.argument, each.argument)))
            for each in fields
        }
    return value

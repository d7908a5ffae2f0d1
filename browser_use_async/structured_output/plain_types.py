"""Output types that cattrs reads: attrs classes, dataclasses, TypedDicts, containers of them."""

# cattrs is lenient by design, and this must not be: a string is no array of its characters, and
# "false" is not true. So a reader looks at each JSON value first.

import dataclasses
import enum
import inspect
import types
import typing
from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from functools import cache, partial
from typing import Annotated, Any, Literal, NotRequired, Required, Union, get_args, get_origin

import attrs
import cattrs
from cattrs import gen
from cattrs.cols import list_structure_factory
from cattrs.errors import BaseValidationError
from cattrs.gen import typeddicts
from cattrs.preconf.json import make_converter

_Reader = Callable[[Any], Any]
_Hook = Callable[[Any, Any], Any]

_REFERENCE = "#/$defs/"


def _expect(value: Any, *kinds: type) -> Any:
    # True is an int to Python, but not to JSON.
    if not isinstance(value, kinds) or (isinstance(value, bool) and bool not in kinds):
        raise TypeError
    return value


def _integer(value: Any) -> int:
    # JSON has one kind of number, and many writers write 3 as 3.0.
    whole = isinstance(value, float) and value.is_integer()
    return int(value) if whole else int(_expect(value, int))


def _decimal(value: Any) -> Decimal:
    # Through text, since a float would add its binary error.
    number = Decimal(str(_expect(value, str, int, float)))
    if not number.is_finite():
        raise ValueError
    return number


_SCALARS: dict[Any, tuple[dict[str, Any], _Reader]] = {
    str: ({"type": "string"}, lambda value: _expect(value, str)),
    int: ({"type": "integer"}, _integer),
    float: ({"type": "number"}, lambda value: float(_expect(value, int, float))),
    bool: ({"type": "boolean"}, lambda value: _expect(value, bool)),
    types.NoneType: ({"type": "null"}, lambda value: _expect(value, types.NoneType)),
    Decimal: ({"type": "number"}, _decimal),
    datetime: ({"type": "string", "format": "date-time"}, datetime.fromisoformat),
    date: ({"type": "string", "format": "date"}, date.fromisoformat),
}
_ARRAYS = (list, Sequence, set, frozenset, tuple)
_MAPPINGS = (dict, Mapping)


def _origin(kind: Any) -> Any:
    return get_origin(kind) or kind


def _is_record(kind: Any) -> bool:
    # What pydantic made has its own names and checks, which cattrs does not know.
    if not isinstance(kind, type) or hasattr(kind, "__pydantic_validator__"):
        return False
    return typing.is_typeddict(kind) or attrs.has(kind) or dataclasses.is_dataclass(kind)


def _is_fixed(kind: Any) -> bool:
    """Whether a type is a tuple with a type for each place."""
    return get_origin(kind) is tuple and get_args(kind)[-1:] != (...,)


def schema_of(kind: Any) -> dict[str, Any]:
    """The JSON schema of a type; raises `TypeError` if cattrs cannot read it."""
    definitions: dict[str, Any] = {}
    schema = _schema(kind, definitions, {})
    name = schema.get("$ref", "").removeprefix(_REFERENCE)
    if name:
        # Agents follow a schema better if its top level is no reference.
        schema = definitions[name]
        if f"'{_REFERENCE}{name}'" not in repr(definitions):
            del definitions[name]
    return {**schema, "$defs": definitions} if definitions else schema


def _schema(kind: Any, definitions: dict[str, Any], names: dict[Any, str]) -> dict[str, Any]:
    def inner(each: Any) -> dict[str, Any]:
        return _schema(each, definitions, names)

    if (unwrapped := _unwrapped(kind)) is not kind:
        return inner(unwrapped)
    origin, arguments = _origin(kind), get_args(kind)
    if kind is Any:
        return {}
    if _is_record(kind):
        if kind not in names:
            shared = kind.__name__ in definitions  # by a class of another module
            names[kind] = name = f"{kind.__name__}_{len(names)}" if shared else kind.__name__
            definitions[name] = {}  # before its fields are read: a class may contain itself
            definitions[name] = _record(kind, inner)
        return {"$ref": _REFERENCE + names[kind]}
    if origin in _SCALARS:
        return _SCALARS[origin][0]
    if origin in {Union, types.UnionType}:
        _check_union(kind)
        return {"anyOf": [inner(each) for each in arguments]}
    if origin is Literal or (isinstance(kind, type) and issubclass(kind, enum.Enum)):
        return {"enum": [getattr(each, "value", each) for each in arguments or kind]}
    return _container(kind, inner)


def _check_union(kind: Any) -> None:
    """Refuse a union of which cattrs would find out with the answer that it cannot read it."""
    plain = {str, int, float, bool, types.NoneType}
    others = [each for each in get_args(kind) if each not in plain and get_origin(each) != Literal]
    if len(others) < 2:
        return
    if not all(_is_record(each) and not typing.is_typeddict(each) for each in others):
        raise TypeError(f"cattrs cannot read {kind!r}")
    # Raises if the classes cannot be told apart by their fields.
    converter().get_structure_hook(Union[tuple(others)])  # noqa: UP007


def _container(kind: Any, inner: Callable[[Any], dict[str, Any]]) -> dict[str, Any]:
    origin, arguments = _origin(kind), get_args(kind)
    item = (*arguments, Any)[0]
    if origin in _MAPPINGS and item in {str, Any}:
        return {"type": "object", "additionalProperties": inner((*arguments, Any, Any)[1])}
    if origin in {set, frozenset} and _origin(item).__hash__ is not None:
        return {"type": "array", "items": inner(item), "uniqueItems": True}
    if _is_fixed(kind):
        each, many = [inner(each) for each in arguments], len(arguments)
        return {"type": "array", "prefixItems": each, "minItems": many, "maxItems": many}
    if origin in {list, Sequence, tuple}:
        return {"type": "array", "items": inner(item)}
    raise TypeError(f"cattrs cannot read {kind!r}")


def _unwrapped(kind: Any) -> Any:
    """A type without `Annotated`, `Required` and `NotRequired`, and the one that a name is for."""
    if get_origin(kind) in {Annotated, Required, NotRequired}:
        return get_args(kind)[0]
    # Of `type X = ...`, and of a NewType.
    return getattr(kind, "__value__", getattr(kind, "__supertype__", kind))


def _record(kind: Any, inner: Callable[[Any], dict[str, Any]]) -> dict[str, Any]:
    hints = typing.get_type_hints(kind, include_extras=True)
    # The names of the fields, and whether each is required.
    fields: dict[str, bool]
    if typing.is_typeddict(kind):
        fields = {name: name in kind.__required_keys__ for name in hints}
    elif attrs.has(kind):
        fields = {
            each.name: each.default is attrs.NOTHING for each in attrs.fields(kind) if each.init
        }
    else:
        own = [each for each in dataclasses.fields(kind) if each.init]
        fields = {each.name: each.default is each.default_factory for each in own}
    text = inspect.cleandoc(kind.__doc__ or "")
    if text.startswith(f"{kind.__name__}("):  # which a dataclass writes itself
        text = ""
    return {
        "type": "object",
        "title": kind.__name__,
        **({"description": text} if text else {}),
        "properties": {name: inner(hints.get(name, Any)) for name in fields},
        "required": [name for name, required in fields.items() if required],
    }


@cache
def converter() -> cattrs.Converter:
    """The converter of output types."""
    made = make_converter(unstruct_collection_overrides={tuple: list})
    made.register_unstructure_hook(Decimal, str)  # a float would change it
    for kind, (_, read) in _SCALARS.items():
        made.register_structure_hook(kind, _scalar_hook(read))
    made.register_structure_hook_factory(
        lambda kind: _is_record(kind) or _origin(kind) in _MAPPINGS, _object_hook
    )
    made.register_structure_hook_factory(lambda kind: _origin(kind) in _ARRAYS, _array_hook)
    return made


def _scalar_hook(read: _Reader) -> _Hook:
    # The members of an enumeration may be texts or numbers too.
    return lambda value, kind: kind(value) if isinstance(kind, enum.EnumType) else read(value)


def _object_hook(kind: Any, used: cattrs.Converter) -> _Hook:
    make: Any = gen.make_dict_structure_fn if _is_record(kind) else gen.make_mapping_structure_fn
    if typing.is_typeddict(kind):
        make = typeddicts.make_dict_structure_fn
    structure: _Hook = make(kind, used)
    return lambda value, _kind: structure(_expect(value, dict), kind)


def _array_hook(kind: Any, used: cattrs.Converter) -> _Hook:
    if _is_fixed(kind):
        reads = [partial(used.structure, cl=each) for each in get_args(kind)]
        return lambda value, _kind: tuple(
            read(each) for read, each in zip(reads, _expect(value, list), strict=True)
        )
    build = list if _origin(kind) is Sequence else _origin(kind)
    structure: _Hook = list_structure_factory(kind if get_args(kind) else list, used)
    return lambda value, _kind: build(structure(_expect(value, list), kind))


def explain(error: Exception, kind: Any) -> list[str]:
    """What did not fit, and where."""
    if not isinstance(error, BaseValidationError):
        return [f"at $: {_reason(error, kind)}"]
    lines = cattrs.transform_error(error, format_exception=_reason)
    return [f"at {place}: {text}" for text, _, place in (each.rpartition(" @ ") for each in lines)]


def _reason(error: BaseException, kind: Any) -> str:
    if kind is None:  # a check of the class's own
        return str(error) or type(error).__name__
    if isinstance(error, KeyError):
        return "a required field is missing"
    return f"expected {kind.__name__}" if isinstance(kind, type) else f"expected {kind!r}"

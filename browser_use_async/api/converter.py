"""JSON to models, through one lenient cattrs converter, and models to the JSON of the service."""

# Lenient means: open enums, unknown fields kept in `extra`, null for any optional value, naive
# datetimes in UTC. A missing required value, or one of the wrong shape, raises
# `ResponseDecodeError` with the JSON path and never with the value.

import types
from collections.abc import Callable, Mapping
from datetime import datetime
from decimal import Decimal, InvalidOperation
from functools import cache
from itertools import chain, starmap
from operator import itemgetter
from typing import Any, get_args, get_origin

import attrs
import cattrs
from cattrs.gen import make_dict_structure_fn

from browser_use_async.api.scalars import (
    MismatchError,
    described,
    plain,
    read_boolean,
    read_id,
    read_integer,
    read_moment,
    read_open_enum,
    read_status,
    read_text,
)
from browser_use_async.api.submission_token import RESERVED_KEYS
from browser_use_async.errors import ResponseDecodeError
from browser_use_async.types.enums import OpenEnum, TaskStatus


def _read_amount(value: Any, _type: Any) -> Decimal:
    """A finite number, written as number or as text."""
    if isinstance(value, str | int | float) and not isinstance(value, bool):
        try:
            # Through text, since a float would add its binary error.
            number = Decimal(str(value))
        except InvalidOperation:
            number = Decimal("NaN")
        if number.is_finite():
            return number
    raise MismatchError("expected a number")


def _json_name(field: "attrs.Attribute[Any]") -> str:
    """The name of a field in the JSON of the API."""
    name: str = field.metadata.get("json_name", field.name)
    return name


def _override(field: "attrs.Attribute[Any]") -> Any:
    is_id = field.metadata.get("is_strict_id")
    return cattrs.override(rename=_json_name(field), struct_hook=read_id if is_id else None)


def _without_none(annotation: Any) -> Any:
    options = [option for option in get_args(annotation) if option is not types.NoneType]
    return options[0] if len(options) == 1 else annotation


def _is_list(annotation: Any) -> bool:
    origin: Any = get_origin(annotation)
    return origin is list


def _model_hook(model: type[Any], converter: cattrs.Converter) -> Callable[[Any, Any], Any]:
    """Structure a response: nulls become defaults, unknown fields go to `extra`."""
    generated = make_dict_structure_fn(
        model,
        converter,
        _cattrs_detailed_validation=converter.detailed_validation,
        extra=cattrs.override(omit=True),
        **{each.name: _override(each) for each in attrs.fields(model) if each.metadata},
    )
    attributes = {_json_name(each): each for each in attrs.fields(model) if each.name != "extra"}
    known = attributes.keys()
    nullable = {name for name, each in attributes.items() if each.default is not attrs.NOTHING}
    moments = tuple(
        name for name, each in attributes.items() if _without_none(each.type) is datetime
    )

    def hook(value: Any, _type: Any) -> Any:
        if not isinstance(value, dict):
            raise MismatchError("expected an object")
        if None in value.values():
            value = {
                name: each
                for name, each in value.items()
                if each is not None or name not in nullable
            }
        result = generated(value, model)
        if value.keys() - known:
            result.extra = {name: each for name, each in value.items() if name not in known}
        # Only if the model has the field: an unknown one of that name, as in a step, may be
        # anything.
        if "metadata" in known and result.metadata:
            # Reserved pairs are the SDK's: moved to `extra`, where the reconciler reads them.
            for name in RESERVED_KEYS:
                if name in result.metadata:
                    result.extra[name] = result.metadata.pop(name)
        # A text that is no timestamp is kept; it must not make the whole answer fail.
        for name in moments:
            if getattr(result, name) is None and value.get(name) is not None:
                result.extra[name] = value[name]
        return result

    return hook


@cache
def _plain_list(model: Any) -> Callable[[list[Any]], list[Any] | None]:
    """A fast path for lists of models with only texts and numbers; None if it does not apply."""
    # None too where anything is to be converted, missing or unknown. A task can have a hundred
    # steps, so they are checked all at once, in C.
    fields = [each for each in attrs.fields(model) if each.name != "extra"]
    kinds = [_without_none(each.type) for each in fields]
    if len(kinds) < 2 or not set(kinds) <= {str, int, bool}:
        return lambda _rows: None
    values_of = itemgetter(*(each.name for each in fields))

    def make(rows: list[Any]) -> list[Any] | None:
        try:
            if {*map(len, rows)} != {len(kinds)}:
                return None
            values = [*map(values_of, rows)]
        except (KeyError, TypeError):  # a name is missing, or a row is no object
            return None
        if [*map(type, chain.from_iterable(values))] != kinds * len(rows):
            return None
        return [*starmap(model, values)]

    return make


def _list_hook(annotation: Any, converter: cattrs.Converter) -> Callable[[Any, Any], Any]:
    """Structure a list, dropping nulls: the service was seen to send `[null]`."""
    (item,) = get_args(annotation)
    structure_item = converter.get_structure_hook(item)
    make_plain = _plain_list(item) if attrs.has(item) else lambda _rows: None
    has_numbers = attrs.has(item) and "step" in attrs.fields_dict(item)

    def hook(value: Any, _type: Any) -> list[Any]:
        if not isinstance(value, list):
            raise MismatchError("expected an array")
        if (rows := make_plain(value)) is not None:
            return rows
        rows = [structure_item(each, item) for each in value if each is not None]
        if has_numbers:
            # Streams tell steps apart by their numbers, which some servers do not give.
            for place, step in enumerate(rows, 1):
                step.step = step.step or place
        return rows

    # Item by item after a failure, so that the error names the wrong item.
    def detailed_hook(value: Any, _type: Any) -> list[Any]:
        if not isinstance(value, list):
            raise MismatchError("expected an array")
        for index, each in enumerate(value):
            try:
                hook([each], annotation)
            except Exception as error:  # noqa: BLE001 - whatever it is, it gets its place
                error.add_note(cattrs.IterableValidationNote("", index, item))
                raise ExceptionGroup("", [error]) from None
        return hook(value, annotation)

    return detailed_hook if converter.detailed_validation else hook


@cache
def _converter(*, detailed: bool) -> cattrs.Converter:
    """The converter, or a slower one that reports the path of a failure."""
    converter = cattrs.Converter(detailed_validation=detailed, prefer_attrib_converters=False)
    for kind, hook in ((str, read_text), (int, read_integer), (bool, read_boolean)):
        converter.register_structure_hook(kind, hook)
    converter.register_structure_hook(Decimal, _read_amount)
    converter.register_structure_hook(datetime, read_moment)
    # By class and not by predicate: cattrs would use the hook of `str` for its subclasses.
    converter.register_structure_hook(OpenEnum, read_open_enum)
    converter.register_structure_hook_func(lambda kind: kind == datetime | None, read_moment)
    converter.register_structure_hook_factory(_is_list, lambda kind: _list_hook(kind, converter))
    converter.register_structure_hook_factory(attrs.has, lambda kind: _model_hook(kind, converter))
    # Registered last, so that they go before the factory above.
    converter.register_structure_hook(TaskStatus, read_status)
    return converter


def structure(value: Any, kind: Any) -> Any:
    """Turn a JSON value into a model; raises `ResponseDecodeError` with the path."""
    try:
        return _converter(detailed=False).structure(value, kind)
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError, OverflowError):
        pass
    # Outside of the except block, so that no exception with response values is chained.
    path, problem = _locate(value, kind)
    raise ResponseDecodeError(f"at {path}: {problem}", path=path)


def _locate(value: Any, kind: Any) -> tuple[str, str]:
    try:
        _converter(detailed=True).structure(value, kind)
    except Exception as error:  # noqa: BLE001 - of any error only the place is reported
        return _first_leaf(error, "$")
    return "$", "the value does not fit"


def _first_leaf(error: BaseException, path: str) -> tuple[str, str]:
    if isinstance(error, BaseExceptionGroup):
        # Only the first one, since a message about a hundred rows would not help.
        first = error.exceptions[0]
        return _first_leaf(first, path + _place(first, getattr(error, "cl", None)))
    return described(error, path)


def _place(error: BaseException, model: Any) -> str:
    for note in getattr(error, "__notes__", ()):
        if isinstance(note, cattrs.AttributeValidationNote):
            # `described` names a missing field itself.
            name = _json_name(attrs.fields_dict(model)[note.name])
            return "" if isinstance(error, KeyError) else f".{name}"
        if isinstance(note, cattrs.IterableValidationNote):
            # A key could contain anything, also a secret, so only list indexes are reported.
            return f"[{note.index}]" if isinstance(note.index, int) else ".*"
    return ""


# --- models to JSON -----------------------------------------------------------------------


def _shortest(number: Decimal) -> str:
    """Return a number without an exponent and without trailing zeros."""
    text = format(number, "f")  # `normalize` would round to 28 digits
    return text.rstrip("0").rstrip(".") if "." in text else text


def unstructure(response: Any) -> Any:
    """The JSON value of a response in the form of the service: with nulls, without `extra`."""
    if attrs.has(type(response)):
        return {
            _json_name(field): unstructure(getattr(response, field.name))
            for field in attrs.fields(type(response))
            if field.name != "extra"
        }
    if isinstance(response, list | tuple):
        return [unstructure(each) for each in response]
    if isinstance(response, Mapping):
        return {name: unstructure(each) for name, each in response.items()}
    if isinstance(response, Decimal):
        return _shortest(response)
    return plain(response)


def export(response: Any, *, include_secrets: bool) -> Any:
    """The JSON value of a response, for `structure` to read back, with unknown fields."""
    # Values that grant access, which the repr hides, are included only if asked for.
    if isinstance(response, list):
        return [export(each, include_secrets=include_secrets) for each in response]
    if not attrs.has(type(response)):
        return unstructure(response)
    # A secret field that is None hides nothing, and is exported like any other.
    exported = {
        _json_name(field): export(value, include_secrets=include_secrets)
        for field in attrs.fields(type(response))
        if field.name not in {"extra", "_parsed"}
        if (value := getattr(response, field.name)) is None or field.repr is True or include_secrets
    }
    extra = dict(response.extra)
    if "metadata" in exported:
        for name in RESERVED_KEYS:
            if name in extra:
                exported["metadata"][name] = extra.pop(name)  # where the service has it
    return {**exported, **extra}

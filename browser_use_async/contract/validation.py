"""Is this request one that the API accepts? Asked by the SDK before sending, and by the server.

Problems come in the shape in which the service reports them (`loc`, `msg`, `type`, `input`), so
that the bundled server can answer with them as they are.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from typing import Any

import attrs

from browser_use_async.contract.strict_json import JsonRefusedError, read_json
from browser_use_async.contract.timestamps import parse_timestamp
from browser_use_async.models import UNSET, FieldKind, FieldRule, rule_of

__all__ = ["Mode", "Problem", "validate"]


class Mode(StrEnum):
    """Who asks: the two sides agree on everything but leniency."""

    CLIENT = "client"  # Python values as they are; enums are open
    SERVER = "server"  # JSON or query text, coerced as the service does; enums are closed


@attrs.frozen
class Problem:
    """One refused field.

    Attributes:
        location: Where: the field's name, and below it a key or an index.
        message: What is wrong, without the value.
        kind: The service's name for it, such as `missing` or `int_parsing`.
        value: What was given; may be a secret.
        context: Figures of the message, such as `{"ge": 1}`.
    """

    location: tuple[str | int, ...]
    message: str
    kind: str
    value: Any = attrs.field(default=None, repr=False)
    context: Mapping[str, Any] = attrs.field(factory=dict)


class _Refused(Exception):  # noqa: N818 - carries problems to the loop below, and no further
    def __init__(self, *problems: Problem) -> None:
        super().__init__()
        self.problems = problems


def validate(
    model: type[Any], given: Mapping[str, Any], mode: Mode
) -> tuple[dict[str, Any], list[Problem]]:
    """Check a request against the rules of its fields.

    Args:
        model: The request class.
        given: The fields that were given; unknown ones are ignored, as the service does.
        mode: Who asks.

    Returns:
        The values to build the request with, and every problem found.
    """
    values: dict[str, Any] = {}
    problems: list[Problem] = []
    for field in attrs.fields(model):
        rule = rule_of(field)
        value = given.get(field.name, UNSET)
        if value is UNSET:
            if rule.required:
                problems.append(Problem((field.name,), "Field required", "missing", dict(given)))
            continue
        if value is None and rule.nullable:
            values[field.name] = None
            continue
        try:
            values[field.name] = _KINDS[rule.kind](value, rule, mode)
        except _Refused as refused:
            problems += [
                attrs.evolve(each, location=(field.name, *each.location))
                for each in refused.problems
            ]
    return values, problems


def _refuse(message: str, kind: str, value: Any, **context: Any) -> _Refused:
    return _Refused(Problem((), message, kind, value, context))


def _text(given: Any, rule: FieldRule, mode: Mode) -> str:
    if not isinstance(given, str):
        raise _refuse("Input should be a valid string", "string_type", given)
    value = given.lower() if rule.lower_case else given
    if rule.enum is not None and mode is Mode.SERVER and not rule.enum(value).is_known:
        names = [f"'{member}'" for member in rule.enum]
        expected = ", ".join(names[:-1]) + f" or {names[-1]}"
        raise _refuse(f"Input should be {expected}", "enum", value, expected=expected)
    if rule.min_length is not None and len(value.strip()) < rule.min_length:
        unit = "character" if rule.min_length == 1 else "characters"
        raise _refuse(
            f"String should have at least {rule.min_length} {unit}",
            "string_too_short",
            value,
            min_length=rule.min_length,
        )
    if rule.max_length is not None and len(value) > rule.max_length:
        raise _refuse(
            f"String should have at most {rule.max_length} characters",
            "string_too_long",
            value,
            max_length=rule.max_length,
        )
    return value


def _integer(value: Any, rule: FieldRule, mode: Mode) -> int:
    number = _coerced_integer(value) if mode is Mode.SERVER else value
    if isinstance(number, bool) or not isinstance(number, int):
        raise _refuse("Input should be a valid integer", "int_type", value)
    if rule.minimum is not None and number < rule.minimum:
        raise _refuse(
            f"Input should be greater than or equal to {rule.minimum}",
            "greater_than_equal",
            value,
            ge=rule.minimum,
        )
    if rule.maximum is not None and number > rule.maximum:
        raise _refuse(
            f"Input should be less than or equal to {rule.maximum}",
            "less_than_equal",
            value,
            le=rule.maximum,
        )
    return number


def _coerced_integer(value: Any) -> Any:
    if isinstance(value, bool):
        return int(value)
    if isinstance(value, float):
        if not value.is_integer():
            raise _refuse(
                "Input should be a valid integer, got a number with a fractional part",
                "int_from_float",
                value,
            )
        return int(value)
    if isinstance(value, str):
        digits = value.strip()
        if not digits.isascii() or not digits.lstrip("+-").isdigit() or len(digits) > 19:
            raise _refuse(
                "Input should be a valid integer, unable to parse string as an integer",
                "int_parsing",
                value,
            )
        return int(digits)
    return value


_TRUE_WORDS = frozenset({"true", "t", "yes", "y", "on", "1"})
_FALSE_WORDS = frozenset({"false", "f", "no", "n", "off", "0"})


def _boolean(value: Any, rule: FieldRule, mode: Mode) -> bool:
    if isinstance(value, bool):
        return value
    if mode is Mode.SERVER:
        if isinstance(value, int | float) and value in {0, 1}:
            return bool(value)
        if isinstance(value, str) and value.lower() in _TRUE_WORDS | _FALSE_WORDS:
            return value.lower() in _TRUE_WORDS
        if isinstance(value, str | int | float):
            raise _refuse(
                "Input should be a valid boolean, unable to interpret input", "bool_parsing", value
            )
    raise _refuse("Input should be a valid boolean", "bool_type", value)


def _text_list(value: Any, rule: FieldRule, mode: Mode) -> list[str]:
    if isinstance(value, str | bytes) or not isinstance(value, Sequence):
        raise _refuse("Input should be a valid list", "list_type", value)
    problems = [
        Problem((index,), "Input should be a valid string", "string_type", each)
        for index, each in enumerate(value)
        if not isinstance(each, str)
    ]
    if problems:
        raise _Refused(*problems)
    return list(value)


def _text_map(value: Any, rule: FieldRule, mode: Mode) -> dict[str, str]:
    if not isinstance(value, Mapping):
        raise _refuse("Input should be a valid dictionary", "dict_type", value)
    if rule.max_pairs is not None and len(value) > rule.max_pairs:
        raise _refuse(
            f"Dictionary should have at most {rule.max_pairs} items after validation, "
            f"not {len(value)}",
            "too_long",
            value,
            field_type="Dictionary",
            max_length=rule.max_pairs,
            actual_length=len(value),
        )
    problems = [problem for key, each in value.items() for problem in _pair(key, each, rule)]
    if problems:
        raise _Refused(*problems)
    return dict(value)


def _pair(key: Any, value: Any, rule: FieldRule) -> list[Problem]:
    if not isinstance(key, str):
        return [Problem((str(key), "[key]"), "Input should be a valid string", "string_type", key)]
    if rule.max_key_length is not None and not 1 <= len(key) <= rule.max_key_length:
        message = f"Keys should have 1 to {rule.max_key_length} characters"
        return [Problem((key[:100], "[key]"), message, "value_error", key)]
    if not isinstance(value, str):
        return [Problem((key,), "Input should be a valid string", "string_type", value)]
    if rule.max_length is not None and len(value) > rule.max_length:
        message = f"String should have at most {rule.max_length} characters"
        context = {"max_length": rule.max_length}
        return [Problem((key,), message, "string_too_long", value, context)]
    return []


def _datetime(value: Any, rule: FieldRule, mode: Mode) -> datetime:
    if isinstance(value, datetime) and mode is Mode.CLIENT:
        if value.tzinfo is None:
            message = "Input should have timezone info"
            raise _refuse(message, "timezone_aware", value)
        return value
    moment = parse_timestamp(value) if isinstance(value, str) else None
    if moment is None:
        raise _refuse("Input should be a valid datetime", "datetime_type", value)
    return moment


def _json_schema(value: Any, rule: FieldRule, mode: Mode) -> str:
    text = _text(value, rule, mode)
    try:
        parsed = read_json(text.encode("utf-8", "replace"))
    except JsonRefusedError as error:
        message = f"Value error, the string is not JSON: {error}"
        raise _refuse(message, "value_error", value, error=str(error)) from None
    if not isinstance(parsed, dict):
        message = "Value error, the JSON in the string is not an object"
        raise _refuse(message, "value_error", value, error="not an object")
    return text


_KINDS: dict[FieldKind, Callable[[Any, FieldRule, Mode], Any]] = {
    FieldKind.TEXT: _text,
    FieldKind.INTEGER: _integer,
    FieldKind.BOOLEAN: _boolean,
    FieldKind.TEXT_LIST: _text_list,
    FieldKind.TEXT_MAP: _text_map,
    FieldKind.DATETIME: _datetime,
    FieldKind.JSON_SCHEMA: _json_schema,
}

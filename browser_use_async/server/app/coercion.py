"""Coerces what the server receives as the service does, before the rules of the API check it."""

# JSON of other programs and texts of queries: "3" is a number, "yes" is true, an empty text of an
# unused field is null. Enums are closed here, except models where the operator has chosen one.

import math
import re
from collections.abc import Callable, Mapping
from typing import Any

from browser_use_async.api.validation import TOO_BIG, refusal, too_long
from browser_use_async.types import FieldKind, FieldRule, LlmModel, OpenEnum

# The most elements of a list in a request; the service has no such bound.
MAX_LIST_ITEMS = 1000
# The most characters of a model's name that is not published: each task and schedule stores one.
MAX_MODEL_LENGTH = 200

_BLANK: Mapping[FieldKind, Any] = {FieldKind.TEXT_LIST: []}
_INTEGER = r"\s*([+-]?[0-9]+(?:_[0-9]+)*)(?:\.0+)?\s*"
_MOST_DIGITS = 4300  # Python itself refuses to convert more
_TRUE_WORDS = frozenset({"true", "t", "yes", "y", "on", "1"})
_FALSE_WORDS = frozenset({"false", "f", "no", "n", "off", "0"})


def coerced(value: Any, rule: FieldRule, *, takes_any_model: bool = False) -> Any:
    """The value that the service would take instead of a received one.

    Args:
        value: The received value.
        rule: The rule of its field.
        takes_any_model: Whether a language model may be any text.

    Raises:
        Refused: There is none.
    """
    if rule.blank_is_null and value == _BLANK.get(rule.kind, ""):
        return None  # forms and generated clients send this for an unused field
    if value is None and rule.nullable:
        return None
    if takes_any_model and rule.enum is LlmModel:
        return _model(value)
    if rule.enum is not None:
        return _member(value, rule, rule.enum)
    coerce = _KINDS.get(rule.kind)
    return value if coerce is None else coerce(value)


def _model(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    if not value.strip():
        message = "String should have at least 1 character"
        raise refusal(message, "string_too_short", value, min_length=1)
    if len(value) > MAX_MODEL_LENGTH:
        message = f"String should have at most {MAX_MODEL_LENGTH} characters"
        raise refusal(message, "string_too_long", value, max_length=MAX_MODEL_LENGTH)
    return LlmModel.respelt(value) or value


def _member(given: Any, rule: FieldRule, enum: type[OpenEnum]) -> str:
    value = given.lower() if rule.lower_case and isinstance(given, str) else given
    if isinstance(value, str) and enum(value).is_known:
        return value
    names = [f"'{member}'" for member in enum]
    expected = ", ".join(names[:-1]) + f" or {names[-1]}"
    raise refusal(f"Input should be {expected}", "enum", given, expected=expected)


def _integer(value: Any) -> Any:
    # Before `int`, of which bool is a subclass; the service takes true for 1.
    if isinstance(value, bool):
        return int(value)
    if isinstance(value, float):
        return _integer_of_float(value)
    if isinstance(value, str):
        return _integer_of_text(value)
    return value


def _integer_of_float(value: float) -> int:
    if not math.isfinite(value):
        raise refusal("Input should be a finite number", "finite_number", value)
    if not value.is_integer():
        message = "Input should be a valid integer, got a number with a fractional part"
        raise refusal(message, "int_from_float", value)
    return int(value)


def _integer_of_text(value: str) -> int:
    if not (match := re.fullmatch(_INTEGER, value)):
        message = "Input should be a valid integer, unable to parse string as an integer"
        raise refusal(message, "int_parsing", value)
    # `int` would raise a ValueError of its own, and take quadratic time below that limit.
    if len(value) > _MOST_DIGITS:
        raise refusal(TOO_BIG, "int_parsing_size", value)
    return int(match[1])


def _boolean(value: Any) -> Any:
    if isinstance(value, bool):
        return value
    if isinstance(value, int | float) and value in {0, 1}:
        return bool(value)
    if isinstance(value, str) and value.lower() in _TRUE_WORDS | _FALSE_WORDS:
        return value.lower() in _TRUE_WORDS
    if isinstance(value, str | int) or (isinstance(value, float) and value.is_integer()):
        message = "Input should be a valid boolean, unable to interpret input"
        raise refusal(message, "bool_parsing", value)
    return value


def _text_list(value: Any) -> Any:
    if isinstance(value, list) and len(value) > MAX_LIST_ITEMS:
        raise too_long("List", value, MAX_LIST_ITEMS)
    return value


_KINDS: Mapping[FieldKind, Callable[[Any], Any]] = {
    FieldKind.INTEGER: _integer,
    FieldKind.BOOLEAN: _boolean,
    FieldKind.TEXT_LIST: _text_list,
}

"""Single values of an output, strictly: what stands for what, and what is refused."""

import types
import typing
from collections.abc import Callable
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from typing import Any

from browser_use_async.api.scalars import parse_timestamp

__all__ = ["MisfitError", "name_of", "name_of_kind", "read_scalar"]


class MisfitError(Exception):
    """A scalar that does not fit; says what was expected. Never seen by anybody outside."""


_NAMES: dict[type[Any], str] = {
    str: "a string",
    int: "an integer",
    float: "a number",
    bool: "a boolean",
    list: "an array",
    dict: "an object",
    types.NoneType: "null",
}


def name_of(value: Any) -> str:
    """What a JSON value is, in words."""
    return _NAMES[type(value)]


def name_of_kind(kind: type[Any]) -> str:
    """What values of a class of JSON are, in words."""
    return _NAMES[kind]


def _no_conversion(kind: type[Any]) -> Callable[[Any], typing.NoReturn]:
    def refuse(_value: Any) -> typing.NoReturn:
        raise MisfitError(_NAMES[kind])

    return refuse


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _integer(value: Any) -> int:
    if isinstance(value, float) and value.is_integer():
        return int(value)
    raise MisfitError("an integer")


def _number(value: Any) -> float:
    if not _is_number(value):
        raise MisfitError("a number")
    try:
        return float(value)
    except OverflowError:  # an integer of more than 300 digits
        raise MisfitError("a finite number") from None


def _decimal(value: Any) -> Decimal:
    if _is_number(value) or isinstance(value, str):
        try:
            number = Decimal(str(value))
        except InvalidOperation:
            pass
        else:
            if number.is_finite():
                return number
    raise MisfitError("a finite number")


def _moment(value: Any) -> datetime:
    moment = parse_timestamp(value) if isinstance(value, str) else None
    if moment is None:
        raise MisfitError("an ISO 8601 timestamp")
    return moment


def _day(value: Any) -> date:
    if isinstance(value, str):
        try:
            return date.fromisoformat(value)
        except ValueError:
            pass
    raise MisfitError("an ISO 8601 date")


_READERS: dict[type[Any], Callable[[Any], Any]] = {
    str: _no_conversion(str),
    int: _integer,
    float: _number,
    bool: _no_conversion(bool),
    types.NoneType: _no_conversion(types.NoneType),
    Decimal: _decimal,
    datetime: _moment,
    date: _day,
}


def read_scalar(value: Any, kind: type[Any]) -> Any:
    """A JSON value as a scalar of another class.

    Raises:
        MisfitError: It does not stand for one.
    """
    return _READERS[kind](value)

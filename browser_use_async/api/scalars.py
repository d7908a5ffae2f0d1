"""JSON scalars to Python values, with the leniency that answers call for, and back."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from browser_use_async.types.enums import OpenEnum, TaskStatus


def parse_timestamp(text: str) -> datetime | None:
    """An aware datetime, or None if the text is no timestamp. Naive means UTC."""
    text = text.strip().upper()
    if text.endswith("+00:00Z"):
        text = text[:-1]
    try:
        moment = datetime.fromisoformat(text)
        aware = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment
        aware.astimezone(UTC)
    except (ValueError, OverflowError):  # overflow: 0001-01-01 east of Greenwich, for one
        return None
    return aware


def format_timestamp(moment: datetime) -> str:
    """UTC with six digits of microseconds and `Z`, the form that the service was seen to use."""
    if moment.tzinfo is not UTC:
        moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    # Not `strftime`, which pads no year below 1000. It ends with the offset, +00:00.
    return moment.isoformat(timespec="microseconds")[:-6] + "Z"


def plain(value: Any) -> Any:
    """The JSON value of a field."""
    if isinstance(value, datetime):
        return format_timestamp(value)
    if isinstance(value, str):
        return str(value)
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, list | tuple):
        return list(value)
    return value


_BOOLEANS = {"true": True, "false": False}
_DIGITS = r"-?[0-9]{1,19}"


class MismatchError(ValueError):
    """A JSON value of the wrong shape; says what was expected and never what was found."""


def described(error: BaseException, path: str) -> tuple[str, str]:
    """The JSON path and the problem that a reader's exception stands for, without the value."""
    if isinstance(error, KeyError):
        return f"{path}.{error.args[0]}", "a required field is missing"
    if isinstance(error, MismatchError):
        return path, str(error)
    return path, "the value does not fit"


def read_text(value: Any, _type: Any) -> str:
    """Text; numbers too, for servers that count their ids."""
    if isinstance(value, str):
        return value
    if isinstance(value, int | float) and not isinstance(value, bool):
        return str(value)
    raise MismatchError("expected a string")


def read_id(value: Any, _type: Any) -> str:
    """A text that is an id, and not empty."""
    if isinstance(value, str) and value:
        return value
    raise MismatchError("expected an id")


def read_integer(value: Any, _type: Any) -> int:
    """A whole number, written as number or as text."""
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, str) and re.fullmatch(_DIGITS, value):
        return int(value)
    raise MismatchError("expected an integer")


def read_boolean(value: Any, _type: Any) -> bool:
    """A boolean; also its name as text, and 0 or 1, for servers that keep it so."""
    if isinstance(value, str):
        value = _BOOLEANS.get(value.lower())
    if isinstance(value, int | float) and value in {0, 1}:
        return bool(value)
    raise MismatchError("expected true or false")


def read_open_enum(value: Any, enum: type[OpenEnum]) -> OpenEnum:
    """A value of an open enum."""
    if isinstance(value, str):
        return enum(value)
    raise MismatchError("expected a string")


def read_moment(value: Any, _type: Any) -> datetime | None:
    """An aware datetime, or None for what is no timestamp."""
    return parse_timestamp(value) if isinstance(value, str) else None


def read_status(value: Any, _type: Any) -> TaskStatus:
    """A bare string; self-hosted servers were seen to wrap it in an object."""
    if isinstance(value, dict):
        value = value.get("status")
    if isinstance(value, str) and value:
        return TaskStatus(value)
    raise MismatchError("expected a status")

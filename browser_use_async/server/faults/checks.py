"""Validation of the fields of a fault rule. Each error text begins with the name of the field."""

import re
from collections.abc import Iterable, Mapping
from typing import Any

from browser_use_async.api.endpoint_table import ENDPOINTS
from browser_use_async.errors import ConfigurationError
from browser_use_async.server.checks import closest, count, is_number, seconds
from browser_use_async.server.checks import one_of as check_word
from browser_use_async.server.setting_kinds import Kind

API_OPERATIONS = frozenset(endpoint.name for endpoint in ENDPOINTS)
"""The operations that a rule applies to if it names none."""

_STORAGE_OPERATIONS = ("file", "upload")
_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")


def unknown_field(name: object, words: Iterable[str]) -> str:
    """The problem of a field that faults do not have."""
    meant = closest(name, words)
    return "a fault has no such field" + (f"; did you mean {meant!r}?" if meant else "")


def operations(names: str | Iterable[str] | None) -> tuple[str, ...] | None:
    """Return names of operations, after checking that each exists."""
    if names is None:
        return None
    given = _items("operations", (names,) if isinstance(names, str) else names)
    for name in given:
        check_word("operations", name, [*sorted(API_OPERATIONS), *_STORAGE_OPERATIONS])
    return given


def calls(numbers: int | Iterable[int] | None) -> tuple[int, ...] | None:
    """Return call numbers, after checking that each is at least 1."""
    if numbers is None:
        return None
    given = _items("calls", (numbers,) if isinstance(numbers, int) else numbers)
    for number in given:
        count("calls", number)
    return given


def _items(field: str, values: object) -> tuple[Any, ...]:
    # A string is iterable, but its letters are not the names that are meant.
    if not isinstance(values, Iterable) or isinstance(values, str | bytes | Mapping):
        raise ConfigurationError(f"{field}: {values!r} is neither one value nor a list of them")
    items = tuple(values)
    if not items:
        raise ConfigurationError(f"{field}: an empty list is for no call at all")
    return items


def _probability(field: str, value: Any) -> None:
    if not is_number(value) or not 0 <= value <= 1:
        raise ConfigurationError(f"{field}: {value!r} is no number from 0 to 1")


def _speed(field: str, value: Any) -> None:
    if not is_number(value) or value <= 0:
        raise ConfigurationError(f"{field}: {value!r} is no number above 0")


def _line(field: str, value: object) -> None:
    # A line break in a header would start a header of its own.
    if not isinstance(value, str) or not value or not value.isprintable():
        raise ConfigurationError(f"{field}: {value!r} is no line of text")


def _headers(field: str, value: object) -> None:
    if not isinstance(value, Mapping):
        raise ConfigurationError(f"{field}: {value!r} are no names with values")
    for name, content in value.items():
        if not isinstance(name, str) or not _HEADER_NAME.fullmatch(name):
            raise ConfigurationError(f"{field}: {name!r} cannot be the name of a header")
        _line(f"{field}[{name}]", content)


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise ValueError(f"{text!r} is no number") from None


PROBABILITY = Kind(unit="number", check=_probability, parse=_number)
SECONDS = Kind(unit="seconds", check=seconds, parse=_number)
SPEED = Kind(unit="number", check=_speed, parse=_number)
LINE = Kind(unit="text", check=_line)
HEADERS = Kind(unit="headers", check=_headers)

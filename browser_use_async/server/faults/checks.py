"""Validation of the fields of a fault rule. Each error text begins with the name of the field."""

import math
import re
from collections.abc import Callable, Iterable, Mapping
from difflib import get_close_matches
from typing import Any

from browser_use_async.api.endpoint_table import ENDPOINTS
from browser_use_async.errors import ConfigurationError

API_OPERATIONS = frozenset(endpoint.name for endpoint in ENDPOINTS)
"""The operations that a rule applies to if it names none."""

_STORAGE_OPERATIONS = ("file", "upload")
_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")


def one_of(field: str, value: object, known: Iterable[str]) -> None:
    """Refuse a value that is not one of the known words."""
    words = [str(word) for word in known]
    if isinstance(value, str) and value in words:
        return
    # The closest one says more than a list of thirty, of which it is one.
    meant = closest(value, words)
    if meant is not None:
        raise ConfigurationError(f"{field}: {value!r} is not known; did you mean {meant!r}?")
    raise ConfigurationError(f"{field}: {value!r} is none of {', '.join(words)}")


def closest(value: object, words: Iterable[str]) -> str | None:
    """The word that was probably meant, or None."""
    if not isinstance(value, str):
        return None
    # Without underscores and hyphens, which are what is forgotten.
    plain = {_plain(word): word for word in words}
    near = get_close_matches(_plain(value), plain, n=1, cutoff=0.6)
    return plain[near[0]] if near else None


def _plain(word: str) -> str:
    return word.lower().replace("_", "").replace("-", "").replace(" ", "")


def unknown_field(name: object, words: Iterable[str]) -> str:
    """What is wrong with a field that faults do not have."""
    meant = closest(name, words)
    return "a fault has no such field" + (f"; did you mean {meant!r}?" if meant else "")


def operations(names: Iterable[str] | None) -> tuple[str, ...] | None:
    """Return names of operations, after checking that each exists."""
    if names is None:
        return None
    given = _items("operations", names)
    for name in given:
        one_of("operations", name, [*sorted(API_OPERATIONS), *_STORAGE_OPERATIONS])
    return given


def calls(numbers: Iterable[int] | None) -> tuple[int, ...] | None:
    """Return call numbers, after checking that each is at least 1."""
    if numbers is None:
        return None
    given = _items("calls", numbers)
    for number in given:
        _count("calls", number)
    return given


def _items(field: str, values: object) -> tuple[Any, ...]:
    # A string is iterable, but its letters are not the names that are meant.
    if not isinstance(values, Iterable) or isinstance(values, str | bytes | Mapping):
        raise ConfigurationError(f"{field}: {values!r} is neither one value nor a list of them")
    items = tuple(values)
    if not items:
        raise ConfigurationError(f"{field}: an empty list is for no call at all")
    return items


def _integer(field: str, value: object, least: float = -math.inf, most: float = math.inf) -> None:
    # bool is a subclass of int, and True is not a count.
    if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
        bounds = f" from {least}" * (least > -math.inf) + f" to {most}" * (most < math.inf)
        raise ConfigurationError(f"{field}: {value!r} is no whole number{bounds}")


def _count(field: str, value: object) -> None:
    _integer(field, value, 1)


def _whole(field: str, value: object) -> None:
    _integer(field, value)


def _position(field: str, value: object) -> None:
    _integer(field, value, 0)


def _status(field: str, value: object) -> None:
    _integer(field, value, 200, 599)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _probability(field: str, value: Any) -> None:
    if not _is_number(value) or not 0 <= value <= 1:
        raise ConfigurationError(f"{field}: {value!r} is no number from 0 to 1")


def _seconds(field: str, value: Any) -> None:
    if not _is_number(value) or value < 0:
        raise ConfigurationError(f"{field}: {value!r} is no number from 0")


def _speed(field: str, value: Any) -> None:
    if not _is_number(value) or value <= 0:
        raise ConfigurationError(f"{field}: {value!r} is no number above 0")


def _text(field: str, value: object) -> None:
    if not isinstance(value, str):
        raise ConfigurationError(f"{field}: {value!r} is no text")


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


def _ending(field: str, value: object) -> None:
    one_of(field, value, ("fin", "rst"))


def _moment(field: str, value: object) -> None:
    one_of(field, value, ("before", "after"))


OF_FIELDS: Mapping[str, Callable[[str, Any], None]] = {
    "first": _count,
    "probability": _probability,
    "seed": _whole,
    "name": _line,
    "when": _moment,
    "seconds": _seconds,
    "status": _status,
    "headers": _headers,
    "body": _text,
    "by": _ending,
    "at_byte": _position,
    "bytes_per_second": _speed,
    "content_type": _line,
    "count": _count,
}
"""The checks of the fields that need no conversion."""

"""Reads untrusted JSON: no duplicate keys, finite numbers, limited depth."""

# With orjson installed (the extra `speed`) the same is read in a third of the time.

import json
import math
import re
from collections.abc import Callable
from typing import Any, NoReturn

try:
    import orjson
except ImportError:
    orjson = None  # type: ignore[assignment]


class JsonRefusedError(ValueError):
    """A text that is no valid JSON. The message never quotes the text."""


def _no_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    mapping = dict(pairs)
    if len(mapping) != len(pairs):
        raise JsonRefusedError("an object has the same key twice")
    return mapping


def _at_most(most: int) -> Callable[[list[tuple[str, Any]]], dict[str, Any]]:
    """Makes objects without duplicates, and refuses a text with more of them."""
    left = most

    def make(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        nonlocal left
        left -= 1
        if left < 0:
            raise JsonRefusedError(f"there are more than {most} objects in it")
        return _no_duplicates(pairs)

    return make


def _no_constant(name: str) -> NoReturn:
    raise JsonRefusedError(f"{name} is not JSON")


def _finite(digits: str) -> float:
    number = float(digits)
    if math.isinf(number):
        raise JsonRefusedError("a number is beyond the range of a float")
    return number


def _refuse_half_pairs(value: Any) -> None:
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        raise JsonRefusedError("a string contains half of a surrogate pair") from None


_UNREAD: Any = object()
_SPACED = re.compile(rb'[\[{]*\s|[\[{]*"[^"\\]*"(?:\s|:\s)')  # as the first key shows

_SURROGATE = r"\\u[dD][89a-fA-F]"


def _decoder(make: Callable[[list[tuple[str, Any]]], dict[str, Any]]) -> json.JSONDecoder:
    return json.JSONDecoder(
        object_pairs_hook=make, parse_constant=_no_constant, parse_float=_finite
    )


_DECODER = _decoder(_no_duplicates)


def skim_json(body: bytes) -> Any:
    """The value of JSON text that is only inspected, and so read leniently."""
    return json.loads(body) if orjson is None else orjson.loads(body)


def _read_quickly(body: bytes) -> Any:
    """The value, if orjson certainly reads it right; else `_UNREAD`."""
    # orjson keeps the last of two equal keys, rounds large integers and may make a number infinite,
    # which it writes as null. If it writes exactly the text that it has read, without white space
    # as most servers do, none of these is in it.
    if orjson is None or _SPACED.match(body):
        return _UNREAD
    try:
        value = orjson.loads(body)
        return value if orjson.dumps(value) == body else _UNREAD
    except (ValueError, TypeError):
        return _UNREAD


def read_json(body: bytes, most: int | None = None) -> Any:
    """The value of UTF-8 JSON text; raises `JsonRefusedError` for anything ambiguous or unsafe.

    With `most`, a text with more objects is refused as soon as these were read.
    """
    value = _read_quickly(body) if most is None else _UNREAD
    if value is not _UNREAD:
        return value
    problem: str
    try:
        text = body.decode("utf-8")
        value = (_DECODER if most is None else _decoder(_at_most(most))).decode(text)
        # From the first backslash to the last, which are found sixty times as fast.
        if re.compile(_SURROGATE).search(text, text.find("\\"), text.rfind("\\") + 4):
            _refuse_half_pairs(value)
    except UnicodeDecodeError:
        problem = "the text is not UTF-8"
    except json.JSONDecodeError as error:
        # Only the position: the exception of the standard library contains the whole body.
        problem = f"{error.msg} at character {error.pos}"
    except JsonRefusedError as error:
        problem = str(error)
    except RecursionError:
        problem = "the text nests too deeply"
    except ValueError:
        problem = "a number has too many digits"
    else:
        return value
    raise JsonRefusedError(problem)

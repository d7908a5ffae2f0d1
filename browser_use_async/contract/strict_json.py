"""JSON that is read without trust: no duplicate keys, no NaN, bounded depth and numbers."""

import json
import re
from typing import Any, NoReturn

__all__ = ["JsonRefusedError", "read_json"]


class JsonRefusedError(ValueError):
    """A text that is not the JSON it should be. Its message never quotes the text."""


def _no_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    mapping = dict(pairs)
    if len(mapping) != len(pairs):
        raise JsonRefusedError("an object has the same key twice")
    return mapping


def _no_constant(name: str) -> NoReturn:
    raise JsonRefusedError(f"{name} is not JSON")


def _refuse_half_pairs(value: Any) -> None:
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        raise JsonRefusedError("a string holds half of a surrogate pair") from None


_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")
_DECODER = json.JSONDecoder(object_pairs_hook=_no_duplicates, parse_constant=_no_constant)


def read_json(body: bytes) -> Any:
    """The value that UTF-8 JSON text stands for.

    Args:
        body: The text. A byte-order mark is refused, as RFC 8259 allows.

    Raises:
        JsonRefusedError: The text is not JSON, repeats a key, holds NaN or Infinity, half of a
            surrogate pair or a number with thousands of digits, or nests too deeply.
    """
    problem: str
    try:
        text = body.decode("utf-8")
        value = _DECODER.decode(text)
        if "\\" in text and _SURROGATE.search(text):  # the first is sixty times as fast
            _refuse_half_pairs(value)
    except UnicodeDecodeError:
        problem = "the text is not UTF-8"
    except json.JSONDecodeError as error:
        # Only the position: the exception of the standard library holds the whole body.
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

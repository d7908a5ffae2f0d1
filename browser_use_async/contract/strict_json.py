"""JSON that is read without trust: no duplicate keys, no NaN, bounded depth and numbers."""

import json
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


_DECODER = json.JSONDecoder(object_pairs_hook=_no_duplicates, parse_constant=_no_constant)


def read_json(body: bytes) -> Any:
    """The value that UTF-8 JSON text stands for.

    Args:
        body: The text. A byte-order mark is refused, as RFC 8259 allows.

    Raises:
        JsonRefusedError: The text is not JSON, repeats a key, holds NaN or Infinity, nests too
            deeply, or holds a number with thousands of digits.
    """
    problem: str
    try:
        return _DECODER.decode(body.decode("utf-8"))
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
    raise JsonRefusedError(problem)

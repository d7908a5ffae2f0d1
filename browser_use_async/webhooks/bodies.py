"""The JSON of webhook calls: read without trust, and written in the one form that is signed."""

import json
import math
from typing import Any

from browser_use_async.api.json import JsonRefusedError, read_json

__all__ = ["MAX_BODY", "MAX_DEPTH", "canonical_json", "read_body"]

MAX_BODY = 1_048_576
"""Bytes. A task has at most ten pairs of metadata of 1,100 characters, so that 1 MB is ample."""

MAX_DEPTH = 32
"""Levels of objects and arrays. The specification's events have three."""


def canonical_json(value: Any, *, escaped: bool = True) -> bytes:
    r"""Compact JSON with sorted keys, which is what the service signs."""
    return json.dumps(value, ensure_ascii=escaped, separators=(",", ":"), sort_keys=True).encode()


def read_body(body: bytes) -> Any:
    """The value of a webhook call's body.

    Raises:
        JsonRefusedError: It is not JSON, is ambiguous, too long, nests too deeply or holds a
            number that no float can hold. Says so without quoting it.
    """
    if len(body) > MAX_BODY:
        raise JsonRefusedError(f"the body is longer than {MAX_BODY} bytes")
    value = read_json(body)
    _check_tree(value)
    return value


def _check_tree(value: Any) -> None:
    level = [value]
    for _ in range(MAX_DEPTH + 1):
        if any(isinstance(each, float) and not math.isfinite(each) for each in level):
            raise JsonRefusedError("a number is too large")
        level = [child for each in level for child in _children(each)]
        if not level:
            return
    raise JsonRefusedError(f"the text nests deeper than {MAX_DEPTH} levels")


def _children(value: Any) -> list[Any]:
    if isinstance(value, dict):
        return list(value.values())
    return value if isinstance(value, list) else []

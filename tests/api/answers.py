"""Answers of the service as JSON values, and the errors of refused ones."""

import json
from typing import Any

import pytest

from browser_use_async.api import endpoint_table as table
from browser_use_async.api.endpoint_table import Endpoint
from browser_use_async.api.serialization import decode_response
from browser_use_async.errors import ResponseDecodeError

_CONSTANTS = [getattr(table, name) for name in dir(table)]

ROWS = {row.name: row for row in _CONSTANTS if isinstance(row, Endpoint)}
"""Every call that the contract has a constant for, by name."""

CANARY = "canary-4711"
TASK: dict[str, Any] = {
    "id": "t-1",
    "task": CANARY,
    "output": CANARY,
    "status": "running",
    "created_at": "2025-11-01T10:48:01Z",
    "steps": [],
}
PAGE: dict[str, Any] = {
    "tasks": [TASK],
    "total_pages": 1,
    "page": 1,
    "limit": 10,
    "total_count": 1,
}


def decode(endpoint: Endpoint, value: Any) -> Any:
    """The result of a call that was answered with this JSON value."""
    return decode_response(endpoint, json.dumps(value).encode())


def refused(endpoint: Endpoint, body: bytes) -> ResponseDecodeError:
    """The error of a call that was answered with these bytes."""
    with pytest.raises(ResponseDecodeError) as caught:
        decode_response(endpoint, body)
    return caught.value


def assert_shows_no_value(error: ResponseDecodeError) -> None:
    """Neither the error nor anything chained to it contains what the server sent."""
    assert CANARY not in f"{error} {error!r} {error.args} {vars(error)}"
    # A chained exception would contain the decoded text.
    assert error.__context__ is None
    assert error.__cause__ is None

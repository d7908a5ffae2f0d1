"""Messages on a pipe: JSON with its length in front."""

import json
from collections.abc import Mapping
from typing import Any

HEADER_BYTES = 4


def pack(message: Mapping[str, Any]) -> bytes:
    """The bytes of a message."""
    body = json.dumps(message).encode()
    return len(body).to_bytes(HEADER_BYTES, "big") + body


def size_of(header: bytes) -> int:
    """How many bytes follow a header."""
    return int.from_bytes(header, "big")


def unpack(body: bytes) -> Any:
    """The message."""
    return json.loads(body)

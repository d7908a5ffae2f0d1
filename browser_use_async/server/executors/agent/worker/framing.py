"""Messages on a pipe: JSON with its length in front."""

import json
from collections.abc import Mapping
from typing import Any

HEADER_BYTES = 4


def pack(message: Mapping[str, Any]) -> bytes:
    """The bytes of a message.

    Args:
        message: Anything that JSON can say.
    """
    body = json.dumps(message).encode()
    return len(body).to_bytes(HEADER_BYTES, "big") + body


def size_of(header: bytes) -> int:
    """How many bytes follow a header.

    Args:
        header: The first `HEADER_BYTES` bytes of a message.
    """
    return int.from_bytes(header, "big")


def unpack(body: bytes) -> Any:
    """The message.

    Args:
        body: What follows the header.
    """
    return json.loads(body)

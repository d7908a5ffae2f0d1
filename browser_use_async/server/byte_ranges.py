"""The Range header of RFC 9110, as far as downloads resume with it: one range of bytes."""

import re

__all__ = ["UnsatisfiableRangeError", "byte_range"]

_ONE_RANGE = re.compile(r"bytes=(\d{0,18})-(\d{0,18})", re.IGNORECASE | re.ASCII)


class UnsatisfiableRangeError(ValueError):
    """The range begins after the end."""


def byte_range(header: str | None, size: int) -> range | None:
    """The bytes that are asked for, or None for all of them.

    Several ranges, other units and nonsense mean all bytes, as the RFC allows.

    Raises:
        UnsatisfiableRangeError: There is no byte in the range.
    """
    match = _ONE_RANGE.fullmatch((header or "").strip())
    if match is None or match[1] == match[2] == "":
        return None
    if not match[1]:
        start, end = max(0, size - int(match[2])), size
    else:
        start = int(match[1])
        end = min(int(match[2]) + 1, size) if match[2] else size
        if match[2] and int(match[2]) < start:
            return None
    if start >= end:
        raise UnsatisfiableRangeError
    return range(start, end)

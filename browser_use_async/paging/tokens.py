"""The text that carries a reader to another process. Pure."""

import base64
import binascii
import json
import struct
import zlib
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from types import UnionType
from typing import Any

import attrs

from browser_use_async.errors import InvalidRequestError

__all__ = ["ResumePoint", "parse", "write"]

_PREFIX = "bup1."
_LONGEST = 50_000_000  # bytes unpacked; a text of a few bytes can claim to be as long as it likes
_ENTRY = struct.Struct(">8sq")
_NO_DATE = -(2**63)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@attrs.frozen
class ResumePoint:
    """Where a reader stands.

    Attributes:
        kind: Which list it reads.
        page_size: Rows on a page, as asked for.
        served_size: Rows on a page, as the server gives them.
        covered: How many rows from the top are known.
        count: How many rows there were in all at that time.
        known: How many rows were met.
        rows: Digests of those that must be told apart, and their dates.
        done: Whether there is nothing more to give.
        more: What else the list's reader needs.
    """

    kind: str
    page_size: int
    served_size: int
    covered: int
    count: int
    known: int
    rows: Mapping[bytes, datetime | None]
    done: bool
    more: Mapping[str, Any]


def write(point: ResumePoint) -> str:
    """The text of a point.

    Args:
        point: Where a reader stands.
    """
    entries = b"".join(
        _ENTRY.pack(each, _NO_DATE if date is None else _microseconds(date))
        for each, date in point.rows.items()
    )
    fields = {
        **attrs.asdict(point, recurse=False, filter=lambda field, _: field.name != "rows"),
        "more": {
            name: {"at": _microseconds(value)} if isinstance(value, datetime) else value
            for name, value in point.more.items()
        },
    }
    head = json.dumps(fields, separators=(",", ":")).encode()
    packed = zlib.compress(head + b"\n" + entries)
    return _PREFIX + base64.urlsafe_b64encode(packed).decode().rstrip("=")


def parse(text: str, kind: str, more: Mapping[str, type | UnionType]) -> ResumePoint:
    """Read what `write` wrote.

    Args:
        text: The text.
        kind: Which list is to be read.
        more: The names of what else the list's reader needs, and their types.

    Raises:
        InvalidRequestError: It is no such text, or it belongs to another list.
    """
    try:
        point = _parse(text)
    except (ValueError, TypeError, KeyError, OverflowError, binascii.Error, zlib.error):
        raise InvalidRequestError(
            f"this is no resume token; they come from `.resume_token` and start with {_PREFIX!r}",
            field="resume",
        ) from None
    if point.kind != kind:
        raise InvalidRequestError(
            f"this token resumes a list of {point.kind}, not of {kind}", field="resume"
        )
    if point.more.keys() != more.keys() or not all(
        isinstance(point.more[name], each) for name, each in more.items()
    ):
        raise InvalidRequestError("this resume token is damaged", field="resume")
    return point


def _parse(text: str) -> ResumePoint:
    prefix, data = text[: len(_PREFIX)], text[len(_PREFIX) :]
    packed = base64.b64decode(data + "=" * (-len(data) % 4), altchars=b"-_", validate=True)
    unpacking = zlib.decompressobj()
    unpacked = unpacking.decompress(packed, _LONGEST)
    if prefix != _PREFIX or not unpacking.eof:
        raise ValueError
    head, _, entries = unpacked.partition(b"\n")
    fields = json.loads(head)
    fields["rows"] = {each: _moment(date) for each, date in _ENTRY.iter_unpack(entries)}
    fields["more"] = {
        name: _moment(value["at"]) if isinstance(value, dict) else value
        for name, value in fields["more"].items()
    }
    point = ResumePoint(**fields)
    numbers = (point.page_size, point.served_size, point.covered, point.count, point.known)
    if any(type(each) is not int for each in numbers) or min(numbers[:2]) < 1:
        raise ValueError
    return point


def _microseconds(moment: datetime) -> int:
    return (moment - _EPOCH) // timedelta(microseconds=1)


def _moment(microseconds: int) -> datetime | None:
    if microseconds == _NO_DATE:
        return None
    return _EPOCH + timedelta(microseconds=microseconds)

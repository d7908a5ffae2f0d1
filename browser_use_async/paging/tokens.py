"""Resume tokens: the text with which another process continues to read a list. No I/O."""

# There are two forms. The short one is for tasks that are listed by their dates: rows above a date
# were yielded, and of those at that date only digests are needed. It stays below 400 characters
# however many share the date: then it holds the last of them, by which the position is found again.
# The long one holds each digest with its date, for lists in which dates decide less.

import base64
import json
import struct
import zlib
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from types import UnionType
from typing import Any

import attrs

from browser_use_async.errors import InvalidRequestError
from browser_use_async.paging.seen import SHORT_DIGEST

_LONG = "bup1."
_SHORT = "bup2."
_LONGEST_SHORT = 399  # characters
_FEWEST = 4  # digests, whatever else the token holds
_KIND = "tasks"
_DATES = ("frontier", "ceiling", "created_after")
_IN_HEAD = frozenset(
    {"kind", "page_size", "served_size", "covered", "count", "known", "done", "more"}
)
_CHECK = struct.Struct(">I")
# Bytes unpacked. A token can come from an untrusted client, and zlib expands up to 1000 times.
_LONGEST = 50_000_000
_MOST = 2**53  # rows; above it, JSON numbers are not exact everywhere
# What decoding a damaged or forged text raises
_DAMAGE = (ValueError, TypeError, KeyError, OverflowError, RecursionError, zlib.error)
_ENTRY = struct.Struct(">8sq")  # digest, padded with zeros, and microseconds since 1970
_NO_DATE = -(2**63)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@attrs.frozen
class ResumePoint:
    """Where one reading of a list can continue."""

    kind: str  # which list it reads
    page_size: int  # rows on a page, as asked for
    served_size: int  # rows on a page, as the server gives them
    covered: int  # how many rows from the top were read
    count: int  # how many rows there were in all at that time
    known: int  # how many rows were read in all
    # Digests of those that no date decides, and their dates
    rows: Mapping[bytes, datetime | None]
    done: bool  # whether there is nothing more to yield
    more: Mapping[str, Any]  # the fields of this kind of list
    # 0, or how many rows have the date of those in `rows`, which are then only the last
    tie: int = 0
    in_order: bool = True  # whether `rows` are in the order of the list


def encode(point: ResumePoint) -> str:
    """The token of a point, in the short form if that is possible."""
    frontier = point.more.get("frontier")
    one_date = all(date == frontier for date in point.rows.values())
    if frontier is not None and point.more["ordered"] and one_date:
        return _encode_short(point)
    return _encode_long(point)


def _encode_short(point: ResumePoint) -> str:
    digests = list(dict.fromkeys(each[:SHORT_DIGEST] for each in point.rows))
    text = _short_text(point, digests)
    if len(text) <= _LONGEST_SHORT:
        return text
    if not point.in_order:
        return _encode_long(point)  # the last ones are found again by their order only
    if not point.tie:
        # The next process starts at the first row of that date, or above it.
        above = max(point.covered - len(digests), 0)
        point = attrs.evolve(point, tie=len(digests), covered=above)
    # Base64: four characters for three bytes.
    room = (_LONGEST_SHORT - len(_short_text(point, []))) * 3 // 4 // SHORT_DIGEST
    return _short_text(point, digests[-max(room, _FEWEST) :])


def _short_text(point: ResumePoint, digests: Sequence[bytes]) -> str:
    numbers = (point.page_size, point.served_size, point.covered, point.count, point.known)
    dates = [_packed(point.more[name]) for name in _DATES]
    head = [*numbers, point.tie, int(point.done), *dates, point.more["statuses"]]
    content = json.dumps(head, separators=(",", ":")).encode() + b"\n" + b"".join(digests)
    return _SHORT + _to_base64(_CHECK.pack(zlib.crc32(content)) + content)


def _encode_long(point: ResumePoint) -> str:
    entries = b"".join(
        _ENTRY.pack(each, _NO_DATE if date is None else _microseconds(date))
        for each, date in point.rows.items()
    )
    fields = {
        **attrs.asdict(point, recurse=False, filter=lambda field, _: field.name in _IN_HEAD),
        "more": {
            name: {"at": _microseconds(value)} if isinstance(value, datetime) else value
            for name, value in point.more.items()
        },
    }
    head = json.dumps(fields, separators=(",", ":")).encode()
    # Digests hardly get smaller, but dates of neighbouring rows do.
    packed = zlib.compress(head + b"\n" + entries)
    return _LONG + _to_base64(packed)


def decode(text: str, kind: str, fields: Mapping[str, type | UnionType]) -> ResumePoint:
    """The point of a token."""
    try:
        point = _decode(text)
    except _DAMAGE:
        raise InvalidRequestError(
            "this is no resume token; they come from `.resume_token` and start with 'bup'",
            field="resume",
        ) from None
    if point.kind != kind:
        raise InvalidRequestError(
            f"this token resumes a list of {point.kind}, not of {kind}", field="resume"
        )
    if point.more.keys() != fields.keys() or not all(
        isinstance(point.more[name], each) for name, each in fields.items()
    ):
        raise InvalidRequestError("this resume token is damaged", field="resume")
    return point


def _decode(text: str) -> ResumePoint:
    point = _decode_short(text) if text[: len(_SHORT)] == _SHORT else _decode_long(text)
    sizes = (point.page_size, point.served_size)
    numbers = (*sizes, point.covered, point.count, point.known, point.tie)
    # `type`, because a JSON `true` is an int to isinstance.
    if any(type(each) is not int or not 0 <= each <= _MOST for each in numbers) or 0 in sizes:
        raise ValueError
    return point


def _decode_short(text: str) -> ResumePoint:
    checked = _from_base64(text, _SHORT)
    content = checked[_CHECK.size :]
    # Against damage, not forgery: a token grants nothing.
    if _CHECK.pack(zlib.crc32(content)) != checked[: _CHECK.size]:
        raise ValueError
    head, _, digests = content.partition(b"\n")
    *numbers, tie, done, frontier, ceiling, after, statuses = json.loads(head)
    border = _unpacked(frontier)  # the date of all rows of the short form
    size, served, covered, count, known = numbers
    return ResumePoint(
        *(_KIND, size, served, covered, count, known),
        rows={
            digests[at : at + SHORT_DIGEST]: border for at in range(0, len(digests), SHORT_DIGEST)
        },
        done=bool(done),
        more={
            "frontier": border,
            "ceiling": _unpacked(ceiling),
            "ordered": True,
            "statuses": statuses,
            "created_after": _unpacked(after),
        },
        tie=tie,
    )


def _decode_long(text: str) -> ResumePoint:
    unpacking = zlib.decompressobj()
    unpacked = unpacking.decompress(_from_base64(text, _LONG), _LONGEST)
    if not unpacking.eof:
        raise ValueError
    head, _, entries = unpacked.partition(b"\n")
    fields = json.loads(head)
    # Digests of the short form are padded to 8 bytes here.
    fields["rows"] = {
        each.removesuffix(bytes(8 - SHORT_DIGEST)): _moment(date)
        for each, date in _ENTRY.iter_unpack(entries)
    }
    fields["more"] = {
        name: _moment(value["at"]) if isinstance(value, dict) else value
        for name, value in fields["more"].items()
    }
    return ResumePoint(**fields, in_order=False)


def _to_base64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def _from_base64(text: str, prefix: str) -> bytes:
    data = text.removeprefix(prefix)
    if data == text:
        raise ValueError
    return base64.b64decode(data + "=" * (-len(data) % 4), altchars=b"-_", validate=True)


def _packed(moment: datetime | None) -> int | None:
    return None if moment is None else _microseconds(moment)


def _unpacked(microseconds: int | None) -> datetime | None:
    return None if microseconds is None else _moment(microseconds)


def _microseconds(moment: datetime) -> int:
    return (moment - _EPOCH) // timedelta(microseconds=1)


def _moment(microseconds: int) -> datetime | None:
    if microseconds == _NO_DATE:
        return None
    return _EPOCH + timedelta(microseconds=microseconds)

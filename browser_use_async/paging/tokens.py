"""The text that carries a reader to another process. Pure.

There are two forms. The short one is for tasks that are listed by their dates: rows above a date
were given, and of those of that date only digests are needed. It stays below 400 characters however
many share the date: then it holds the last of them, by which the place is found again. The long one
holds each digest with its date, for lists in which dates tell less.
"""

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
from browser_use_async.paging.known_rows import ROUGH

__all__ = ["ResumePoint", "parse", "write"]

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
_LONGEST = 50_000_000  # bytes unpacked; a text of a few bytes can claim to be as long as it likes
_MOST = 2**53  # rows, of whatever kind
# What reading raises where the text comes from anybody, such as a browser that holds a cursor.
_DAMAGE = (ValueError, TypeError, KeyError, OverflowError, RecursionError, zlib.error)
_ENTRY = struct.Struct(">8sq")
_NO_DATE = -(2**63)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@attrs.frozen
class ResumePoint:
    """Where a reader stands."""

    kind: str  # which list it reads
    page_size: int  # rows on a page, as asked for
    served_size: int  # rows on a page, as the server gives them
    covered: int  # how many rows from the top are known
    count: int  # how many rows there were in all at that time
    known: int  # how many rows were met
    # Digests of those that must be told apart, and their dates
    rows: Mapping[bytes, datetime | None]
    done: bool  # whether there is nothing more to give
    more: Mapping[str, Any]  # what else the list's reader needs
    # 0, or how many rows have the date of those in `rows`, which are then only the last
    tie: int = 0
    in_order: bool = True  # whether `rows` stand in the order of the list


def write(point: ResumePoint) -> str:
    """The text of a point."""
    frontier = point.more.get("frontier")
    told = {each: date for each, date in point.rows.items() if date != frontier}
    if frontier is not None and point.more["ordered"] and not told:
        return _write_short(point)
    return _write_long(point)


def _write_short(point: ResumePoint) -> str:
    digests = list(dict.fromkeys(each[:ROUGH] for each in point.rows))
    text = _short_text(point, digests)
    if len(text) <= _LONGEST_SHORT:
        return text
    if not point.in_order:
        return _write_long(point)
    if not point.tie:
        # Whoever goes on begins at the first row of that date, or above it.
        above = max(point.covered - len(digests), 0)
        point = attrs.evolve(point, tie=len(digests), covered=above)
    room = (_LONGEST_SHORT - len(_short_text(point, []))) * 3 // 4 // ROUGH
    return _short_text(point, digests[-max(room, _FEWEST) :])


def _short_text(point: ResumePoint, digests: Sequence[bytes]) -> str:
    numbers = (point.page_size, point.served_size, point.covered, point.count, point.known)
    dates = [_packed(point.more[name]) for name in _DATES]
    head = [*numbers, point.tie, int(point.done), *dates, point.more["statuses"]]
    content = json.dumps(head, separators=(",", ":")).encode() + b"\n" + b"".join(digests)
    return _SHORT + _encoded(_CHECK.pack(zlib.crc32(content)) + content)


def _write_long(point: ResumePoint) -> str:
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
    packed = zlib.compress(head + b"\n" + entries)
    return _LONG + _encoded(packed)


def parse(text: str, kind: str, more: Mapping[str, type | UnionType]) -> ResumePoint:
    """Read what `write` wrote.

    Raises:
        InvalidRequestError: It is no such text, or it belongs to another list.
    """
    try:
        point = _parse(text)
    except _DAMAGE:
        raise InvalidRequestError(
            "this is no resume token; they come from `.resume_token` and start with 'bup'",
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
    point = _parse_short(text) if text[: len(_SHORT)] == _SHORT else _parse_long(text)
    sizes = (point.page_size, point.served_size)
    numbers = (*sizes, point.covered, point.count, point.known, point.tie)
    if any(type(each) is not int or not 0 <= each <= _MOST for each in numbers) or 0 in sizes:
        raise ValueError
    return point


def _parse_short(text: str) -> ResumePoint:
    checked = _decoded(text, _SHORT)
    content = checked[_CHECK.size :]
    if _CHECK.pack(zlib.crc32(content)) != checked[: _CHECK.size]:
        raise ValueError
    head, _, digests = content.partition(b"\n")
    *numbers, tie, done, frontier, ceiling, after, statuses = json.loads(head)
    border = _unpacked(frontier)
    size, served, covered, count, known = numbers
    return ResumePoint(
        *(_KIND, size, served, covered, count, known),
        rows={digests[at : at + ROUGH]: border for at in range(0, len(digests), ROUGH)},
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


def _parse_long(text: str) -> ResumePoint:
    unpacking = zlib.decompressobj()
    unpacked = unpacking.decompress(_decoded(text, _LONG), _LONGEST)
    if not unpacking.eof:
        raise ValueError
    head, _, entries = unpacked.partition(b"\n")
    fields = json.loads(head)
    # A digest of fewer bytes stands there with zeros.
    fields["rows"] = {
        each.removesuffix(bytes(8 - ROUGH)): _moment(date)
        for each, date in _ENTRY.iter_unpack(entries)
    }
    fields["more"] = {
        name: _moment(value["at"]) if isinstance(value, dict) else value
        for name, value in fields["more"].items()
    }
    return ResumePoint(**fields, in_order=False)


def _encoded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def _decoded(text: str, prefix: str) -> bytes:
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

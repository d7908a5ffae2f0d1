"""Resume tokens: the text with which another process continues to read the task list. No I/O."""

# In a newest-first list every task that was not given is below those that were, so that the date of
# the last one decides nearly all. The token has this date, and digests of the tasks that it does
# not decide: those of the same date, and those without one. Where dates are out of order it has a
# digest of each task that was given.

import base64
import binascii
import hashlib
import json
import zlib
from collections.abc import Collection
from datetime import UTC, datetime, timedelta

import attrs

from browser_use_async.errors import InvalidRequestError

_PREFIX = "bup3."
_DIGEST_BYTES = 8
_CHECKSUM_BYTES = 4
_MOST = 2**53  # rows; above it, JSON numbers are not exact everywhere
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
# The exceptions of decoding a damaged or forged text
_DAMAGE = (ValueError, TypeError, OverflowError, RecursionError, binascii.Error)


def digest_of(task_id: str) -> bytes:
    """The digest of an id in a token."""
    # An id comes from a server and may contain a lone surrogate, which UTF-8 refuses.
    text = task_id.encode("utf-8", "surrogatepass")
    return hashlib.blake2b(text, digest_size=_DIGEST_BYTES).digest()


@attrs.frozen(kw_only=True)
class ResumePoint:
    """The point at which a reading of a list begins or continues."""

    page_size: int  # rows on a page, as requested
    served_size: int  # rows on a page, as served
    has_begun: bool = False
    unread: int = 0  # how many rows from the bottom may not have been yielded
    count: int = 0  # how many rows there were on all pages at that time
    known: int = 0  # how many rows were read so far
    is_done: bool = False  # whether all rows were yielded
    is_ordered: bool = True  # whether the list so far runs from new to old
    border: datetime | None = None  # rows above this date were yielded
    ceiling: datetime | None = None  # rows above this date are new
    tied: Collection[bytes] = ()  # digests of the yielded rows with the border's date
    others: Collection[bytes] = ()  # digests of other yielded rows that no date decides
    statuses: str | None = None  # the filters of the caller
    created_after: datetime | None = None


def encode(point: ResumePoint) -> str:
    """The token of a point."""
    numbers = (point.page_size, point.served_size, point.unread, point.count, point.known)
    flags = (int(point.is_done), int(point.is_ordered))
    dates = map(_microseconds, (point.border, point.ceiling, point.created_after))
    head = json.dumps(
        [*numbers, *flags, len(point.tied), *dates, point.statuses], separators=(",", ":")
    )
    content = head.encode() + b"\n" + b"".join((*point.tied, *point.others))
    return _PREFIX + base64.urlsafe_b64encode(_checksum(content) + content).decode().rstrip("=")


def decode(text: str) -> ResumePoint:
    """The point of a token; raises `InvalidRequestError` for any other text."""
    try:
        return _decode(text)
    except _DAMAGE:
        raise InvalidRequestError(
            "this is no resume token of this version; they come from `.resume_token` and start "
            f"with {_PREFIX!r}",
            field="resume",
        ) from None


def _decode(text: object) -> ResumePoint:
    if not isinstance(text, str) or not text.startswith(_PREFIX):
        raise ValueError
    encoded = text.removeprefix(_PREFIX)
    data = base64.b64decode(encoded + "=" * (-len(encoded) % 4), altchars=b"-_", validate=True)
    content = data[_CHECKSUM_BYTES:]
    # Against damage, not against forgery: a token grants nothing.
    if data[:_CHECKSUM_BYTES] != _checksum(content):
        raise ValueError
    head, _, digests = content.partition(b"\n")
    *numbers, border, ceiling, created_after, statuses = json.loads(head)
    # `type`, because a JSON `true` is an int to isinstance.
    if any(type(each) is not int or not 0 <= each <= _MOST for each in numbers):
        raise ValueError
    page_size, served_size, unread, count, known, is_done, is_ordered, tied = numbers
    if not page_size or not served_size or not isinstance(statuses, str | None):
        raise ValueError
    starts = range(0, len(digests), _DIGEST_BYTES)
    rows = [digests[start : start + _DIGEST_BYTES] for start in starts]
    return ResumePoint(
        page_size=page_size,
        served_size=served_size,
        has_begun=True,
        unread=unread,
        count=count,
        known=known,
        is_done=bool(is_done),
        is_ordered=bool(is_ordered),
        border=_date(border),
        ceiling=_date(ceiling),
        tied=rows[:tied],
        others=rows[tied:],
        statuses=statuses,
        created_after=_date(created_after),
    )


def _checksum(content: bytes) -> bytes:
    return zlib.crc32(content).to_bytes(_CHECKSUM_BYTES, "big")


def _microseconds(date: datetime | None) -> int | None:
    return None if date is None else (date - _EPOCH) // timedelta(microseconds=1)


def _date(microseconds: int | None) -> datetime | None:
    return None if microseconds is None else _EPOCH + timedelta(microseconds=microseconds)

"""Which version of a file a reply is of, and whether another reply goes on with it. Pure."""

import hashlib
import re
from collections.abc import Mapping
from datetime import datetime
from email.utils import parsedate_to_datetime

import attrs

__all__ = ["Version"]

_STRONG_ETAG = re.compile(r'"[\x21\x23-\x7e]{1,1000}"')
_DIGITS = re.compile(r"\d{1,18}", re.ASCII)


@attrs.frozen
class Version:
    """What a reply says about the version of the file that it brings."""

    # A strong ETag, else a `Last-Modified` that is old enough to be unique, else None
    validator: str | None
    total: int | None  # the file's size in bytes, or None if the reply does not tell

    @classmethod
    def of(cls, headers: Mapping[str, str]) -> "Version":
        """The version that a whole reply brings."""
        etag = headers.get("ETag", "")
        length = headers.get("Content-Length", "")
        return cls(
            etag if _STRONG_ETAG.fullmatch(etag) else _settled_date(headers),
            int(length) if _DIGITS.fullmatch(length) else None,
        )

    @property
    def can_be_resumed(self) -> bool:
        """Whether a part of this version can be told from parts of others, and from the whole."""
        return self.validator is not None and self.total is not None

    def tag(self, identity: str) -> str:
        """A short name for this version of one file."""
        text = f"{identity}\n{self.validator}\n{self.total}"
        return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()[:16]

    def goes_on(self, headers: Mapping[str, str], offset: int) -> bool:
        """Whether a partial reply brings the rest of this version."""
        if self.total is None:
            return False
        expected = f"bytes {offset}-{self.total - 1}/{self.total}"
        etag = headers.get("ETag")
        same = etag is None or etag == self.validator or not str(self.validator).startswith('"')
        return same and headers.get("Content-Range", "").strip().lower() == expected


def _settled_date(headers: Mapping[str, str]) -> str | None:
    """`Last-Modified`, unless the file may have changed again within the same second."""
    modified, now = _date(headers.get("Last-Modified")), _date(headers.get("Date"))
    if modified is None or now is None or (now - modified).total_seconds() < 1:
        return None
    return headers["Last-Modified"]


def _date(text: str | None) -> datetime | None:
    try:
        moment = parsedate_to_datetime(text or "")
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    return moment if moment.tzinfo is not None else None

"""How long a server asks to wait: `Retry-After` as seconds, decimals or an HTTP date."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

__all__ = ["http_date", "retry_after_seconds"]

# int() and float() would take "1_000", "1e400", "nan" and digits of other scripts. Ten digits and
# more are a time since 1970 that was sent by mistake.
_SECONDS = r"\d{1,9}(\.\d+)?"


def retry_after_seconds(headers: Mapping[str, str]) -> float | None:
    """Seconds to wait, or None if the header is absent or unreadable.

    A date is compared with the response's own `Date`, so that a wrong clock on this machine does
    no harm.
    """
    text = headers.get("Retry-After", "").strip()
    if re.fullmatch(_SECONDS, text, re.ASCII):
        return float(text)
    until = http_date(text)
    if until is None:
        return None
    now = http_date(headers.get("Date", "")) or datetime.now(UTC)
    return max(0.0, (until - now).total_seconds())


def http_date(text: str) -> datetime | None:
    """The moment that a header names, or None if it is no HTTP date."""
    try:
        moment = parsedate_to_datetime(text)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment

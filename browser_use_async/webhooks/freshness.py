"""When a webhook call was sent, and whether that is near enough to now."""

import re
from datetime import UTC, datetime

from browser_use_async.api.scalars import parse_timestamp
from browser_use_async.errors import WebhookVerificationError

__all__ = ["check_fresh", "read_sent_at"]

_UNIX = re.compile(r"\d{1,13}(?:\.\d{1,9})?", re.ASCII)

_MILLISECONDS = 1e11
"""From here on unix time is in milliseconds: in seconds this would be the year 5138."""


def read_sent_at(text: str) -> datetime:
    """The time that a timestamp header tells: unix seconds, milliseconds or ISO 8601.

    Raises:
        WebhookVerificationError: It tells none.
    """
    if _UNIX.fullmatch(text):
        number = float(text)
        seconds = number / 1000 if number >= _MILLISECONDS else number
        return datetime.fromtimestamp(seconds, UTC)
    moment = parse_timestamp(text)
    if moment is None:
        raise WebhookVerificationError("the timestamp header is no timestamp", status=400)
    return moment


def check_fresh(sent_at: datetime, tolerance: float | None, now: datetime | None) -> None:
    """Refuse calls from too long ago and from too far ahead.

    Raises:
        WebhookVerificationError: The call is stale.
    """
    if tolerance is None:
        return
    moment = datetime.now(UTC) if now is None else now
    aware = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment
    age = (aware - sent_at).total_seconds()
    # This way round a tolerance that is not a number allows nothing.
    if not abs(age) <= tolerance:
        direction = "old" if age > 0 else "ahead of this machine's clock"
        raise WebhookVerificationError(
            f"the call is {abs(age):.0f} s {direction}, and {tolerance:g} s are allowed",
            reason="stale",
        )

"""ISO 8601 timestamps as the service writes them: `Z`, an offset, both, or neither."""

from datetime import UTC, datetime

__all__ = ["format_timestamp", "parse_timestamp"]


def parse_timestamp(text: str) -> datetime | None:
    """An aware datetime, or None if the text is no timestamp. Naive means UTC."""
    text = text.strip().upper()
    if text.endswith("+00:00Z"):
        text = text[:-1]
    try:
        moment = datetime.fromisoformat(text)
        aware = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment
        aware.astimezone(UTC)
    except (ValueError, OverflowError):  # overflow: 0001-01-01 east of Greenwich, for one
        return None
    return aware


def format_timestamp(moment: datetime) -> str:
    """UTC with six digits of microseconds and `Z`, the form that the service was seen to use."""
    aware = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    return aware.replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"

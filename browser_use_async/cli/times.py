"""Times and spans of time as text for people.

One rule for all commands: times are local, and the zone is in the head of the column or after the
time. JSON has the times of the API, in UTC.
"""

import re
from datetime import UTC, datetime


def time_span(seconds: float | None) -> str:
    """A span of time as plain text: `0.8 s`, `42 s`, `3 min 20 s`, `2 h 5 min`."""
    if seconds is None:
        return "unknown"
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return _two(*divmod(whole, 60), "min", "s")
    return _two(*divmod(round(seconds / 60), 60), "h", "min")


def _two(large: int, small: int, *names: str) -> str:
    return f"{large} {names[0]}" + (f" {small} {names[1]}" if small else "")


def local_time(moment: datetime | None, *, with_zone: bool = False) -> str:
    """A time in the local time zone; with its zone, or below a heading of `in_local_time`."""
    if moment is None:
        return "?"
    text, zone = f"{moment.astimezone():%Y-%m-%d %H:%M:%S}", _zone_at(moment)
    # In summer the zone may differ from that of the heading.
    return f"{text} {zone}" if with_zone or zone != _zone_at(datetime.now(UTC)) else text


def in_local_time(heading: str) -> str:
    """The heading of a column of local times, such as `CREATED (UTC-5)`."""
    return f"{heading} ({_zone_at(datetime.now(UTC))})"


def _zone_at(moment: datetime) -> str:
    """The local zone at a moment: `UTC`, `UTC-5`, `UTC+5:30`."""
    # By its offset: names of zones are ambiguous, and Windows has others.
    sign, hours, minutes = re.findall(r"([+-])(\d\d)(\d\d)", f"{moment.astimezone():%z}")[0]
    if (hours, minutes) == ("00", "00"):
        return "UTC"
    return f"UTC{sign}{int(hours)}" + ("" if minutes == "00" else f":{minutes}")

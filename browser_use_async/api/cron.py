"""Five-field cron expressions in UTC: whether one can be read, and fires at all. Pure.

Fields: minute, hour, day of month, month, day of week (0 and 7 are Sunday). Each takes `*`,
numbers, ranges `a-b`, lists `a,b`, steps `*/n` and `a-b/n`; months and days of week also take
three-letter names. As in cron, when both day fields are restricted either may match, where a field
that begins with `*` counts as unrestricted.
"""

import calendar
from collections.abc import Iterator

_MONTHS = {name.lower(): number for number, name in enumerate(calendar.month_abbr) if name}
_DAYS = {"sun": 0, "mon": 1, "tue": 2, "wed": 3, "thu": 4, "fri": 5, "sat": 6}
_FIELDS: tuple[tuple[str, int, int, dict[str, int]], ...] = (
    ("minute", 0, 59, {}),
    ("hour", 0, 23, {}),
    ("day of month", 1, 31, {}),
    ("month", 1, 12, _MONTHS),
    ("day of week", 0, 7, _DAYS),
)
_LEAP_YEAR = 2024


class CronSyntaxError(ValueError):
    """An expression that is no cron expression, or one that never fires."""


def check_cron(expression: str) -> None:
    """Check the five fields of an expression; raises `CronSyntaxError`."""
    texts = expression.split()
    if len(texts) != len(_FIELDS):
        raise CronSyntaxError(f"a cron expression has five fields, not {len(texts)}")
    _minutes, _hours, days, months, _weekdays = (
        set(_field(text.lower(), *field)) for text, field in zip(texts, _FIELDS, strict=True)
    )
    either_day = not texts[2].startswith("*") and not texts[4].startswith("*")
    longest = max(calendar.monthrange(_LEAP_YEAR, month)[1] for month in months)
    # Any date comes to fall on any day of the week, so that only dates can be missing.
    if not either_day and min(days) > longest:
        raise CronSyntaxError("the expression names a day that does not exist in any year")


def _field(text: str, name: str, low: int, high: int, names: dict[str, int]) -> Iterator[int]:
    for part in text.split(","):
        span, slash, step_text = part.partition("/")
        step = _number(step_text, name, 1, high, {}) if slash else 1
        if span == "*":
            first, last = low, high
        else:
            begin, dash, end = span.partition("-")
            first = _number(begin, name, low, high, names)
            last = _number(end, name, low, high, names) if dash else first
            if slash and first == last:
                last = high  # `5/15` and `5-5/15` begin at 5 and go to the end
        if first > last:
            raise CronSyntaxError(f"{name}: the range {span!r} runs backwards")
        yield from range(first, last + 1, step)


def _number(text: str, name: str, low: int, high: int, names: dict[str, int]) -> int:
    if text in names:
        return names[text]
    if not (text.isascii() and text.isdigit() and len(text) <= 3 and low <= int(text) <= high):
        raise CronSyntaxError(f"{name}: {text[:20]!r} is not a number from {low} to {high}")
    return int(text)

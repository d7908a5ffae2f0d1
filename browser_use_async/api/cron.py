"""Five-field cron expressions in UTC: which minute is next. Pure.

Fields: minute, hour, day of month, month, day of week (0 and 7 are Sunday). Each takes `*`,
numbers, ranges `a-b`, lists `a,b`, steps `*/n` and `a-b/n`; months and days of week also take
three-letter names. As in cron, when both day fields are restricted either may match, where a field
that begins with `*` counts as unrestricted.
"""

import calendar
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import attrs

_MONTHS = {name.lower(): number for number, name in enumerate(calendar.month_abbr) if name}
_DAYS = {"sun": 0, "mon": 1, "tue": 2, "wed": 3, "thu": 4, "fri": 5, "sat": 6}
_FIELDS: tuple[tuple[str, int, int, dict[str, int]], ...] = (
    ("minute", 0, 59, {}),
    ("hour", 0, 23, {}),
    ("day of month", 1, 31, {}),
    ("month", 1, 12, _MONTHS),
    ("day of week", 0, 7, _DAYS),
)
_HORIZON_DAYS = 366 * 40
"""Longest gap of any expression that fires at all: a 29 February on a given day of week can be 40
years away around a century that is no leap year."""


class CronSyntaxError(ValueError):
    """An expression that is no cron expression, or one that never fires."""


@attrs.frozen
class Cron:
    """A parsed expression."""

    minutes: tuple[int, ...]  # minutes of the hour, in order
    hours: tuple[int, ...]  # hours of the day, in order
    days: frozenset[int]  # days of the month
    months: frozenset[int]  # months of the year
    weekdays: frozenset[int]  # days of the week, 0 for Sunday
    either_day: bool  # whether one matching day field is enough

    @classmethod
    def parse(cls, expression: str) -> "Cron":
        """Read an expression.

        Raises:
            CronSyntaxError: It cannot be read, or can never fire.
        """
        texts = expression.split()
        if len(texts) != len(_FIELDS):
            raise CronSyntaxError(f"a cron expression has five fields, not {len(texts)}")
        values = [
            frozenset(_field(text.lower(), *field))
            for text, field in zip(texts, _FIELDS, strict=True)
        ]
        minutes, hours, days, months, weekdays = values
        cron = cls(
            tuple(sorted(minutes)),
            tuple(sorted(hours)),
            days,
            months,
            frozenset(day % 7 for day in weekdays),
            either_day=not texts[2].startswith("*") and not texts[4].startswith("*"),
        )
        if cron.next_after(datetime(2000, 1, 1, tzinfo=UTC)) is None:
            raise CronSyntaxError("the expression names a day that does not exist in any year")
        return cron

    def next_after(self, moment: datetime) -> datetime | None:
        """The first matching minute that is later than a moment."""
        start = moment.astimezone(UTC).replace(second=0, microsecond=0) + timedelta(minutes=1)
        day = start.replace(hour=0, minute=0)
        earliest = (start.hour, start.minute)
        for _ in range(_HORIZON_DAYS):
            if day.month not in self.months:
                day = _first_of_next_month(day)
                earliest = (0, 0)
                continue
            if self._matches_day(day):
                for hour, minute in self._times():
                    if (hour, minute) >= earliest:
                        return day.replace(hour=hour, minute=minute)
            day += timedelta(days=1)
            earliest = (0, 0)
        return None

    def _times(self) -> Iterator[tuple[int, int]]:
        return ((hour, minute) for hour in self.hours for minute in self.minutes)

    def _matches_day(self, day: datetime) -> bool:
        by_date = day.day in self.days
        by_weekday = day.isoweekday() % 7 in self.weekdays
        return by_date or by_weekday if self.either_day else by_date and by_weekday


def _first_of_next_month(day: datetime) -> datetime:
    return (day.replace(day=28) + timedelta(days=4)).replace(day=1)


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

"""How a site spells its values: numbers, dates, yes and no, and the words of a choice."""

import re
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

import attrs

Value = str | int | float | bool | None
# By an example: the sign between groups of digits, and the one before the fraction
NUMBERS = {
    "1,250.5": (",", "."),
    "1.250,5": (".", ","),
    "1 250,5": (" ", ","),
    "1'250.5": ("'", "."),
}
DATES = (
    "%Y-%m-%d", "%d %b %Y", "%d %B %Y", "%b %d, %Y", "%B %d, %Y", "%d.%m.%Y", "%d/%m/%Y",
    "%m/%d/%Y", "%Y/%m/%d",
)  # fmt: skip
_IN_NUMBER = "[\u202f\u00a0 ]"  # blanks between groups of digits
_NUMBER = re.compile(rf"(?<![\w.,-])-?\d(?:(?:[\d.,']|{_IN_NUMBER}){{0,40}}\d)?")
# A range, a part of a whole, a unit: the text says more than the number that it begins with.
_MORE = re.compile(
    r"\d\s?[-–]\s?\d"  # noqa: RUF001 - as pages write it
    r"|\d\s?(?:/|(?:of|k|K|M|B|mn|bn|thousand|million|billion)\b)"
)
_DAY = re.compile(
    r"\d{4}[-/]\d\d[-/]\d\d|\d\d[./]\d\d[./]\d{4}"
    r"|\d{1,2} [A-Z][a-z]{2,9} \d{4}|[A-Z][a-z]{2,9} \d{1,2}, \d{4}"
)
_BOOLEANS = {
    **dict.fromkeys(("yes", "true", "on", "✓"), True),
    **dict.fromkeys(("no", "false", "off", "✗"), False),
}
_MOST_CHARACTERS = 1000  # of a text in which a number or a date is looked for
_EXACT_DIGITS = 15  # of a fraction that JSON can have


@attrs.frozen
class Spelling:
    """The ways in which a site may spell numbers and dates.

    At first these are all ways. A text that means different values in them means nothing.
    """

    numbers: tuple[str, ...] = tuple(NUMBERS)
    dates: tuple[str, ...] = DATES

    def narrowed(self, fits: Callable[["Spelling"], bool]) -> "Spelling | None":
        """Only the ways that fit, each tried alone; None if there are none.

        What has no number in it fits with all of them, and so it is with dates.
        """
        numbers = tuple(each for each in self.numbers if fits(Spelling((each,), self.dates)))
        numbers = numbers or self.numbers
        dates = tuple(each for each in self.dates if fits(Spelling(numbers, (each,))))
        return Spelling(numbers, dates) if dates else None

    def meanings(self, text: str, wanted: Mapping[str, Any]) -> set[Value]:
        """All that a text can mean, of what a part of a schema wants."""
        choice = [wanted["const"]] if "const" in wanted else wanted.get("enum")
        if choice:
            plain = (each for each in choice if isinstance(each, str | int | float))
            names: dict[str, Value] = {str(each): each for each in plain}
            alike = {names[each] for each in names if _letters(each) == _letters(text)}
            return {names[text]} if text in names else alike
        kind = wanted["type"]
        if kind == "boolean":
            word = text.strip().casefold()
            return {_BOOLEANS[word]} if word in _BOOLEANS else set()
        if kind in {"integer", "number"}:
            return self._numbers_in(text[:_MOST_CHARACTERS], may_be_fraction=kind == "number")
        if kind == "null":
            return set()
        if wanted.get("format") in {"date", "date-time"}:
            return self._days_in(text[:_MOST_CHARACTERS])
        return {text} if text else set()

    def _numbers_in(self, text: str, *, may_be_fraction: bool) -> set[Value]:
        tokens = _NUMBER.findall(text)
        if len(tokens) != 1 or _MORE.search(text):
            return set()
        token = re.sub(_IN_NUMBER, " ", tokens[0])
        found = {_number(token, *NUMBERS[each]) for each in self.numbers}
        return {
            each
            for each in found
            if each is not None and (may_be_fraction or isinstance(each, int))
        }

    def _days_in(self, text: str) -> set[Value]:
        days = _DAY.findall(text)
        if len(days) != 1:
            return set()
        return {day for form in self.dates if (day := _day(days[0], form)) is not None}


def _number(token: str, between: str, point: str) -> int | float | None:
    """The number that digits and signs stand for; None if they are none in this spelling."""
    sign, digits = ("-", token[1:]) if token.startswith("-") else ("", token)
    whole, has_point, fraction = digits.partition(point)
    first, *groups = whole.split(between)
    is_grouped = not groups or (len(first) <= 3 and all(len(each) == 3 for each in groups))
    parts = [first, *groups, *([fraction] if has_point else [])]
    if not is_grouped or not all(map(str.isdecimal, parts)):
        return None
    plain = sign + "".join((first, *groups))
    if not fraction.strip("0"):
        return int(plain)  # as a float it would lose its last digits
    return float(f"{plain}.{fraction}") if len(plain + fraction) <= _EXACT_DIGITS else None


def _day(text: str, form: str) -> str | None:
    try:
        return datetime.strptime(text, form).date().isoformat()  # noqa: DTZ007 - only the day
    except ValueError:
        return None


def _letters(text: str) -> str:
    """A text without case and signs."""
    return "_".join(re.findall(r"[^\W_]+", text.casefold()))

"""Checks whether the API accepts a request."""

# Values are taken as they are: the server coerces what it receives before it is checked here.
# Problems have the form in which the service reports them (`loc`, `msg`, `type`, `input`), so that
# the bundled server can answer with them unchanged.

import calendar
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from itertools import islice
from typing import TYPE_CHECKING, Any

import attrs

from browser_use_async.api.json import JsonRefusedError, read_json
from browser_use_async.api.scalars import parse_timestamp
from browser_use_async.types import UNSET, FieldKind, FieldRule, ScheduleType, rules_of

if TYPE_CHECKING:
    from decimal import Decimal

_EMPTY_LIST = (
    "Value error, is an empty list, which some servers read as all and some as none; leave it out "
    "for no restriction, or name the domains that the agent may visit"
)
# The most problems that an answer names.
MAX_PROBLEMS = 100

_RUNS_BY = {ScheduleType.INTERVAL: "interval_minutes", ScheduleType.CRON: "cron_expression"}
_RELATED = frozenset({"schedule_type", "start_at", "end_at"})


def contradictions(values: Mapping[str, Any]) -> list[tuple[str, str]]:
    """The problems of fields that contradict each other."""
    # A schedule has the field that its type needs, and ends after its start. No other request has
    # fields that depend on each other.
    found: list[tuple[str, str]] = []
    if values.keys().isdisjoint(_RELATED):  # as in calls that are made often
        return found
    for kind, field in _RUNS_BY.items():
        if values.get("schedule_type") == kind and values.get(field) is None:
            found.append((field, f"is required when schedule_type is '{kind}'"))
    start, end = values.get("start_at"), values.get("end_at")
    if start is not None and end is not None and end <= start:
        found.append(("end_at", "must be later than start_at"))
    return found


@attrs.frozen
class Problem:
    """One refused field."""

    location: tuple[str | int, ...]  # where: the field's name, and below it a key or an index
    message: str  # what is wrong, without the value
    kind: str  # the service's name for it, such as `missing` or `int_parsing`
    value: Any = attrs.field(default=None, repr=False)  # what was given; may be a secret
    # Figures of the message, such as `{"ge": 1}`
    context: Mapping[str, Any] = attrs.field(factory=dict)

    @property
    def sentence(self) -> str:
        """The place and the problem, for people."""
        message = self.message.removeprefix("Value error, ")
        return f"{'.'.join(map(str, self.location))}: {message}"


class Refused(Exception):  # noqa: N818 - only for the loops that collect problems
    """A value that is refused, with its problems."""

    def __init__(self, *problems: Problem) -> None:
        super().__init__()
        self.problems = problems


Coerce = Callable[[Any, FieldRule], Any]
"""Changes a value before it is checked."""


def validate(
    model: type[Any],
    given: Mapping[str, Any],
    coerce: Coerce | None = None,
) -> tuple[dict[str, Any], list[Problem]]:
    """Check a request against the rules of its fields, each after `coerce` has changed its value.

    `coerce` raises `Refused` for a value that it cannot change.
    """
    values: dict[str, Any] = {}
    problems: list[Problem] = []
    for name, rule in rules_of(model).items():
        value = given.get(name, UNSET)
        # The whole request as the input, as the service reports a missing field.
        if value is UNSET:
            if rule.required:
                problems.append(Problem((name,), "Field required", "missing", dict(given)))
            continue
        try:
            changed = value if coerce is None else coerce(value, rule)
            if changed is None and rule.nullable:
                values[name] = None
                continue
            values[name] = _KINDS[rule.kind](changed, rule)
            if rule.check is not None and (reason := rule.check(values[name])) is not None:
                raise refusal(f"Value error, {reason}", "value_error", value, error=reason)
        except Refused as refused:
            for each in refused.problems:
                shown = each.value if each.location else value  # the input as it was given
                location = (name, *each.location)
                problems.append(attrs.evolve(each, location=location, value=shown))
    # Not for fields that are wrong by themselves, whose relations would repeat the problem.
    if not problems:
        problems += [
            Problem((field,), f"Value error, {message}", "value_error", dict(given))
            for field, message in contradictions(values)
        ]
    return values, problems


def refusal(message: str, kind: str, value: Any, **context: Any) -> Refused:
    """The refusal of one value, in the service's words."""
    return Refused(Problem((), message, kind, value, context))


def _not_text(value: Any, *location: str | int) -> Problem | None:
    if not isinstance(value, str):
        return Problem(location, "Input should be a valid string", "string_type", value)
    try:
        # Python strings may contain what UTF-8 cannot encode.
        value.encode()
    except UnicodeEncodeError:  # half of a surrogate pair can be neither sent nor stored
        message = "Input should be a valid string, unable to parse raw data as a unicode string"
        return Problem(location, message, "string_unicode", value)
    return None


def _wrong_length(value: str, least: int | None, most: int | None, *location: str) -> list[Problem]:
    # A text of blanks is no instruction, either.
    if least is not None and len(value.strip()) < least:
        message = f"String should have at least {least} {_characters(least)}"
        return [Problem(location, message, "string_too_short", value, {"min_length": least})]
    if most is not None and len(value) > most:
        message = f"String should have at most {most} {_characters(most)}"
        return [Problem(location, message, "string_too_long", value, {"max_length": most})]
    return []


def _characters(count: int) -> str:
    return "character" if count == 1 else "characters"


def _text(given: Any, rule: FieldRule) -> str:
    if problem := _not_text(given):
        raise Refused(problem)
    value: str = given.lower() if rule.lower_case else given
    # Unknown models and countries are accepted, since the service may know more of them. A known
    # one in another spelling would be refused there.
    if rule.enum is not None and (known := rule.enum.respelt(value)) is not None:
        raise refusal(f"Input should be '{known}'", "enum", given, expected=str(known))
    if problems := _wrong_length(value, rule.min_length, rule.max_length):
        raise Refused(*problems)
    return value


_INTEGER_LIMIT = 2**63  # of databases
TOO_BIG = "Unable to parse input string as an integer, exceeded maximum size"


def _integer(number: Any, rule: FieldRule) -> int:
    if isinstance(number, bool) or not isinstance(number, int):
        raise refusal("Input should be a valid integer", "int_type", number)
    _check_bounds(number, number, rule)
    # After the bounds of the rule, whose messages are more useful.
    if not -_INTEGER_LIMIT <= number < _INTEGER_LIMIT:
        raise refusal(TOO_BIG, "int_parsing_size", number)
    return number


def _check_bounds(number: "int | Decimal", value: Any, rule: FieldRule) -> None:
    if rule.minimum is not None and number < rule.minimum:
        raise refusal(
            f"Input should be greater than or equal to {rule.minimum}",
            "greater_than_equal",
            value,
            ge=rule.minimum,
        )
    if rule.maximum is not None and number > rule.maximum:
        raise refusal(
            f"Input should be less than or equal to {rule.maximum}",
            "less_than_equal",
            value,
            le=rule.maximum,
        )


def _number(value: Any, rule: FieldRule) -> "Decimal":
    # Only calls of administration have such fields, so sessions do not load it.
    from decimal import Decimal, InvalidOperation  # noqa: PLC0415

    if isinstance(value, bool) or not isinstance(value, int | float | str | Decimal):
        raise refusal("Input should be a valid number", "decimal_type", value)
    try:
        # Through str, since Decimal(float) has the binary rounding of the float.
        number = Decimal(str(value))
    except InvalidOperation:
        raise refusal("Input should be a valid number", "decimal_parsing", value) from None
    if not number.is_finite():
        raise refusal("Input should be a finite number", "finite_number", value)
    _check_bounds(number, value, rule)
    return number


def _boolean(value: Any, rule: FieldRule) -> bool:
    if not isinstance(value, bool):
        raise refusal("Input should be a valid boolean", "bool_type", value)
    return value


def _text_list(value: Any, rule: FieldRule) -> list[str]:
    # A string is a sequence of strings, too, but is never meant as one.
    if isinstance(value, str | bytes) or not isinstance(value, Sequence):
        raise refusal("Input should be a valid list", "list_type", value)
    found = (problem for place, each in enumerate(value) if (problem := _not_text(each, place)))
    if problems := [*islice(found, MAX_PROBLEMS + 1)]:
        raise Refused(*problems)
    if rule.blank_is_null and not value:
        raise refusal(_EMPTY_LIST, "value_error", [])
    return list(value)


def _list(value: Any, rule: FieldRule) -> list[Any]:
    if not isinstance(value, list):
        raise refusal("Input should be a valid list", "list_type", value)
    return value


def too_long(kind: str, value: Sequence[Any] | Mapping[Any, Any], most: int) -> Refused:
    """The refusal of a list or a dictionary with too many items."""
    return refusal(
        f"{kind} should have at most {most} items after validation, not {len(value)}",
        "too_long",
        value,
        field_type=kind,
        max_length=most,
        actual_length=len(value),
    )


def _text_map(value: Any, rule: FieldRule) -> dict[str, str]:
    if not isinstance(value, Mapping):
        raise refusal("Input should be a valid dictionary", "dict_type", value)
    found = (problem for key, each in value.items() for problem in _pair(key, each, rule))
    if problems := [*islice(found, MAX_PROBLEMS + 1)]:
        raise Refused(*problems)
    if rule.max_pairs is not None and len(value) > rule.max_pairs:
        raise too_long("Dictionary", value, rule.max_pairs)
    return dict(value)


def _pair(key: Any, value: Any, rule: FieldRule) -> list[Problem]:
    shown = str(key)[:100]  # the location is part of the error message
    if problem := _not_text(key, shown, "[key]"):
        return [problem]
    problems = []
    if rule.max_key_length is not None:
        problems += _wrong_length(key, 1, rule.max_key_length, shown, "[key]")
    if problem := _not_text(value, shown):
        return [*problems, problem]
    return problems + _wrong_length(value, None, rule.max_length, shown)


def _datetime(value: Any, rule: FieldRule) -> datetime:
    if isinstance(value, datetime):
        # Guessing a zone would shift a schedule by hours.
        if value.tzinfo is None:
            message = "Input should have timezone info"
            raise refusal(message, "timezone_aware", value)
        return value
    moment = parse_timestamp(value) if isinstance(value, str) else None
    if moment is None:
        raise refusal("Input should be a valid datetime", "datetime_type", value)
    return moment


def _json_schema(value: Any, rule: FieldRule) -> str:
    text = _text(value, rule)
    try:
        parsed = read_json(text.encode())
    except JsonRefusedError as error:
        message = f"Value error, the string is not JSON: {error}"
        raise refusal(message, "value_error", value, error=str(error)) from None
    if not isinstance(parsed, dict):
        message = "Value error, the JSON in the string is not an object"
        raise refusal(message, "value_error", value, error="not an object")
    return text


def _cron(value: Any, rule: FieldRule) -> str:
    text = _text(value, rule)
    try:
        check_cron(text)
    except CronSyntaxError as error:
        message = f"Value error, {error}"
        raise refusal(message, "value_error", value, error=str(error)) from None
    return text


_KINDS: dict[FieldKind, Callable[[Any, FieldRule], Any]] = {
    FieldKind.TEXT: _text,
    FieldKind.INTEGER: _integer,
    FieldKind.NUMBER: _number,
    FieldKind.BOOLEAN: _boolean,
    FieldKind.TEXT_LIST: _text_list,
    FieldKind.LIST: _list,
    FieldKind.TEXT_MAP: _text_map,
    FieldKind.DATETIME: _datetime,
    FieldKind.JSON_SCHEMA: _json_schema,
    FieldKind.CRON: _cron,
}


# --- cron expressions, in UTC ------------------------------------------------------------------

# Minute, hour, day of month, month, day of week (0 and 7 are Sunday). Each takes `*`, numbers,
# ranges `a-b`, lists `a,b`, steps `*/n` and `a-b/n`; months and days of week also take names of
# three letters.
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
# Characters; all values of all fields, one by one and by their names, are fewer.
_LONGEST_CRON = 500


class CronSyntaxError(ValueError):
    """An expression that is no cron expression, or one that never fires."""


def check_cron(expression: str) -> None:
    """Check the five fields of an expression; raises `CronSyntaxError`."""
    if len(expression) > _LONGEST_CRON:
        raise CronSyntaxError(f"a cron expression may have {_LONGEST_CRON} characters")
    texts = expression.split()
    if len(texts) != len(_FIELDS):
        raise CronSyntaxError(f"a cron expression has five fields, not {len(texts)}")
    _minutes, _hours, days, months, _weekdays = (
        set(_field(text.lower(), *field)) for text, field in zip(texts, _FIELDS, strict=True)
    )
    # As in cron: when both day fields are restricted either may match, where a field that begins
    # with `*` counts as unrestricted.
    either_day = not texts[2].startswith("*") and not texts[4].startswith("*")
    longest = max(calendar.monthrange(_LEAP_YEAR, month)[1] for month in months)
    # Each date falls on each day of the week in some year, so only dates can be missing.
    if not either_day and min(days) > longest:
        raise CronSyntaxError("the expression names a day that does not exist in any year")


def _field(text: str, name: str, low: int, high: int, names: dict[str, int]) -> Iterator[int]:
    for part in text.split(","):
        span, slash, step_text = part.partition("/")
        step = _cron_number(step_text, name, 1, high, {}) if slash else 1
        if span == "*":
            first, last = low, high
        else:
            begin, dash, end = span.partition("-")
            first = _cron_number(begin, name, low, high, names)
            last = _cron_number(end, name, low, high, names) if dash else first
            if slash and first == last:
                last = high  # `5/15` and `5-5/15` begin at 5 and go to the end
        if first > last:
            raise CronSyntaxError(f"{name}: the range {span!r} runs backwards")
        yield from range(first, last + 1, step)


def _cron_number(text: str, name: str, low: int, high: int, names: dict[str, int]) -> int:
    if text in names:
        return names[text]
    if not (text.isascii() and text.isdigit() and len(text) <= 3 and low <= int(text) <= high):
        raise CronSyntaxError(f"{name}: {text[:20]!r} is not a number from {low} to {high}")
    return int(text)

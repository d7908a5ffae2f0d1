"""The check of cron expressions, compared with an independent implementation."""

import calendar
import random
from datetime import UTC, datetime, timedelta

import pytest
from cronsim import CronSim, CronSimError

from browser_use_async.api.validation import CronSyntaxError, check_cron


def _part(draw: random.Random, low: int, high: int) -> str:
    first = draw.randint(low, high)
    last = draw.randint(first, high)
    return draw.choice(
        [
            "*",
            "*",
            f"*/{draw.randint(1, high)}",
            str(first),
            f"{first}-{last}",
            f"{first}-{last}/{draw.randint(1, high)}",
            f"{first}/{draw.randint(1, high)}",
            ",".join(str(draw.randint(low, high)) for _ in range(3)),
        ]
    )


def _fires(expression: str, moment: datetime) -> bool:
    try:
        return next(CronSim(expression, moment), None) is not None
    except CronSimError:
        return False


def _is_accepted(expression: str) -> bool:
    try:
        check_cron(expression)
    except CronSyntaxError:
        return False
    return True


@pytest.mark.long
def test_thousands_of_expressions_and_dates():
    """An accepted expression fires after any date, and a refused one never does."""
    draw = random.Random(20260101)
    refused = 0
    for _ in range(4000):
        fields = [(0, 59), (0, 23), (1, 31), (1, 12), (0, 7)]
        expression = " ".join(_part(draw, low, high) for low, high in fields)
        moment = datetime(2000, 1, 1, tzinfo=UTC) + timedelta(seconds=draw.randint(0, 2 * 10**9))
        fires = _fires(expression, moment)
        refused += not fires

        assert _is_accepted(expression) == fires, (expression, moment)
    assert 0 < refused < 100


@pytest.mark.parametrize(
    "expression",
    [
        *("", "* * * *", "* * * * * *", "61 * * * *", "* 24 * * *", "* * 0 * *", "* * * 13 *"),
        *("* * * * 8", "5-1 * * * *", "*/0 * * * *", "a * * * *", "0 0 30 2 *", "٣ * * * *"),
        *("0 0 31 4,6,9,11 *", "0 0 30 feb */2"),
    ],
)
def test_what_is_no_expression_is_refused(expression):
    """Too few fields, numbers out of range, days that no month has."""
    with pytest.raises(CronSyntaxError):
        check_cron(expression)


@pytest.mark.parametrize(
    "expression", ["0 0 * jan SUN", "0 0 * 1 7", "0 0 29 feb *", "0 0 30 2 MON", "0 0 31 4,5 *"]
)
def test_names_leap_days_and_days_of_the_week_are_accepted(expression):
    """Months and days of the week have names, and Sunday two numbers; one date is enough."""
    check_cron(expression)


def test_each_value_of_each_field_can_be_written_out():
    """The longest expression that may be needed."""
    minutes, hours, days = (",".join(map(str, range(*each))) for each in ((60,), (24,), (1, 32)))
    months = ",".join(calendar.month_abbr[1:])
    check_cron(f"{minutes} {hours} {days} {months} {','.join(calendar.day_abbr)}")

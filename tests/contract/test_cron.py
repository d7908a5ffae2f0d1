"""Cron expressions, against an independent reading of them."""

import random
from datetime import UTC, datetime, timedelta

import pytest
from browser_use_async.api.cron import Cron, CronSyntaxError
from cronsim import CronSim, CronSimError


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


def _expected(expression: str, moment: datetime) -> datetime | None:
    try:
        return next(CronSim(expression, moment))
    except (CronSimError, StopIteration):
        return None


def _ours(expression: str, moment: datetime) -> datetime | None:
    try:
        return Cron.parse(expression).next_after(moment)
    except CronSyntaxError:
        return None


def test_thousands_of_expressions_and_dates():
    """The next run is the same minute, or both sides refuse the expression."""
    draw = random.Random(20260101)
    refused = 0
    for _ in range(4000):
        fields = [(0, 59), (0, 23), (1, 31), (1, 12), (0, 7)]
        expression = " ".join(_part(draw, low, high) for low, high in fields)
        moment = datetime(2000, 1, 1, tzinfo=UTC) + timedelta(seconds=draw.randint(0, 2 * 10**9))
        expected = _expected(expression, moment)
        refused += expected is None

        assert _ours(expression, moment) == expected, (expression, moment)
    assert refused < 100


@pytest.mark.parametrize(
    "expression",
    [
        *("", "* * * *", "* * * * * *", "61 * * * *", "* 24 * * *", "* * 0 * *", "* * * 13 *"),
        *("* * * * 8", "5-1 * * * *", "*/0 * * * *", "a * * * *", "0 0 30 2 *", "٣ * * * *"),
    ],
)
def test_what_is_no_expression_is_refused(expression: str):
    """Too few fields, numbers out of range, days that no month has."""
    with pytest.raises(CronSyntaxError):
        Cron.parse(expression)


def test_names_and_sunday_twice():
    """Months and days of the week have names, and Sunday two numbers."""
    saturday = datetime(2026, 1, 3, 12, tzinfo=UTC)
    sunday = datetime(2026, 1, 4, tzinfo=UTC)

    assert all(
        _ours(expression, saturday) == sunday
        for expression in ("0 0 * jan SUN", "0 0 * 1 0", "0 0 * 1 7")
    )
    leap = datetime(2028, 2, 29, tzinfo=UTC)
    assert _ours("0 0 29 feb *", saturday) == leap

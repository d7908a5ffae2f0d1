"""Bounds that more than one room needs: those that the specification states in prose, and time."""

import math
from decimal import Decimal

__all__ = [
    "MAX_CENTS",
    "MAX_METADATA_PAIRS",
    "MAX_TASK_PAGE",
    "is_cents",
    "is_count",
    "is_seconds",
]

MAX_TASK_PAGE = 100
"""Rows on one page of the task list."""

MAX_METADATA_PAIRS = 10
"""Pairs of metadata on one task."""


MAX_CENTS = 10**15
"""The largest amount of money: ten trillion dollars, in thousandths of a cent, fit 64 bits."""


def is_cents(value: object) -> bool:
    """Whether something is an amount in US cents: a finite number of 0 or more.

    Args:
        value: What a caller passed.
    """
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
        return False
    if isinstance(value, Decimal) and not value.is_finite():
        return False  # such numbers refuse to be compared
    return 0 <= value <= MAX_CENTS


def is_count(value: object) -> bool:
    """Whether something is a number of things: a whole number of 1 or more.

    Args:
        value: What a caller passed.
    """
    return isinstance(value, int) and not isinstance(value, bool) and value >= 1


def is_seconds(value: object) -> bool:
    """Whether something is a length of time in seconds: a finite number of 0 or more.

    Args:
        value: What a caller passed.
    """
    return isinstance(value, int | float) and 0 <= value < math.inf

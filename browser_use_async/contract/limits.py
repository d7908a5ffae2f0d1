"""Bounds that more than one room needs: those that the specification states in prose, and time."""

import math

__all__ = [
    "MAX_METADATA_PAIRS",
    "MAX_TASK_PAGE",
    "is_count",
    "is_seconds",
]

MAX_TASK_PAGE = 100
"""Rows on one page of the task list."""

MAX_METADATA_PAIRS = 10
"""Pairs of metadata on one task."""


def is_count(value: object) -> bool:
    """Whether something is a number of things: a whole number of 1 or more."""
    return isinstance(value, int) and not isinstance(value, bool) and value >= 1


def is_seconds(value: object) -> bool:
    """Whether something is a length of time in seconds: a finite number of 0 or more."""
    return isinstance(value, int | float) and 0 <= value < math.inf

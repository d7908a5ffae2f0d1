"""What fields of one request demand of each other. Pure."""

from collections.abc import Callable, Mapping
from typing import Any

import attrs

from browser_use_async.models import (
    CreateScheduledTaskRequest,
    ScheduleType,
    UpdateScheduledTaskRequest,
)

__all__ = ["Contradiction", "contradictions"]


@attrs.frozen
class Contradiction:
    """Two fields that do not go together.

    Attributes:
        field: The field that has to change.
        message: Why.
    """

    field: str
    message: str


def contradictions(model: type[Any], values: Mapping[str, Any]) -> list[Contradiction]:
    """What is wrong with fields that are right one by one.

    Args:
        model: The request class.
        values: The values of the fields that were given.
    """
    check = _CHECKS.get(model)
    return [] if check is None else check(values)


def _schedule(values: Mapping[str, Any]) -> list[Contradiction]:
    """A schedule has the figure that its type runs by, and ends after it begins."""
    found: list[Contradiction] = []
    for kind, field in _RUNS_BY.items():
        if values.get("schedule_type") == kind and values.get(field) is None:
            found.append(Contradiction(field, f"is required when schedule_type is '{kind}'"))
    start, end = values.get("start_at"), values.get("end_at")
    if start is not None and end is not None and end <= start:
        found.append(Contradiction("end_at", "must be later than start_at"))
    return found


_RUNS_BY = {
    ScheduleType.INTERVAL: "interval_minutes",
    ScheduleType.CRON: "cron_expression",
}

_CHECKS: dict[type[Any], Callable[[Mapping[str, Any]], list[Contradiction]]] = {
    CreateScheduledTaskRequest: _schedule,
    UpdateScheduledTaskRequest: _schedule,
}

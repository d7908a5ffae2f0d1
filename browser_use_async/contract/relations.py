"""What fields of one request demand of each other. Pure."""

from collections.abc import Mapping
from typing import Any

from browser_use_async.types import ScheduleType

__all__ = ["contradictions"]


_RUNS_BY = {
    ScheduleType.INTERVAL: "interval_minutes",
    ScheduleType.CRON: "cron_expression",
}


def contradictions(values: Mapping[str, Any]) -> list[tuple[str, str]]:
    """What is wrong with fields that are right one by one.

    A schedule has the figure that its type runs by, and ends after it begins. No other request
    has fields that depend on each other.
    """
    found: list[tuple[str, str]] = []
    for kind, field in _RUNS_BY.items():
        if values.get("schedule_type") == kind and values.get(field) is None:
            found.append((field, f"is required when schedule_type is '{kind}'"))
    start, end = values.get("start_at"), values.get("end_at")
    if start is not None and end is not None and end <= start:
        found.append(("end_at", "must be later than start_at"))
    return found
